// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An instance under a claim: what its runner does next, and what is written of each attempt.
///
/// | the instance, at its claim | next |
/// | --- | --- |
/// | was started with other steps than the code has | park: `changed_definition` |
/// | was claimed before, and nothing more was heard of that | its step is in doubt; note each start |
/// | the same, and the step was started as often as it may | park: `poisoned` |
/// | turns back because it was cancelled | note that, before anything is undone |
/// | waits for a reply whose time is over | a failure of class unknown: `reply_late` |
/// | waits, by a clock that was set back | release, its wait begun anew |
/// | any other | as `saga_plan` says |
///
/// | the attempt | is written |
/// | --- | --- |
/// | done | a record; the claim ends with it, if nothing is left to do |
/// | failed, again later | the progress, and a wait for the backoff: released |
/// | failed, given up | a `failed` record, of class unknown if in doubt; or parked |
/// | sent a command | the progress, in doubt until the reply, and a wait for that: released |
///
/// A claim that ended in silence may have begun a step, of which nothing is written. So `unsettled`
/// above 1 means doubt; and so does a history that ends with a step that is done or failed, where
/// nothing says what was begun behind it: whoever releases an instance between two steps writes the
/// progress of the next. A step that is undone without a record of its act gets one, of class
/// unknown, in the same write: else it would be forgotten what the undoing was for.
///
/// A reply ends the doubt about its command: a permanent failure of whoever takes the reply says
/// that the step did not happen, unless the failure itself leaves a doubt.
///
/// **Guarantees.** Nothing here changes but by `apply`, which is told what was written. What is to
/// be written is a pure function of the instance, the attempt and the time.
/// **Invariants.** Each write names the claim, and the records that are there.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/put_off.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/definition_match.hpp>
#include <sinew/process/definition_text.hpp>
#include <sinew/process/instance_plan.hpp>
#include <sinew/process/next_move.hpp>
#include <sinew/process/park_notes.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/saga_plan.hpp>
#include <sinew/process/step_attempts.hpp>
#include <sinew/process/step_key.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// An instance that is claimed, with all that decides what becomes of it.
class claimed_instance {
public:
    template <rules_of_steps Rules>
    claimed_instance(journal_entry entry, const process_definition& code,
                     compensation_policy policy, const Rules& rules, wall_time now)
        : what_(std::move(entry.what)),
          history_(std::move(entry.history)),
          reply_(std::move(entry.reply)),
          match_(match_definition(what_.steps, code, history_)),
          plan_(match_, history_, policy),
          is_suspect_(was_silent(entry.unsettled)) {
        if (!match_.goes_on()) {
            refusal_ = changed_definition(what_.steps, code, match_);
        }
        if (is_suspect_) {
            doubt(rules, now);
        }
    }

    [[nodiscard]] const process_instance& what() const noexcept { return what_; }
    [[nodiscard]] const std::vector<step_record>& history() const noexcept { return history_; }
    [[nodiscard]] const std::optional<std::string>& reply() const noexcept { return reply_; }
    [[nodiscard]] const definition_match& match() const noexcept { return match_; }
    [[nodiscard]] const saga_plan& plan() const noexcept { return plan_; }
    [[nodiscard]] bool goes_on() const noexcept { return match_.goes_on(); }
    /// Whether what is done next may be what killed its process before.
    [[nodiscard]] bool is_suspect() const noexcept { return is_suspect_; }

