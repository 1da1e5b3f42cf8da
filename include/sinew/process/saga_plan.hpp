// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a process does next: forward, back, or to somebody who decides.
///
/// A plan is made of the steps of an instance and its history; it holds no more than these say.
/// A process whose steps are all retriable only goes forward, so the same plan serves checkpointed
/// steps and sagas.
///
/// | the instance | next |
/// | --- | --- |
/// | goes forward, a step is neither done nor skipped | act |
/// | goes forward, all steps are done or skipped | complete |
/// | goes forward, a step failed that can't be undone | park: `no_way_back` |
/// | the pivot was given up, and may have happened | park: `pivot_in_doubt` |
/// | goes back, a step is to be undone | compensate, the last such step first |
/// | goes back, nothing is left to undo | end as compensated |
/// | goes back, a compensation was given up, policy `stop` | park: `not_undone` |
/// | goes back, policy `go_on`, nothing else is left to undo | park: `not_undone` |
/// | what comes next waits for its time or a reply | wait |
///
/// It goes back once a step before the point of no return failed, or was cancelled before that
/// point, and never turns again once something was undone. The point of no return is passed when
/// the pivot is done; where there is none, when all compensable steps are.
///
/// To be undone are compensable steps that are done, or that failed with an unknown outcome. A
/// pivot whose outcome is unknown is neither repeated as if it had not happened nor passed as if it
/// had.
///
/// **Guarantees.** `next` is defined for each history. The first word on a step stands until people
/// take it back or skip the step, so a duplicate or late record changes nothing; an undone step is
/// never done again.
/// **Invariants.** See `find_fault`.

#include <sinew/core/error.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/plan_decision.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// What a process does next, by its steps and its history.
class saga_plan {
public:
    explicit saga_plan(std::vector<matched_step> steps,
                       compensation_policy policy = compensation_policy::stop)
        : known_(std::move(steps)), policy_(policy) {
        steps_.reserve(known_.size());
        for (const auto& one : known_) {
            steps_.push_back({one.kind, one.is_kept, one.in_code.has_value()});
        }
    }
    saga_plan(const definition_match& match, std::span<const step_record> history,
              compensation_policy policy = compensation_policy::stop)
        : saga_plan(match.steps, policy) {
        for (const auto& one : history) {
            see(one);
        }
    }

    /// Takes a record in. Answers whether it changed anything: a duplicate, one that contradicts an
    /// earlier one, and one of a step that is not there do not.
    bool see(const step_record& record) {
        const auto at = find(record.where.step);
        if (!at) {
            return false;
        }
        stand& one = steps_[*at];
        const bool is_unknown = record.why && record.why->kind == failure_class::unknown;
        return record.where.phase == step_phase::act ? see_act(one, record.kind, is_unknown)
                                                     : see_undo(one, record.kind);
    }

    [[nodiscard]] plan_decision next(const plan_position& here = {}) const {
        const auto begun = here.begun ? find(here.begun->step) : std::nullopt;
        if (const auto doubt = pivot_in_doubt(here, begun)) {
            if (steps_[*doubt].act == word::none && steps_[*doubt].is_in_code && !any_undone()) {
                // Until it is known, it is asked for again, under the same key.
                return here.is_waiting ? plan_decision{plan_verdict::wait, *doubt}
                                       : plan_decision{plan_verdict::act, *doubt};
            }
            return {plan_verdict::park, *doubt, park_reason::pivot_in_doubt};
        }
        const plan_decision out = goes_back(here, begun) ? back(here, begun) : forward(begun);
        const bool is_begun =
            begun == out.step && ((out.what == plan_verdict::act && is_acting(here)) ||
                                  (out.what == plan_verdict::compensate && is_undoing(here)));
        return is_begun && here.is_waiting ? plan_decision{plan_verdict::wait, out.step} : out;
    }

    /// What comes next behind records that it has not seen.
    [[nodiscard]] plan_decision next_after(std::span<const step_record> more,
                                           const plan_position& here) const {
        saga_plan then(*this, looks_ahead());
        for (const auto& one : more) {
            then.see(one);
        }
        return then.next(here);
    }

    /// What is to be written of a step that is given up.
    [[nodiscard]] giving_up give_up(std::size_t step, step_phase phase, bool is_in_doubt) const {
        if (phase == step_phase::undo) {
            return policy_ == compensation_policy::go_on ? giving_up::record : giving_up::park;
        }
        switch (steps_[step].kind) {
            case step_kind::compensable: return giving_up::record;
            case step_kind::pivot: return is_in_doubt ? giving_up::park : giving_up::record;
            case step_kind::retriable: break;
        }
        return giving_up::park;
    }

