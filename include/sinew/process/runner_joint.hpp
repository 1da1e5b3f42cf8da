// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Steps that act in the runner's own transaction, and commands: effect and record are one commit.
///
/// Those of several instances share a transaction, each in a nested part where the store has such.
///
/// | what happens | the step | the others in the transaction |
/// | --- | --- | --- |
/// | it fails | its part is undone, and its failure written down apart | stay |
/// | its claim has ended | its part is undone, and it is dropped | stay |
/// | the transaction is broken, or its commit is aborted | is made again, alone | likewise |
/// | the same, alone, by a conflict | is made again after a pause; nothing is counted | |
/// | the same, alone, because the store is away | is made again; nothing is counted | |
/// | the same, alone, for a permanent reason | has failed with that | |
/// | the commit has no answer | is looked up | likewise |

#include <sinew/core/backoff.hpp>
#include <sinew/core/classify.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/new_event.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/claimed_instance.hpp>
#include <sinew/process/runner_state.hpp>
#include <sinew/process/runner_work.hpp>
#include <sinew/process/runner_writes.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// Whether a failure in a transaction says that the store is away.
[[nodiscard]] constexpr bool is_about_the_store(failure_class kind) noexcept {
    return kind == failure_class::unavailable || kind == failure_class::unknown;
}

/// The reason of an abort of which the store says nothing.
inline constexpr std::string_view commit_aborted = "commit_aborted";

/// An instance whose next attempt is made in a transaction.
struct joint_attempt {
    held_instance* who = nullptr;
    attempt_place at{};
    bool is_kept = false;  ///< it is part of the transaction
};

/// A transaction that several steps share.
template <class State>
class joint_transaction {
    using transaction_type = typename State::transaction_type;
    static constexpr bool is_nestable = nestable_transaction<transaction_type>;

public:
    joint_transaction(State& s, bool alone) : s_(&s), alone_(alone) {}

    /// How many steps may share one.
    [[nodiscard]] static std::size_t most(const State& s) noexcept {
        return is_nestable ? s.options.batch_max : 1;
    }

    /// Answers whether the store could be reached.
    [[nodiscard]] bool open() {
        auto begun = s_->ask([&](steady_time until) { return s_->db->begin(until); });
        if (begun) {
            tx_.emplace(std::move(*begun));
        }
        return tx_.has_value();
    }

    /// Makes an attempt as a part of it. Answers whether the transaction can go on; if not, it is
    /// undone, and `why()` says why.
    [[nodiscard]] bool add(joint_attempt& one) {
        const steady_time from = s_->clock();
        try {
            nest();
            const steady_time ends = attempt_ends(*s_, *one.who, one.at, s_->valid_until());
            const told_attempt told(*s_, *one.who, one.at, ends);
            attempt_result result = call(*one.who, one.at, told.info());
            if (result.end() == attempt_end::failed) {
                undo();
                keep_failure(one, std::move(result), s_->clock() - from);
            } else {
                write(one, std::move(result), from);
            }
            return true;
        } catch (...) {
            why_ = classify_current_exception();
            roll_back();
            return false;
        }
    }

    [[nodiscard]] commit_result commit() {
        const commit_result how = tx_->commit();
        tx_.reset();
        if (how == commit_result::aborted) {
            why_ = {failure_class::unavailable, std::string(commit_aborted),
                    "the store did not commit the transaction", std::nullopt};
            if constexpr (requires { s_->db->last_commit_failure().has_value(); }) {
                why_ = s_->db->last_commit_failure().value_or(why_);
            }
        }
        return how;
    }
    /// Ends it where nothing of it is left.
    void roll_back() noexcept {
        if (tx_) {
            tx_->rollback();
            tx_.reset();
        }
        nested_ = false;
    }

    [[nodiscard]] bool is_open() const noexcept { return tx_.has_value(); }
    [[nodiscard]] const failure& why() const noexcept { return why_; }

private:
    void nest() {
        if constexpr (is_nestable) {
            if (!alone_) {
                tx_->nest();
                nested_ = true;
            }
        }
    }
    void keep() {
        if constexpr (is_nestable) {
            if (std::exchange(nested_, false)) {
                tx_->keep_nested();
            }
        }
    }
    void undo() {
        if constexpr (is_nestable) {
            if (std::exchange(nested_, false)) {
                tx_->undo_nested();
                return;
            }
        }
        roll_back();
    }

    [[nodiscard]] attempt_result call(held_instance& h, const attempt_place& at,
                                      const attempt_info& info) {
        return with_process_of(*s_, h, [&](auto& p) -> attempt_result {
            if (!p.joins_transaction(place_in_code(h, at), at.phase)) {
                return call_outside(*s_, h, info);
            }
            ++s_->counts.attempts;
            try {
                return p.attempt(info, *tx_);
            } catch (...) {
                failure why = classify_current_exception();
                if (is_about_the_store(why.kind)) {
                    throw;
                }
                return attempt_result::failed(std::move(why));
            }
        });
    }

    /// A failure is written apart from the transaction: what that is worth is not known yet.
    void keep_failure(joint_attempt& one, attempt_result result, duration took) {
        pending_write pending;
        pending.what = write_of(*s_, *one.who, one.at, std::move(result));
        pending.took = took;
        pending.is_failure = true;
        one.who->pending = std::move(pending);
        const steady_time at = s_->clock();
        s_->unwritten_since = at < s_->unwritten_since ? at : s_->unwritten_since;
    }