    /// What comes next.
    template <rules_of_steps Rules>
    [[nodiscard]] next_move next(const Rules& rules, wall_time now) const {
        if (refusal_) {
            return {next_kind::write, {}, refused(now), false};
        }
        const plan_decision to_do = plan_.next(position(now));
        switch (to_do.what) {
            case plan_verdict::act:
            case plan_verdict::compensate: break;
            case plan_verdict::wait: return {next_kind::write, {}, waiting_on(now), false};
            default: return {next_kind::write, {}, ended(to_do, now), false};
        }
        const bool acts = to_do.what == plan_verdict::act;
        next_move out{next_kind::attempt,
                      place_at(to_do.step, acts ? step_phase::act : step_phase::undo, now),
                      {},
                      false};
        const step_rules its = rules(*match_.steps[to_do.step].in_code, out.place.phase);
        if (is_late(out.place, now)) {
            const failure late{failure_class::unknown, "reply_late",
                               "no reply came to the command in time", std::nullopt};
            return {next_kind::write, {}, failed(out.place, late, false, its.retry, now), true};
        }
        const bool is_unnoted = is_suspect_ && !is_noted(out.place);
        if (is_unnoted && is_poisoned(out.place.progress, its.retry)) {
            return {next_kind::write, {}, poisoned(out.place, now), false};
        }
        if (is_unnoted || turns_unseen(out.place)) {
            out.what = next_kind::note;
            out.write = noted(out.place, now);
        }
        return out;
    }

    /// The step is done, with that result.
    [[nodiscard]] journal_write done(const attempt_place& at, std::string result,
                                     wall_time now) const {
        journal_write out = begin(at, now);
        step_record record = record_of(at, record_kind::done, at.progress, now);
        record.result = std::move(result);
        out.records.push_back(std::move(record));
        conclude(out, now);
        return out;
    }

    /// The attempt failed.
    [[nodiscard]] journal_write failed(const attempt_place& at, const failure& why,
                                       bool leaves_doubt, const step_retry_options& retry,
                                       wall_time now) const {
        step_progress before = at.progress;
        if (takes_reply(at) && why.kind == failure_class::permanent) {
            before.in_doubt = false;  // that is the answer
        }
        attempt_decision next =
            after_failure(std::move(before), why, now, retry,
                          decorrelated_jitter{retry.base, retry.cap}, seed_of(at));
        next.progress.in_doubt = next.progress.in_doubt || leaves_doubt;
        journal_write out = begin(at, now);
        if (!next.gives_up()) {
            put_off(out, std::move(next.progress), *next.retry_in, now);
        } else if (plan_.give_up(at.step, at.phase, next.progress.in_doubt) == giving_up::record) {
            step_record record = record_of(at, record_kind::failed, next.progress, now);
            record.why = next.progress.last_failure;
            if (next.progress.in_doubt) {
                record.why->kind = failure_class::unknown;
            }
            out.records.push_back(std::move(record));
            conclude(out, now);
        } else {
            park(out, at, std::move(next.progress), now);
        }
        return out;
    }

    /// The command goes out with this write; its reply is waited for.
    [[nodiscard]] journal_write sent(const attempt_place& at, duration within,
                                     wall_time now) const {
        journal_write out = begin(at, now);
        out.progress = at.progress;
        out.progress->in_doubt = true;
        out.progress->starts = 0;
        out.end = claim_end::released;
        out.wait = instance_wait{put_off_by(now, within), at.where()};
        return out;
    }

    /// The instance goes back as it is, for somebody else to go on with.
    [[nodiscard]] journal_write released(wall_time now) const {
        journal_write out = begin();
        out.progress = what_.progress;
        const plan_decision to_do = plan_.next(position(now));
        const bool acts = to_do.what == plan_verdict::act;
        if (!out.progress && match_.goes_on() && (acts || to_do.what == plan_verdict::compensate)) {
            // By this the next one knows that nothing was begun.
            out.progress =
                place_at(to_do.step, acts ? step_phase::act : step_phase::undo, now).progress;
        }
        out.end = claim_end::released;
        // A wait that somebody ended, by a cancellation or a decision, is not begun again.
        const bool is_kept =
            what_.wait && (reply_ || what_.wait->is_over(now) || to_do.what == plan_verdict::wait);
        if (is_kept) {
            out.wait = what_.wait;
        }
        return out;
    }

    /// What was written is done. `is_cancelled`: as the answer to the write said.
    void apply(journal_write written, bool is_cancelled, wall_time now) {
        make_room(written.records.size());
        for (auto& record : written.records) {
            plan_.see(record);
            history_.push_back(std::move(record));
        }
        if (!written.records.empty()) {
            what_.progress.reset();
            what_.wait.reset();
            reply_.reset();
            is_noted_ = false;
            is_suspect_ = is_suspect_ && written.progress.has_value();
        }
        if (written.progress) {
            is_noted_ = written.progress->starts != 0;
            what_.progress = std::move(written.progress);
        }
        if (is_cancelled && !what_.cancelled) {
            what_.cancelled =
                failure_note{now, failure_class::permanent, 0, "cancelled", std::string()};
        }
    }