    /// The steps that are to be undone and are not, in the order in which they would be.
    [[nodiscard]] std::vector<std::size_t> not_undone(const plan_position& here = {}) const {
        const auto begun = here.begun ? find(here.begun->step) : std::nullopt;
        std::vector<std::size_t> out;
        for (std::size_t i = steps_.size(); i-- > 0;) {
            if (had_effect(i, here, begun) && steps_[i].undo != word::done &&
                steps_[i].undo != word::skipped) {
                out.push_back(i);
            }
        }
        return out;
    }

    /// Whether cancelling comes too late.
    [[nodiscard]] bool is_past_return() const noexcept {
        bool has_pivot = false;
        bool all_done = true;
        for (const auto& one : steps_) {
            if (one.kind == step_kind::pivot && (one.is_in_code || is_behind(one.act))) {
                has_pivot = true;
                all_done = is_behind(one.act);
            } else if (one.kind == step_kind::compensable && !has_pivot) {
                all_done = all_done && (is_behind(one.act) || is_left_out(one));
            }
        }
        return all_done;
    }

    [[nodiscard]] std::size_t size() const noexcept { return steps_.size(); }
    [[nodiscard]] const matched_step& step(std::size_t at) const noexcept { return known()[at]; }
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept {
        const auto& all = known();
        for (std::size_t i = 0; i < all.size(); ++i) {
            for (const auto& its : all[i].known_as) {
                if (its == name) {
                    return i;
                }
            }
        }
        return std::nullopt;
    }

    /// What is wrong with a decision, as a sentence; empty if nothing is. For tests.
    [[nodiscard]] std::string_view find_fault(const plan_decision& one,
                                              const plan_position& here = {}) const {
        switch (one.what) {
            case plan_verdict::act:
                if (is_behind(steps_[one.step].act) || steps_[one.step].undo != word::none) {
                    return "acts on a step that is done, skipped or undone";
                }
                if (any_undone() && !has_done_pivot()) {
                    return "acts though something was undone";
                }
                return steps_[one.step].is_in_code ? "" : "acts on a step that was removed";
            case plan_verdict::compensate:
                if (steps_[one.step].undo != word::none) {
                    return "undoes a step twice";
                }
                if (is_past_return() && has_done_pivot()) {
                    return "undoes a step though the pivot is done";
                }
                return steps_[one.step].is_in_code ? "" : "undoes a step that was removed";
            case plan_verdict::complete:
                for (const auto& other : steps_) {
                    if (!is_behind(other.act) && !is_left_out(other)) {
                        return "completes though a step is not done";
                    }
                }
                return "";
            case plan_verdict::end_compensated:
                return not_undone(here).empty() ? "" : "ends though a step is not undone";
            case plan_verdict::park:
                return one.reason == park_reason::none ? "parks without a reason" : "";
            case plan_verdict::wait: break;
        }
        return here.is_waiting ? "" : "waits for nothing";
    }

private:
    /// The last word on a step in a phase.
    enum class word : std::uint8_t { none, done, failed, skipped };

    /// Where a step stands. Small, since they are copied to look ahead with.
    struct stand {
        step_kind kind = step_kind::retriable;
        bool is_kept = true;
        bool is_in_code = true;
        word act = word::none;
        word undo = word::none;
        bool is_doubtful = false;  ///< an action that failed may have happened
        bool is_left_out = false;  ///< added behind the instance's back
    };

    /// The same, to look ahead with while that one lives: it has only the stands of its own.
    struct looks_ahead {};
    saga_plan(const saga_plan& of, looks_ahead)
        : of_(&of.known()), steps_(of.steps_), policy_(of.policy_), has_turned_(of.has_turned_) {}

    [[nodiscard]] const std::vector<matched_step>& known() const noexcept {
        return of_ != nullptr ? *of_ : known_;
    }
    [[nodiscard]] static bool is_behind(word w) noexcept {
        return w == word::done || w == word::skipped;
    }
    [[nodiscard]] static bool is_acting(const plan_position& here) noexcept {
        return here.begun->phase == step_phase::act;
    }
    [[nodiscard]] static bool is_undoing(const plan_position& here) noexcept {
        return here.begun->phase == step_phase::undo;
    }
    /// Removed, so nobody can take it.
    [[nodiscard]] static bool is_gone(const stand& one) noexcept { return !one.is_in_code; }

