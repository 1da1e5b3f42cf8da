// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for journals. See `journal_environment.hpp` for what an environment needs.
///
/// **Example.**
/// ```cpp
/// struct my_environment : real_time {
///     my::database data;  // a fresh one
///     my::store open() { return my::store(data); }
///     my::journal journal_of(my::store& s) {
///         return s.journal("processes", {.early_replies_max = 20});
///     }
/// };
/// const auto table = journal_claims("my::journal", [] { return my_environment(); },
///                                   {.connections = true});
/// ```

#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_claims.hpp>
#include <sinew/testing/conformance/journal_desk.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>
#include <sinew/testing/conformance/journal_histories.hpp>
#include <sinew/testing/conformance/journal_writer.hpp>
#include <sinew/testing/conformance/journal_writes.hpp>

#include <string_view>
#include <utility>

namespace sinew::testing::conformance {

/// Looks at every claim of `journal`. `make` makes a fresh environment.
template <class Make>
    requires journal_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table journal_claims(std::string_view adapter, Make make,
                                          const journal_features& has = {}) {
    suite<Make> run("journal", adapter, std::move(make));
    detail::claim_started(run);
    detail::claim_replies(run, has);
    detail::claim_cancelled(run);
    detail::claim_given(run);
    detail::claim_written(run);
    detail::claim_fenced_writes(run);
    detail::claim_together(run, has);
    detail::claim_purged(run);
    detail::claim_seats(run);
    detail::claim_journal_desk(run);
    run.claim({"all", "random histories end as in the in-memory reference",
               "the shortest history that differs; the in-memory journal is the reference"},
              [](check& c, auto& env) { detail::check_journal_histories(c, env); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
