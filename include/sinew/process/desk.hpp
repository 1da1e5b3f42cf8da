// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What people do about an instance that is parked or stuck.
///
/// | call | means |
/// | --- | --- |
/// | `resume` | try again what it is parked for; attempts begin anew, a doubt stays |
/// | `retry_step` | take back that a step or its compensation was given up, and try it again |
/// | `skip_step` | it need not be done, or was done by hand: go on behind it |
/// | `give_up_step` | it did not happen, and is not to be: a saga goes back |
/// | `abandon` | give the instance up as it is |
///
/// Each names the instance as it was seen, and answers false if it has changed since: look again.
/// Whoever works on the instance meanwhile finds its claim ended, and writes nothing more.
///
/// Of a pivot in doubt people say what they found out: `skip_step` if it happened, `give_up_step`
/// if it did not, `resume` to have it asked for again, under the same key.
///
/// **On failure.** What would forget that something may have happened is refused with a
/// `permanent_error`, whose reason is one of desk_rules.hpp and whose text says what to do instead.
/// `unavailable_error`, if the store cannot be reached by `until`.
///
/// A reason is kept with the instance. It is for people, and may quote data.

#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/desk_rules.hpp>

#include <string>
#include <utility>

namespace sinew {

namespace detail {

[[nodiscard]] inline failure_note decided(std::string reason, wall_time now) {
    failure_note out;
    out.at = now;
    out.kind = failure_class::permanent;
    out.reason = "decided";
    out.detail = std::move(reason);
    return out;
}

[[nodiscard]] constexpr record_kind kind_of(desk_call call) noexcept {
    return call == desk_call::retry_step  ? record_kind::retried
           : call == desk_call::skip_step ? record_kind::skipped
                                          : record_kind::failed;
}

template <journal_desk Journal>
bool decide_step(Journal& in, const process_instance& seen, desk_call call, step_address where,
                 std::string reason, wall_time now, steady_time until) {
    const auto is = in.find(seen.type, seen.id, until);
    if (!is || is->what.number != seen.number || is->what.epoch != seen.epoch ||
        has_ended(is->what.state)) {
        return false;
    }
    if (auto why = find_refusal(*is, call, where)) {
        throw permanent_error(std::move(why->reason), why->detail);
    }
    desk_decision decision;
    decision.known = is->history.size();
    decision.why = decided(std::move(reason), now);
    step_record record;
    record.where = std::move(where);
    record.kind = kind_of(call);
    record.begun = record.at = now;
    record.why = decision.why;
    decision.records.push_back(std::move(record));
    return in.decide(seen.number, seen.epoch, decision, now, until);
}

}  // namespace detail

/// Tries again what the instance is parked for, or waits for.
template <journal_desk Journal>
bool resume(Journal& in, const process_instance& seen, std::string reason, wall_time now,
            steady_time until) {
    desk_decision decision;
    decision.why = detail::decided(std::move(reason), now);
    return in.decide(seen.number, seen.epoch, decision, now, until);
}

/// Takes back that a step was given up. A step is acted on again only while nothing was undone, nor
/// may be.
template <journal_desk Journal>
bool retry_step(Journal& in, const process_instance& seen, step_address where, std::string reason,
                wall_time now, steady_time until) {
    return detail::decide_step(in, seen, desk_call::retry_step, std::move(where), std::move(reason),
                               now, until);
}

/// Goes on as if a step were done, with an empty result, or as if it were undone.
template <journal_desk Journal>
bool skip_step(Journal& in, const process_instance& seen, step_address where, std::string reason,
               wall_time now, steady_time until) {
    return detail::decide_step(in, seen, desk_call::skip_step, std::move(where), std::move(reason),
                               now, until);
}

/// Says that a step did not happen, and is not to be tried again. People know that of a pivot that
/// is in doubt, once they have asked whoever was to do it: then the saga goes back. What goes only
/// forward is parked again.
template <journal_desk Journal>
bool give_up_step(Journal& in, const process_instance& seen, step_address where, std::string reason,
                  wall_time now, steady_time until) {
    return detail::decide_step(in, seen, desk_call::give_up_step, std::move(where),
                               std::move(reason), now, until);
}

/// Gives the instance up. What it did stays as it is, and nothing is undone.
template <journal_desk Journal>
bool abandon(Journal& in, const process_instance& seen, std::string reason, wall_time now,
             steady_time until) {
    desk_decision decision;
    decision.becomes = instance_state::abandoned;
    decision.why = detail::decided(std::move(reason), now);
    return in.decide(seen.number, seen.epoch, decision, now, until);
}

}  // namespace sinew
