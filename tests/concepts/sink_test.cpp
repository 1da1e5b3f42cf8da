// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/sink.hpp>

using namespace sinew;

namespace {

/// The smallest sink: it takes nothing.
struct archetype_sink {
    publish_result publish(const event_view&, steady_time) {
        return publish_result::refused(
            {failure_class::permanent, "takes_nothing", "this sink takes nothing", {}});
    }
};

struct sink_without_publish {};
struct sink_without_deadline {
    publish_result publish(const event_view&) { return publish_result::accepted(); }
};
struct sink_whose_answer_is_bool {
    bool publish(const event_view&, steady_time) { return true; }
};
struct sink_that_is_silent {
    void publish(const event_view&, steady_time) {}
};
struct sink_that_needs_an_owned_event {
    publish_result publish(const event&, steady_time) { return publish_result::accepted(); }
};
struct sink_that_changes_the_event {
    publish_result publish(event_view&, steady_time) { return publish_result::accepted(); }
};

}  // namespace

TEST_CASE("a sink publishes an event that it only looks at, by a deadline") {
    STATIC_REQUIRE(sink<archetype_sink>);
    STATIC_REQUIRE_FALSE(sink<sink_without_publish>);
    STATIC_REQUIRE_FALSE(sink<sink_without_deadline>);
    STATIC_REQUIRE_FALSE(sink<sink_that_needs_an_owned_event>);
    STATIC_REQUIRE_FALSE(sink<sink_that_changes_the_event>);
}

TEST_CASE("a sink whose answer cannot be unknown is none") {
    STATIC_REQUIRE_FALSE(sink<sink_whose_answer_is_bool>);
    STATIC_REQUIRE_FALSE(sink<sink_that_is_silent>);
}
