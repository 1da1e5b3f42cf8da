// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Starting an instance that is not part of anything else.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/time.hpp>

namespace sinew {

/// Starts an instance in a transaction of its own of `in`, a `store`.
///
/// **On failure.** Throws `unavailable_error` if the commit was aborted or has no answer. Starting
/// again is harmless: it then says that the instance was there.
template <class Store, journal_writer<Store> Journal>
start_result start_process(Store& in, Journal& journal, const new_instance& one, wall_time now,
                           steady_time until) {
    auto tx = in.begin(until);
    const start_result came = journal.start(tx, one, now);
    if (tx.commit() != commit_result::committed) {
        throw unavailable_error("start_not_committed",
                                "the start of an instance was not committed for sure; start it "
                                "again");
    }
    return came;
}

}  // namespace sinew
