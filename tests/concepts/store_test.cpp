// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/store.hpp>

#include <string_view>

using namespace sinew;

namespace {

/// The smallest transaction: it never commits.
struct archetype_transaction {
    commit_result commit() noexcept { return commit_result::aborted; }
    void rollback() noexcept {}
};

struct transaction_without_commit : archetype_transaction {
    void commit(int) noexcept {}
};
struct transaction_whose_commit_is_bool : archetype_transaction {
    bool commit() noexcept { return false; }
};
struct transaction_whose_commit_is_silent : archetype_transaction {
    void commit() noexcept {}
};
struct transaction_whose_commit_throws : archetype_transaction {
    commit_result commit() { return commit_result::aborted; }
};
struct transaction_without_rollback : archetype_transaction {
    void rollback(int) noexcept {}
};
struct transaction_whose_rollback_throws : archetype_transaction {
    void rollback() {}
};
struct transaction_that_stays_where_it_is : archetype_transaction {
    transaction_that_stays_where_it_is(transaction_that_stays_where_it_is&&) = delete;
};

/// The smallest transactions of each further kind.
struct archetype_nestable : archetype_transaction {
    void nest() {}
    void keep_nested() {}
    void undo_nested() {}
};
struct archetype_inbox : archetype_transaction {
    bool remember(std::string_view, event_identity, wall_time) { return true; }
};
struct archetype_progress : archetype_transaction {
    key_progress progress(std::string_view, std::string_view) { return {}; }
    void set_progress(std::string_view, std::string_view, const key_progress&) {}
};
struct archetype_offsets : archetype_transaction {
    applied_offsets offsets(std::string_view, std::string_view, partition_id) { return {}; }
    void set_offsets(std::string_view, std::string_view, partition_id, const applied_offsets&) {}
};

struct nestable_without_nest : archetype_nestable {
    void nest(int) {}
};
struct nestable_without_keep : archetype_nestable {
    void keep_nested(int) {}
};
struct nestable_without_undo : archetype_nestable {
    void undo_nested(int) {}
};
struct nestable_that_is_no_transaction {
    void nest() {}
    void keep_nested() {}
    void undo_nested() {}
};

struct inbox_that_is_silent : archetype_inbox {
    void remember(std::string_view, event_identity, wall_time) {}
};
struct inbox_without_consumer : archetype_inbox {
    bool remember(event_identity, wall_time) { return true; }
};
struct inbox_without_time : archetype_inbox {
    bool remember(std::string_view, event_identity) { return true; }
};
struct inbox_of_ids_alone : archetype_inbox {
    bool remember(std::string_view, std::string_view, wall_time) { return true; }
};

struct progress_that_cannot_be_read : archetype_progress {
    void progress() = delete;
};
struct progress_that_cannot_be_set : archetype_progress {
    void set_progress() = delete;
};
struct progress_that_is_a_number : archetype_progress {
    int progress(std::string_view, std::string_view) { return 0; }
};
struct progress_without_consumer : archetype_progress {
    key_progress progress(std::string_view) { return {}; }
};

struct offsets_that_cannot_be_read : archetype_offsets {
    void offsets() = delete;
};
struct offsets_that_cannot_be_set : archetype_offsets {
    void set_offsets() = delete;
};
struct offsets_that_are_a_watermark : archetype_offsets {
    log_offset offsets(std::string_view, std::string_view, partition_id) { return 0; }
};
struct offsets_without_topic : archetype_offsets {
    applied_offsets offsets(std::string_view, partition_id) { return {}; }
};

/// The smallest store, and the smallest that a consumer can use.
template <class Transaction>
struct archetype_store {
    using transaction_type = Transaction;
    Transaction begin(steady_time) { return {}; }
};

struct archetype_consumer_transaction {
    commit_result commit() noexcept { return commit_result::aborted; }
    void rollback() noexcept {}
    bool remember(std::string_view, event_identity, wall_time) { return true; }
    key_progress progress(std::string_view, std::string_view) { return {}; }
    void set_progress(std::string_view, std::string_view, const key_progress&) {}
    applied_offsets offsets(std::string_view, std::string_view, partition_id) { return {}; }
    void set_offsets(std::string_view, std::string_view, partition_id, const applied_offsets&) {}
};

template <class Transaction>
struct archetype_consumer_store : archetype_store<Transaction> {
    key_progress progress(std::string_view, std::string_view, steady_time) { return {}; }
};

struct store_without_transaction_type {
    archetype_transaction begin(steady_time) { return {}; }
};
struct store_without_begin : archetype_store<archetype_transaction> {
    void begin() = delete;
};
struct store_that_begins_without_deadline : archetype_store<archetype_transaction> {
    archetype_transaction begin() { return {}; }
};
struct store_that_begins_something_else : archetype_store<archetype_transaction> {
    archetype_inbox begin(steady_time) { return {}; }
};

struct forgets_identities : archetype_consumer_transaction {
    void remember() = delete;
};
struct forgets_progress : archetype_consumer_transaction {
    void set_progress() = delete;
};
struct forgets_offsets : archetype_consumer_transaction {
    void set_offsets() = delete;
};
struct store_that_reads_progress_without_deadline
    : archetype_store<archetype_consumer_transaction> {
    key_progress progress(std::string_view, std::string_view) { return {}; }
};

}  // namespace