    /// Whether a reply is there that an attempt at this place is to take.
    [[nodiscard]] bool takes_reply(const attempt_place& at) const noexcept {
        return reply_ && what_.wait && what_.wait->reply && is_at(*what_.wait->reply, at);
    }

    /// Where the instance is between two records.
    [[nodiscard]] plan_position position(wall_time now) const {
        plan_position out = position_of(what_);
        out.is_waiting = is_held_back(now);
        return out;
    }

private:
    /// Records are large, and come one by one.
    void make_room(std::size_t records) {
        constexpr std::size_t more = 8;
        if (history_.capacity() - history_.size() < records) {
            history_.reserve(2 * history_.size() + records + more);
        }
    }

    [[nodiscard]] bool was_silent(std::uint32_t unsettled) const noexcept {
        if (unsettled > 1) {
            return true;
        }
        if (what_.progress || history_.empty()) {
            return false;
        }
        const auto last = history_.back().kind;
        return last == record_kind::done || last == record_kind::failed;
    }

    /// Finds what a claim before may have begun, and doubts it.
    template <rules_of_steps Rules>
    void doubt(const Rules& rules, wall_time now) {
        // Whatever it was, it was not begun because of a cancellation that came later.
        if (!what_.progress && match_.goes_on()) {
            const plan_decision begun = plan_.next();
            if (begun.what == plan_verdict::act || begun.what == plan_verdict::compensate) {
                const bool acts = begun.what == plan_verdict::act;
                what_.progress =
                    place_at(begun.step, acts ? step_phase::act : step_phase::undo, now).progress;
            }
        } else if (!what_.progress) {
            doubt_as_kept(now);
        }
        if (what_.progress) {
            const bool safe = is_safe(rules);  // before what it looks at is moved
            what_.progress = after_silence(std::move(*what_.progress), safe);
        }
    }
    void doubt_as_kept(wall_time now) {
        const journal_entry as_kept{what_, history_, std::nullopt, 0};
        const saga_plan plan = plan_as_kept(as_kept);
        const plan_decision begun = plan.next();
        if (begun.what == plan_verdict::act || begun.what == plan_verdict::compensate) {
            const bool acts = begun.what == plan_verdict::act;
            what_.progress = progress_at(
                std::nullopt,
                {plan.step(begun.step).name, acts ? step_phase::act : step_phase::undo}, now);
        }
    }
    /// Whether what was begun is either recorded or without effect.
    template <rules_of_steps Rules>
    [[nodiscard]] bool is_safe(const Rules& rules) const {
        const auto at = plan_.find(what_.progress->where.step);
        return match_.goes_on() && at && match_.steps[*at].in_code &&
               rules(*match_.steps[*at].in_code, what_.progress->where.phase)
                   .is_recorded_with_effect;
    }

    /// Whether its wait keeps it from what it would do.
    [[nodiscard]] bool is_held_back(wall_time now) const noexcept {
        if (!what_.wait || reply_ || what_.wait->is_over(now)) {
            return false;
        }
        if (!what_.wait->reply) {
            // People who let it go on take its attempts back.
            return what_.progress && (what_.progress->attempts != 0 || what_.progress->waits != 0);
        }
        return now < what_.wait->time.from || what_.cancelled;
    }
    [[nodiscard]] bool is_late(const attempt_place& at, wall_time now) const noexcept {
        return what_.wait && what_.wait->reply && !reply_ && what_.wait->is_over(now) &&
               is_at(*what_.wait->reply, at);
    }
    [[nodiscard]] bool is_at(const step_address& where, const attempt_place& at) const noexcept {
        return where.phase == at.phase && plan_.find(where.step) == at.step;
    }

