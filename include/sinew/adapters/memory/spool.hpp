// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A spool in memory: the reference model of `spool`.
///
/// **Guarantees.** Every numbered sentence of the concept holds. The entries are rows of a
/// database, so whoever simulates a process that dies destroys the spool and opens it again.
///
/// **Bounds.** Nothing waits: no call looks at its deadline. One thread at a time for a database
/// and all handles on it.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/spool_index.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::memory {

using sinew::spool_options;

class spool {
public:
    /// The spool of that name in a database, which is made if it is not there. `now` is what the
    /// ages of its entries are counted from.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses, and
    /// `spool_in_use_error` while another object has it open.
    explicit spool(const database& data, std::string name = "spool",
                   const spool_options& options = {}, moment now = machine_clock::now(),
                   hash_seed seed = {})
        : tables_(data.tables_), name_(std::move(name)), index_(options, seed) {
        auto& owner = tables_->spool_owners()[name_];
        if (!owner.expired()) {
            throw spool_in_use_error("the spool " + name_ + " is open already");
        }
        open_ = std::make_shared<const int>(0);
        owner = open_;
        each([&](const spool_entry& one) {
            index_.load(one, now);
            last_ = one.number;
        });
        last_ = spool_numbers_from(last_, now.wall);
    }

    spool(spool&&) noexcept = default;
    spool& operator=(spool&&) noexcept = default;
    spool(const spool&) = delete;
    spool& operator=(const spool&) = delete;
    ~spool() = default;

    spool_result put(const event_view& e, moment now, steady_time /*until*/ = never) {
        if (auto why = index_.refusal(e, now.steady)) {
            return spool_result::refused(*std::move(why));
        }
        const bool first = !index_.has_waiting();
        const std::int64_t number = last_ + 1;
        const spool_entry made{.number = number, .what = to_event(e), .added = now.wall};
        if (!write({&made, 1})) {
            return spool_result::refused(
                {failure_class::unavailable, "out_of_memory", "out of memory", std::nullopt});
        }
        last_ = number;
        index_.add(number, e.partitionkey, spool_weight(e), now.steady);
        put_ = true;
        return spool_result::stored(first);
    }

    [[nodiscard]] bool holds(std::string_view key) const { return index_.holds(key); }

    [[nodiscard]] std::vector<spool_entry> claim(steady_time now, claim_limits limits,
                                                 steady_time /*until*/ = never) {
        return read(index_.claim(now, limits));
    }

    spool_change remove(std::span<const std::int64_t> numbers, steady_time /*until*/ = never) {
        std::vector<std::int64_t> gone;
        for (const auto number : numbers) {
            if (index_.is_in(number, spool_state::waiting)) {
                gone.push_back(number);
            }
        }
        erase(gone);
        return spool_change::done;
    }

    spool_change put_off(std::int64_t number, const failure_note& note, steady_time due,
                         steady_time /*until*/ = never) {
        if (index_.is_in(number, spool_state::waiting)) {
            fail(number, note, [](spool_entry&) {});
            index_.put_off(number, due);
        }
        return spool_change::done;
    }

    spool_change park(std::int64_t number, const failure_note& note, following what_follows,
                      steady_time /*until*/ = never) {
        if (index_.is_in(number, spool_state::waiting)) {
            fail(number, note, [&](spool_entry& one) {
                one.state = spool_state::parked;
                one.following = what_follows;
            });
            index_.park(number, what_follows);
        }
        return spool_change::done;
    }

    [[nodiscard]] spool_size size() const { return index_.size(); }

    /// Whether something was put since the last call. It never waits.
    [[nodiscard]] bool wait_for_put(steady_time /*until*/) noexcept {
        return std::exchange(put_, false);
    }

    [[nodiscard]] std::vector<spool_entry> parked(std::int64_t after, std::size_t limit,
                                                  steady_time /*until*/ = never) const {
        return read(index_.parked(after, limit));
    }

    bool unpark(std::int64_t number, std::uint64_t version, steady_time /*until*/ = never) {
        if (!is_parked(number, version)) {
            return false;
        }
        spool_entry one = get(number);
        one.state = spool_state::waiting;
        ++one.version;
        store(one);
        index_.unpark(number);
        put_ = true;
        return true;
    }

    bool discard(std::int64_t number, std::uint64_t version, steady_time /*until*/ = never) {
        if (!is_parked(number, version)) {
            return false;
        }
        erase({number});
        put_ = true;
        return true;
    }

private:
    using entry_handle = std::shared_ptr<const spool_entry>;

    [[nodiscard]] detail::row_name row(std::int64_t number) const noexcept {
        return {detail::space::spool_entries, name_, {}, {}, number};
    }
    [[nodiscard]] const spool_entry& get(std::int64_t number) const {
        return *std::get<entry_handle>(tables_->latest(row(number)));
    }
    [[nodiscard]] std::vector<spool_entry> read(const std::vector<std::int64_t>& numbers) const {
        std::vector<spool_entry> out;
        out.reserve(numbers.size());
        for (const auto number : numbers) {
            out.push_back(get(number));
        }
        return out;
    }
    [[nodiscard]] bool is_parked(std::int64_t number, std::uint64_t version) const {
        return index_.is_in(number, spool_state::parked) && get(number).version == version;
    }

    /// Writes rows, or changes nothing and answers false.
    [[nodiscard]] bool write(std::span<const spool_entry> entries) {
        detail::touched_rows touched;
        for (const auto& one : entries) {
            auto& cell = touched.try_emplace(detail::row_key(row(one.number))).first->second;
            cell.written = true;
            cell.value = std::make_shared<const spool_entry>(one);
        }
        return tables_->commit(touched, tables_->open());
    }
    void store(const spool_entry& one) { finish(write({&one, 1})); }
    void erase(const std::vector<std::int64_t>& numbers) {
        detail::touched_rows touched;
        for (const auto number : numbers) {
            touched.try_emplace(detail::row_key(row(number))).first->second.written = true;
        }
        finish(tables_->commit(touched, tables_->open()));
        for (const auto number : numbers) {
            index_.remove(number);
        }
    }
    static void finish(bool written) {
        if (!written) {
            throw unavailable_error("spool_unavailable", "out of memory");
        }
    }

    template <class F>
    void fail(std::int64_t number, const failure_note& note, F f) {
        spool_entry one = get(number);
        one.attempts += counts_as_attempt(note.kind) && one.attempts != UINT32_MAX ? 1U : 0U;
        one.last_failure = kept_note(note);
        ++one.version;
        f(one);
        store(one);
    }

    template <class F>
    void each(F f) const {
        tables_->scan(row(INT64_MIN), [&](const detail::row_key& key, const detail::cell& one) {
            if (key.in != detail::space::spool_entries || key.a != name_) {
                return false;
            }
            f(*std::get<entry_handle>(one));
            return true;
        });
    }

    std::shared_ptr<detail::tables> tables_;
    std::string name_;
    spool_index index_;
    std::shared_ptr<const void> open_;
    std::int64_t last_ = 0;
    bool put_ = false;
};

}  // namespace sinew::memory
