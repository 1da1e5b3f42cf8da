// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transaction of the library's own, for one change that is no part of the service's.

#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <memory>
#include <utility>

namespace sinew::postgres {

namespace detail {

/// Does `f(transaction)`, which answers something, in a transaction of its own, and again if
/// another one came in between. Answers with it how the commit ended: committed or unknown.
template <class F>
auto alone(const std::shared_ptr<session>& of, steady_time until, F f) {
    constexpr int tries = 5;
    for (int i = 1;; ++i) {
        transaction tx(of, until);
        try {
            auto answer = f(tx);
            const commit_result how = tx.commit();
            if (how != commit_result::aborted) {
                return std::pair(std::move(answer), how);
            }
            if (i == tries || of->why().reason() != "serialization_failure") {
                throw of->why();
            }
        } catch (const transient_error& e) {
            if (i == tries || e.reason() == "sql_error") {
                throw;
            }
        }
    }
}

}  // namespace detail

}  // namespace sinew::postgres
