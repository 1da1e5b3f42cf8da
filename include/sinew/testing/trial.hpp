// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One run of a scenario: the tape it reads, the trace it writes, and what was found.
///
/// A scenario is a callable that takes a `trial&`. It builds its world, lets it run, and checks
/// laws. Laws are told apart by name, so a scenario can have laws of its own.

#include <sinew/testing/fault.hpp>
#include <sinew/testing/history.hpp>
#include <sinew/testing/tape.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

/// A law that did not hold.
struct breach {
    std::string_view law;
    std::string how;
};

/// How often a law was checked, and how often it did not hold.
struct law_count {
    std::string_view law;
    std::uint64_t checked = 0;
    std::uint64_t broken = 0;
};

/// A point that some run has to reach, and how many did.
///
/// A scenario in which a gap never times out proves nothing about gaps that time out. So it says
/// which points matter, and whoever runs it looks for those that no run reached.
struct point_count {
    std::string_view point;
    std::uint64_t reached = 0;
};

/// What a run found out.
class findings {
public:
    /// A point, given as a static string, and whether this run is there. Asked in each run, also
    /// where it is not reached: a point that was never asked about can't be missed.
    void sometimes(std::string_view point, bool reached) {
        for (auto& one : points_) {
            if (one.point == point) {
                one.reached += reached ? 1 : 0;
                return;
            }
        }
        points_.push_back({point, reached ? 1U : 0U});
    }
    [[nodiscard]] const std::vector<point_count>& points() const noexcept { return points_; }

    /// Checks a law, given as a static string. `how` is called to say what is wrong.
    template <std::invocable How>
    void check(std::string_view law, bool holds, How&& how) {
        auto& count = count_of(law);
        ++count.checked;
        if (!holds) {
            ++count.broken;
            if (breaches_.size() < breaches_max) {
                breaches_.push_back({law, how()});
            }
        }
    }

    void check(std::string_view law, bool holds, std::string_view how) {
        check(law, holds, [how] { return std::string(how); });
    }

    [[nodiscard]] bool all_hold() const noexcept { return breaches_.empty(); }
    [[nodiscard]] const std::vector<breach>& breaches() const noexcept { return breaches_; }
    [[nodiscard]] const std::vector<law_count>& counts() const noexcept { return counts_; }

    /// One of these faults could come up now.
    void offer(fault_set what) {
        for (auto& one : offered_) {
            if (one.what == what) {
                ++one.times;
                return;
            }
        }
        offered_.push_back({what, 1});
    }
    /// How often each fault could have come up.
    [[nodiscard]] fault_counts offered() const noexcept {
        fault_counts out{};
        for (const auto& one : offered_) {
            for (std::size_t i = 1; i < fault_count; ++i) {
                out[i] += one.what.has(static_cast<fault>(i)) ? one.times : 0;
            }
        }
        return out;
    }

    /// How often each fault came up.
    fault_counts happened{};

    void clear() {
        counts_.clear();
        breaches_.clear();
        points_.clear();
        offered_.clear();
        happened = {};
    }

private:
    static constexpr std::size_t breaches_max = 32;

    law_count& count_of(std::string_view law) {
        for (auto& one : counts_) {
            if (one.law == law) {
                return one;
            }
        }
        return counts_.emplace_back(law_count{law, 0, 0});
    }

    /// How often a set of faults was offered. There are few sets, so they are counted, not faults.
    struct offer_count {
        fault_set what;
        std::uint64_t times = 0;
    };

    std::vector<offer_count> offered_;
    std::vector<law_count> counts_;
    std::vector<breach> breaches_;
    std::vector<point_count> points_;
};

/// One run.
struct trial {
    tape choices;
    history trace;
    findings found;

    /// Makes it ready for the next run. Keeps its memory.
    void start(std::span<const std::uint8_t> numbers, bool with_text) {
        choices.load(numbers);
        trace.start(with_text);
        found.clear();
    }
};

/// A scenario runs on a trial. It must depend on nothing but the tape.
template <class S>
concept scenario = requires(S& s, trial& t) { s(t); };

}  // namespace sinew::testing
