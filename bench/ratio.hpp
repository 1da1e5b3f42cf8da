// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A benchmark is a pair: what the library does, beside what somebody writes by hand who needs no
/// more than that. What is reported is the ratio.
///
/// **Guarantees.** Rounds of the two alternate (A B A B ...), so whatever slows the machine down for
/// a while slows both down. The first round of each is not counted. Figures are medians over the
/// rounds; the quartiles of the ratio, round by round, say how far it can be trusted.
///
/// google-benchmark keeps the list of the cases, chooses among them (`--benchmark_filter`) and writes
/// JSON (`--benchmark_out`). The table is written here.
///
/// **Example.**
/// ```cpp
/// sinew::bench::suite all("window", argc, argv);
/// all.pair({.name = "window/1e5", .items = 100'000, .goal = 1.0}, [] {
///     return sinew::bench::sides{
///         [](auto& laps) { laps.time("insert", by_hand); },
///         [](auto& laps) { laps.time("insert", ours); }};
/// });
/// return all.run();
/// ```

#include <sinew/core/time.hpp>

#include <benchmark/benchmark.h>

#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
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
        of(part).seconds += static_cast<double>(span.count()) * 1e-9;
    }

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
    /// At least so much of the throughput by hand is the goal; 0 is none.
    double goal = 0;
    /// The part that the goal is about; empty is all of them together.
    std::string goal_part{};
};

/// A line of the table.
struct row {
    std::string name;
    std::string part;
    double by_hand = 0;  ///< items per second
    double ours = 0;
    double ratio = 0;
    double low = 0;  ///< the quartiles of the rounds' ratios
    double high = 0;
    double goal = 0;
};

namespace detail {

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
        if (by_hand.all().size() > 1) {
            put({}, by_hand.seconds(), ours.seconds());
        }
        for (std::size_t i = 0; i < by_hand.all().size(); ++i) {
            const auto& one = by_hand.all()[i];
            if (i >= ours.all().size() || ours.all()[i].part != one.part) {
                throw std::logic_error("the sides of a pair have different parts");
            }
            put(one.part, one.seconds, ours.all()[i].seconds);
        }
    }

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
            const bool has_goal = parts_.size() == 1 || one.name == of.goal_part;
            out.push_back({of.name, one.name.empty() ? together() : one.name, items / by_hand,
                           items / ours, by_hand / ours, quantile(ratios, 0.25),
                           quantile(ratios, 0.75), has_goal ? of.goal : 0});
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

/// A rate as people read it: `12,345`.
[[nodiscard]] inline std::string rate(double per_second) {
    char digits[32];
    const int size = std::snprintf(digits, sizeof digits, "%.0f", per_second);
    std::string out;
    for (int i = 0; i < size; ++i) {
        if (i != 0 && (size - i) % 3 == 0) {
            out += ',';
        }
        out += digits[i];
    }
    return out;
}

[[nodiscard]] inline std::string two_digits(double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.2f", value);
    return digits;
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

/// A line of the table, in Markdown.
[[nodiscard]] inline std::string line_of(const row& one) {
    std::string out = "| " + one.name + " | " + one.part + " | ";
    out.append(rate(one.by_hand)).append(" | ").append(rate(one.ours)).append(" | ");
    out.append(two_digits(one.ratio)).append(" | (").append(two_digits(one.low)).append(" to ");
    out.append(two_digits(one.high)).append(") | ");
    if (one.goal > 0) {
        out.append(two_digits(one.goal)).append(one.ratio >= one.goal ? " " : ", missed ");
    }
    return out + "|\n";
}

/// Takes note of what failed; the table is written by the suite.
class failure_reporter : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            if (run.error_occurred) {
                failed_ = true;
                std::cerr << run.benchmark_name() << ": " << run.error_message << '\n';
            }
        }
    }
    [[nodiscard]] bool failed() const noexcept { return failed_; }

private:
    bool failed_ = false;
};

}  // namespace detail

/// The pairs of one program.
///
/// | argument | means |
/// | --- | --- |
/// | `--rounds=N` | so many rounds of each side are counted; 9 if not said |
/// | `--out=DIR` | the table goes to `DIR/NAME.md` too |
/// | `--commit=TEXT` | what was measured, for the table's head |
/// | `--benchmark_...` | as of google-benchmark |
class suite {
public:
    suite(std::string name, int argc, char** argv) : name_(std::move(name)) {
        std::vector<char*> rest;
        for (int i = 0; i < argc; ++i) {
            if (!take(argv[i])) {
                rest.push_back(argv[i]);
            }
        }
        int left = static_cast<int>(rest.size());
        rest.push_back(nullptr);
        benchmark::Initialize(&left, rest.data());
        if (benchmark::ReportUnrecognizedArguments(left, rest.data())) {
            std::exit(2);
        }
    }

