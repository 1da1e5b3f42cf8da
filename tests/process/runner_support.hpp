// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A process that is written down in a test, and a world in memory for runners of it.

#include <sinew/adapters/memory.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/runner.hpp>
#include <sinew/process/start_process.hpp>

#include "support/test.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test {

using namespace std::chrono_literals;

inline constexpr wall_time first_day(std::chrono::hours(24) * 20'000);
inline constexpr steady_time first_hour(std::chrono::hours(1));

/// A step of a scripted process.
struct scripted_step {
    std::string name{};
    step_kind kind = step_kind::retriable;
    bool joins = false;
    bool sends = false;
    step_options options{};
};

/// What a scripted process is made of, and what it was asked.
struct script {
    std::string type = "order";
    std::vector<scripted_step> steps{};
    compensation_policy policy = compensation_policy::stop;
    std::vector<step_definition> definitions{};
    std::vector<std::string_view> removed{};
    std::map<std::string, std::function<attempt_result(const attempt_info&)>> answers{};
    std::vector<std::string> calls{};  ///< "id/step" and "id/step/undo"
    std::vector<std::string> keys{};
    std::vector<std::string> keys_of_acts{};
    std::vector<bool> doubts{};
    std::vector<std::uint32_t> attempts{};
    std::function<void(const attempt_info&)> before{};

    void define() {
        definitions.clear();
        for (const auto& one : steps) {
            definitions.push_back({one.name, one.kind, false, {}});
        }
    }
    /// How often a call was made.
    [[nodiscard]] std::size_t count(std::string_view call) const {
        std::size_t n = 0;
        for (const auto& one : calls) {
            n += one == call ? 1U : 0U;
        }
        return n;
    }
};

/// A process that does what its script says: each step answers done with its own name as the
/// result, unless `answers` has something for "step" or "step/undo". What joins counts in the store
/// too.
class scripted_process {
public:
    explicit scripted_process(std::shared_ptr<script> what) : what_(std::move(what)) {
        what_->define();
    }

    [[nodiscard]] process_definition definition() const {
        return {what_->type, what_->definitions, what_->removed};
    }
    [[nodiscard]] bool joins_transaction(std::size_t step, step_phase) const {
        return what_->steps.at(step).joins;
    }
    [[nodiscard]] bool sends(std::size_t step, step_phase) const {
        return what_->steps.at(step).sends;
    }
    [[nodiscard]] const step_options& options(std::size_t step, step_phase) const {
        return what_->steps.at(step).options;
    }
    [[nodiscard]] compensation_policy policy() const { return what_->policy; }

    attempt_result attempt(const attempt_info& at, memory::transaction& tx) {
        tx.add("effects", at.key, 1);
        return answer(at);
    }
    attempt_result attempt(const attempt_info& at) { return answer(at); }

private:
    attempt_result answer(const attempt_info& at) {
        const auto& step = what_->steps.at(at.step);
        const std::string name = step.name + (at.phase == step_phase::undo ? "/undo" : "");
        what_->calls.push_back(at.instance.id + "/" + name);
        what_->keys.emplace_back(at.key);
        what_->keys_of_acts.emplace_back(at.key_of_act);
        what_->doubts.push_back(at.is_in_doubt);
        what_->attempts.push_back(at.attempt);
        if (what_->before) {
            what_->before(at);
        }
        if (const auto found = what_->answers.find(name); found != what_->answers.end()) {
            return found->second(at);
        }
        if (step.sends && !at.reply) {
            event command;
            command.id = at.key;
            command.source = "/orders";
            command.type = step.name;
            command.partitionkey = at.instance.id;
            return attempt_result::sent(std::move(command), 30s);
        }
        return attempt_result::done(at.reply ? std::string(*at.reply) : step.name);
    }

    std::shared_ptr<script> what_;
};

inline attempt_result fails(failure_class kind, std::string reason = "closed") {
    return attempt_result::failed({kind, std::move(reason), "detail", std::nullopt});
}

/// A database with a journal and an outbox, a clock, and a runner of one scripted process.
struct runner_world {
    using runner_type = runner<memory::store, memory::journal, memory::outbox, null_runner_observer,
                               scripted_process>;

    memory::database data{};
    memory::store db{data};       ///< the runner's
    memory::store service{data};  ///< somebody else's
    memory::journal book = service.journal("orders");
    memory::outbox box = service.outbox("commands");
    std::shared_ptr<script> what = std::make_shared<script>();
    moment now{first_hour, first_day};

    explicit runner_world(std::vector<scripted_step> steps = {}) {
        what->steps = std::move(steps);
        what->define();
    }

    [[nodiscard]] static runner_options options(std::string owner = "runner-1") {
        runner_options out;
        out.owner = std::move(owner);
        out.seed = 7;
        return out;
    }
    [[nodiscard]] runner_type make(runner_options how = options()) {
        return {db, db.journal("orders"), db.outbox("commands"), std::move(how),
                scripted_process(what)};
    }
    [[nodiscard]] runner_type make_on(memory::store& other, runner_options how) {
        return {other, other.journal("orders"), other.outbox("commands"), std::move(how),
                scripted_process(what)};
    }

    void start(std::string_view id, std::string_view input = "input") {
        std::vector<step_entry> entries;
        for (const auto& one : what->steps) {
            entries.push_back({one.name, one.kind});
        }
        static_cast<void>(
            start_process(service, book, {what->type, id, entries, input}, now.wall, never));
    }
    void cancel(std::string_view id) {
        auto tx = service.begin();
        REQUIRE(book.cancel(tx, what->type, id,
                            {now.wall, failure_class::permanent, 0, "customer", {}}));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    reply_result reply(std::string_view id, std::string_view step, std::string_view answer,
                       step_phase phase = step_phase::act) {
        auto tx = service.begin();
        const auto out =
            book.reply(tx, {what->type, id, {std::string(step), phase}, answer}, now.wall);
        REQUIRE(tx.commit() == commit_result::committed);
        return out;
    }

    void pass(duration by) {
        now.steady += by;
        now.wall += std::chrono::duration_cast<wall_time::duration>(by);
    }
    /// Steps until nothing happens any more, without letting time pass.
    template <class Runner>
    void settle(Runner& one) {
        for (int i = 0; i < 1000; ++i) {
            if (!one.step(now)) {
                return;
            }
        }
        FAIL("the runner does not come to rest");
    }
    /// Lets time pass, in pieces, and settles in each.
    template <class Runner>
    void go(Runner& one, duration span = 1min, duration piece = 100ms) {
        settle(one);
        for (duration gone = 0s; gone < span; gone += piece) {
            pass(piece);
            settle(one);
        }
    }

    [[nodiscard]] journal_entry at(std::string_view id) {
        return book.find(what->type, id).value();
    }
    [[nodiscard]] instance_state state(std::string_view id) { return at(id).what.state; }
    /// The history as "step done", "step/undo failed".
    [[nodiscard]] std::vector<std::string> history(std::string_view id) {
        std::vector<std::string> out;
        for (const auto& one : at(id).history) {
            out.push_back(one.where.step + (one.where.phase == step_phase::undo ? "/undo " : " ") +
                          std::string(to_string(one.kind)));
        }
        return out;
    }
    [[nodiscard]] std::string effect(std::string_view key) {
        return service.get("effects", key).value_or("0");
    }
};

/// A journal in memory that says it was called on when a test has rung.
class rung_journal : public memory::journal {
public:
    rung_journal(memory::journal book, bool& rung)
        : memory::journal(std::move(book)), rung_(&rung) {}

    [[nodiscard]] bool wait_for_due(steady_time /*until*/) { return std::exchange(*rung_, false); }

private:
    bool* rung_;
};

using lines = std::vector<std::string>;

inline std::vector<scripted_step> three_steps(bool join) {
    return {{"a", step_kind::retriable, join},
            {"b", step_kind::retriable, join},
            {"c", step_kind::retriable, join}};
}

/// Three that can be undone, a pivot, two that are always done.
inline std::vector<scripted_step> six_steps(bool join) {
    return {{"a", step_kind::compensable, join}, {"b", step_kind::compensable, join},
            {"c", step_kind::compensable, join}, {"p", step_kind::pivot, join},
            {"y", step_kind::retriable, join},   {"z", step_kind::retriable, join}};
}

}  // namespace sinew::test
