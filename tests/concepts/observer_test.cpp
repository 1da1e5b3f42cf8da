// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/observer.hpp>

#include <concepts>
#include <type_traits>

using namespace sinew;

namespace {

/// The smallest observer of one's own: it hides the one hook that it is interested in.
struct counts_applied : null_observer {
    void on_applied(const event_note&) { ++applied; }
    int applied = 0;
};

struct stays_where_it_is : null_observer {
    stays_where_it_is(stays_where_it_is&&) = delete;
};

// Each lacks one hook.
struct without_received : null_observer {
    void on_received() = delete;
};
struct without_applied : null_observer {
    void on_applied() = delete;
};
struct without_duplicate : null_observer {
    void on_duplicate() = delete;
};
struct without_skipped : null_observer {
    void on_skipped() = delete;
};
struct without_discarded : null_observer {
    void on_discarded() = delete;
};
struct without_dead_lettered : null_observer {
    void on_dead_lettered() = delete;
};
struct without_retry : null_observer {
    void on_retry() = delete;
};
struct without_unavailable : null_observer {
    void on_unavailable() = delete;
};
struct without_held : null_observer {
    void on_held() = delete;
};
struct without_late : null_observer {
    void on_late() = delete;
};
struct without_halted : null_observer {
    void on_halted() = delete;
};
struct without_replayed : null_observer {
    void on_replayed() = delete;
};
struct without_gap : null_observer {
    void on_gap() = delete;
};
struct without_paused : null_observer {
    void on_paused() = delete;
};
struct without_resumed : null_observer {
    void on_resumed() = delete;
};
struct without_assigned : null_observer {
    void on_assigned() = delete;
};
struct without_revoked : null_observer {
    void on_revoked() = delete;
};
struct without_lost : null_observer {
    void on_lost() = delete;
};
struct without_committed : null_observer {
    void on_committed() = delete;
};

struct has_no_hooks {};

template <class... Types>
constexpr bool none_observes = !(observer<Types> || ...);

}  // namespace

TEST_CASE("an observer has all hooks, its own or those that do nothing") {
    STATIC_REQUIRE(observer<null_observer>);
    STATIC_REQUIRE(observer<counts_applied>);
    STATIC_REQUIRE(std::is_empty_v<null_observer>);
    counts_applied own;
    own.on_applied({});
    own.on_retry({});
    CHECK(own.applied == 1);
}

TEST_CASE("what lacks one hook is no observer") {
    STATIC_REQUIRE(
        none_observes<without_received, without_applied, without_duplicate, without_skipped,
                      without_discarded, without_dead_lettered, without_retry, without_unavailable,
                      without_held, without_late, without_halted, without_replayed, without_gap,
                      without_paused, without_resumed, without_assigned, without_revoked,
                      without_lost, without_committed, has_no_hooks>);
}

TEST_CASE("what cannot be moved into a consumer is no observer") {
    STATIC_REQUIRE_FALSE(observer<stays_where_it_is>);
}
