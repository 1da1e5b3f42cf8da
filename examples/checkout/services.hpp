// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The processes of which both programs are made, by name.

#include "run_folder.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace checkout {

/// The names of the processes that a run in that style needs, beside the one that places carts.
[[nodiscard]] std::vector<std::string> services_of(style how);

/// Runs the process of that name until it is told to stop. Answers an exit code.
int serve(const std::string& name, const run_folder& files);

/// Places so many carts, and ends.
int place(style how, const run_folder& files, std::size_t carts, std::uint64_t seed,
          double pause_ms);

}  // namespace checkout