    /// Whether it is written that an attempt is made here.
    [[nodiscard]] bool is_noted(const attempt_place& at) const noexcept {
        return is_noted_ && what_.progress && is_at(what_.progress->where, at);
    }

    /// Whether it would be undone for a cancellation alone, of which no record says that it was
    /// heeded: whoever claims the instance after this process has died could not tell that from an
    /// act.
    [[nodiscard]] bool turns_unseen(const attempt_place& at) const {
        if (at.phase == step_phase::act || (what_.progress && is_at(what_.progress->where, at))) {
            return false;
        }
        const plan_verdict by_history = plan_.next().what;
        return by_history == plan_verdict::act || by_history == plan_verdict::complete;
    }

    /// The place of an attempt. Its address stays the one under which it was begun.
    [[nodiscard]] attempt_place place_at(std::size_t step, step_phase phase, wall_time now) const {
        attempt_place out{step, phase, {}};
        if (what_.progress && what_.progress->where.phase == phase &&
            plan_.find(what_.progress->where.step) == step) {
            out.progress = *what_.progress;
        } else {
            out.progress.where.step = lasting_name(what_, match_.steps[step]);
            out.progress.where.phase = phase;
            out.progress.begun = now;
        }
        return out;
    }

    [[nodiscard]] journal_write begin() const {
        journal_write out;
        out.claim = claim_of(what_);
        out.known = history_.size();
        return out;
    }
    /// A write about an attempt; first of all the act's record, where that is undone without one.
    [[nodiscard]] journal_write begin(const attempt_place& at, wall_time now) const {
        journal_write out = begin();
        if (at.phase == step_phase::undo && !has_record_of_act(at.step)) {
            step_progress act;
            act.begun = now;
            if (what_.progress && what_.progress->where.phase == step_phase::act &&
                plan_.find(what_.progress->where.step) == at.step) {
                act = *what_.progress;
            }
            act.where = {at.where().step, step_phase::act};
            step_record record =
                record_of({at.step, step_phase::act, act}, record_kind::failed, act, now);
            record.why = failure_note{now, failure_class::unknown, act.attempts, "turned_back",
                                      "the step was begun, and is undone without an answer"};
            out.records.push_back(std::move(record));
        }
        return out;
    }
    [[nodiscard]] bool has_record_of_act(std::size_t step) const noexcept {
        for (std::size_t i = history_.size(); i-- > 0;) {
            if (history_[i].where.phase == step_phase::act &&
                plan_.find(history_[i].where.step) == step) {
                return history_[i].kind != record_kind::retried;
            }
        }
        return false;
    }
    [[nodiscard]] static step_record record_of(const attempt_place& at, record_kind kind,
                                               const step_progress& progress, wall_time now) {
        step_record out;
        out.where = at.progress.where;
        out.kind = kind;
        out.attempts = progress.attempts;
        out.begun = progress.begun;
        out.at = now;
        return out;
    }
    /// Equal for all attempts at a step, whoever makes them.
    [[nodiscard]] std::uint64_t seed_of(const attempt_place& at) const noexcept {
        splitmix64 random(static_cast<std::uint64_t>(what_.number) ^
                          (at.step * 2 + (at.phase == step_phase::undo ? 1U : 0U)) << 40U);
        return random();
    }

