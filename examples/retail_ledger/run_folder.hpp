// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Where the files of a run are, and the names that its processes share.

#include <string>

namespace retail {

/// The topic that the lines go through, and the group that reads it.
inline constexpr const char* topic = "sales";
inline constexpr const char* group = "ledger";

/// The folder of one run.
struct run_folder {
    std::string path;

    /// The embedded log: what has been sold.
    [[nodiscard]] std::string log() const { return path + "/log.db"; }
    /// The ledger: what was made of it, with the dead letters and the consumer's own memory.
    [[nodiscard]] std::string ledger() const { return path + "/ledger.db"; }
    /// The numbers that all processes count in.
    [[nodiscard]] std::string counts() const { return path + "/counts"; }
};

}  // namespace retail
