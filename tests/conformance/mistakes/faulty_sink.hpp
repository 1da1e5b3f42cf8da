// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A small broker in memory behind a sink that can make one mistake at a time.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace sinew::test {

enum class sink_mistake {
    none,
    drops_headers,
    refuses_headers,
    loses_the_last,
    lost_in_a_crash,
    overtakes,
    refuses_and_sends_later,
    waits_too_long,
    accepts_without_time,
    keeps_the_view,
};

struct faulty_broker {
    sink_mistake wrong = sink_mistake::none;
    testing::conformance::virtual_time time{};
    std::vector<event> events{};
    std::vector<event> buffer{};
    std::optional<event_view> kept{};
    bool away = false;
};

class faulty_sink {
public:
    using mistake = sink_mistake;

    explicit faulty_sink(faulty_broker& to) : to_(&to) {}

    publish_result publish(const event_view& e, steady_time until) {
        event one = to_event(e);
        if (is(mistake::waits_too_long)) {
            to_->time.pass(std::chrono::hours(1));
        }
        if (to_->away) {
            if (is(mistake::refuses_and_sends_later)) {
                to_->buffer.push_back(std::move(one));
            }
            return refused("away");
        }
        if (until <= to_->time.now()) {
            return is(mistake::accepts_without_time) ? publish_result::accepted() : refused("late");
        }
        if (is(mistake::refuses_headers) && !one.headers.empty()) {
            return refused("headers");
        }
        if (is(mistake::drops_headers)) {
            one.headers.clear();
        }
        // Only of the event that outlives the call: this mistake must not become undefined
        // behaviour.
        if (is(mistake::keeps_the_view) && !to_->kept && e.headers.find("name")) {
            to_->kept = e;
            return publish_result::accepted();
        }
        if (is(mistake::loses_the_last) && ++sent_ == 200) {
            return publish_result::accepted();
        }
        if (is(mistake::overtakes) && !to_->events.empty() && one.id == "90") {
            to_->events.insert(to_->events.begin(), std::move(one));
            return publish_result::accepted();
        }
        for (auto& late : std::exchange(to_->buffer, {})) {
            to_->events.push_back(std::move(late));
        }
        to_->events.push_back(std::move(one));
        return publish_result::accepted();
    }

private:
    [[nodiscard]] bool is(mistake m) const { return to_->wrong == m; }
    [[nodiscard]] static publish_result refused(const char* why) {
        return publish_result::refused({failure_class::unavailable, why, why, std::nullopt});
    }

    faulty_broker* to_;
    int sent_ = 0;
};

struct faulty_sink_environment {
    std::unique_ptr<faulty_broker> broker = std::make_unique<faulty_broker>();

    explicit faulty_sink_environment(sink_mistake wrong) { broker->wrong = wrong; }
    [[nodiscard]] faulty_sink open() const { return faulty_sink(*broker); }
    [[nodiscard]] std::vector<event> delivered() const {
        auto all = broker->events;
        if (broker->kept) {
            all.push_back(to_event(*broker->kept));
        }
        return all;
    }
    [[nodiscard]] steady_time now() const { return broker->time.now(); }
    void pass(duration span) const { broker->time.pass(span); }
    void crash() const {
        if (broker->wrong == sink_mistake::lost_in_a_crash) {
            broker->events.clear();
        }
    }
    void disconnect() const { broker->away = true; }
    void reconnect() const { broker->away = false; }
};

}  // namespace sinew::test