    bool see_act(stand& one, record_kind kind, bool is_unknown) {
        switch (kind) {
            case record_kind::done:
                if (one.act == word::failed && !one.is_doubtful) {
                    one.is_doubtful = true;  // it happened, although it was given up
                    return true;
                }
                break;
            case record_kind::retried:
                if (one.act != word::failed || any_undone()) {
                    return false;
                }
                one.act = word::none;
                return true;
            case record_kind::skipped:
                if (one.act == word::failed && !any_undone()) {
                    one.act = word::none;
                }
                break;
            case record_kind::failed: break;
        }
        if (one.act != word::none) {
            return false;
        }
        one.act = word_of(kind);
        one.is_doubtful = one.act == word::failed && (one.is_doubtful || is_unknown);
        leave_out_before(static_cast<std::size_t>(&one - steps_.data()));
        return true;
    }
    bool see_undo(stand& one, record_kind kind) {
        if (kind == record_kind::retried) {
            if (one.undo != word::failed) {
                return false;
            }
            one.undo = word::none;
            has_turned_ = true;
            return true;
        }
        const bool is_settled_by_hand = kind == record_kind::skipped && one.undo == word::failed;
        if (one.undo != word::none && !is_settled_by_hand) {
            return false;
        }
        one.undo = word_of(kind);
        return true;
    }
    [[nodiscard]] static word word_of(record_kind kind) noexcept {
        switch (kind) {
            case record_kind::done: return word::done;
            case record_kind::failed: return word::failed;
            case record_kind::skipped: return word::skipped;
            case record_kind::retried: break;
        }
        return word::none;
    }
    /// Steps that were added before one that has a record are not taken any more.
    void leave_out_before(std::size_t end) {
        for (std::size_t i = 0; i < end; ++i) {
            steps_[i].is_left_out =
                steps_[i].is_left_out || (!steps_[i].is_kept && steps_[i].act == word::none);
        }
    }
    [[nodiscard]] static bool is_left_out(const stand& one) noexcept {
        return one.act == word::none && (is_gone(one) || one.is_left_out);
    }

    [[nodiscard]] bool any_undone() const noexcept {
        for (const auto& one : steps_) {
            if (one.undo != word::none) {
                return true;
            }
        }
        return has_turned_;
    }
    [[nodiscard]] bool has_done_pivot() const noexcept {
        for (const auto& one : steps_) {
            if (one.kind == step_kind::pivot && is_behind(one.act)) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] std::optional<std::size_t> pivot_in_doubt(
        const plan_position& here, std::optional<std::size_t> begun) const noexcept {
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const auto& one = steps_[i];
            const bool is_begun =
                begun == i && is_acting(here) && here.is_in_doubt && one.act == word::none;
            if (one.kind == step_kind::pivot && !is_behind(one.act) &&
                (one.is_doubtful || is_begun)) {
                return i;
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] bool goes_back(const plan_position& here,
                                 std::optional<std::size_t> begun) const noexcept {
        if (has_done_pivot()) {
            return false;
        }
        for (const auto& one : steps_) {
            if (one.act == word::failed && one.kind != step_kind::retriable) {
                return true;
            }
        }
        return any_undone() || (begun && is_undoing(here)) ||
               (here.is_cancelled && !is_past_return());
    }

    /// Whether a step is to be undone on the way back, or was.
    [[nodiscard]] bool had_effect(std::size_t i, const plan_position& here,
                                  std::optional<std::size_t> begun) const noexcept {
        const auto& one = steps_[i];
        return one.kind == step_kind::compensable &&
               (one.act == word::done || one.is_doubtful ||
                (begun == i && (here.is_in_doubt || is_undoing(here)) && one.act == word::none));
    }

    [[nodiscard]] plan_decision back(const plan_position& here,
                                     std::optional<std::size_t> begun) const {
        std::optional<std::size_t> given_up;
        for (std::size_t i = steps_.size(); i-- > 0;) {
            const auto& one = steps_[i];
            if (!had_effect(i, here, begun) || one.undo == word::done ||
                one.undo == word::skipped) {
                continue;
            }
            if (one.undo == word::none && !is_gone(one)) {
                return {plan_verdict::compensate, i};
            }
            if (policy_ == compensation_policy::stop) {
                return {plan_verdict::park, i, park_reason::not_undone};
            }
            given_up = given_up ? given_up : i;
        }
        return given_up ? plan_decision{plan_verdict::park, *given_up, park_reason::not_undone}
                        : plan_decision{plan_verdict::end_compensated};
    }

    [[nodiscard]] plan_decision forward(std::optional<std::size_t> begun) const {
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const auto& one = steps_[i];
            const bool is_passed = begun && *begun > i && !one.is_kept;
            if (is_behind(one.act) || is_left_out(one) || (is_passed && one.act == word::none)) {
                continue;
            }
            if (one.act == word::failed || one.undo != word::none) {
                return {plan_verdict::park, i, park_reason::no_way_back};
            }
            return {plan_verdict::act, i};
        }
        return {plan_verdict::complete};
    }

    std::vector<matched_step> known_{};
    const std::vector<matched_step>* of_ = nullptr;  ///< another's, where this one looks ahead
    std::vector<stand> steps_{};
    compensation_policy policy_ = compensation_policy::stop;
    bool has_turned_ = false;
};

}  // namespace sinew
