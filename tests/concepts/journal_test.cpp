// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

struct some_transaction {};
struct some_store {
    using transaction_type = some_transaction;
};
struct other_store {
    using transaction_type = int*;
};

/// The smallest writer: it knows no instance, and starts none.
struct archetype_writer {
    journal_options limits{};
    bool shares(const some_store&) { return true; }
    const journal_options& options() { return limits; }
    start_result start(some_transaction&, const new_instance&, wall_time) {
        return start_result::was_there;
    }
    reply_result reply(some_transaction&, const process_reply&, wall_time) {
        return reply_result::late;
    }
    bool cancel(some_transaction&, std::string_view, std::string_view, const failure_note&) {
        return false;
    }
};

struct writer_without_options : archetype_writer {
    void options() = delete;
};
struct writer_that_starts_outside_of_the_transaction : archetype_writer {
    start_result start(const new_instance&, wall_time) { return start_result::started; }
};
/// Cannot say that the id was taken.
struct writer_that_starts_silently : archetype_writer {
    void start(some_transaction&, const new_instance&, wall_time) {}
};
/// Cannot say that a reply was late, or that there is no room for it.
struct writer_that_replies_as_bool : archetype_writer {
    bool reply(some_transaction&, const process_reply&, wall_time) { return true; }
};
struct writer_that_reads_the_clock : archetype_writer {
    reply_result reply(some_transaction&, const process_reply&) { return reply_result::late; }
};
struct writer_that_cancels_without_a_reason : archetype_writer {
    bool cancel(some_transaction&, std::string_view, std::string_view) { return false; }
};

/// The smallest queue: there is never anything to do.
struct archetype_queue {
    shard_id shards() { return 1; }
    shard_lease holder(shard_id, steady_time) { return {}; }
    std::optional<shard_lease> take(const shard_lease&, std::string_view, steady_time) {
        return std::nullopt;
    }
    fenced_result renew(const shard_lease&, steady_time) { return fenced_result::stale; }
    fenced_result release(const shard_lease&, steady_time) { return fenced_result::stale; }
    std::optional<std::vector<journal_entry>> claim(const shard_lease&,
                                                    std::span<const std::string_view>, wall_time,
                                                    std::size_t, steady_time) {
        return std::nullopt;
    }
    std::vector<write_result> write(std::span<const journal_write>, wall_time, steady_time) {
        return {};
    }
    write_result write(some_transaction&, const journal_write&, wall_time) { return {}; }
    std::size_t purge(wall_time, std::size_t, steady_time) { return 0; }
    std::size_t purge_replies(wall_time, std::size_t, steady_time) { return 0; }
};

struct queue_without_seats : archetype_queue {
    void take() = delete;
};
/// Claims without a lease: nobody can tell whether who has an instance is alive.
struct queue_claimed_without_lease : archetype_queue {
    std::vector<journal_entry> claim(std::span<const std::string_view>, wall_time, std::size_t,
                                     steady_time) {
        return {};
    }
};
/// Cannot say that the lease has ended.
struct queue_claimed_without_an_answer_for_stale : archetype_queue {
    std::vector<journal_entry> claim(const shard_lease&, std::span<const std::string_view>,
                                     wall_time, std::size_t, steady_time) {
        return {};
    }
};
/// A step's effect and its record could come apart.
struct queue_written_apart : archetype_queue {
    std::vector<write_result> write(std::span<const journal_write>, wall_time, steady_time) {
        return {};
    }
};
/// Cannot say which of several was stale, nor that one was cancelled.
struct queue_written_as_a_whole : archetype_queue {
    fenced_result write(std::span<const journal_write>, wall_time, steady_time) {
        return fenced_result::stale;
    }
    write_result write(some_transaction&, const journal_write&, wall_time) { return {}; }
};
struct queue_that_keeps_replies_for_ever : archetype_queue {
    void purge_replies() = delete;
};

/// The smallest desk: nothing is stuck.
struct archetype_desk {
    std::optional<journal_entry> find(std::string_view, std::string_view, steady_time) {
        return std::nullopt;
    }
    std::vector<process_instance> stuck(wall_time, std::int64_t, std::size_t, steady_time) {
        return {};
    }
    bool decide(std::int64_t, epoch_number, const desk_decision&, wall_time, steady_time) {
        return false;
    }
    journal_counts counts(steady_time) { return {}; }
};

struct desk_that_lists_nothing : archetype_desk {
    void stuck() = delete;
};
struct desk_that_compares_no_epochs : archetype_desk {
    bool decide(std::int64_t, const desk_decision&, wall_time, steady_time) { return false; }
};
struct desk_without_a_page : archetype_desk {
    std::vector<process_instance> stuck(wall_time, steady_time) { return {}; }
};

struct archetype_journal : archetype_writer, archetype_queue, archetype_desk {};
struct journal_without_desk : archetype_writer, archetype_queue {};
struct journal_without_writer : archetype_queue, archetype_desk {};

struct archetype_that_wakes {
    bool wait_for_due(steady_time until);
};
struct wakes_without_a_deadline {
    bool wait_for_due();
};
struct wakes_without_an_answer {
    void wait_for_due(steady_time until);
};

}  // namespace

TEST_CASE(
    "a journal writer takes part in the transactions of its store, and says what came of it") {
    STATIC_REQUIRE(journal_writer<archetype_writer, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<archetype_writer, other_store>);
    STATIC_REQUIRE_FALSE(journal_writer<archetype_writer, int>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_without_options, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_that_starts_outside_of_the_transaction, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_that_starts_silently, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_that_replies_as_bool, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_that_reads_the_clock, some_store>);
    STATIC_REQUIRE_FALSE(journal_writer<writer_that_cancels_without_a_reason, some_store>);
}

TEST_CASE("a journal queue is claimed under a lease, and each write is answered by itself") {
    STATIC_REQUIRE(journal_queue<archetype_queue, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<archetype_queue, other_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_without_seats, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_claimed_without_lease, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_claimed_without_an_answer_for_stale, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_written_apart, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_written_as_a_whole, some_store>);
    STATIC_REQUIRE_FALSE(journal_queue<queue_that_keeps_replies_for_ever, some_store>);
}

TEST_CASE("a journal desk lists what is stuck, and lets people decide on what they saw") {
    STATIC_REQUIRE(journal_desk<archetype_desk>);
    STATIC_REQUIRE_FALSE(journal_desk<desk_that_lists_nothing>);
    STATIC_REQUIRE_FALSE(journal_desk<desk_that_compares_no_epochs>);
    STATIC_REQUIRE_FALSE(journal_desk<desk_without_a_page>);
}

TEST_CASE("a journal has all its sides") {
    STATIC_REQUIRE(journal<archetype_journal, some_store>);
    STATIC_REQUIRE_FALSE(journal<archetype_journal, other_store>);
    STATIC_REQUIRE_FALSE(journal<journal_without_desk, some_store>);
    STATIC_REQUIRE_FALSE(journal<journal_without_writer, some_store>);
}

TEST_CASE(
    "a waking journal says whether there may be something to claim, and waits no longer than "
    "told") {
    STATIC_REQUIRE(waking_journal<archetype_that_wakes>);
    STATIC_REQUIRE_FALSE(waking_journal<archetype_journal>);
    STATIC_REQUIRE_FALSE(waking_journal<wakes_without_a_deadline>);
    STATIC_REQUIRE_FALSE(waking_journal<wakes_without_an_answer>);
}
