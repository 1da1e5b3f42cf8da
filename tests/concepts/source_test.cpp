// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/source.hpp>

#include <optional>
#include <string>
#include <utility>

using namespace sinew;

namespace {

/// The smallest message.
struct archetype_message {
    [[nodiscard]] event_view view() const { return {.id = "1", .source = "s", .type = "t"}; }
    [[nodiscard]] position where() const { return {}; }
    [[nodiscard]] epoch_number epoch() const { return 1; }
    [[nodiscard]] std::optional<defect> broken() const { return std::nullopt; }
};

/// The smallest source: it is never given a partition.
struct archetype_source {
    using message = archetype_message;

    template <class Listener>
    void poll(poll_limits, steady_time, Listener&) {}
    commit_result commit(partition_id, epoch_number, log_offset, steady_time) {
        return commit_result::aborted;
    }
    void release(partition_id, epoch_number) {}
    void pause(partition_id) {}
    void resume(partition_id) {}
};

struct message_without_view : archetype_message {
    void view() const = delete;
};
struct message_without_place : archetype_message {
    void where() const = delete;
};
struct message_without_epoch : archetype_message {
    void epoch() const = delete;
};
struct message_without_broken : archetype_message {
    void broken() const = delete;
};
struct message_whose_view_changes_it : archetype_message {
    event_view view() { return {}; }
};
struct message_whose_broken_is_bool : archetype_message {
    [[nodiscard]] bool broken() const { return false; }
};
struct message_whose_place_is_an_offset : archetype_message {
    [[nodiscard]] log_offset where() const { return 0; }
};
struct message_that_stays_where_it_is : archetype_message {
    message_that_stays_where_it_is(message_that_stays_where_it_is&&) = delete;
};

struct source_without_message : archetype_source {
private:
    using message = archetype_message;
};
struct source_of_broken_messages : archetype_source {
    using message = message_without_epoch;
};
struct source_without_poll : archetype_source {
    void poll() = delete;
};
struct source_that_polls_without_deadline : archetype_source {
    template <class Listener>
    void poll(poll_limits, Listener&) {}
};
struct source_that_commits_without_epoch : archetype_source {
    commit_result commit(partition_id, log_offset, steady_time) { return commit_result::aborted; }
};
struct source_that_commits_without_deadline : archetype_source {
    commit_result commit(partition_id, epoch_number, log_offset) { return commit_result::aborted; }
};
struct source_whose_commit_is_bool : archetype_source {
    bool commit(partition_id, epoch_number, log_offset, steady_time) { return false; }
};
struct source_whose_commit_is_silent : archetype_source {
    void commit(partition_id, epoch_number, log_offset, steady_time) {}
};
struct source_without_release : archetype_source {
    void release() = delete;
};
struct source_that_releases_without_epoch : archetype_source {
    void release(partition_id) {}
};
struct source_without_pause : archetype_source {
    void pause() = delete;
};
struct source_without_resume : archetype_source {
    void resume() = delete;
};

struct deaf_to_assignments : archetype::source_listener<archetype_message> {
    void assigned() = delete;
};
struct deaf_to_revocations : archetype::source_listener<archetype_message> {
    void revoked() = delete;
};
struct deaf_to_losses : archetype::source_listener<archetype_message> {
    void lost() = delete;
};
struct deaf_to_messages : archetype::source_listener<archetype_message> {
    void message() = delete;
};
struct borrows_messages : archetype::source_listener<archetype_message> {
    void message(archetype_message&) {}
};

/// The smallest log.
struct archetype_log {
    archetype_source join(const std::string&, const std::string&) { return {}; }
};
struct log_without_groups {
    archetype_source join(const std::string&) { return {}; }
};
struct log_of_something_else {
    int join(const std::string&, const std::string&) { return 0; }
};

}  // namespace

TEST_CASE("a source message shows an event, its place, its epoch, and whether it could be read") {
    STATIC_REQUIRE(source_message<archetype_message>);
}

TEST_CASE("a message that lacks one of these is no source message") {
    STATIC_REQUIRE_FALSE(source_message<message_without_view>);
    STATIC_REQUIRE_FALSE(source_message<message_without_place>);
    STATIC_REQUIRE_FALSE(source_message<message_without_epoch>);
    STATIC_REQUIRE_FALSE(source_message<message_without_broken>);
    STATIC_REQUIRE_FALSE(source_message<message_whose_view_changes_it>);
    STATIC_REQUIRE_FALSE(source_message<message_whose_broken_is_bool>);
    STATIC_REQUIRE_FALSE(source_message<message_whose_place_is_an_offset>);
    STATIC_REQUIRE_FALSE(source_message<message_that_stays_where_it_is>);
}

TEST_CASE("a source listener hears of assignments, revocations, losses and messages") {
    STATIC_REQUIRE(
        source_listener<archetype::source_listener<archetype_message>, archetype_message>);
    STATIC_REQUIRE_FALSE(source_listener<deaf_to_assignments, archetype_message>);
    STATIC_REQUIRE_FALSE(source_listener<deaf_to_revocations, archetype_message>);
    STATIC_REQUIRE_FALSE(source_listener<deaf_to_losses, archetype_message>);
    STATIC_REQUIRE_FALSE(source_listener<deaf_to_messages, archetype_message>);
    STATIC_REQUIRE_FALSE(source_listener<borrows_messages, archetype_message>);
}

TEST_CASE("a source polls, commits under an epoch, releases, pauses and resumes") {
    STATIC_REQUIRE(source<archetype_source>);
}

TEST_CASE("a source that lacks one of these is none") {
    STATIC_REQUIRE_FALSE(source<source_without_message>);
    STATIC_REQUIRE_FALSE(source<source_of_broken_messages>);
    STATIC_REQUIRE_FALSE(source<source_without_poll>);
    STATIC_REQUIRE_FALSE(source<source_without_release>);
    STATIC_REQUIRE_FALSE(source<source_without_pause>);
    STATIC_REQUIRE_FALSE(source<source_without_resume>);
}

TEST_CASE("a source that could wait for ever is none") {
    STATIC_REQUIRE_FALSE(source<source_that_polls_without_deadline>);
    STATIC_REQUIRE_FALSE(source<source_that_commits_without_deadline>);
}

TEST_CASE("a source that cannot be fenced is none") {
    STATIC_REQUIRE_FALSE(source<source_that_commits_without_epoch>);
    STATIC_REQUIRE_FALSE(source<source_that_releases_without_epoch>);
}

TEST_CASE("a source whose commit cannot answer unknown is none") {
    STATIC_REQUIRE_FALSE(source<source_whose_commit_is_bool>);
    STATIC_REQUIRE_FALSE(source<source_whose_commit_is_silent>);
}

TEST_CASE("a log is joined by topic and group, and gives a source") {
    STATIC_REQUIRE(subscribable<archetype_log>);
    STATIC_REQUIRE_FALSE(subscribable<log_without_groups>);
    STATIC_REQUIRE_FALSE(subscribable<log_of_something_else>);
}
