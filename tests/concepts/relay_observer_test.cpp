// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/publish/relay_observer.hpp>

#include <type_traits>

using namespace sinew;

namespace {

/// The smallest observer of a relay of one's own.
struct counts_published : null_relay_observer {
    void on_published(const relay_entry_note&) { ++published; }
    int published = 0;
};

struct relay_observer_that_stays : null_relay_observer {
    relay_observer_that_stays(relay_observer_that_stays&&) = delete;
};

// Each lacks one hook.
struct relay_without_published : null_relay_observer {
    void on_published() = delete;
};
struct relay_without_put_off : null_relay_observer {
    void on_put_off() = delete;
};
struct relay_without_parked : null_relay_observer {
    void on_parked() = delete;
};
struct relay_without_paused : null_relay_observer {
    void on_paused() = delete;
};
struct relay_without_resumed : null_relay_observer {
    void on_resumed() = delete;
};
struct relay_without_lease_taken : null_relay_observer {
    void on_lease_taken() = delete;
};
struct relay_without_lease_lost : null_relay_observer {
    void on_lease_lost() = delete;
};
struct relay_without_lease_released : null_relay_observer {
    void on_lease_released() = delete;
};
struct relay_without_lag : null_relay_observer {
    void on_lag() = delete;
};
struct relay_without_purged : null_relay_observer {
    void on_purged() = delete;
};

struct has_no_relay_hooks {};

template <class... Types>
constexpr bool none_observes_a_relay = !(relay_observer<Types> || ...);

}  // namespace

TEST_CASE("an observer of a relay has all hooks, its own or those that do nothing") {
    STATIC_REQUIRE(relay_observer<null_relay_observer>);
    STATIC_REQUIRE(relay_observer<counts_published>);
    STATIC_REQUIRE(std::is_empty_v<null_relay_observer>);
    counts_published own;
    own.on_published({});
    own.on_lag({});
    CHECK(own.published == 1);
}

TEST_CASE("what lacks one hook of a relay's observer is none") {
    STATIC_REQUIRE(
        none_observes_a_relay<relay_without_published, relay_without_put_off, relay_without_parked,
                              relay_without_paused, relay_without_resumed,
                              relay_without_lease_taken, relay_without_lease_lost,
                              relay_without_lease_released, relay_without_lag, relay_without_purged,
                              has_no_relay_hooks>);
}

TEST_CASE("what cannot be moved into a relay is no observer of it") {
    STATIC_REQUIRE_FALSE(relay_observer<relay_observer_that_stays>);
}
