// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The ledger: its table, the consumer that keeps it, and what it says.

#include "books.hpp"
#include "run_folder.hpp"

#include <sinew/adapters/sqlite.hpp>

#include <cstdint>
#include <string>

namespace retail {

/// Which version of the handler is deployed.
enum class goods_policy : std::uint8_t {
    priced,  ///< a price of zero or less is rejected
    free,    ///< a price of zero is taken: samples and gifts leave the shop too
};

/// The reasons for which lines are rejected.
inline constexpr const char* not_positive = "price_not_positive";
inline constexpr const char* malformed = "malformed_line";

/// Opens the ledger's file, and makes its tables if they are not there.
///
/// **On failure.** Throws `sinew::unavailable_error`, with what to do about it.
[[nodiscard]] sinew::sqlite::store open_ledger(const run_folder& folder);

/// Opens the log's file, and makes the topic if it is not there.
///
/// **On failure.** As `open_ledger`.
[[nodiscard]] sinew::sqlite::log open_log(const run_folder& folder);

/// Whether the ledger's group has finished all that is in the log.
[[nodiscard]] bool is_read_to_its_end(const sinew::sqlite::log& log);

/// Consumes until SIGTERM. The answer is the exit code of the process.
int keep_ledger(const run_folder& folder, goods_policy policy);

/// What the ledger says, account by account.
[[nodiscard]] books read_books(sinew::sqlite::store& db);

/// How far the ledger is.
struct ledger_state {
    std::int64_t applied = 0;       ///< lines booked
    std::int64_t dead_letters = 0;  ///< open ones
    std::int64_t to_replay = 0;     ///< of these, those whose replay is asked for or under way

    [[nodiscard]] std::int64_t settled() const noexcept { return applied + dead_letters; }
};

[[nodiscard]] ledger_state look_at(sinew::sqlite::store& db);

}  // namespace retail
