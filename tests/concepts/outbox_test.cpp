// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>

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

/// The smallest keeper: one shard, which nobody gets.
struct archetype_keeper {
    shard_id shards() { return 1; }
    shard_lease holder(shard_id, steady_time) { return {}; }
    std::optional<shard_lease> take(const shard_lease&, std::string_view, steady_time) {
        return std::nullopt;
    }
    fenced_result renew(const shard_lease&, steady_time) { return fenced_result::stale; }
    fenced_result release(const shard_lease&, steady_time) { return fenced_result::stale; }
};

struct keeper_without_shards : archetype_keeper {
    void shards() = delete;
};
struct keeper_without_holder : archetype_keeper {
    void holder() = delete;
};
struct keeper_without_release : archetype_keeper {
    void release() = delete;
};
/// Gives a shard to whoever asks: two that saw the same lease both get it.
struct keeper_that_does_not_ask_what_was_seen : archetype_keeper {
    std::optional<shard_lease> take(shard_id, std::string_view, steady_time) {
        return std::nullopt;
    }
};
struct keeper_that_takes_without_deadline : archetype_keeper {
    std::optional<shard_lease> take(const shard_lease&, std::string_view) { return std::nullopt; }
};
/// Cannot say that it does not know.
struct keeper_that_renews_as_bool : archetype_keeper {
    bool renew(const shard_lease&, steady_time) { return true; }
};

/// The smallest writer: it takes what it is given, and drops it.
struct archetype_writer {
    bool shares(const some_store&) { return true; }
    std::uint64_t add(some_transaction&, const event_view&, wall_time) { return 0; }
};

struct writer_without_shares : archetype_writer {
    void shares() = delete;
};
struct writer_outside_of_the_transaction : archetype_writer {
    std::uint64_t add(const event_view&, wall_time) { return 0; }
};
struct writer_that_reads_the_clock : archetype_writer {
    std::uint64_t add(some_transaction&, const event_view&) { return 0; }
};
struct writer_that_hides_the_number : archetype_writer {
    void add(some_transaction&, const event_view&, wall_time) {}
};

/// The smallest queue: there is never anything in it.
struct archetype_queue : archetype_keeper {
    std::optional<std::vector<outbox_entry>> claim(const shard_lease&, wall_time, claim_limits,
                                                   steady_time) {
        return std::nullopt;
    }
    fenced_result mark_published(const shard_lease&, std::span<const std::int64_t>, wall_time,
                                 steady_time) {
        return fenced_result::stale;
    }
    fenced_result put_off(const shard_lease&, std::int64_t, const failure_note&, duration,
                          steady_time) {
        return fenced_result::stale;
    }
    fenced_result park(const shard_lease&, std::int64_t, const failure_note&, following,
                       steady_time) {
        return fenced_result::stale;
    }
    outbox_lag lag(steady_time) { return {}; }
    std::size_t purge(wall_time, std::size_t, steady_time) { return 0; }
};

struct queue_without_leases : archetype_queue {
    void take() = delete;
};
struct queue_without_claim : archetype_queue {
    void claim() = delete;
};
/// A cursor: what commits late below it is never claimed.
struct queue_claimed_by_number : archetype_queue {
    std::vector<outbox_entry> claim(std::int64_t, std::size_t, steady_time) { return {}; }
};
/// Cannot say that the lease has ended.
struct queue_claimed_without_an_answer_for_stale : archetype_queue {
    std::vector<outbox_entry> claim(const shard_lease&, wall_time, claim_limits, steady_time) {
        return {};
    }
};
struct queue_marked_without_lease : archetype_queue {
    fenced_result mark_published(std::span<const std::int64_t>, wall_time, steady_time) {
        return fenced_result::done;
    }
};
struct queue_marked_silently : archetype_queue {
    void mark_published(const shard_lease&, std::span<const std::int64_t>, wall_time, steady_time) {
    }
};
struct queue_without_put_off : archetype_queue {
    void put_off() = delete;
};
struct queue_parked_without_a_reason : archetype_queue {
    fenced_result park(const shard_lease&, std::int64_t, steady_time) {
        return fenced_result::done;
    }
};
struct queue_without_lag : archetype_queue {
    void lag() = delete;
};
struct queue_purged_in_one_bite : archetype_queue {
    std::size_t purge(wall_time, steady_time) { return 0; }
};

