// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The supervisor: runs producer and consumer as processes, kills the consumer again and again,
/// looks through the dead letters, and compares what came of it with the plain pass.

#include <cstdint>
#include <stdexcept>
#include <string>

namespace retail {

struct demo_options {
    std::string input{};
    /// Where the files of the run are made; empty for a folder that is removed afterwards.
    std::string folder{};
    bool keep = false;
    std::uint64_t seed = 1;
    std::uint64_t kills = 30;
    /// How long the transport takes for all its deliveries.
    double seconds = 15;
};

/// The run could not be brought to its end. The message says why.
class run_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Somebody pressed Ctrl-C.
class interrupted : public run_error {
public:
    interrupted() : run_error("interrupted") {}
};

/// Runs everything and prints what came of it. Answers how many comparisons failed.
///
/// **On failure.** Throws `input_error`, `run_error`, or what opening the files threw.
[[nodiscard]] int run_demo(const demo_options& options);

}  // namespace retail
