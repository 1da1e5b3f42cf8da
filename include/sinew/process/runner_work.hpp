// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The work of a runner: it claims instances, and makes attempts at their steps.
///
/// In each round every held instance makes one attempt at most. What is done outside of a
/// transaction is written down with what the others did, at the end of the round or after
/// `step_time_max`; steps that join a transaction share one: see runner_joint.hpp.
///
/// While instances end quickly, more are claimed than can be served at once, so that not each of
/// them costs a claim. Those wait for their turn under the seat's lease, as all that is held does.
/// What has waited for `step_time_max` is given back: somebody else may have time for it. If the
/// process dies, they are claimed again like those that were begun, so an instance that was only
/// claimed is in doubt then, too; its start counts nothing, since it was not noted.
///
/// An instance of which a claim ended in silence may be what killed the process. It is taken alone:
/// what others did is written down first, then that its attempt begins, and its result at once.
///
/// **Guarantees.** An attempt is begun only under a lease that holds, and with nothing of its
/// instance unwritten.

#include <sinew/core/classify.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/claimed_instance.hpp>
#include <sinew/process/runner_seat.hpp>
#include <sinew/process/runner_state.hpp>
#include <sinew/process/runner_writes.hpp>
#include <sinew/process/step_key.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// Tells the rules of the steps of a process.
template <class Process>
struct rules_of_process {
    const Process* process;

    [[nodiscard]] step_rules operator()(std::size_t step, step_phase phase) const {
        // A command goes out with the write that says so.
        return {process->options(step, phase).retry,
                process->joins_transaction(step, phase) || process->sends(step, phase)};
    }
};

/// Calls with the process of an instance.
template <class State, class F>
decltype(auto) with_process_of(State& s, const held_instance& h, F f) {
    return s.with_process(h.type, std::move(f));
}

[[nodiscard]] inline std::size_t place_in_code(const held_instance& h, const attempt_place& at) {
    return *h.run.match().steps[at.step].in_code;
}

template <class State>
[[nodiscard]] step_retry_options retry_of(State& s, const held_instance& h,
                                          const attempt_place& at) {
    return with_process_of(s, h, [&](const auto& p) -> step_retry_options {
        return p.options(place_in_code(h, at), at.phase).retry;
    });
}

/// What comes next for an instance.
template <class State>
[[nodiscard]] next_move next_move_of(State& s, const held_instance& h) {
    return with_process_of(s, h, [&]<class P>(const P& p) -> next_move {
        return h.run.next(rules_of_process<P>{&p}, s.wall());
    });
}

/// Takes in what was claimed.
template <class State>
void hold(State& s, journal_entry entry) {
    std::size_t type = 0;
    while (type + 1 < s.types.size() && s.types[type] != entry.what.type) {
        ++type;
    }
    const auto unsettled = entry.unsettled;
    s.with_process(type, [&]<class P>(const P& p) {
        s.held.push_back({claimed_instance(std::move(entry), p.definition(), p.policy(),
                                           rules_of_process<P>{&p}, s.wall()),
                          type});
    });
    const held_instance& h = s.held.back();
    ++s.counts.claimed;
    s.counts.recovered += h.run.is_suspect() ? 1U : 0U;
    s.tell([&](auto& o) {
        auto note = s.instance_note(h);
        note.unsettled = unsettled;
        o.on_claimed(note);
        if (h.run.what().cancelled) {
            note.reason = h.run.what().cancelled->reason;
            o.on_cancelled(note);
        }
    });
}

/// A claim brought something. If what the last one brought did not wait for long, the next may
/// bring more.
template <class State>
void heed_pace(State& s, steady_time sent) {
    const std::size_t more = 2 * s.ahead + 1;
    if (sent < s.ahead_until()) {
        s.ahead = more < s.options.ahead_max ? more : s.options.ahead_max;
    }
    s.claimed_at = sent;
}

/// Gives back what has waited too long for its turn. What may have killed a process stays: whoever
/// claims it next would not know that. Answers whether there was anything.
template <class State>
bool give_back_ahead(State& s) {
    if (s.held.size() <= s.in_turn() || s.clock() < s.ahead_until()) {
        return false;
    }
    bool any = false;
    s.may_write(s.held.size());
    for (std::size_t i = s.in_turn(); i < s.held.size(); ++i) {
        held_instance& h = s.held[i];
        if (h.is_ready() && !h.run.is_suspect()) {
            h.pending = pending_write{.what = h.run.released(s.wall())};
            any = true;
        }
    }
    s.ahead = 0;
    return any;
}