    /// Writes the record, or the command and the wait for its reply.
    void write(joint_attempt& one, attempt_result result, steady_time from) {
        held_instance& h = *one.who;
        pending_write pending;
        if (result.end() == attempt_end::sent) {
            pending.what = h.run.sent(one.at, result.within(), s_->wall());
            pending.command = std::move(result).command();
            if (const auto refused = send(*pending.command)) {
                undo();
                keep_failure(one, attempt_result::failed(*refused), s_->clock() - from);
                return;
            }
        } else {
            pending.what = write_of(*s_, h, one.at, std::move(result));
            if (pending.what.records.empty() ||
                pending.what.records.back().kind != record_kind::done) {
                // The result can't be kept, and nor can what was done for it.
                undo();
                keep_failure(one, too_large(), s_->clock() - from);
                return;
            }
        }
        const write_result answer = s_->book.write(*tx_, pending.what, s_->wall());
        if (answer.how == fenced_result::stale) {
            undo();
            drop_stale(*s_, h);
            return;
        }
        if (answer.how == fenced_result::unknown) {
            throw unavailable_error("no_answer", "no answer came to a write");
        }
        keep();
        pending.took = s_->clock() - from;
        pending.is_cancelled = answer.is_cancelled;
        h.pending = std::move(pending);
        one.is_kept = true;
    }

    [[nodiscard]] static attempt_result too_large() {
        return attempt_result::failed({failure_class::permanent, "payload_too_large",
                                       "the result of the step is larger than the journal takes",
                                       std::nullopt});
    }

    /// Adds a command to the outbox. Answers why it can't be sent.
    [[nodiscard]] std::optional<failure> send(const event& command) {
        if constexpr (State::has_outbox) {
            try {
                add_new(s_->box, *tx_, command.view(), s_->wall(), s_->random);
                return std::nullopt;
            } catch (const error& why) {
                if (why.kind() != failure_class::permanent) {
                    throw;
                }
                return why.as_failure();
            }
        } else {
            return failure{failure_class::permanent, "no_outbox",
                           "a step sends a command, and the runner has no outbox", std::nullopt};
        }
    }

    State* s_;
    std::optional<transaction_type> tx_{};
    failure why_{};
    bool alone_;
    bool nested_ = false;
};

/// A transaction of one instance came to nothing.
template <class State>
void heed_broken(State& s, joint_attempt& one, const failure& why) {
    const bool is_conflict = why.kind == failure_class::transient || why.reason == commit_aborted;
    if (is_about_the_store(why.kind) && !is_conflict) {
        s.heed_store(why.kind, why.reason, why.retry_after);
        return;
    }
    if (is_conflict) {
        // Somebody else was in the way; at once, and then after pauses, it is made again.
        const decorrelated_jitter backoff{s.options.base, s.options.cap};
        const auto pauses = one.who->conflicts++;
        one.who->not_before =
            pauses == 0 ? steady_time::min() : later(s.clock(), backoff(pauses, s.options.seed));
        return;
    }
    pending_write pending;
    pending.what = one.who->run.failed(one.at, why, false, retry_of(s, *one.who, one.at), s.wall());
    pending.is_failure = true;
    one.who->pending = std::move(pending);
}

/// What becomes of the members of a transaction that was not committed.
template <class State>
void make_again(State& s, std::vector<joint_attempt>& all, const failure& why) {
    for (auto& one : all) {
        if (one.is_kept) {
            one.who->pending.reset();
            one.is_kept = false;
        }
        one.who->alone = true;
    }
    if (all.size() == 1 && all.front().who->is_ready()) {
        heed_broken(s, all.front(), why);
    }
}

/// Makes the attempts in one transaction.
template <class State>
void attempt_jointly(State& s, std::vector<joint_attempt>& all) {
    std::erase_if(all, [](const joint_attempt& one) { return !one.who->is_ready(); });
    if (all.empty() || !s.may_work()) {
        return;  // the seat was lost meanwhile
    }
    const bool alone = all.size() == 1;
    joint_transaction<State> tx(s, alone);
    if (!tx.open()) {
        return;
    }
    std::size_t kept = 0;
    for (auto& one : all) {
        if (kept != 0 && !s.has_time()) {
            break;  // the others come in the next step
        }
        if (!tx.add(one)) {
            make_again(s, all, tx.why());
            return;
        }
        kept += one.is_kept ? 1U : 0U;
        if (!tx.is_open()) {
            return;  // one that was alone, and failed
        }
    }
    if (kept == 0) {
        tx.roll_back();
        return;
    }
    const commit_result how = tx.commit();
    if (how == commit_result::aborted) {
        ++s.counts.commits_aborted;
        make_again(s, all, tx.why());
        return;
    }
    if (how == commit_result::unknown) {
        ++s.counts.commits_unknown;
        s.store_failed("no_answer");
    } else {
        s.store_answered();
    }
    for (auto& one : all) {
        if (!one.is_kept) {
            continue;
        }
        if (how == commit_result::unknown) {
            one.who->pending->is_committed_blindly = true;
        } else {
            is_written(s, *one.who, one.who->pending->is_cancelled);
        }
    }
}

}  // namespace sinew::detail