TEST_CASE("a transaction commits or rolls back, and throws at neither") {
    STATIC_REQUIRE(transaction<archetype_transaction>);
    STATIC_REQUIRE_FALSE(transaction<transaction_without_commit>);
    STATIC_REQUIRE_FALSE(transaction<transaction_whose_commit_throws>);
    STATIC_REQUIRE_FALSE(transaction<transaction_without_rollback>);
    STATIC_REQUIRE_FALSE(transaction<transaction_whose_rollback_throws>);
    STATIC_REQUIRE_FALSE(transaction<transaction_that_stays_where_it_is>);
}

TEST_CASE("a transaction whose commit cannot answer unknown is none") {
    STATIC_REQUIRE_FALSE(transaction<transaction_whose_commit_is_bool>);
    STATIC_REQUIRE_FALSE(transaction<transaction_whose_commit_is_silent>);
}

TEST_CASE("a nestable transaction can open a part, keep it and undo it") {
    STATIC_REQUIRE(nestable_transaction<archetype_nestable>);
    STATIC_REQUIRE_FALSE(nestable_transaction<archetype_transaction>);
    STATIC_REQUIRE_FALSE(nestable_transaction<nestable_without_nest>);
    STATIC_REQUIRE_FALSE(nestable_transaction<nestable_without_keep>);
    STATIC_REQUIRE_FALSE(nestable_transaction<nestable_without_undo>);
    STATIC_REQUIRE_FALSE(nestable_transaction<nestable_that_is_no_transaction>);
}

TEST_CASE("an inbox transaction remembers an identity for a consumer, and says if it is new") {
    STATIC_REQUIRE(inbox_transaction<archetype_inbox>);
    STATIC_REQUIRE_FALSE(inbox_transaction<archetype_transaction>);
    STATIC_REQUIRE_FALSE(inbox_transaction<inbox_that_is_silent>);
    STATIC_REQUIRE_FALSE(inbox_transaction<inbox_without_consumer>);
    STATIC_REQUIRE_FALSE(inbox_transaction<inbox_without_time>);
    STATIC_REQUIRE_FALSE(inbox_transaction<inbox_of_ids_alone>);
}

TEST_CASE("a progress transaction reads and sets a key's progress for a consumer") {
    STATIC_REQUIRE(progress_transaction<archetype_progress>);
    STATIC_REQUIRE_FALSE(progress_transaction<archetype_transaction>);
    STATIC_REQUIRE_FALSE(progress_transaction<progress_that_cannot_be_read>);
    STATIC_REQUIRE_FALSE(progress_transaction<progress_that_cannot_be_set>);
    STATIC_REQUIRE_FALSE(progress_transaction<progress_that_is_a_number>);
    STATIC_REQUIRE_FALSE(progress_transaction<progress_without_consumer>);
}

TEST_CASE("an offsets transaction reads and sets a partition's offsets for a consumer") {
    STATIC_REQUIRE(offsets_transaction<archetype_offsets>);
    STATIC_REQUIRE_FALSE(offsets_transaction<archetype_transaction>);
    STATIC_REQUIRE_FALSE(offsets_transaction<offsets_that_cannot_be_read>);
    STATIC_REQUIRE_FALSE(offsets_transaction<offsets_that_cannot_be_set>);
    STATIC_REQUIRE_FALSE(offsets_transaction<offsets_that_are_a_watermark>);
    STATIC_REQUIRE_FALSE(offsets_transaction<offsets_without_topic>);
}

TEST_CASE("a store opens its transactions by a deadline") {
    STATIC_REQUIRE(store<archetype_store<archetype_transaction>>);
    STATIC_REQUIRE_FALSE(store<store_without_transaction_type>);
    STATIC_REQUIRE_FALSE(store<store_without_begin>);
    STATIC_REQUIRE_FALSE(store<store_that_begins_without_deadline>);
    STATIC_REQUIRE_FALSE(store<store_that_begins_something_else>);
    STATIC_REQUIRE_FALSE(store<archetype_store<transaction_whose_commit_is_bool>>);
}

TEST_CASE("a consumer store remembers identities, progress and offsets in one transaction") {
    STATIC_REQUIRE(consumer_store<archetype_consumer_store<archetype_consumer_transaction>>);
    STATIC_REQUIRE_FALSE(consumer_store<archetype_store<archetype_consumer_transaction>>);
    STATIC_REQUIRE_FALSE(consumer_store<store_that_reads_progress_without_deadline>);
    STATIC_REQUIRE_FALSE(consumer_store<archetype_consumer_store<forgets_identities>>);
    STATIC_REQUIRE_FALSE(consumer_store<archetype_consumer_store<forgets_progress>>);
    STATIC_REQUIRE_FALSE(consumer_store<archetype_consumer_store<forgets_offsets>>);
}