/// Claims what is due, if there is room. Answers whether there was anything.
template <class State>
bool claim_due(State& s) {
    const std::size_t most = s.options.instances_max;
    const std::size_t room = most > s.held.size() ? most - s.held.size() : 0;
    const steady_time sent = s.clock();
    const bool has_room = room != 0 && (room >= most / 4 || !s.has_more);
    const std::size_t limit = room < SIZE_MAX - s.ahead ? room + s.ahead : SIZE_MAX;
    const bool is_asked = s.claims_anew && !s.is_fresh;
    const bool is_due = s.has_more || s.rests_from == never || sent >= s.next_claim || is_asked;
    if (!s.may_work() || !s.may_call() || !has_room || !is_due) {
        return false;
    }
    const shard_lease lease = s.seat->lease;
    s.rests_from = never;
    s.is_fresh = false;
    auto answer = s.ask(
        [&](steady_time until) { return s.book.claim(lease, s.types, s.wall(), limit, until); });
    // What was claimed and is not held here is nobody's until the seat's lease has ended.
    const auto leave_seat = [&] {
        ++s.counts.claims_without_answer;
        s.leaving = "claim_without_answer";
    };
    if (!answer) {
        if (s.last_failure != failure_class::transient) {
            leave_seat();  // it may be done
        }
        return false;
    }
    if (!*answer) {
        lose_seat(s);
        return false;
    }
    s.next_claim = later(sent, s.options.poll_interval);
    s.has_more = (*answer)->size() == limit;
    if ((*answer)->empty()) {
        s.rests_from = sent;
        s.is_fresh = true;
        return false;
    }
    heed_pace(s, sent);
    try {
        for (auto& entry : **answer) {
            hold(s, std::move(entry));
        }
    } catch (...) {
        leave_seat();
        throw;
    }
    return true;
}

/// When an attempt has to be over: by its own time-out, and at the latest at `valid`.
template <class State>
[[nodiscard]] steady_time attempt_ends(State& s, const held_instance& h, const attempt_place& at,
                                       steady_time valid) {
    const duration most = with_process_of(s, h, [&](const auto& p) -> duration {
        return p.options(place_in_code(h, at), at.phase)
            .timeout.value_or(s.options.attempt_timeout);
    });
    const steady_time ends = later(s.clock(), most);
    return ends < valid ? ends : valid;
}

/// What is told to a process of an attempt, and what that refers to.
class told_attempt {
public:
    template <class State>
    told_attempt(State& s, const held_instance& h, const attempt_place& at, steady_time until)
        : key_(make_step_key(h.run.what(), h.run.match().steps[at.step], at.phase)),
          info_{h.run.what(), h.run.history(), h.run.match()} {
        info_.step = place_in_code(h, at);
        info_.phase = at.phase;
        info_.attempt = at.progress.attempts + 1;
        info_.now.steady = s.clock();
        info_.now.wall = s.wall(info_.now.steady);
        info_.until = until;
        info_.key = key_;
        if (at.phase == step_phase::undo) {
            key_of_act_ =
                make_step_key(h.run.what(), h.run.match().steps[at.step], step_phase::act);
        }
        info_.key_of_act = at.phase == step_phase::undo ? key_of_act_ : key_;
        info_.is_in_doubt = at.progress.in_doubt;
        if (h.run.takes_reply(at)) {
            info_.reply = *h.run.reply();
        }
        info_.result_bytes_max = s.book.options().result_bytes_max;
    }
    told_attempt(const told_attempt&) = delete;
    told_attempt& operator=(const told_attempt&) = delete;

    [[nodiscard]] const attempt_info& info() const noexcept { return info_; }

private:
    std::string key_;
    std::string key_of_act_{};  ///< of an undo
    attempt_info info_;
};

/// What is written of an attempt that has no part in a transaction.
template <class State>
[[nodiscard]] journal_write write_of(State& s, const held_instance& h, const attempt_place& at,
                                     attempt_result result) {
    const wall_time now = s.wall();
    if (result.is_done()) {
        journal_write out = h.run.done(at, std::move(result).bytes(), now);
        try {
            check_writable(out, s.book.options());
            return out;
        } catch (const error& why) {
            return h.run.failed(at, why.as_failure(), true, retry_of(s, h, at), now);
        }
    }
    return h.run.failed(at, result.why(), result.leaves_doubt(), retry_of(s, h, at), now);
}

/// Makes an attempt outside of any transaction. What escapes it is its failure.
template <class State>
[[nodiscard]] attempt_result call_outside(State& s, const held_instance& h,
                                          const attempt_info& info) {
    ++s.counts.attempts;
    s.has_called = true;
    try {
        return with_process_of(s, h, [&](auto& p) -> attempt_result { return p.attempt(info); });
    } catch (...) {
        return attempt_result::failed(classify_current_exception(), true);
    }
}

/// Makes an attempt outside of any transaction, and keeps what came of it to be written.
template <class State>
void attempt_outside(State& s, held_instance& h, const attempt_place& at) {
    const steady_time from = s.clock();
    const told_attempt told(s, h, at, attempt_ends(s, h, at, s.valid_until()));
    attempt_result result = call_outside(s, h, told.info());
    pending_write pending;
    if (result.end() == attempt_end::sent) {
        result = attempt_result::failed({failure_class::permanent, "unexpected_command",
                                         "the step sends a command where it was to do without",
                                         std::nullopt});
    }
    pending.is_failure = !result.is_done();
    pending.what = write_of(s, h, at, std::move(result));
    pending.is_failure = pending.is_failure || pending.what.records.empty();
    const steady_time to = s.clock();
    pending.took = to - from;
    h.pending = std::move(pending);
    s.unwritten_since = to < s.unwritten_since ? to : s.unwritten_since;
}

/// Whether an attempt is made in a transaction: it joins it, or its command does.
template <class State>
[[nodiscard]] bool is_joint(State& s, const held_instance& h, const attempt_place& at) {
    return !h.run.takes_reply(at) && with_process_of(s, h, [&](const auto& p) -> bool {
        const std::size_t step = place_in_code(h, at);
        return p.joins_transaction(step, at.phase) || p.sends(step, at.phase);
    });
}

}  // namespace sinew::detail
