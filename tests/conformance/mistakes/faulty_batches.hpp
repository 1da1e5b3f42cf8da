// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A small broker in memory behind a sink that takes batches, and can make one mistake at a time.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/publish/closed_keys.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::test {

enum class batch_mistake {
    none,
    answers_short,          ///< the refused ones have no answer
    answers_out_of_order,   ///< refusals come first
    accepts_behind,         ///< what stands behind a refused event of its key is taken
    blames_what_is_behind,  ///< it is refused for good
    gives_the_batch_up,     ///< one refused event, and all behind it are refused
    loses_one,              ///< accepted, and not delivered
    turns_a_key_round,      ///< the last event of the batch is delivered first
    fails_for_nothing,      ///< an empty batch has an answer
    waits_too_long,
    accepts_without_time,
};

struct batch_broker {
    batch_mistake wrong = batch_mistake::none;
    testing::conformance::virtual_time time{};
    std::vector<event> events{};
    std::string refused{};
    bool away = false;
};

class faulty_batches {
public:
    using mistake = batch_mistake;

    explicit faulty_batches(batch_broker& to) : to_(&to) {}

    publish_result publish(const event_view& e, steady_time until) {
        return publish_batch({&e, 1}, until).front();
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        if (is(mistake::waits_too_long)) {
            to_->time.pass(std::chrono::hours(1));
        }
        std::vector<publish_result> out;
        if (events.empty() && is(mistake::fails_for_nothing)) {
            out.push_back(publish_result::accepted());
        }
        closed_keys closed;
        bool given_up = false;
        for (const auto& e : events) {
            if (to_->away || until <= to_->time.now()) {
                out.push_back(is(mistake::accepts_without_time) && !to_->away
                                  ? publish_result::accepted()
                                  : refused(failure_class::unavailable, "away"));
            } else if (e.id == to_->refused) {
                closed.close(e.partitionkey);
                given_up = is(mistake::gives_the_batch_up);
                if (!is(mistake::answers_short)) {
                    out.push_back(refused(failure_class::permanent, "wrong"));
                }
            } else if (given_up) {
                out.push_back(refused(failure_class::transient, "given_up"));
            } else if (closed.has(e.partitionkey) && !is(mistake::accepts_behind)) {
                out.push_back(is(mistake::blames_what_is_behind)
                                  ? refused(failure_class::permanent, "wrong")
                                  : closed_keys::behind());
            } else {
                take(e);
                out.push_back(publish_result::accepted());
            }
        }
        if (is(mistake::answers_out_of_order)) {
            std::reverse(out.begin(), out.end());
        }
        return out;
    }

private:
    void take(const event_view& e) {
        const bool last_of_many = e.id == "99";
        if (last_of_many && is(mistake::loses_one)) {
            return;
        }
        const auto at = last_of_many && is(mistake::turns_a_key_round) ? to_->events.begin()
                                                                       : to_->events.end();
        to_->events.insert(at, to_event(e));
    }

    [[nodiscard]] bool is(mistake m) const { return to_->wrong == m; }
    [[nodiscard]] static publish_result refused(failure_class kind, const char* why) {
        return publish_result::refused({kind, why, why, std::nullopt});
    }

    batch_broker* to_;
};

struct faulty_batches_environment {
    std::unique_ptr<batch_broker> broker = std::make_unique<batch_broker>();

    explicit faulty_batches_environment(batch_mistake wrong) { broker->wrong = wrong; }
    [[nodiscard]] faulty_batches open() const { return faulty_batches(*broker); }
    [[nodiscard]] std::vector<event> delivered() const { return broker->events; }
    [[nodiscard]] steady_time now() const { return broker->time.now(); }
    void pass(duration span) const { broker->time.pass(span); }
    void refuse(std::string_view id) const { broker->refused = id; }
    void disconnect() const { broker->away = true; }
    void reconnect() const { broker->away = false; }
};

}  // namespace sinew::test
