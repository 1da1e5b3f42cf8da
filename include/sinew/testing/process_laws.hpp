// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The laws of long work, as checks of what a scenario recorded.
///
/// A `process_record` holds for each instance which effects its steps had, in the order in which
/// they came into effect. A step's effect is either part of the transaction that records it, or
/// something that a service keeps, which knows the step's key: it does what it is asked once, and
/// takes an undo that comes before its act as the word that the act must not happen.
///
/// | law | holds if |
/// | --- | --- |
/// | nothing is lost | each instance that was started ends, or is parked where that was expected |
/// | nothing is applied twice | an effect that is part of a transaction is there once |
/// | order | effects come in the order of the steps, and are undone in reverse |
/// | all the way or all the way back | completed: all is done; compensated: nothing is left |
/// | what is recorded never runs again | no attempt begins at a step that has a record |
/// | no commit runs ahead | what is recorded as done was done |
/// | the history tells the truth | records and results are those of what happened |
/// | a step keeps its key | each attempt at a step has the same key, and no other step has it |
/// | the first reply counts | a step gets the reply that came first, and no other |
/// | fences only rise | who works on an instance, claims it or writes of it may |
/// | only the hopeless are given up | what is parked was expected to be, for that reason |
/// | poison is contained, memory is bounded, every wait has an end, everything drains, no exception escapes, as without faults | as of consuming and publishing |

#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/trial.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

namespace law {

inline constexpr std::string_view whole_way = "all the way or all the way back";
inline constexpr std::string_view never_again = "what is recorded never runs again";
inline constexpr std::string_view history_true = "the history tells the truth";
inline constexpr std::string_view same_key = "a step keeps its key";
inline constexpr std::string_view first_reply = "the first reply counts";

}  // namespace law

/// What happened at a step in a phase.
struct phase_facts {
    unsigned attempts = 0;  ///< that were begun
    unsigned effects = 0;   ///< that are kept
    std::string key{};      ///< of the first attempt
    std::string result{};   ///< what the last attempt that was done returned
    std::string reply{};    ///< the first one that was kept
    bool has_reply = false;
};

/// What happened at a step.
struct step_facts {
    std::string name{};
    step_kind kind = step_kind::retriable;
    bool in_force = false;     ///< it was done, and is not undone
    bool is_excused = false;   ///< by people, or because the code has changed: it need not be done
    bool is_given_up = false;  ///< that it is undone: what stands before it is undone without it
    bool is_barred = false;    ///< its service was told that it must not happen any more
    std::array<phase_facts, 2> phases{};

    [[nodiscard]] phase_facts& at(step_phase p) noexcept {
        return phases[static_cast<std::size_t>(p)];
    }
    [[nodiscard]] const phase_facts& at(step_phase p) const noexcept {
        return phases[static_cast<std::size_t>(p)];
    }
    [[nodiscard]] bool is_undone() const noexcept { return at(step_phase::undo).effects != 0; }
};

/// What happened to an instance, and what it has to come to.
struct instance_facts {
    std::string type{};
    std::string id{};
    std::vector<step_facts> steps{};
    bool is_started = false;
    bool has_ended = false;   ///< a runner has said so
    bool was_silent = false;  ///< a claim ended without a word: what it began is in doubt
    std::vector<instance_state> expected{instance_state::completed};
    std::vector<std::string> reasons{};  ///< for which it may be parked

    [[nodiscard]] step_facts* find(std::string_view step) noexcept {
        for (auto& one : steps) {
            if (one.name == step) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] bool may_be(instance_state state) const noexcept {
        return std::find(expected.begin(), expected.end(), state) != expected.end();
    }
    [[nodiscard]] bool may_be_parked_for(std::string_view reason) const noexcept {
        return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
    }
};

/// What a scenario recorded.
struct process_record {
    std::vector<instance_facts> instances{};

