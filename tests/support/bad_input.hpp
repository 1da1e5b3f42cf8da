// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Long work that meets what it was not made for, the same on each store: bytes that no longer
/// decode, types that nobody knows, replies that come too late, too much of everything, clocks that
/// jump, and code that has changed.

#include <sinew/core/journal.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/runner.hpp>
#include <sinew/process/start_process.hpp>
#include <sinew/process/steps.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test {

/// A store with a journal, and a runner of some processes on it. `Store` is the runner's
/// connection.
template <class Store>
class bad_input {
public:
    explicit bad_input(Store& db) : db_(&db), book_(db.journal("bad", limits())) {}

    void undecodable_result() {
        const step_entry kept[] = {{"reserve", step_kind::compensable},
                                   {"charge", step_kind::compensable}};
        start({"reads", "1", kept, "input"});
        const auto lease = book_.take(book_.holder(1, soon()), "before", soon()).value();
        const std::string_view type = "reads";
        const auto claimed = book_.claim(lease, {&type, 1}, now_.wall, 1, soon()).value();
        step_record reserved;
        reserved.where = {"reserve", step_phase::act};
        reserved.begun = reserved.at = now_.wall;
        reserved.result = "seven";
        const journal_write one{.claim = claim_of(claimed.at(0).what), .records = {reserved}};
        REQUIRE(book_.write({&one, 1}, now_.wall, soon()).front().how == fenced_result::done);
        REQUIRE(book_.release(lease, soon()) == fenced_result::done);
        run();
        const auto is = find("reads", "1");
        REQUIRE(is.what.state == instance_state::compensated);
        REQUIRE(is.history.at(1).kind == record_kind::failed);
        REQUIRE(is.history.at(1).why->reason == "result_undecodable");
        REQUIRE(is.history.back().where == step_address{"reserve", step_phase::undo});
    }

    void unknown_type() {
        const step_entry kept[] = {{"haunt", step_kind::retriable}};
        start({"ghost", "1", kept, "input"});
        run();
        const auto is = find("ghost", "1");
        REQUIRE(is.what.state == instance_state::open);
        REQUIRE(is.history.empty());
        const auto stuck = book_.stuck(now_.wall + std::chrono::hours(1), 0, 10, soon());
        REQUIRE(stuck.size() == 1);
        REQUIRE(stuck.front().type == "ghost");
    }

    void reply_after_the_end() {
        const step_entry kept[] = {{"wait", step_kind::retriable}};
        start({"late", "1", kept, "input"});
        failures_ = 0;
        run();
        REQUIRE(find("late", "1").what.state == instance_state::completed);
        auto tx = db_->begin(soon());
        REQUIRE(book_.reply(tx, {"late", "1", {"wait", step_phase::act}, "yes"}, now_.wall) ==
                reply_result::late);
        REQUIRE(tx.commit() == commit_result::committed);
        REQUIRE(book_.counts(soon()).early_replies == 0);
    }

    void too_large() {
        const step_entry kept[] = {{"make", step_kind::compensable}};
        const std::string much(limits().input_bytes_max + 1, 'x');
        std::string reason;
        try {
            start({"large", "1", kept, much});
        } catch (const permanent_error& why) {
            reason = why.reason();
        }
        REQUIRE(reason == "payload_too_large");
        REQUIRE_FALSE(book_.find("large", "1", soon()));
        start({"large", "2", kept, "input"});
        run();
        const auto is = find("large", "2");  // it acted: that is undone
        REQUIRE(is.what.state == instance_state::compensated);
        REQUIRE(is.history.at(0).why->reason == "payload_too_large");
        REQUIRE(is.history.at(1).where == step_address{"make", step_phase::undo});
    }

    void clock_set_back() {
        const step_entry kept[] = {{"wait", step_kind::retriable}};
        start({"late", "1", kept, "input"});
        failures_ = 1;
        run();
        REQUIRE(calls_ == 1);
        const auto before = now_.wall;
        now_.wall -= std::chrono::hours(24);
        run();
        REQUIRE(calls_ == 1);
        const auto wait = find("late", "1").what.wait.value();
        REQUIRE(wait.time.due < before);
        REQUIRE(wait.time.due - wait.time.from <= std::chrono::minutes(1));
        now_.wall += std::chrono::minutes(1);
        run();
        REQUIRE(calls_ == 2);
        REQUIRE(find("late", "1").what.state == instance_state::completed);
    }

