// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The producer: puts the file's lines into the log, the way a hostile transport delivers them.

#include "hostile_transport.hpp"
#include "run_folder.hpp"

#include <cstdint>
#include <string>

namespace retail {

struct producer_options {
    std::string input{};
    std::uint64_t seed = 1;
    /// So many kills are to be spread over the run: the producer does not get far ahead of them.
    std::uint64_t kills = 0;
    transport_options transport{};
};

/// Delivers all, and returns. The answer is the exit code of the process.
int produce(const run_folder& folder, const producer_options& options);

}  // namespace retail
