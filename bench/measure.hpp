// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What one round measures, and what many rounds of two sides in turn say.
///
/// **Guarantees.** A figure is the median over the rounds. A ratio and its quartiles are those of
/// the ratios of single rounds, whose two sides ran one after the other: a machine that grows slower
/// from round to round moves both medians, but not those.

#include <sinew/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::bench {

/// How long the parts of one round took.
class laps {
public:
    struct lap {
        std::string part;
        double seconds = 0;
    };

    /// Does `f` and counts its time to the part. What is done between the parts is not counted.
    template <class F>
    void time(std::string_view part, F&& f) {
        const auto from = machine_clock::now().steady;
        std::forward<F>(f)();
        const auto span = machine_clock::now().steady - from;
        add(part, static_cast<double>(span.count()) * 1e-9);
    }
    /// Counts what was measured in another way.
    void add(std::string_view part, double seconds) { of(part).seconds += seconds; }

    [[nodiscard]] const std::vector<lap>& all() const noexcept { return all_; }
    [[nodiscard]] double seconds() const noexcept {
        double sum = 0;
        for (const auto& one : all_) {
            sum += one.seconds;
        }
        return sum;
    }

private:
    lap& of(std::string_view part) {
        for (auto& one : all_) {
            if (one.part == part) {
                return one;
            }
        }
        return all_.emplace_back(lap{std::string(part), 0});
    }

    std::vector<lap> all_;
};

/// One side of a pair: does one round.
using side = std::function<void(laps&)>;

struct sides {
    side by_hand;
    side ours;
};

struct pair_options {
    /// What is measured, as a path: `sqlite/keep:off/64`.
    std::string name{};
    /// How many items a round is made of.
    std::size_t items = 1;
    /// At least so much of the throughput by hand is the goal; 0 is none. Where the goal is "at
    /// most 1.2 times the time", it is `1 / 1.2`.
    double goal = 0;
    /// The part that the goal is about; empty is all of them together.
    std::string goal_part{};
    /// Pairs of one series are one plot: nanoseconds an item of both sides against `x`, both axes
    /// logarithmic. Empty is no plot of its own.
    std::string series{};
    double x = 0;
    /// What stands beside the library, as the plot names it. A series with several of them has a
    /// line for each, and one for the library.
    std::string against = "by hand";
};

/// A value that is no pair: bytes for each remembered id, schedules a second.
struct figure_options {
    std::string name{};
    std::string unit{};
    /// The goal, one of the two; 0 is none.
    double at_most = 0;
    double at_least = 0;
    std::string series{};
    double x = 0;
    /// Whether it is asked for once a round, and its median counts; for what is measured by the
    /// clock.
    bool each_round = false;
};

/// A line of the table: a pair, or one part of it.
struct row {
    std::string name;
    std::string part;
    double by_hand = 0;  ///< items per second
    double ours = 0;
    double ratio = 0;
    double low = 0;  ///< the quartiles of the rounds' ratios
    double high = 0;
    double goal = 0;
    std::string series{};
    double x = 0;
    std::string against{};

    [[nodiscard]] bool has_goal() const noexcept { return goal > 0; }
    [[nodiscard]] bool is_kept() const noexcept { return !has_goal() || ratio >= goal; }
};

/// A line of the second table: a figure.
struct value_row {
    figure_options of;
    double value = 0;
    double low = 0;  ///< the quartiles over the rounds
    double high = 0;

    [[nodiscard]] bool has_goal() const noexcept { return of.at_most > 0 || of.at_least > 0; }
    [[nodiscard]] bool is_kept() const noexcept {
        return (of.at_most <= 0 || value <= of.at_most) &&
               (of.at_least <= 0 || value >= of.at_least);
    }
};

/// The value below which that share of the samples lies.
[[nodiscard]] inline double quantile(std::vector<double> of, double share) {
    if (of.empty()) {
        return 0;
    }
    std::sort(of.begin(), of.end());
    const double at = share * static_cast<double>(of.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, of.size() - 1);
    return of[below] + (of[above] - of[below]) * (at - static_cast<double>(below));
}

/// The rounds of a pair, by part.
class samples {
public:
    void add(const laps& by_hand, const laps& ours) {
        if (by_hand.all().size() != ours.all().size()) {
            throw std::logic_error("the sides of a pair have different parts");
        }
        if (by_hand.all().size() > 1) {
            put({}, by_hand.seconds(), ours.seconds());
        }
        for (std::size_t i = 0; i < by_hand.all().size(); ++i) {
            const auto& one = by_hand.all()[i];
            if (ours.all()[i].part != one.part) {
                throw std::logic_error("the sides of a pair have different parts");
            }
            put(one.part, one.seconds, ours.all()[i].seconds);
        }
    }

    /// All parts together come first. Only one line belongs to the series: the one of the goal.
    [[nodiscard]] std::vector<row> rows(const pair_options& of) const {
        std::vector<row> out;
        const auto items = static_cast<double>(of.items);
        for (const auto& one : parts_) {
            std::vector<double> ratios;
            for (std::size_t i = 0; i < one.ours.size(); ++i) {
                ratios.push_back(one.by_hand[i] / one.ours[i]);
            }
            const double by_hand = quantile(one.by_hand, 0.5);
            const double ours = quantile(one.ours, 0.5);
            const bool is_meant = parts_.size() == 1 || one.name == of.goal_part;
            out.push_back({.name = of.name,
                           .part = one.name.empty() ? together() : one.name,
                           .by_hand = items / by_hand,
                           .ours = items / ours,
                           .ratio = quantile(ratios, 0.5),
                           .low = quantile(ratios, 0.25),
                           .high = quantile(ratios, 0.75),
                           .goal = is_meant ? of.goal : 0,
                           .series = is_meant ? of.series : std::string(),
                           .x = of.x,
                           .against = of.against});
        }
        return out;
    }

private:
    struct part {
        std::string name;
        std::vector<double> by_hand{};
        std::vector<double> ours{};
    };

    [[nodiscard]] std::string together() const {
        std::string out;
        for (const auto& one : parts_) {
            out.append(out.empty() || one.name.empty() ? "" : " + ").append(one.name);
        }
        return out;
    }

    void put(std::string_view name, double by_hand, double ours) {
        auto at = std::find_if(parts_.begin(), parts_.end(),
                               [&](const part& one) { return one.name == name; });
        if (at == parts_.end()) {
            at = parts_.insert(parts_.end(), part{.name = std::string(name)});
        }
        at->by_hand.push_back(by_hand);
        at->ours.push_back(ours);
    }

    std::vector<part> parts_;
};

}  // namespace sinew::bench
