// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The demonstration: all services as processes that are killed while they work, and an audit.

#include "run_folder.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace checkout {

struct run_plan {
    std::size_t carts = 150;
    std::size_t kills = 20;
    std::uint64_t seed = 1;
    double seconds = 3;       ///< how long carts are placed for
    std::int64_t stock = 40;  ///< pieces of each article: too few of some
};

/// Why a run could not go on.
class run_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Runs it in that style, in a folder that is new. Answers whether everything agrees.
///
/// **On failure.** Throws `run_error` if it could not come to its end, and what the files throw.
bool run_all(style how, const run_folder& files, const run_plan& plan);

/// Prints where one saga stands, and what it has gone through: as text, and as a diagram in
/// Mermaid. Answers whether it is there.
bool show(const run_folder& files, const std::string& number);

}  // namespace checkout
