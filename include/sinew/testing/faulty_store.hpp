// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A store whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `begin` | refused, crash, delayed, zombie |
/// | the first look into the inbox, progress or offsets of a transaction | refused |
/// | the first write of progress, offsets or an outbox entry of a transaction | disk full |
/// | `commit` | aborted, unknown (applied or not), crash before or after, delayed, zombie |
/// | `progress` outside a transaction | refused, zombie |
///
/// **Effects.** A handler under test says `tx.effect(key, id)`. Effects are staged in the
/// transaction, follow its savepoints, and are handed to the scenario at the moment of a commit
/// that took effect, whether the answer arrives or not. They touch no row of the store, so what
/// keeps two transactions apart is what the library wrote there, and nothing that the handler did.
///
/// After a full disk the transaction is lost, as databases do it: what is written in it afterwards
/// is refused, and its commit is aborted.
///
/// **Not covered, on purpose.** A crash between two calls of one transaction: nothing of it is seen
/// outside, so it is the crash before `commit`. A refused second look: it is the first one's. A
/// crash after `begin` for the same reason. `rollback` and savepoints always work, as a store that
/// fails them has lost the transaction, which is an aborted commit.
/// **On crash.** The inner transaction is destroyed without a commit, whatever is called on it.

#include <sinew/core/store.hpp>
#include <sinew/testing/faulty_attempts.hpp>
#include <sinew/testing/record.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a handler did: it applied an event to a key.
struct effect {
    std::string key;
    std::string id;
    std::uint64_t content = 0;  ///< what it saw, as `content_of` tells it; 0: not told
};

/// Who is told of effects when they are in the store for good.
using effect_hook = std::function<void(const effect&)>;

/// A transaction of a `faulty_store`.
template <transaction Inner>
class faulty_transaction {
public:
    faulty_transaction(process& owner, Inner inner, const effect_hook* hook) noexcept
        : owner_(&owner), hook_(hook), inner_(std::move(inner)) {}

    /// The real transaction. Throws if the process is dead.
    [[nodiscard]] Inner& inner() {
        owner_->must_live();
        return inner_;
    }

    /// The handler under test applies an event.
    void effect(std::string_view key, std::string_view id, std::uint64_t content = 0) {
        owner_->must_live();
        owner_->note("applies", id, "to", key);
        staged_.push_back({std::string(key), std::string(id), content});
    }
    /// The same, with all that the handler saw of the event.
    void effect(const event_view& e) { effect(e.partitionkey, e.id, content_of(e)); }

    /// Somebody else writes into the real transaction, such as an outbox: there may be no room.
    template <class F>
    std::invoke_result_t<F&, Inner&> write_with(F f) {
        owner_->must_live();
        write();
        return f(inner_);
    }
    /// What is called at the moment of a commit that took effect. An undone part takes its own
    /// along.
    void when_committed(std::function<void()> what) { then_.push_back(std::move(what)); }

    [[nodiscard]] commit_result commit() noexcept {
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed,
                                    fault::zombie};
        const auto how = owner_->call_quietly(
            "store commit", ends,
            [this] {
                owner_->home().stir();
                if (doomed_) {
                    rollback();
                    return commit_result::aborted;
                }
                const auto done = inner_.commit();
                hand_over(done);
                return done;
            },
            commit_result::aborted, commit_result::unknown);
        if (owner_->is_alive()) {
            owner_->note("store commit:", to_string(how));
        }
        return how;
    }

    void rollback() noexcept {
        staged_.clear();
        then_.clear();
        inner_.rollback();
    }

    void nest()
        requires nestable_transaction<Inner>
    {
        inner().nest();
        nested_from_ = staged_.size();
        nested_then_from_ = then_.size();
    }
    void keep_nested()
        requires nestable_transaction<Inner>
    {
        inner().keep_nested();
    }
    void undo_nested()
        requires nestable_transaction<Inner>
    {
        inner().undo_nested();
        staged_.resize(nested_from_);
        then_.resize(nested_then_from_);
    }

    [[nodiscard]] bool remember(std::string_view consumer, event_identity who, wall_time now)
        requires inbox_transaction<Inner>
    {
        look();
        return inner().remember(consumer, who, now);
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key)
        requires progress_transaction<Inner>
    {
        look();
        return inner().progress(consumer, key);
    }
    void set_progress(std::string_view consumer, std::string_view key, const key_progress& to)
        requires progress_transaction<Inner>
    {
        write();
        inner().set_progress(consumer, key, to);
    }

    [[nodiscard]] applied_offsets offsets(std::string_view consumer, std::string_view topic,
                                          partition_id partition)
        requires offsets_transaction<Inner>
    {
        look();
        return inner().offsets(consumer, topic, partition);
    }
    void set_offsets(std::string_view consumer, std::string_view topic, partition_id partition,
                     const applied_offsets& to)
        requires offsets_transaction<Inner>
    {
        write();
        inner().set_offsets(consumer, topic, partition, to);
    }

private:
    void look() {
        if (!std::exchange(looked_, true)) {
            owner_->call("store read", {fault::refused}, [] {});
        }
    }

    void write() {
        const auto no_room = [] { throw unavailable_error("disk_full", "no room for a row"); };
        if (doomed_) {
            no_room();
        }
        if (!std::exchange(wrote_, true) &&
            owner_->choose("store write", {fault::disk_full}) == fault::disk_full) {
            doomed_ = true;
            no_room();
        }
    }

    void hand_over(commit_result how) {
        if (how == commit_result::committed && hook_ != nullptr && *hook_) {
            for (const auto& one : staged_) {
                (*hook_)(one);
            }
        }
        if (how == commit_result::committed) {
            for (const auto& one : then_) {
                one();
            }
        }
        staged_.clear();
        then_.clear();
    }

    process* owner_;
    const effect_hook* hook_;
    Inner inner_;
    std::vector<testing::effect> staged_;
    std::vector<std::function<void()>> then_;
    std::size_t nested_from_ = 0;
    std::size_t nested_then_from_ = 0;
    bool looked_ = false;
    bool wrote_ = false;
    bool doomed_ = false;
};

/// A store that is reached through a process.
template <store Inner>
class faulty_store {
public:
    using inner_type = Inner;
    using transaction_type = faulty_transaction<typename Inner::transaction_type>;

    /// All have to outlive the store.
    faulty_store(process& owner, Inner& inner, const effect_hook* hook = nullptr) noexcept
        : owner_(&owner), inner_(&inner), hook_(hook) {}

    [[nodiscard]] transaction_type begin(steady_time until) {
        return owner_->call("store begin",
                            {fault::refused, fault::crash_before, fault::delayed, fault::zombie},
                            [&] { return transaction_type(*owner_, inner_->begin(until), hook_); });
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time until)
        requires consumer_store<Inner>
    {
        return owner_->call("store look", {fault::refused, fault::zombie},
                            [&] { return inner_->progress(consumer, key, until); });
    }

    /// The record of attempts that the store keeps.
    [[nodiscard]] auto attempts() const
        requires requires(Inner& inner) {
            { inner.attempts() } -> attempt_log;
        }
    {
        return faulty_attempts(*owner_, inner_->attempts());
    }

    [[nodiscard]] Inner& inner() const noexcept { return *inner_; }

private:
    process* owner_;
    Inner* inner_;
    const effect_hook* hook_;
};

}  // namespace sinew::testing
