// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A topic whose refusals are written down beforehand: what no fault of a call brings about,
/// because it lasts, or is meant for one event; the time that it takes; and how it breaks its
/// contract.

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
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// How a sink breaks its contract at an event. It does not take the event, nor what stands behind
/// it.
enum class topic_mistake : std::uint8_t {
    throws,         ///< an exception of its own, whatever became of the events before it
    answers_short,  ///< there are no answers from here on. Alone, an event always has one
};

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
    /// Breaks its contract at an event, so many times.
    void break_at(std::string_view id, topic_mistake how, std::uint32_t times = 1) {
        mistakes_.push_back({std::string(id), how, times});
    }
    /// How often it did.
    [[nodiscard]] std::uint64_t mistakes() const noexcept { return mistakes_made_; }
    /// Takes it from now on.
    void mend(std::string_view id) {
        std::erase_if(rules_, [id](const rule& one) { return one.id == id; });
    }
    /// Each call takes so long from now on, whatever its answer. One that has less time than that
    /// ends when its time is up, and nobody knows what became of it: nothing did.
    void take_time(duration each) noexcept { takes_ = each; }
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
        if (!pass_time(until)) {
            return too_late();
        }
        static_cast<void>(blunder_at(e, false));
        return answer(e, until);
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        if (!pass_time(until)) {
            return std::vector<publish_result>(events.size(), too_late());
        }
        std::vector<publish_result> out;
        std::vector<std::string_view> closed;
        for (const auto& e : events) {
            if (blunder_at(e, true)) {
                break;
            }
            bool behind = false;
            for (const auto key : closed) {
                behind = behind || (!key.empty() && key == e.partitionkey);
            }
            if (behind) {
                out.push_back(publish_result::refused({failure_class::transient, "behind",
                                                       "one before it was refused", std::nullopt}));
                continue;
            }
            out.push_back(answer(e, until));
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

    struct mistake {
        std::string id;
        topic_mistake how;
        std::uint32_t times;
    };

    /// Makes the mistake that was written down for the event. Answers whether the answers end here.
    [[nodiscard]] bool blunder_at(const event_view& e, bool in_batch) {
        for (auto& one : mistakes_) {
            const bool fits = in_batch || one.how == topic_mistake::throws;
            if (one.times == 0 || one.id != e.id || !fits) {
                continue;
            }
            --one.times;
            ++mistakes_made_;
            if (one.how == topic_mistake::throws) {
                throw std::runtime_error("the topic breaks its contract");
            }
            return true;
        }
        return false;
    }

    /// A call takes its time. Answers whether it had enough of it.
    [[nodiscard]] bool pass_time(steady_time until) {
        return takes_ == duration::zero() || home_->pass_until(takes_, until);
    }

    static publish_result too_late() {
        return publish_result::unknown(
            {failure_class::unknown, "timed_out", "the topic was too slow", std::nullopt});
    }

    /// What it says of an event.
    publish_result answer(const event_view& e, steady_time until) {
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
    std::vector<mistake> mistakes_;
    steady_time down_from_ = never;
    steady_time down_to_ = never;
    duration takes_{};
    std::uint64_t mistakes_made_ = 0;
    std::uint64_t refusals_ = 0;
    std::uint64_t tries_while_down_ = 0;
};

}  // namespace sinew::testing
