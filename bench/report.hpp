// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How results are written: as tables in Markdown for people, and as CSV for whoever draws or
/// compares them (bench/plots.sh draws; the columns are those of `csv_head`).
///
/// **Guarantees.** The CSV holds everything that the tables hold, in full precision, a field that
/// holds a comma or a quote in quotes. Rates are items a second; a figure is in its own unit.

#include "measure.hpp"

#include <sys/utsname.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sinew::bench {

/// Whole numbers as people read them: `12,345`.
[[nodiscard]] inline std::string rate(double per_second) {
    char digits[64];
    const int size = std::snprintf(digits, sizeof digits, "%.0f", per_second);
    const int first = digits[0] == '-' ? 1 : 0;
    std::string out(digits, static_cast<std::size_t>(first));
    for (int i = first; i < size; ++i) {
        if (i != first && (size - i) % 3 == 0) {
            out += ',';
        }
        out += digits[i];
    }
    return out;
}

[[nodiscard]] inline std::string two_digits(double value) {
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.2f", value);
    return digits;
}

/// A value of any size: large ones without a fraction, small ones with two digits.
[[nodiscard]] inline std::string readable(double value) {
    return value >= 1'000 || value <= -1'000 ? rate(value) : two_digits(value);
}

/// A line of the pairs' table.
[[nodiscard]] inline std::string line_of(const row& one) {
    std::string out = "| " + one.name + " | " + one.part + " | ";
    out.append(rate(one.by_hand)).append(" | ").append(rate(one.ours)).append(" | ");
    out.append(two_digits(one.ratio)).append(" | (").append(two_digits(one.low)).append(" to ");
    out.append(two_digits(one.high)).append(") | ");
    if (one.has_goal()) {
        out.append(two_digits(one.goal)).append(one.is_kept() ? " " : ", missed ");
    }
    return out + "|\n";
}

/// A line of the figures' table.
[[nodiscard]] inline std::string line_of(const value_row& one) {
    std::string out = "| " + one.of.name + " | " + readable(one.value) + " | ";
    if (one.low != one.high) {
        out.append("(").append(readable(one.low)).append(" to ").append(readable(one.high));
        out.append(") ");
    }
    out.append("| ").append(one.of.unit).append(" | ");
    if (one.of.at_most > 0) {
        out.append("at most ").append(readable(one.of.at_most));
    } else if (one.of.at_least > 0) {
        out.append("at least ").append(readable(one.of.at_least));
    }
    if (one.has_goal()) {
        out.append(one.is_kept() ? " " : ", missed ");
    }
    return out + "|\n";
}

/// What all of a program's cases gave.
struct results {
    std::string name{};
    std::vector<row> pairs{};
    std::vector<value_row> figures{};
    /// What the machine, the compiler and the measurement were, a line each.
    std::vector<std::string> about{};
    /// The names of the cases that ended with an error, and the error.
    std::vector<std::string> failures{};

    [[nodiscard]] std::size_t goals() const {
        std::size_t count = 0;
        for (const auto& one : pairs) {
            count += one.has_goal() ? 1 : 0;
        }
        for (const auto& one : figures) {
            count += one.has_goal() ? 1 : 0;
        }
        return count;
    }
    [[nodiscard]] std::size_t missed() const {
        std::size_t count = 0;
        for (const auto& one : pairs) {
            count += one.is_kept() ? 0 : 1;
        }
        for (const auto& one : figures) {
            count += one.is_kept() ? 0 : 1;
        }
        return count;
    }
};

[[nodiscard]] inline std::string markdown(const results& all) {
    std::string out = "# " + all.name + "\n\n";
    for (const auto& line : all.about) {
        out.append("- ").append(line).append("\n");
    }
    if (!all.pairs.empty()) {
        out.append("\n| case | part | by hand | sinew | ratio | | goal |\n");
        out.append("| --- | --- | ---: | ---: | ---: | --- | --- |\n");
        for (const auto& one : all.pairs) {
            out += line_of(one);
        }
    }
    if (!all.figures.empty()) {
        out.append("\n| figure | value | | unit | goal |\n");
        out.append("| --- | ---: | --- | --- | --- |\n");
        for (const auto& one : all.figures) {
            out += line_of(one);
        }
    }
    for (const auto& one : all.failures) {
        out.append("\n**Failed:** ").append(one).append("\n");
    }
    if (all.goals() != 0) {
        out.append("\n").append(std::to_string(all.goals() - all.missed())).append(" of ");
        out.append(std::to_string(all.goals())).append(" goals kept\n");
    }
    return out;
}

