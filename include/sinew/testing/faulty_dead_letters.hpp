// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A place for dead letters whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `put` | refused, unknown (there or not), crash before or after, delayed, zombie |
/// | `put` and `move` in a transaction | refused |
/// | `move` on its own | refused, done without an answer, crash before or after |
/// | `requested`, `holds` | refused |
///
/// **Not covered, on purpose.** A crash within a transaction (it is the crash before its commit),
/// and faults of `find` and `counts`, which people call and no consumer.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// A dead-letter place that is reached through a process.
template <dead_letter_place Inner>
class faulty_dead_letters {
public:
    /// `inner` is a handle, and is moved in.
    faulty_dead_letters(process& owner, Inner inner) : owner_(&owner), inner_(std::move(inner)) {}

    put_result put(const dead_letter_record& letter, steady_time until) {
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed,
                                    fault::zombie};
        return owner_->call(
            "dead letter put", ends,
            [&] {
                owner_->home().stir();
                return inner_.put(letter, until);
            },
            [] { return put_result::unknown; });
    }

    [[nodiscard]] std::vector<dead_letter_entry> find(const dead_letter_filter& filter,
                                                      std::int64_t after, std::size_t limit)
        requires dead_letter_store<Inner>
    {
        owner_->must_live();
        return inner_.find(filter, after, limit);
    }
    [[nodiscard]] std::vector<dead_letter_count> counts(const dead_letter_filter& filter)
        requires dead_letter_store<Inner>
    {
        owner_->must_live();
        return inner_.counts(filter);
    }
    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note)
        requires dead_letter_store<Inner>
    {
        constexpr fault_set ends = {fault::refused, fault::reply_lost, fault::crash_before,
                                    fault::crash_after};
        return owner_->call("dead letter move", ends, [&] {
            owner_->home().stir();
            return inner_.move(number, version, to, note);
        });
    }
    [[nodiscard]] std::optional<dead_letter_entry> requested(std::string_view consumer)
        requires dead_letter_store<Inner>
    {
        auto found = inner_.requested(consumer);
        // A consumer looks again and again; a look matters when there is something to be seen.
        owner_->call("dead letter requested", found ? fault_set{fault::refused} : fault_set{},
                     [] {});
        return found;
    }
    [[nodiscard]] bool holds(std::string_view consumer, std::string_view key)
        requires dead_letter_store<Inner>
    {
        return owner_->call("dead letter holds", {fault::refused},
                            [&] { return inner_.holds(consumer, key); });
    }

    template <store Store>
    [[nodiscard]] bool shares(const faulty_store<Store>& other) const
        requires dead_letters_in_transaction<Inner, Store>
    {
        return inner_.shares(other.inner());
    }
    template <transaction Tx>
    void put(faulty_transaction<Tx>& tx, const dead_letter_record& letter)
        requires requires(Inner& inner, Tx& real) { inner.put(real, letter); }
    {
        owner_->call("dead letter put", {fault::refused}, [&] { inner_.put(tx.inner(), letter); });
    }
    template <transaction Tx>
    bool move(faulty_transaction<Tx>& tx, std::int64_t number, std::uint64_t version,
              dead_letter_state to, const failure_note* note)
        requires requires(Inner& inner, Tx& real) { inner.move(real, number, version, to, note); }
    {
        return owner_->call("dead letter move", {fault::refused},
                            [&] { return inner_.move(tx.inner(), number, version, to, note); });
    }
    template <transaction Tx>
    [[nodiscard]] bool holds(faulty_transaction<Tx>& tx, std::string_view consumer,
                             std::string_view key)
        requires requires(Inner& inner, Tx& real) { inner.holds(real, consumer, key); }
    {
        return owner_->call("dead letter holds", {fault::refused},
                            [&] { return inner_.holds(tx.inner(), consumer, key); });
    }

    /// The record of attempts that the place keeps.
    [[nodiscard]] auto attempts()
        requires requires(Inner& inner) {
            { inner.attempts() } -> attempt_log;
        }
    {
        return faulty_attempts(*owner_, inner_.attempts());
    }

private:
    process* owner_;
    Inner inner_;
};

}  // namespace sinew::testing
