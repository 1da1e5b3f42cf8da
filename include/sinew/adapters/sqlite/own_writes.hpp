// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Transactions that an outbox or a journal begins itself, beside those of the service.

#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sinew::sqlite::detail {

class own_writes {
public:
    /// **On failure.** Throws `unavailable_error` while a transaction of the store is open, or if
    /// the file is locked until `until`.
    [[nodiscard]] static transaction begin(const std::shared_ptr<session>& on, const char* what,
                                           steady_time until) {
        on->check_idle(what);
        return {on, until};
    }

    /// Commits. **On failure.** Throws if nothing was committed.
    static commit_result end(const session& on, transaction& tx) {
        const commit_result how = tx.commit();
        if (how == commit_result::aborted) {
            throw on.why();
        }
        return how;
    }

    /// Commits. **On failure.** Throws unless it is committed.
    static void finish(const session& on, transaction& tx) {
        if (end(on, tx) == commit_result::unknown) {
            throw on.why();
        }
    }

    /// Whether the transaction is one of that session.
    [[nodiscard]] static bool is_of(const transaction& tx, const session& on) noexcept {
        return tx.session_.get() == &on;
    }
    /// **On failure.** Throws if the transaction has ended, or was lost.
    static void check(const transaction& tx) { tx.check(); }

    /// Does something in a transaction of the service. If it fails halfway, the transaction is
    /// undone, so that no part of it can be committed.
    template <class F>
    static auto all_or_nothing(transaction& tx, F f) {
        try {
            return f();
        } catch (...) {
            tx.undo_all();
            throw;
        }
    }
};

/// A number of rows, for SQL.
[[nodiscard]] inline std::int64_t at_most(std::size_t limit) noexcept {
    constexpr std::size_t most = INT64_MAX;
    return static_cast<std::int64_t>(limit < most ? limit : most);
}

}  // namespace sinew::sqlite::detail