/// The columns of the CSV. `goal` belongs to the sort of goal beside it: a ratio, or at_most or
/// at_least of a figure, whose value stands in `ours`.
inline constexpr std::string_view csv_head =
    "kind,name,part,by_hand,ours,ratio,low,high,sort,goal,kept,unit,series,x,against\n";

namespace detail {

[[nodiscard]] inline std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"\n") == std::string_view::npos) {
        return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text) {
        out.append(c == '"' ? 2 : 1, c);
    }
    return out + '"';
}

[[nodiscard]] inline std::string csv_number(double value) {
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    return digits;
}

[[nodiscard]] inline std::string csv_line(const std::vector<std::string>& fields) {
    std::string out;
    for (const auto& one : fields) {
        out.append(out.empty() ? "" : ",").append(csv_field(one));
    }
    return out + '\n';
}

}  // namespace detail

[[nodiscard]] inline std::string csv(const results& all) {
    using detail::csv_number;
    const auto kept = [](const auto& one) {
        return std::string(!one.has_goal() ? "" : one.is_kept() ? "yes" : "no");
    };
    std::string out(csv_head);
    for (const auto& one : all.pairs) {
        out += detail::csv_line({"pair", one.name, one.part, csv_number(one.by_hand),
                                 csv_number(one.ours), csv_number(one.ratio), csv_number(one.low),
                                 csv_number(one.high), one.has_goal() ? "ratio" : "",
                                 one.has_goal() ? csv_number(one.goal) : "", kept(one), "items/s",
                                 one.series, csv_number(one.x), one.against});
    }
    for (const auto& one : all.figures) {
        const char* sort = one.of.at_most > 0 ? "at_most" : one.of.at_least > 0 ? "at_least" : "";
        const double goal = one.of.at_most > 0 ? one.of.at_most : one.of.at_least;
        out += detail::csv_line({"figure", one.of.name, "", "", csv_number(one.value), "",
                                 csv_number(one.low), csv_number(one.high), sort,
                                 one.has_goal() ? csv_number(goal) : "", kept(one), one.of.unit,
                                 one.of.series, csv_number(one.of.x), ""});
    }
    return out;
}

/// What the machine calls its processor.
[[nodiscard]] inline std::string processor() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        const auto colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) {
            return line.substr(colon + 2);
        }
    }
    return "an unknown processor";
}

[[nodiscard]] inline std::string system_name() {
    utsname name{};
    return ::uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "";
}

[[nodiscard]] inline std::string compiler_name() {
#if defined(__clang__)
    return __VERSION__;
#else
    return std::string("g++ ") + __VERSION__;
#endif
}

[[nodiscard]] inline std::string compiler_flags() {
#if defined(SINEW_BENCH_FLAGS)
    return SINEW_BENCH_FLAGS;
#else
    return "not known";
#endif
}

/// What stands at the head of each table.
[[nodiscard]] inline std::vector<std::string> circumstances(const std::string& commit, int rounds) {
    std::vector<std::string> out{"compiler: " + compiler_name() + "; flags: " + compiler_flags(),
                                 "machine: " + std::to_string(std::thread::hardware_concurrency()) +
                                     " × " + processor() + "; " + system_name()};
    if (!commit.empty()) {
        out.push_back("commit: " + commit);
    }
    out.push_back(
        std::to_string(rounds) + (rounds == 1 ? " round" : " rounds") +
        " of each side in turn; medians, in items a second; the ratio is the median of the "
        "rounds' ratios; in brackets its quartiles");
    return out;
}

}  // namespace sinew::bench
