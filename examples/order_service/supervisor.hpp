// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The supervisor: runs all services as processes, places the orders of a file, kills the processes
/// again and again, and audits what came of it.

#include "commands.hpp"
#include "order_file.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace shop {

struct run_plan {
    std::string input{};
    std::size_t orders = 0;    ///< how many of the file are placed; 0: all
    std::int64_t stock = 200;  ///< so many pieces of each article are there
    std::uint64_t kills = 25;
    std::uint64_t seed = 1;
    double seconds = 4;  ///< over how long the orders come
};

/// The run could not be brought to its end. The message says why.
class run_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Runs everything, and prints what came of it. The database and the topics have to be new.
///
/// **On failure.** Throws `input_error` and `run_error`, and what opening the files threw.
[[nodiscard]] int run_all(const place& where, const run_plan& plan);

}  // namespace shop
