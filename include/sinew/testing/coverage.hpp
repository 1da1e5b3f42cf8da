// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a whole test run covered: a sum over the reports of many scenarios, in one process or
/// several.
///
/// A fault that never fell, or a point that was never reached, is a test that looks thorough and is
/// not. `missing()` lists them, so that a test run can fail for them.
///
/// **Guarantees.** Sums only: adding in another order, or from other processes by `to_text` and
/// `add_text`, gives the same table. There is no clock in it: times are given.

#include <sinew/testing/fault.hpp>
#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/random_tapes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// Runs of one kind, and the processor time that they took.
struct run_sum {
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::uint64_t beyond_two = 0;  ///< with more than two faults; of random tapes alone
    std::uint64_t faults = 0;      ///< in all of them; of random tapes alone
    double seconds = 0;

    [[nodiscard]] double rate() const noexcept {
        return seconds > 0 ? static_cast<double>(runs) / seconds : 0;
    }
};

/// A law, a point, or any other thing that is counted by name.
struct named_count {
    std::string name;
    std::uint64_t count = 0;
    std::uint64_t broken = 0;  ///< of laws: how often it did not hold
};

/// The sum.
class coverage {
public:
    /// Adds what `every_fault` showed, and how long it took.
    void add(const fault_report& report, double seconds = 0) {
        add_runs(schedules_, report, seconds);
        ++scenarios_;
        most_ = most_ > report.choices_most ? most_ : report.choices_most;
        complete_ = complete_ && report.complete;
    }

    /// Adds what `random_tapes` showed, and how long it took.
    void add(const random_report& report, double seconds = 0) {
        add_runs(tapes_, report.runs, seconds);
        tapes_.beyond_two += report.beyond_two;
        tapes_.faults += report.faults;
    }

    /// Says that the runs went less deep than usual: points may then stay out of reach.
    void set_shallow() noexcept { shallow_ = true; }

    [[nodiscard]] const run_sum& schedules() const noexcept { return schedules_; }
    [[nodiscard]] const run_sum& tapes() const noexcept { return tapes_; }
    [[nodiscard]] bool is_shallow() const noexcept { return shallow_; }

    /// Each fault that never fell, and each point that no run reached, in words. After shallow
    /// runs, points are left out.
    [[nodiscard]] std::vector<std::string> missing(fault_set expected = fault_set::all()) const {
        std::vector<std::string> out;
        for (std::size_t i = 1; i < fault_count; ++i) {
            const auto f = static_cast<fault>(i);
            if (expected.has(f) && happened_[i] == 0) {
                out.push_back("the fault \"" + std::string(to_string(f)) + "\" never fell" +
                              (offered_[i] == 0 ? ": no call could end in it" : ""));
            }
        }
        for (const auto& one : points_) {
            if (one.count == 0 && !shallow_) {
                out.push_back("no run reached the point \"" + one.name + '"');
            }
        }
        return out;
    }

    /// The table, for people.
    [[nodiscard]] std::string table() const;

    /// All of it as lines of text, for `add_text` in another process.
    [[nodiscard]] std::string to_text() const;

    /// Adds what another process wrote. False if it is not whole: then nothing is added.
    bool add_text(std::string_view text);

private:
    void add_runs(run_sum& sum, const fault_report& report, double seconds) {
        sum.runs += report.schedules;
        sum.failures += report.failures;
        sum.seconds += seconds;
        for (std::size_t i = 0; i < fault_count; ++i) {
            offered_[i] += report.offered[i];
            happened_[i] += report.happened[i];
        }
        for (const auto& one : report.laws) {
            add_to(laws_, one.law, one.checked, one.broken);
        }
        for (const auto& one : report.points) {
            add_to(points_, one.point, one.reached, 0);
        }
    }

    static void add_to(std::vector<named_count>& all, std::string_view name, std::uint64_t count,
                       std::uint64_t broken) {
        for (auto& one : all) {
            if (one.name == name) {
                one.count += count;
                one.broken += broken;
                return;
            }
        }
        all.push_back({std::string(name), count, broken});
    }

    bool add_line(std::string_view line);

    run_sum schedules_;
    run_sum tapes_;
    fault_counts offered_{};
    fault_counts happened_{};
    std::vector<named_count> laws_;
    std::vector<named_count> points_;
    std::uint64_t scenarios_ = 0;
    std::uint64_t most_ = 0;  ///< the most choices of a run
    bool complete_ = true;
    bool shallow_ = false;
};

namespace detail {

/// 1234567 as 1,234,567.
[[nodiscard]] inline std::string grouped(std::uint64_t number) {
    std::string out = std::to_string(number);
    for (std::size_t at = out.size(); at > 3;) {
        at -= 3;
        out.insert(at, 1, ',');
    }
    return out;
}

/// A row of a table: a name and numbers.
[[nodiscard]] inline std::string row(std::string name, std::initializer_list<std::string> cells) {
    std::string out = "  " + std::move(name);
    out.resize(out.size() < 40 ? 40 : out.size(), ' ');
    for (const auto& one : cells) {
        out += std::string(one.size() < 14 ? 14 - one.size() : 1, ' ') + one;
    }
    return out + '\n';
}

/// Cuts what stands before the next tab off.
[[nodiscard]] inline std::string_view next_cell(std::string_view& line) noexcept {
    const auto end = line.find('\t');
    const auto cell = line.substr(0, end);
    line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
    return cell;
}

[[nodiscard]] inline std::uint64_t next_number(std::string_view& line) {
    return std::strtoull(std::string(next_cell(line)).c_str(), nullptr, 10);
}

}  // namespace detail