    void changed_code() {
        const step_entry declared[] = {{"pick", step_kind::retriable},
                                       {"wrap", step_kind::retriable},
                                       {"stamp", step_kind::retriable}};
        const step_entry other[] = {{"pick", step_kind::retriable},
                                    {"bend", step_kind::retriable},
                                    {"stamp", step_kind::retriable}};
        start({"changed", "1", declared, "input"});
        start({"changed", "2", other, "input"});
        run();
        const auto is = find("changed", "1");
        REQUIRE(is.what.state == instance_state::completed);
        // What was renamed keeps its first name, and with it its key.
        std::vector<std::string> names;
        for (const auto& one : is.history) {
            names.push_back(one.where.step);
        }
        REQUIRE(names == std::vector<std::string>{"pick", "wrap", "weigh"});
        const auto parked = find("changed", "2");
        REQUIRE(parked.what.state == instance_state::parked);
        REQUIRE(parked.what.why->reason == "changed_definition");
        REQUIRE(parked.what.why->detail.find("bend") != std::string::npos);
        REQUIRE(parked.what.why->detail.find("pack") != std::string::npos);
    }

    void people_decide() {
        const step_entry kept[] = {{"reserve", step_kind::compensable}, {"ship", step_kind::pivot}};
        start({"ships", "1", kept, "input"});
        run();
        auto is = find("ships", "1");
        REQUIRE(is.what.state == instance_state::parked);
        REQUIRE(is.what.why->reason == "pivot_in_doubt");
        const step_address reserve{"reserve", step_phase::act};
        const step_address ship{"ship", step_phase::act};
        REQUIRE_THROWS_AS(skip_step(book_, is.what, reserve, "no need", now_.wall, soon()),
                          permanent_error);
        REQUIRE(find("ships", "1") == is);
        const auto seen = is.what;
        REQUIRE(give_up_step(book_, seen, ship, "the carrier never had it", now_.wall, soon()));
        REQUIRE_FALSE(abandon(book_, seen, "too late", now_.wall, soon()));
        run();
        is = find("ships", "1");
        REQUIRE(is.what.state == instance_state::compensated);
        REQUIRE(is.history.at(1).why->detail == "the carrier never had it");
    }

private:
    [[nodiscard]] static journal_options limits() {
        journal_options out;
        out.seats = 2;
        out.input_bytes_max = out.result_bytes_max = 64;
        return out;
    }
    [[nodiscard]] static steady_time soon() {
        return later(machine_clock::now().steady, std::chrono::seconds(5));
    }

    void start(const new_instance& one) {
        const auto came = start_process(*db_, book_, one, now_.wall, soon());
        REQUIRE(came == start_result::started);
    }
    [[nodiscard]] journal_entry find(std::string_view type, std::string_view id) {
        return book_.find(type, id, soon()).value();
    }

    [[nodiscard]] static auto reads() {
        return saga<"reads", std::string>(
            step<"reserve">([](auto&) { return std::int64_t{7}; }).undo([](auto&) {}),
            step<"charge">([](auto& at) {
                static_cast<void>(result<"reserve">(at));
            }).undo([](auto&) {}));
    }
    [[nodiscard]] static auto large() {
        return saga<"large", std::string>(
            step<"make">([](auto&) { return std::string(65, 'x'); }).undo([](auto&) {}));
    }
    [[nodiscard]] auto late() {
        return steps<"late", std::string>(
            step<"wait">([this](auto&) {
                ++calls_;
                if (failures_ != 0) {
                    --failures_;
                    throw transient_error("closed", "not yet");
                }
            }).retry({.base = std::chrono::minutes(1), .cap = std::chrono::minutes(1)}));
    }
    [[nodiscard]] static auto changed() {
        return steps<"changed", std::string>(
            step<"pick">([](auto&) {}), step<"pack">([](auto&) {}).template renamed_from<"wrap">(),
            removed<"stamp">(), step<"weigh">([](auto&) {}).added());
    }
    [[nodiscard]] static auto ships() {
        return saga<"ships", std::string>(step<"reserve">([](auto&) {}).undo([](auto&) {}),
                                          pivot<"ship">([](auto&) {
                                              throw error(failure_class::unknown, "silent",
                                                          "no answer");
                                          }).retry({.max_attempts = 1}));
    }

    /// Lets a runner work until nothing is due any more.
    void run() {
        runner one(*db_, db_->journal("bad", limits()),
                   runner_options{
                       .owner = "runner", .poll_interval = std::chrono::milliseconds(1), .seed = 7},
                   reads(), large(), late(), changed(), ships());
        now_.steady = machine_clock::now().steady;
        for (int i = 0; i < 60; ++i) {
            now_.steady += std::chrono::milliseconds(10);
            static_cast<void>(one.step(now_));
        }
        REQUIRE(one.shut_down(now_, soon()));
    }

    Store* db_;
    decltype(std::declval<Store&>().journal("bad", journal_options{})) book_;
    moment now_{machine_clock::now().steady, wall_time(std::chrono::hours(24) * 20'000)};
    int failures_ = 0;
    int calls_ = 0;
};

}  // namespace sinew::test
