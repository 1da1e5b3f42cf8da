// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of spools and of the answers to a broker that is down share: a sink whose answers
/// are told beforehand, a clock that is moved by hand, an observer that writes down.

#include "support/test.hpp"

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/publish/spool_observer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sinew::test::spooling {

using namespace std::chrono_literals;

[[nodiscard]] inline event make(std::string id, std::string key = {}, std::string data = {}) {
    return {.id = std::move(id),
            .source = "/tests",
            .type = "thing.happened",
            .data = std::move(data),
            .partitionkey = std::move(key)};
}

[[nodiscard]] inline failure why(failure_class kind, std::string reason = "because") {
    return {kind, std::move(reason), "a detail", std::nullopt};
}
[[nodiscard]] inline publish_result transient() {
    return publish_result::refused(why(failure_class::transient, "busy"));
}
[[nodiscard]] inline publish_result permanent() {
    return publish_result::refused(why(failure_class::permanent, "no_such_topic"));
}
[[nodiscard]] inline publish_result down() {
    return publish_result::refused(why(failure_class::unavailable, "broker_down"));
}
[[nodiscard]] inline publish_result lost() {
    return publish_result::unknown(why(failure_class::unknown, "no_answer"));
}

/// Time that is moved by hand; copies share it.
struct hand_clock {
    std::shared_ptr<moment> at = std::make_shared<moment>(
        moment{steady_time(std::chrono::hours(5)), wall_time(std::chrono::hours(24 * 20'000))});

    [[nodiscard]] moment now() const { return *at; }
    [[nodiscard]] steady_time steady() const { return at->steady; }
    void pass(duration span) const {
        at->steady += span;
        at->wall += std::chrono::duration_cast<wall_time::duration>(span);
    }
    void sleep_until(steady_time until) const {
        if (until > at->steady) {
            pass(until - at->steady);
        }
    }
};

/// A broker: answers what it was told to, and accepts otherwise. What it takes it keeps.
struct scripted_sink {
    hand_clock clock{};
    std::deque<publish_result> script{};
    std::function<publish_result(const event_view&)> rule{};
    std::vector<std::string> accepted{};  ///< ids
    std::vector<event> events{};          ///< the accepted ones
    std::vector<std::string> asked{};     ///< ids
    std::vector<steady_time> deadlines{};
    duration takes{};

    publish_result publish(const event_view& e, steady_time until) {
        asked.emplace_back(e.id);
        deadlines.push_back(until);
        clock.pass(takes);
        publish_result out = publish_result::accepted();
        if (rule) {
            out = rule(e);
        } else if (!script.empty()) {
            out = script.front();
            script.pop_front();
        }
        if (out.is_accepted()) {
            accepted.emplace_back(e.id);
            events.push_back(to_event(e));
        }
        return out;
    }
    void always(const publish_result& answer) {
        rule = [answer](const event_view&) { return answer; };
    }
    void recover() { rule = {}; }
};

/// Writes down what it is told: the hook and the event or reason.
struct telling_observer {
    std::shared_ptr<std::vector<std::string>> told = std::make_shared<std::vector<std::string>>();
    std::shared_ptr<std::vector<std::optional<duration>>> retries =
        std::make_shared<std::vector<std::optional<duration>>>();

    void add(std::string hook, std::string_view what) const {
        hook.append(" ").append(what);
        told->push_back(std::move(hook));
    }
    void on_first_spooled(const spool_note& n) const { add("first", n.id); }
    void on_spooled(const spool_note& n) const { add("spooled", n.id); }
    void on_spool_refused(const spool_note& n) const { add("spool_refused", n.reason); }
    void on_live(const spool_note& n) const { add("live", n.id); }
    void on_published(const spool_note& n) const { add("published", n.id); }
    void on_put_off(const spool_note& n) const {
        add("put_off", n.id);
        retries->push_back(n.retry_in);
    }
    void on_parked(const spool_note& n) const { add("parked", n.id); }
    void on_sink_down(const spool_state_note& n) const { add("down", n.reason); }
    void on_sink_up(const spool_state_note&) const { add("up", ""); }
    void on_drained(const spool_state_note& n) const {
        add("drained", std::to_string(n.size.entries()));
    }
    [[nodiscard]] bool saw(const std::string& what) const {
        for (const auto& one : *told) {
            if (one == what) {
                return true;
            }
        }
        return false;
    }
};

using texts = std::vector<std::string>;

}  // namespace sinew::test::spooling
