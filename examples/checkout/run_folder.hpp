// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Where the files of a run are.

#include <string>

namespace checkout {

struct run_folder {
    std::string path;

    /// The shop's tables, with the journal and the outboxes.
    [[nodiscard]] std::string shop() const { return path + "/shop.db"; }
    [[nodiscard]] std::string topics() const { return path + "/topics.db"; }
    /// The books of the other firms.
    [[nodiscard]] std::string provider() const { return path + "/payment_provider.db"; }
    [[nodiscard]] std::string carrier() const { return path + "/carrier.db"; }
};

/// Who leads the checkout.
enum class style {
    saga,    ///< a runner
    events,  ///< nobody
};

}  // namespace checkout