inline std::string coverage::table() const {
    using detail::grouped;
    using detail::row;
    const auto rate = [](const run_sum& sum) {
        return sum.seconds > 0 ? grouped(static_cast<std::uint64_t>(sum.rate())) : std::string("-");
    };
    std::string out = row("runs", {"number", "failed", "a second", "seconds"});
    const auto runs_row = [&](std::string name, const run_sum& sum) {
        out += row(std::move(name), {grouped(sum.runs), grouped(sum.failures), rate(sum),
                                     grouped(static_cast<std::uint64_t>(sum.seconds + 0.5))});
    };
    runs_row("schedules, of " + grouped(scenarios_) + " scenarios", schedules_);
    runs_row("random tapes, each twice", tapes_);
    out += "  (a second: of one core.";
    if (tapes_.runs != 0) {
        char text[120];
        std::snprintf(
            text, sizeof text,
            " A random tape has %.1f faults on average, %.0f %% have more than two.",
            static_cast<double>(tapes_.faults) / static_cast<double>(tapes_.runs),
            100 * static_cast<double>(tapes_.beyond_two) / static_cast<double>(tapes_.runs));
        out += text;
    }
    out += " The longest schedule has " + grouped(most_) + " choices" +
           (complete_ ? "" : "; a limit ended some early") + ".)\n\n";
    out += row("fault", {"offered", "fell"});
    for (std::size_t i = 1; i < fault_count; ++i) {
        out += row(std::string(to_string(static_cast<fault>(i))),
                   {grouped(offered_[i]), happened_[i] == 0 ? "NEVER" : grouped(happened_[i])});
    }
    out += '\n' + row("law", {"checked", "broken"});
    for (const auto& one : laws_) {
        out += row(one.name, {grouped(one.count), grouped(one.broken)});
    }
    if (!points_.empty()) {
        out += '\n' + row("point", {"reached"});
    }
    for (const auto& one : points_) {
        out += row(one.name, {one.count == 0 ? "NEVER" : grouped(one.count)});
    }
    return out;
}

inline std::string coverage::to_text() const {
    std::string out;
    const auto line = [&out](std::string_view kind, std::string_view name,
                             std::initializer_list<std::uint64_t> numbers) {
        out += std::string(kind) + '\t' + std::string(name);
        for (const auto one : numbers) {
            out += '\t' + std::to_string(one);
        }
        out += '\n';
    };
    const auto microseconds = [](double seconds) {
        return static_cast<std::uint64_t>(seconds * 1e6);
    };
    for (const auto* sum : {&schedules_, &tapes_}) {
        line("runs", sum == &schedules_ ? "schedules" : "tapes",
             {sum->runs, sum->failures, sum->beyond_two, sum->faults, microseconds(sum->seconds)});
    }
    line("depth", "", {scenarios_, most_, complete_ ? 1U : 0U, shallow_ ? 1U : 0U});
    for (std::size_t i = 1; i < fault_count; ++i) {
        line("fault", to_string(static_cast<fault>(i)), {offered_[i], happened_[i]});
    }
    for (const auto& one : laws_) {
        line("law", one.name, {one.count, one.broken});
    }
    for (const auto& one : points_) {
        line("point", one.name, {one.count});
    }
    return out + "end\n";
}

inline bool coverage::add_text(std::string_view text) {
    coverage sum = *this;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return false;
        }
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line == "end" && text.empty()) {
            *this = sum;
            return true;
        }
        if (!sum.add_line(line)) {
            return false;
        }
    }
    return false;
}

inline bool coverage::add_line(std::string_view line) {
    const auto kind = detail::next_cell(line);
    const auto name = detail::next_cell(line);
    if (kind == "runs") {
        auto& sum = name == "tapes" ? tapes_ : schedules_;
        sum.runs += detail::next_number(line);
        sum.failures += detail::next_number(line);
        sum.beyond_two += detail::next_number(line);
        sum.faults += detail::next_number(line);
        sum.seconds += static_cast<double>(detail::next_number(line)) / 1e6;
    } else if (kind == "depth") {
        scenarios_ += detail::next_number(line);
        const auto most = detail::next_number(line);
        most_ = most_ > most ? most_ : most;
        complete_ = detail::next_number(line) != 0 && complete_;
        shallow_ = detail::next_number(line) != 0 || shallow_;
    } else if (kind == "fault") {
        for (std::size_t i = 1; i < fault_count; ++i) {
            if (to_string(static_cast<fault>(i)) == name) {
                offered_[i] += detail::next_number(line);
                happened_[i] += detail::next_number(line);
            }
        }
    } else if (kind == "law") {
        const auto checked = detail::next_number(line);
        add_to(laws_, name, checked, detail::next_number(line));
    } else if (kind == "point") {
        add_to(points_, name, detail::next_number(line), 0);
    } else {
        return false;
    }
    return true;
}

}  // namespace sinew::testing
