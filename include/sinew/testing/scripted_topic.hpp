// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A topic whose refusals are written down beforehand: what no fault of a call brings about, because
/// it lasts, or is meant for one event.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// Models `sink` and `batch_sink`, in front of a sink that takes everything.
template <sink Inner>
class scripted_topic {
public:
    /// `arrived` is told of each event that was accepted.
    scripted_topic(world& home, Inner inner, std::function<void(const event_view&)> arrived)
        : home_(&home), inner_(std::move(inner)), arrived_(std::move(arrived)) {}

    /// Refuses an event so many times.
    void refuse(std::string_view id, failure_class kind, std::uint32_t times = UINT32_MAX) {
        rules_.push_back({std::string(id), kind, times});
    }
    /// Takes it from now on.
    void mend(std::string_view id) {
        std::erase_if(rules_, [id](const rule& one) { return one.id == id; });
    }
    /// Takes nothing for a while, given from the beginning of the world.
    void down_between(duration from, duration to) {
        const auto begin = home_->now().steady;
        down_from_ = later(begin, from);
        down_to_ = later(begin, to);
    }

    [[nodiscard]] bool is_down() const noexcept {
        return home_->now().steady >= down_from_ && home_->now().steady < down_to_;
    }
    /// Whether it would be refused for what it is.
    [[nodiscard]] bool refuses(std::string_view id) const noexcept {
        return rule_for(id) != rules_.size();
    }
    /// How often events were refused for what they are, and because the topic was down.
    [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_; }
    [[nodiscard]] std::uint64_t tries_while_down() const noexcept { return tries_while_down_; }

    publish_result publish(const event_view& e, steady_time until) {
        if (is_down()) {
            ++tries_while_down_;
            return publish_result::refused(
                {failure_class::unavailable, "down", "the topic is down", std::nullopt});
        }
        if (const auto at = rule_for(e.id); at != rules_.size()) {
            ++refusals_;
            --rules_[at].times;
            return publish_result::refused(
                {rules_[at].kind, "refused", "the topic refuses this event", std::nullopt});
        }
        auto how = inner_.publish(e, until);
        if (how.is_accepted()) {
            arrived_(e);
        }
        return how;
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        std::vector<publish_result> out;
        std::vector<std::string_view> closed;
        for (const auto& e : events) {
            bool behind = false;
            for (const auto key : closed) {
                behind = behind || (!key.empty() && key == e.partitionkey);
            }
            if (behind) {
                out.push_back(publish_result::refused({failure_class::transient, "behind",
                                                       "one before it was refused", std::nullopt}));
                continue;
            }
            out.push_back(publish(e, until));
            if (!out.back().is_accepted()) {
                closed.push_back(e.partitionkey);
            }
        }
        return out;
    }

private:
    struct rule {
        std::string id;
        failure_class kind;
        std::uint32_t times;
    };

    /// Which rule is for the event; how many there are, if none is.
    [[nodiscard]] std::size_t rule_for(std::string_view id) const noexcept {
        std::size_t at = 0;
        while (at < rules_.size() && (rules_[at].id != id || rules_[at].times == 0)) {
            ++at;
        }
        return at;
    }

    world* home_;
    Inner inner_;
    std::function<void(const event_view&)> arrived_;
    std::vector<rule> rules_;
    steady_time down_from_ = never;
    steady_time down_to_ = never;
    std::uint64_t refusals_ = 0;
    std::uint64_t tries_while_down_ = 0;
};

}  // namespace sinew::testing