    /// The plan as it will be with the write.
    [[nodiscard]] saga_plan plan_with(const journal_write& one) const {
        saga_plan out = plan_;
        for (const auto& record : one.records) {
            out.see(record);
        }
        return out;
    }
    /// Ends the claim, if nothing is left to do behind what is written.
    void conclude(journal_write& out, wall_time now) const {
        const plan_position here{what_.cancelled.has_value(), {}, false, false};
        end(out, here, plan_.next_after(out.records, here), now);
    }
    /// Puts a step off; unless it is not to be tried again, since the instance was cancelled.
    void put_off(journal_write& out, step_progress progress, duration retry_in,
                 wall_time now) const {
        const plan_position here{what_.cancelled.has_value(), progress.where, progress.in_doubt,
                                 true};
        const plan_decision to_do = plan_.next_after(out.records, here);
        out.progress = std::move(progress);
        if (to_do.what == plan_verdict::wait) {
            out.end = claim_end::released;
            out.wait = instance_wait{put_off_by(now, retry_in), std::nullopt};
        } else {
            end(out, here, to_do, now);
        }
    }
    void park(journal_write& out, const attempt_place& at, step_progress progress,
              wall_time now) const {
        const bool is_pivot = match_.steps[at.step].kind == step_kind::pivot;
        const park_reason reason = at.phase == step_phase::undo ? park_reason::not_undone
                                   : is_pivot                   ? park_reason::pivot_in_doubt
                                                                : park_reason::no_way_back;
        const plan_position here{what_.cancelled.has_value(), progress.where, progress.in_doubt,
                                 false};
        out.end = claim_end::parked;
        out.why =
            note_of_giving_up(reason, plan_with(out), here, at.where(), progress.last_failure, now);
        out.progress = std::move(progress);
    }
    /// What the plan's word means for the claim.
    void end(journal_write& out, const plan_position& here, const plan_decision& to_do,
             wall_time now) const {
        switch (to_do.what) {
            case plan_verdict::complete: out.end = claim_end::completed; break;
            case plan_verdict::end_compensated: out.end = claim_end::compensated; break;
            case plan_verdict::park:
                out.end = claim_end::parked;
                out.why = note_of_giving_up(to_do.reason, plan_with(out), here, address_of(to_do),
                                            failure_of(to_do, out), now);
                break;
            case plan_verdict::act:
            case plan_verdict::compensate:
            case plan_verdict::wait: break;
        }
    }
    [[nodiscard]] step_address address_of(const plan_decision& to_do) const {
        return {plan_.step(to_do.step).name,
                to_do.reason == park_reason::not_undone ? step_phase::undo : step_phase::act};
    }
    /// The last failure of the step for which an instance is parked.
    [[nodiscard]] std::optional<failure_note> failure_of(const plan_decision& to_do,
                                                         const journal_write& out) const {
        const step_phase phase =
            to_do.reason == park_reason::not_undone ? step_phase::undo : step_phase::act;
        const auto last_in = [&](const std::vector<step_record>& records) {
            for (std::size_t i = records.size(); i-- > 0;) {
                if (records[i].where.phase == phase &&
                    plan_.find(records[i].where.step) == to_do.step) {
                    return records[i].why;
                }
            }
            return std::optional<failure_note>();
        };
        auto why = last_in(out.records);
        return why ? why : last_in(history_);
    }

    [[nodiscard]] journal_write refused(wall_time now) const {
        journal_write out = begin();
        out.progress = what_.progress;
        out.end = claim_end::parked;
        out.why = failure_note{now, refusal_->kind, 0, refusal_->reason, refusal_->detail};
        return out;
    }
    [[nodiscard]] journal_write waiting_on(wall_time now) const {
        journal_write out = begin();
        out.progress = what_.progress;
        out.end = claim_end::released;
        const bool is_set_back = now < what_.wait->time.from;
        out.wait = is_set_back ? what_.wait->begun_anew(now) : *what_.wait;
        return out;
    }
    [[nodiscard]] journal_write ended(const plan_decision& to_do, wall_time now) const {
        journal_write out = begin();
        out.progress = what_.progress;
        end(out, position(now), to_do, now);
        return out;
    }
    [[nodiscard]] journal_write poisoned(const attempt_place& at, wall_time now) const {
        journal_write out = begin(at, now);
        out.progress = at.progress;
        out.end = claim_end::parked;
        out.why = note_of_poison(plan_with(out), position(now), at.progress, now);
        return out;
    }
    [[nodiscard]] journal_write noted(const attempt_place& at, wall_time now) const {
        journal_write out = begin(at, now);
        out.progress = is_suspect_ ? started(at.progress) : at.progress;
        return out;
    }

    process_instance what_;
    std::vector<step_record> history_;
    std::optional<std::string> reply_;
    definition_match match_;
    saga_plan plan_;
    std::optional<failure> refusal_{};
    bool is_suspect_ = false;
    bool is_noted_ = false;
};

}  // namespace sinew
