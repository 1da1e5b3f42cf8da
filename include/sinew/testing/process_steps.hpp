// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the steps of a `process_world` do, and the laws that are checked while they do it; and how
/// its runners are woken.

#include <sinew/core/error.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/testing/process_laws.hpp>
#include <sinew/testing/process_world.hpp>
#include <sinew/testing/scripted_process.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sinew::testing {

inline waking_book runner_ports::waking_book() {
    wakes_ = true;
    return {book(), rung_};
}
inline void runner_ports::ring() {
    rung_ = true;
    if (wakes_) {
        home.world_.wake(self);
    }
}

inline std::optional<failure> runner_ports::begins(const attempt_info& at, std::string_view step) {
    self.must_live();
    const std::string id = at.instance.id;
    const step_of where{id, std::string(home.name_now(step)), at.phase};
    self.note("tries to", to_string(at.phase), step, "of", id, "attempt", at.attempt,
              at.is_in_doubt ? "in doubt" : "");
    watch.begins(at.instance, step, at.until);
    auto* const facts = home.of(id);
    auto* const its = home.find(where);
    if (facts != nullptr && its != nullptr) {
        check_key(home.found(), home.facts(), *facts, *its, at.phase, at.key);
        const auto is = home.book_.find(facts->type, facts->id);
        const auto* record =
            is ? find_record(is->history, {std::string(home.name_in(*is, where.step)), at.phase})
               : nullptr;
        const bool is_over = record != nullptr && watch.has_the_claim(at.instance.number);
        home.found().check(law::never_again, !is_over, [&] {
            return detail::say(*facts, step, at.phase, "is tried again, and has a record");
        });
        ++its->at(at.phase).attempts;
    }
    if (auto* const its_rule = home.rule_for(where, false)) {
        --its_rule->times;
        if (its_rule->what == process_world::rule_kind::kills) {
            ++home.deaths_;
            self.die("of a step");
        }
        return failure{its_rule->kind, "refused", "as the scenario says", std::nullopt};
    }
    return std::nullopt;
}

inline void runner_ports::joins(const attempt_info& at, std::string_view step, transaction& tx) {
    const step_of where{at.instance.id, std::string(home.name_now(step)), at.phase};
    tx.when_committed([this, where] {
        auto* const facts = home.of(where.id);
        auto* const its = home.find(where);
        if (facts == nullptr || its == nullptr) {
            return;
        }
        self.note("has done", to_string(where.phase), where.step, "of", where.id);
        join_effect(home.found(), *facts, *its, where.phase);
        its->at(where.phase).result = scripted_result(where.id, where.step, where.phase);
        const auto is = home.book_.find(facts->type, facts->id);
        const auto* record =
            is ? find_record(is->history, {std::string(home.name_in(*is, where.step)), where.phase})
               : nullptr;
        home.found().check(law::fences, record != nullptr && record->kind == record_kind::done,
                           [&] {
                               return detail::say(*facts, where.step, where.phase,
                                                  "is kept, and was not recorded with it");
                           });
    });
    self.pass_through("step", home.options_.joined);
}

inline std::optional<failure> runner_ports::calls(const attempt_info& at, std::string_view step) {
    const step_of where{at.instance.id, std::string(home.name_now(step)), at.phase};
    const auto no_answer = []() -> std::optional<failure> {
        return failure{failure_class::unknown, "no_answer", "the service did not answer",
                       std::nullopt};
    };
    return self.call(
        "service", home.options_.called,
        [&]() -> std::optional<failure> {
            auto* const facts = home.of(where.id);
            auto* const its = home.find(where);
            if (facts != nullptr && its != nullptr) {
                home.world_.note("service", "does", to_string(where.phase), where.step, "of",
                                 where.id);
                serve(home.found(), *facts, *its, where.phase);
                its->at(where.phase).result = scripted_result(where.id, where.step, where.phase);
                home.world_.stir();
            }
            for (const auto& [slow, takes] : home.slow_calls_) {
                if (slow == where) {
                    home.world_.pass(takes);
                }
            }
            if (auto* const mute = home.rule_for(where, true)) {
                --mute->times;
                return no_answer();
            }
            return std::nullopt;
        },
        no_answer);
}

inline std::string runner_ports::result_of(const attempt_info& at, std::string_view step) const {
    return scripted_result(at.instance.id, home.name_now(step), at.phase);
}

inline std::optional<failure> runner_ports::replied(const attempt_info& at, std::string_view step) {
    self.must_live();
    const step_of where{at.instance.id, std::string(home.name_now(step)), at.phase};
    self.note("takes the reply to", to_string(at.phase), step, "of", where.id);
    watch.begins(at.instance, step, at.until);
    auto* const facts = home.of(where.id);
    auto* const its = home.find(where);
    if (facts != nullptr && its != nullptr) {
        auto& there = its->at(where.phase);
        home.found().check(law::first_reply, there.has_reply && there.reply == *at.reply, [&] {
            return detail::say(*facts, step, where.phase, "gets the reply ") +
                   std::string(*at.reply);
        });
        there.result = std::string(*at.reply);
    }
    self.pass_through("reply", {fault::failed, fault::crash_before});
    if (at.reply->starts_with("no")) {
        return failure{failure_class::permanent, "refused", "by the service", std::nullopt};
    }
    return std::nullopt;
}

}  // namespace sinew::testing