    /// `make` sets both sides up, when the pair's turn comes.
    template <class Make>
    void pair(const pair_options& options, Make make) {
        benchmark::RegisterBenchmark(options.name.c_str(),
                                     [this, options, make](benchmark::State& state) {
                                         try {
                                             measure(state, options, make());
                                         } catch (const std::exception& e) {
                                             state.SkipWithError(e.what());
                                         }
                                     })
            ->Iterations(rounds_)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
    }

    /// Runs the pairs and prints the table; answers the program's exit code.
    int run() {
        detail::failure_reporter failures;
        benchmark::RunSpecifiedBenchmarks(&failures);
        const std::string text = markdown();
        std::cout << text << std::flush;
        if (!out_.empty()) {
            std::filesystem::create_directories(out_);
            std::ofstream file(out_ / (name_ + ".md"));
            if (!(file << text << std::flush)) {
                std::cerr << "cannot write to " << out_ << '\n';
                return 1;
            }
        }
        return failures.failed() ? 1 : 0;
    }

private:
    bool take(std::string_view argument) {
        const auto value = [&](std::string_view name) -> std::optional<std::string_view> {
            return argument.starts_with(name) ? std::optional(argument.substr(name.size()))
                                              : std::nullopt;
        };
        if (const auto text = value("--rounds=")) {
            const auto end = text->data() + text->size();
            if (std::from_chars(text->data(), end, rounds_).ptr != end || rounds_ < 1) {
                std::cerr << "--rounds takes a number above 0\n";
                std::exit(2);
            }
            return true;
        }
        if (const auto text = value("--out=")) {
            out_ = *text;
            return true;
        }
        if (const auto text = value("--commit=")) {
            commit_ = *text;
            return true;
        }
        return false;
    }

    void measure(benchmark::State& state, const pair_options& options, const sides& both) {
        {
            laps ignored;
            both.by_hand(ignored);
            both.ours(ignored);
        }
        detail::samples all;
        for ([[maybe_unused]] auto _ : state) {
            laps by_hand;
            laps ours;
            both.by_hand(by_hand);
            both.ours(ours);
            all.add(by_hand, ours);
            state.SetIterationTime(ours.seconds());
        }
        auto rows = all.rows(options);
        state.counters["ratio"] = rows.front().ratio;
        state.counters["by_hand"] = rows.front().by_hand;
        state.counters["ours"] = rows.front().ours;
        for (auto& one : rows) {
            std::cerr << detail::line_of(one);  // the table itself comes when all is done
            rows_.push_back(std::move(one));
        }
    }

    [[nodiscard]] std::string markdown() const {
        std::ostringstream to;
        to << "# " << name_ << "\n\n"
           << "- compiler: " << compiler() << "; flags: " << flags() << '\n'
           << "- machine: " << std::thread::hardware_concurrency() << " × " << detail::processor()
           << "; " << detail::system_name() << '\n';
        if (!commit_.empty()) {
            to << "- commit: " << commit_ << '\n';
        }
        to << "- " << rounds_ << " rounds of each side in turn; medians, in items a second; in "
           << "brackets the quartiles of the ratio\n\n"
           << "| case | part | by hand | sinew | ratio | | goal |\n"
           << "| --- | --- | ---: | ---: | ---: | --- | --- |\n";
        std::size_t goals = 0;
        std::size_t kept = 0;
        for (const auto& one : rows_) {
            to << detail::line_of(one);
            goals += one.goal > 0 ? 1 : 0;
            kept += one.goal > 0 && one.ratio >= one.goal ? 1 : 0;
        }
        if (goals != 0) {
            to << '\n' << kept << " of " << goals << " goals kept\n";
        }
        return std::move(to).str();
    }

    [[nodiscard]] static std::string compiler() {
#if defined(__clang__)
        return __VERSION__;
#else
        return std::string("g++ ") + __VERSION__;
#endif
    }
    [[nodiscard]] static std::string flags() {
#if defined(SINEW_BENCH_FLAGS)
        return SINEW_BENCH_FLAGS;
#else
        return "not known";
#endif
    }

    std::string name_;
    std::filesystem::path out_;
    std::string commit_;
    int rounds_ = 9;
    std::vector<row> rows_;
};

}  // namespace sinew::bench