    [[nodiscard]] instance_facts* find(std::string_view type, std::string_view id) noexcept {
        for (auto& one : instances) {
            if (one.type == type && one.id == id) {
                return &one;
            }
        }
        return nullptr;
    }
};

namespace detail {

[[nodiscard]] inline std::string say(const instance_facts& of, std::string_view step,
                                     step_phase phase, std::string_view what) {
    return of.id + ": " + std::string(to_string(phase)) + " " + std::string(step) + " " +
           std::string(what);
}

inline void do_act(findings& found, instance_facts& of, step_facts& step, bool joins) {
    bool follows = true;
    bool has_turned = false;
    for (const auto& other : of.steps) {
        if (&other == &step) {
            break;
        }
        follows = follows && (other.in_force || other.is_excused || other.is_undone());
    }
    for (const auto& other : of.steps) {
        has_turned = has_turned || other.is_undone();
    }
    found.check(law::order, follows && !has_turned, [&] {
        return say(of, step.name, step_phase::act,
                   has_turned ? "happens though something was undone"
                              : "happens though a step before it has not");
    });
    found.check(law::nothing_twice, !joins || step.at(step_phase::act).effects == 0,
                [&] { return say(of, step.name, step_phase::act, "happens twice"); });
    step.in_force = true;
    ++step.at(step_phase::act).effects;
}

inline void do_undo(findings& found, instance_facts& of, step_facts& step, bool joins) {
    bool is_last = true;
    for (std::size_t i = of.steps.size(); i-- > 0 && &of.steps[i] != &step;) {
        const auto& other = of.steps[i];
        is_last = is_last && (!other.in_force || other.is_excused || other.is_given_up);
    }
    found.check(law::order, is_last, [&] {
        return say(of, step.name, step_phase::undo, "happens before that of a step behind it");
    });
    found.check(law::nothing_twice, !joins || !step.is_undone(),
                [&] { return say(of, step.name, step_phase::undo, "happens twice"); });
    found.check(law::whole_way, step.at(step_phase::act).attempts != 0 || of.was_silent, [&] {
        return say(of, step.name, step_phase::undo, "happens, and the step was never begun");
    });
    step.in_force = false;
    ++step.at(step_phase::undo).effects;
}

}  // namespace detail

/// An effect that is part of a transaction comes into effect.
inline void join_effect(findings& found, instance_facts& of, step_facts& step, step_phase phase) {
    if (phase == step_phase::undo) {
        detail::do_undo(found, of, step, true);
    } else {
        detail::do_act(found, of, step, true);
    }
}

/// A service is asked to do something. It does it once, and never after it was undone.
inline void serve(findings& found, instance_facts& of, step_facts& step, step_phase phase) {
    if (step.is_undone() || (phase == step_phase::act && (step.in_force || step.is_barred))) {
        return;
    }
    if (phase == step_phase::undo) {
        detail::do_undo(found, of, step, false);
    } else {
        detail::do_act(found, of, step, false);
    }
}

/// An attempt begins, under a key, with a reply if there is one.
inline void check_key(findings& found, process_record& r, const instance_facts& of,
                      step_facts& step, step_phase phase, std::string_view key) {
    auto& at = step.at(phase);
    bool is_same = at.attempts == 0 || at.key == key;
    for (const auto& one : r.instances) {
        for (const auto& other : one.steps) {
            for (const auto& there : other.phases) {
                is_same = is_same && (&there == &at || there.key != key);
            }
        }
    }
    found.check(law::same_key, is_same && !key.empty(), [&] {
        return detail::say(of, step.name, phase, "is tried under the key ") + std::string(key);
    });
    at.key = key;
}

/// A record of a step that is done comes into effect.
inline void check_not_ahead(findings& found, const instance_facts& of, const step_facts& step,
                            step_phase phase) {
    found.check(law::no_commit_ahead, step.at(phase).effects != 0, [&] {
        return detail::say(of, step.name, phase, "is recorded as done, and has not happened");
    });
}

/// Where an instance has come to, when all has come to rest.
inline void check_whole_way(findings& found, const instance_facts& of, instance_state state) {
    for (const auto& step : of.steps) {
        if (state == instance_state::completed) {
            found.check(law::whole_way, (step.in_force && !step.is_undone()) || step.is_excused,
                        [&] { return of.id + " is completed, and " + step.name + " is not done"; });
        }
        if (state == instance_state::compensated) {
            found.check(law::whole_way, !step.in_force || step.is_excused, [&] {
                return of.id + " is compensated, and " + step.name + " is not undone";
            });
        }
    }
}

/// What an instance has come to was expected, and nothing else.
inline void check_fate(findings& found, const instance_facts& of, const process_instance& is) {
    found.check(law::nothing_lost, is.state != instance_state::open,
                [&] { return of.id + " is still open"; });
    if (is.state == instance_state::parked) {
        const std::string reason = is.why ? is.why->reason : std::string();
        found.check(law::only_hopeless, of.may_be(is.state) && of.may_be_parked_for(reason),
                    [&] { return of.id + " is parked: " + reason; });
    } else if (is.state != instance_state::open) {
        found.check(law::as_without_faults, of.may_be(is.state),
                    [&] { return of.id + " is " + std::string(to_string(is.state)); });
    }
}

/// What the history says of a step is what happened. `name` is the one that the record has.
inline void check_history(findings& found, const instance_facts& of, const step_facts& step,
                          const journal_entry& is, std::string_view name) {
    const auto check = [&](step_phase phase, bool holds, std::string_view what) {
        found.check(law::history_true, holds,
                    [&] { return detail::say(of, step.name, phase, what); });
    };
    const bool has_ended_by_itself =
        is.what.state == instance_state::completed || is.what.state == instance_state::compensated;
    const bool is_at = is.what.progress && is.what.progress->where.step == name;
    for (const auto phase : {step_phase::act, step_phase::undo}) {
        const auto& facts = step.at(phase);
        const auto* record = find_record(is.history, {std::string(name), phase});
        const bool is_done = record != nullptr && record->kind == record_kind::done;
        std::size_t words = 0;  // since people took back the last one
        for (const auto& one : is.history) {
            if (one.where == step_address{std::string(name), phase}) {
                words = one.kind == record_kind::retried || one.kind == record_kind::skipped
                            ? 0
                            : words + 1;
            }
        }
        check(phase, words <= 1, "has two records");
        check(phase, !is_done || record->result == facts.result, "has another result");
        check(phase, !is_done || record->begun != wall_time{}, "does not say when it was begun");
        const bool is_refused = record != nullptr && record->kind == record_kind::failed &&
                                record->why && record->why->kind != failure_class::unknown;
        check(phase, !is_refused || facts.effects == 0, "is recorded as refused, and has happened");
        const bool is_told = record != nullptr || is_at || facts.effects == 0;
        const bool is_made_up_for = phase == step_phase::act && step.is_undone();
        check(phase, is_told || is_made_up_for || step.is_excused,
              "has happened, and the history does not tell");
        check(phase,
              !has_ended_by_itself || phase == step_phase::act || facts.effects == 0 || is_done ||
                  step.is_excused,
              "has happened, and is not recorded");
    }
}

}  // namespace sinew::testing