/// The smallest desk: nothing is parked.
struct archetype_desk {
    std::vector<outbox_entry> parked(std::int64_t, std::size_t, steady_time) { return {}; }
    bool unpark(std::int64_t, std::uint64_t, steady_time) { return false; }
    bool discard(std::int64_t, std::uint64_t, const failure_note&, steady_time) { return false; }
};

struct desk_without_a_list : archetype_desk {
    void parked() = delete;
};
struct desk_that_compares_no_versions : archetype_desk {
    bool unpark(std::int64_t, steady_time) { return false; }
};
struct desk_that_discards_without_a_reason : archetype_desk {
    bool discard(std::int64_t, std::uint64_t, steady_time) { return false; }
};

struct archetype_outbox : archetype_writer, archetype_queue, archetype_desk {};
struct outbox_without_desk : archetype_writer, archetype_queue {};
struct outbox_without_writer : archetype_queue, archetype_desk {};

}  // namespace

TEST_CASE("a lease keeper gives a shard only to who says what it saw") {
    STATIC_REQUIRE(lease_keeper<archetype_keeper>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_without_shards>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_without_holder>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_without_release>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_that_does_not_ask_what_was_seen>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_that_takes_without_deadline>);
    STATIC_REQUIRE_FALSE(lease_keeper<keeper_that_renews_as_bool>);
}

TEST_CASE("an outbox writer adds in a transaction of its store, and says which number it gave") {
    STATIC_REQUIRE(outbox_writer<archetype_writer, some_store>);
    STATIC_REQUIRE_FALSE(outbox_writer<archetype_writer, other_store>);
    STATIC_REQUIRE_FALSE(outbox_writer<archetype_writer, int>);
    STATIC_REQUIRE_FALSE(outbox_writer<writer_without_shares, some_store>);
    STATIC_REQUIRE_FALSE(outbox_writer<writer_outside_of_the_transaction, some_store>);
    STATIC_REQUIRE_FALSE(outbox_writer<writer_that_reads_the_clock, some_store>);
    STATIC_REQUIRE_FALSE(outbox_writer<writer_that_hides_the_number, some_store>);
}

TEST_CASE("an outbox queue is read and written under a lease, and says if that has ended") {
    STATIC_REQUIRE(outbox_queue<archetype_queue>);
    STATIC_REQUIRE_FALSE(outbox_queue<archetype_keeper>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_without_leases>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_without_claim>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_claimed_by_number>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_claimed_without_an_answer_for_stale>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_marked_without_lease>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_marked_silently>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_without_put_off>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_parked_without_a_reason>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_without_lag>);
    STATIC_REQUIRE_FALSE(outbox_queue<queue_purged_in_one_bite>);
}

TEST_CASE("an outbox desk lets people decide on the version that they saw") {
    STATIC_REQUIRE(outbox_desk<archetype_desk>);
    STATIC_REQUIRE_FALSE(outbox_desk<desk_without_a_list>);
    STATIC_REQUIRE_FALSE(outbox_desk<desk_that_compares_no_versions>);
    STATIC_REQUIRE_FALSE(outbox_desk<desk_that_discards_without_a_reason>);
}

TEST_CASE("an outbox has all its sides") {
    STATIC_REQUIRE(outbox<archetype_outbox, some_store>);
    STATIC_REQUIRE_FALSE(outbox<archetype_outbox, other_store>);
    STATIC_REQUIRE_FALSE(outbox<outbox_without_desk, some_store>);
    STATIC_REQUIRE_FALSE(outbox<outbox_without_writer, some_store>);
}
