// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Processes whose steps do what a scenario has written down.
///
/// A step acts in one of three ways: as part of the transaction that records it; by calling a
/// service that knows its key; by sending a command to one, which replies. What it returns is known
/// beforehand, so a scenario can tell a lost result from the right one.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/plan_decision.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// How a step acts.
enum class acting : std::uint8_t { in_transaction, by_call, by_command };

/// A step as a scenario writes it. The texts outlive it.
struct scripted_step {
    std::string_view name{};
    step_kind kind = step_kind::retriable;
    acting act = acting::by_call;
    acting undo = acting::by_call;
    bool is_added = false;
    std::vector<std::string_view> former_names{};
};

/// A process as a scenario writes it.
struct process_script {
    std::string_view type{};
    std::vector<scripted_step> steps{};
    compensation_policy policy = compensation_policy::stop;
    step_options options{};
    duration within = std::chrono::seconds(5);  ///< how long a reply is waited for
    std::vector<std::string_view> removed{};
};

/// What a step returns that is done.
[[nodiscard]] inline std::string scripted_result(std::string_view id, std::string_view step,
                                                 step_phase phase) {
    std::string out(to_string(phase));
    out.append(" ").append(step).append(" of ").append(id);
    return out;
}

/// A script with the lists that a `process_definition` views.
class written_process {
public:
    explicit written_process(process_script script) : script_(std::move(script)) {
        for (const auto& one : script_.steps) {
            steps_.push_back({one.name, one.kind, one.is_added, one.former_names});
        }
        definition_ = {script_.type, steps_, script_.removed};
    }
    written_process(const written_process&) = delete;
    written_process& operator=(const written_process&) = delete;
    ~written_process() = default;

    [[nodiscard]] const process_script& script() const noexcept { return script_; }
    [[nodiscard]] const process_definition& definition() const noexcept { return definition_; }
    [[nodiscard]] const scripted_step& step(std::size_t at) const { return script_.steps[at]; }
    [[nodiscard]] acting acts(std::size_t step, step_phase phase) const {
        const auto& one = script_.steps[step];
        return phase == step_phase::act ? one.act : one.undo;
    }

private:
    process_script script_;
    std::vector<step_definition> steps_{};
    process_definition definition_{};
};

using shared_script = std::shared_ptr<const written_process>;

[[nodiscard]] inline shared_script write_process(process_script script) {
    return std::make_shared<const written_process>(std::move(script));
}

/// A process that does what a script says, in one life of a runner. Models `process_type`. `Home`
/// is asked what happens:
///
/// - `begins(at, step, phase)`: an attempt begins. Answers a failure that was written down for it,
///   and does not return if it is to kill the process.
/// - `joins(at, tx, step, phase)`: the effect is added to the transaction.
/// - `calls(at, step, phase)`: the service is called; answers a failure, if it did not answer.
/// - `replied(at, step, phase)`: the reply is there.
/// - `result_of(at, step)`: what the step returns that is done.
template <class Home>
class scripted_process {
public:
    scripted_process(Home& home, shared_script of) : home_(&home), of_(std::move(of)) {}

    [[nodiscard]] const process_definition& definition() const { return of_->definition(); }
    [[nodiscard]] bool joins_transaction(std::size_t step, step_phase phase) const {
        return of_->acts(step, phase) == acting::in_transaction;
    }
    [[nodiscard]] bool sends(std::size_t step, step_phase phase) const {
        return of_->acts(step, phase) == acting::by_command;
    }
    [[nodiscard]] const step_options& options(std::size_t /*step*/, step_phase /*phase*/) const {
        return of_->script().options;
    }
    [[nodiscard]] compensation_policy policy() const { return of_->script().policy; }

    template <class Tx>
    attempt_result attempt(const attempt_info& at, Tx& tx) {
        return guarded([&] {
            if (auto why = home_->begins(at, name_of(at))) {
                return attempt_result::failed(std::move(*why));
            }
            home_->joins(at, name_of(at), tx);
            return done(at);
        });
    }

    attempt_result attempt(const attempt_info& at) {
        return guarded([&]() -> attempt_result {
            if (at.reply) {
                if (auto why = home_->replied(at, name_of(at))) {
                    return attempt_result::failed(std::move(*why));
                }
                return attempt_result::done(std::string(*at.reply));
            }
            if (auto why = home_->begins(at, name_of(at))) {
                return attempt_result::failed(std::move(*why));
            }
            if (of_->acts(at.step, at.phase) == acting::by_command) {
                event out{.id = std::string(at.key), .source = "/p", .type = "command"};
                out.partitionkey = at.instance.id;
                return attempt_result::sent(std::move(out), of_->script().within);
            }
            if (auto why = home_->calls(at, name_of(at))) {
                return attempt_result::failed(std::move(*why));
            }
            return done(at);
        });
    }

private:
    [[nodiscard]] std::string_view name_of(const attempt_info& at) const {
        return of_->step(at.step).name;
    }
    [[nodiscard]] attempt_result done(const attempt_info& at) const {
        return attempt_result::done(home_->result_of(at, name_of(at)));
    }
    template <class Attempt>
    [[nodiscard]] attempt_result guarded(Attempt attempt) {
        try {
            return attempt();
        } catch (const error& what) {
            return attempt_result::failed(what.as_failure());
        }
    }

    Home* home_;
    shared_script of_;
};

}  // namespace sinew::testing
