// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A benchmark is a pair: what the library does, beside what somebody writes by hand who needs no
/// more than that. What is reported is the ratio. What is no pair (bytes for each remembered id) is
/// a figure, with a goal of its own.
///
/// **Guarantees.** Rounds of the two sides alternate (A B A B ...), so whatever slows the machine
/// down for a while slows both down. The first round of each is not counted. Figures are medians
/// over the rounds, the ratio that of the ratios round by round, and its quartiles say how far it
/// can be trusted. A case that throws is named with its error, the others still run, and the exit code is 1.
/// Arguments that mean nothing, and a folder that cannot be written, are refused before anything is
/// measured.
///
/// google-benchmark keeps the list of the cases, chooses among them (`--benchmark_filter`) and
/// writes its own JSON (`--benchmark_out`). The tables and their CSV are written here (report.hpp).
///
/// **Example.**
/// ```cpp
/// sinew::bench::suite all("window", argc, argv);
/// all.pair({.name = "window/1e5", .items = 100'000, .goal = 1.0, .series = "window", .x = 1e5}, []
/// {
///     return sinew::bench::sides{
///         [](auto& laps) { laps.time("insert", by_hand); },
///         [](auto& laps) { laps.time("insert", ours); }};
/// });
/// all.figure({.name = "window/bytes/1e5", .unit = "bytes an id", .at_most = 20}, bytes_of_an_id);
/// return all.run();
/// ```

#include "measure.hpp"
#include "report.hpp"

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sinew::bench {

namespace detail {

/// Takes note of what failed; the tables are written by the suite.
class failure_reporter : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            if (run.error_occurred) {
                failures_.push_back(run.run_name.function_name + ": " + run.error_message);
                std::cerr << failures_.back() << '\n';
            }
        }
    }
    [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

private:
    std::vector<std::string> failures_;
};

}  // namespace detail

/// The cases of one program.
///
/// | argument | means |
/// | --- | --- |
/// | `--rounds=N` | so many rounds of each side are counted; 9 if not said |
/// | `--out=DIR` | the tables go to `DIR/NAME.md` too, and all as data to `DIR/NAME.csv` |
/// | `--commit=TEXT` | what was measured, for the table's head |
/// | `--benchmark_...` | as of google-benchmark |
class suite {
public:
    suite(std::string name, int argc, char** argv) {
        all_.name = std::move(name);
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
        make_folder();
    }

    /// `make` sets both sides up, when the pair's turn comes.
    template <class Make>
    void pair(const pair_options& options, Make make) {
        add(options.name, rounds_,
            [this, options, make](benchmark::State& state) { measure(state, options, make()); });
    }

    /// `ask` answers the value, once, or once a round.
    template <class Ask>
    void figure(const figure_options& options, Ask ask) {
        const int times = options.each_round ? rounds_ : 1;
        add(options.name, times, [this, options, ask](benchmark::State& state) {
            std::vector<double> values;
            for ([[maybe_unused]] auto _ : state) {
                const auto from = machine_clock::now().steady;
                values.push_back(static_cast<double>(ask()));
                const auto span = machine_clock::now().steady - from;
                state.SetIterationTime(static_cast<double>(span.count()) * 1e-9);
            }
            keep({options, quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75)},
                 state);
        });
    }

    /// Runs the cases and prints the tables; answers the program's exit code.
    int run() {
        detail::failure_reporter failures;
        const std::size_t ran = benchmark::RunSpecifiedBenchmarks(&failures);
        all_.failures = failures.failures();
        all_.about = circumstances(commit_, rounds_);
        const std::string text = markdown(all_);
        std::cout << text << std::flush;
        if (!out_.empty() && !(write(out_ / (all_.name + ".md"), text) &&
                               write(out_ / (all_.name + ".csv"), csv(all_)))) {
            return 1;
        }
        if (ran == 0) {
            std::cerr << all_.name << ": no case was chosen\n";
            return 1;
        }
        return all_.failures.empty() ? 0 : 1;
    }

private:
    bool take(std::string_view argument) {
        const auto value = [&](std::string_view name) -> std::optional<std::string_view> {
            return argument.starts_with(name) ? std::optional(argument.substr(name.size()))
                                              : std::nullopt;
        };
        if (const auto text = value("--rounds=")) {
            const auto end = text->data() + text->size();
            const auto read = std::from_chars(text->data(), end, rounds_);
            if (read.ec != std::errc{} || read.ptr != end || rounds_ < 1) {
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

    /// Before anything is measured: nobody waits for a table that cannot be written.
    void make_folder() const {
        if (out_.empty()) {
            return;
        }
        std::error_code failed;
        std::filesystem::create_directories(out_, failed);
        if (failed || ::access(out_.c_str(), W_OK) != 0) {
            std::cerr << "cannot write to the folder " << out_.string() << '\n';
            std::exit(2);
        }
    }

    template <class F>
    static void add(const std::string& name, int times, F f) {
        benchmark::RegisterBenchmark(name.c_str(),
                                     [f](benchmark::State& state) {
                                         try {
                                             f(state);
                                         } catch (const std::exception& e) {
                                             state.SkipWithError(e.what());
                                         }
                                     })
            ->Iterations(times)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
    }

    void measure(benchmark::State& state, const pair_options& options, const sides& both) {
        {
            laps ignored;
            both.by_hand(ignored);
            both.ours(ignored);
        }
        samples all;
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
            std::cerr << line_of(one);  // the table itself comes when all is done
            all_.pairs.push_back(std::move(one));
        }
    }

    void keep(value_row one, benchmark::State& state) {
        state.counters["value"] = one.value;
        std::cerr << line_of(one);
        all_.figures.push_back(std::move(one));
    }

    [[nodiscard]] static bool write(const std::filesystem::path& file, const std::string& text) {
        std::ofstream to(file);
        if (!(to << text << std::flush)) {
            std::cerr << "cannot write " << file.string() << '\n';
            return false;
        }
        return true;
    }

    results all_;
    std::filesystem::path out_;
    std::string commit_;
    int rounds_ = 9;
};

}  // namespace sinew::bench
