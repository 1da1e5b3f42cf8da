// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Takes an instance of a process through its steps, in memory and without a runner: plan, attempt,
/// record, and again.

#include <sinew/core/backoff.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/definition_match.hpp>
#include <sinew/process/saga_plan.hpp>
#include <sinew/process/step_attempts.hpp>
#include <sinew/process/step_key.hpp>
#include <sinew/process/steps.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace process_test {

/// A transaction: what is written in it is there at its end, or not at all.
struct ledger_tx {
    std::vector<std::string> written{};
};

/// How a run ended.
struct ended {
    sinew::plan_verdict how = sinew::plan_verdict::complete;
    sinew::park_reason reason = sinew::park_reason::none;

    friend bool operator==(const ended&, const ended&) = default;
};

/// One instance of a process. `Description` is what `steps` or `saga` made.
template <class Description>
class process_driver {
public:
    using bound_type = decltype(sinew::bind_process<ledger_tx>(std::declval<Description>()));
    static_assert(sinew::process_type<bound_type, ledger_tx>);

    process_driver(Description described, const typename Description::input_type& input,
                   std::string id = "42")
        : process(sinew::bind_process<ledger_tx>(std::move(described))) {
        what.type = std::string(Description::definition().type);
        what.id = std::move(id);
        what.steps = sinew::entries_of(Description::definition());
        what.input = sinew::codec<typename Description::input_type>::encode(input);
    }

    /// Goes on until it ends, is parked, or waits for a reply. Waits for time are over at once.
    ended run() {
        while (true) {
            const auto match = sinew::match_definition(what.steps, process.definition(), history);
            const sinew::saga_plan plan(match, history, process.policy());
            sinew::plan_position here;
            here.is_cancelled = what.cancelled.has_value();
            if (what.progress) {
                here.begun = what.progress->where;
                here.is_in_doubt = what.progress->in_doubt;
            }
            here.is_waiting = awaits_reply && !reply;
            const auto next = plan.next(here);
            if (next.what != sinew::plan_verdict::act &&
                next.what != sinew::plan_verdict::compensate) {
                return {next.what, next.reason};
            }
            const auto phase = next.what == sinew::plan_verdict::act ? sinew::step_phase::act
                                                                     : sinew::step_phase::undo;
            if (!advance(match, plan, next.step, phase)) {
                return {sinew::plan_verdict::park, sinew::park_reason::none};
            }
        }
    }

    /// One attempt at a step of the code.
    sinew::attempt_result attempt(const sinew::definition_match& match, std::size_t step,
                                  sinew::step_phase phase) {
        const std::size_t place = *match.steps[step].in_code;
        const auto key = sinew::make_step_key(what, match.steps[step], phase);
        const auto key_of_act =
            sinew::make_step_key(what, match.steps[step], sinew::step_phase::act);
        sinew::attempt_info at{
            .instance = what, .history = history, .match = match, .step = place, .phase = phase};
        at.attempt = what.progress ? what.progress->attempts + 1 : 1;
        at.key = key;
        at.key_of_act = key_of_act;
        at.is_in_doubt = what.progress && what.progress->in_doubt;
        at.result_bytes_max = result_bytes_max;
        if (reply) {
            at.reply = *reply;
        }
        if (!process.joins_transaction(place, phase)) {
            return process.attempt(at);
        }
        ledger_tx tx;
        auto came = process.attempt(at, tx);
        if (came.is_done()) {
            committed.insert(committed.end(), tx.written.begin(), tx.written.end());
        }
        return came;
    }

    /// A done record of a step, as if an earlier run had left it.
    void record(std::string step, std::string result = {},
                sinew::record_kind kind = sinew::record_kind::done) {
        sinew::step_record one;
        one.where.step = std::move(step);
        one.kind = kind;
        one.result = std::move(result);
        history.push_back(std::move(one));
    }

    /// What is not done: the last failure.
    [[nodiscard]] const sinew::failure& last_failure() const { return failures.back(); }

    bound_type process;
    sinew::process_instance what{};
    std::vector<sinew::step_record> history{};
    std::vector<std::string> committed{};    ///< what transactions wrote
    std::vector<sinew::failure> failures{};  ///< of all attempts
    std::vector<sinew::event> sent{};
    std::optional<std::string> reply{};
    bool awaits_reply = false;
    std::size_t result_bytes_max = SIZE_MAX;

private:
    bool advance(const sinew::definition_match& match, const sinew::saga_plan& plan,
                 std::size_t step, sinew::step_phase phase) {
        const sinew::step_address where{match.steps[step].name, phase};
        const bool took_reply = reply.has_value();
        auto came = attempt(match, step, phase);
        auto progress = sinew::progress_at(what.progress, where, {});
        if (came.end() == sinew::attempt_end::sent) {
            sent.push_back(std::move(came).command());
            progress.in_doubt = awaits_reply = true;
            what.progress = progress;
            return true;
        }
        sinew::step_record record;
        record.where = where;
        if (came.is_done()) {
            record.result = std::move(came).bytes();
            write(std::move(record));
            return true;
        }
        failures.push_back(came.why());
        progress.in_doubt = (progress.in_doubt && !took_reply) || came.leaves_doubt();
        const auto then = sinew::after_failure(
            progress, came.why(), {}, process.options(*match.steps[step].in_code, phase).retry,
            [](std::uint32_t, std::uint64_t) { return sinew::duration{}; }, 0);
        what.progress = then.progress;
        if (!then.gives_up()) {
            return true;
        }
        if (plan.give_up(step, phase, then.progress.in_doubt) == sinew::giving_up::park) {
            return false;
        }
        record.kind = sinew::record_kind::failed;
        record.why = then.progress.last_failure;
        record.why->kind =
            then.progress.in_doubt ? sinew::failure_class::unknown : record.why->kind;
        write(std::move(record));
        return true;
    }

    void write(sinew::step_record record) {
        history.push_back(std::move(record));
        what.progress.reset();
        reply.reset();
        awaits_reply = false;
    }
};

template <class Description>
process_driver(Description, const typename Description::input_type&) -> process_driver<Description>;
template <class Description>
process_driver(Description, const typename Description::input_type&, std::string)
    -> process_driver<Description>;

/// An order, as the processes of these tests have it for input.
struct order {
    int total = 0;
};
/// What a provider of payments answers.
struct payment {
    int id = 0;
};

}  // namespace process_test

template <>
struct sinew::codec<process_test::order> {
    static std::string encode(const process_test::order& one) { return std::to_string(one.total); }
    static process_test::order decode(std::string_view bytes) {
        return {codec<int>::decode(bytes)};
    }
};
template <>
struct sinew::codec<process_test::payment> {
    static std::string encode(const process_test::payment& one) { return std::to_string(one.id); }
    static process_test::payment decode(std::string_view bytes) {
        return {codec<int>::decode(bytes)};
    }
};
