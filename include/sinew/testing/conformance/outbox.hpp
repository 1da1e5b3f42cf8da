// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for outboxes. See `outbox_environment.hpp` for what an environment needs.
///
/// **Example.**
/// ```cpp
/// struct my_environment : real_time {
///     my::database data;  // a fresh one
///     my::store open() { return my::store(data); }
///     my::outbox outbox_of(my::store& s) { return s.outbox("orders"); }
/// };
/// const auto table = outbox_claims("my::outbox", [] { return my_environment(); },
///                                  {.connections = true});
/// ```

#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>
#include <sinew/testing/conformance/outbox_histories.hpp>
#include <sinew/testing/conformance/outbox_leases.hpp>
#include <sinew/testing/conformance/outbox_marks.hpp>
#include <sinew/testing/conformance/outbox_queue.hpp>
#include <sinew/testing/conformance/outbox_together.hpp>
#include <sinew/testing/conformance/outbox_writer.hpp>

#include <string_view>
#include <utility>

namespace sinew::testing::conformance {

/// Looks at every claim of `outbox`. `make` makes a fresh environment.
template <class Make>
    requires outbox_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table outbox_claims(std::string_view adapter, Make make,
                                         const outbox_features& has = {}) {
    suite<Make> run("outbox", adapter, std::move(make));
    detail::claim_in_transaction(run, has);
    detail::claim_numbers(run, has);
    detail::claim_events(run);
    detail::claim_shown(run, has);
    detail::claim_order(run);
    detail::claim_limited(run);
    detail::claim_marked(run);
    detail::claim_fenced(run);
    detail::claim_kept(run);
    detail::claim_together_all(run);
    detail::claim_leases(run);
    detail::claim_desk(run);
    run.claim({"all", "random histories end as in the in-memory reference",
               "the shortest history that differs; the in-memory outbox is the reference"},
              [](check& c, auto& env) { detail::check_outbox_histories(c, env); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
