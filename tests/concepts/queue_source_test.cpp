// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/queue_source.hpp>

#include <cstdint>
#include <optional>

using namespace sinew;

namespace {

/// The smallest message.
struct archetype_message {
    [[nodiscard]] event_view view() const { return {.id = "1", .source = "s", .type = "t"}; }
    [[nodiscard]] std::uint32_t deliveries() const { return 1; }
    [[nodiscard]] std::optional<defect> broken() const { return std::nullopt; }
};

/// The smallest queue: there is never a message in it.
struct archetype_queue {
    using message = archetype_message;

    template <class Listener>
    void receive(poll_limits, steady_time, Listener&) {}
    commit_result acknowledge(message&, steady_time) { return commit_result::aborted; }
    void give_back(message&, duration) {}
    bool extend(message&, duration, steady_time) { return false; }
};

struct message_without_view : archetype_message {
    void view() const = delete;
};
struct message_without_deliveries : archetype_message {
    void deliveries() const = delete;
};
struct message_without_broken : archetype_message {
    void broken() const = delete;
};
struct message_that_stays_where_it_is : archetype_message {
    message_that_stays_where_it_is(message_that_stays_where_it_is&&) = delete;
};

struct queue_of_broken_messages : archetype_queue {
    using message = message_without_broken;
};
struct queue_without_receive : archetype_queue {
    void receive() = delete;
};
struct queue_that_receives_without_deadline : archetype_queue {
    template <class Listener>
    void receive(poll_limits, Listener&) {}
};
struct queue_without_acknowledge : archetype_queue {
    void acknowledge() = delete;
};
struct queue_whose_acknowledge_is_bool : archetype_queue {
    bool acknowledge(message&, steady_time) { return false; }
};
struct queue_that_acknowledges_without_deadline : archetype_queue {
    commit_result acknowledge(message&) { return commit_result::aborted; }
};
struct queue_without_give_back : archetype_queue {
    void give_back() = delete;
};
struct queue_that_gives_back_at_once_alone : archetype_queue {
    void give_back(message&) {}
};
struct queue_without_extend : archetype_queue {
    void extend() = delete;
};
struct queue_whose_extend_is_silent : archetype_queue {
    void extend(message&, duration, steady_time) {}
};

}  // namespace

TEST_CASE("a queue message shows an event, its deliveries, and whether it could be read") {
    STATIC_REQUIRE(queue_message<archetype_message>);
    STATIC_REQUIRE_FALSE(queue_message<message_without_view>);
    STATIC_REQUIRE_FALSE(queue_message<message_without_deliveries>);
    STATIC_REQUIRE_FALSE(queue_message<message_without_broken>);
    STATIC_REQUIRE_FALSE(queue_message<message_that_stays_where_it_is>);
}

TEST_CASE("a queue source receives, acknowledges, gives back and extends") {
    STATIC_REQUIRE(queue_source<archetype_queue>);
}

TEST_CASE("a queue that lacks one of these is no queue source") {
    STATIC_REQUIRE_FALSE(queue_source<queue_of_broken_messages>);
    STATIC_REQUIRE_FALSE(queue_source<queue_without_receive>);
    STATIC_REQUIRE_FALSE(queue_source<queue_without_acknowledge>);
    STATIC_REQUIRE_FALSE(queue_source<queue_without_give_back>);
    STATIC_REQUIRE_FALSE(queue_source<queue_that_gives_back_at_once_alone>);
    STATIC_REQUIRE_FALSE(queue_source<queue_without_extend>);
}

TEST_CASE("a queue that could wait for ever is no queue source") {
    STATIC_REQUIRE_FALSE(queue_source<queue_that_receives_without_deadline>);
    STATIC_REQUIRE_FALSE(queue_source<queue_that_acknowledges_without_deadline>);
}

TEST_CASE("a queue that does not say how it ended is no queue source") {
    STATIC_REQUIRE_FALSE(queue_source<queue_whose_acknowledge_is_bool>);
    STATIC_REQUIRE_FALSE(queue_source<queue_whose_extend_is_silent>);
}
