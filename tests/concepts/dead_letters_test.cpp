// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/store.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

/// The smallest place: it never answers.
struct archetype_place {
    put_result put(const dead_letter_record&, steady_time) { return put_result::unknown; }
};

struct place_without_put {};
struct place_whose_answer_is_bool {
    bool put(const dead_letter_record&, steady_time) { return true; }
};
struct place_that_is_silent {
    void put(const dead_letter_record&, steady_time) {}
};
struct place_without_deadline {
    put_result put(const dead_letter_record&) { return put_result::unknown; }
};
struct place_that_takes_the_event_alone {
    put_result put(const event&, steady_time) { return put_result::unknown; }
};

/// The smallest dead-letter store: there is never a letter in it.
struct archetype_letters : archetype_place {
    std::vector<dead_letter_entry> find(const dead_letter_filter&, std::int64_t, std::size_t) {
        return {};
    }
    std::vector<dead_letter_count> counts(const dead_letter_filter&) { return {}; }
    bool move(std::int64_t, std::uint64_t, dead_letter_state, const failure_note*) { return false; }
    std::optional<dead_letter_entry> requested(std::string_view) { return std::nullopt; }
    bool holds(std::string_view, std::string_view) { return false; }
};

struct letters_without_put : archetype_letters {
    void put() = delete;
};
struct letters_without_find : archetype_letters {
    void find() = delete;
};
struct letters_found_without_limit : archetype_letters {
    std::vector<dead_letter_entry> find(const dead_letter_filter&, std::int64_t) { return {}; }
};
struct letters_without_counts : archetype_letters {
    void counts() = delete;
};
struct letters_without_move : archetype_letters {
    void move() = delete;
};
struct letters_moved_without_version : archetype_letters {
    bool move(std::int64_t, dead_letter_state, const failure_note*) { return false; }
};
struct letters_moved_silently : archetype_letters {
    void move(std::int64_t, std::uint64_t, dead_letter_state, const failure_note*) {}
};
struct letters_without_requested : archetype_letters {
    void requested() = delete;
};
struct letters_requested_as_a_list : archetype_letters {
    std::vector<dead_letter_entry> requested(std::string_view) { return {}; }
};
struct letters_without_holds : archetype_letters {
    void holds() = delete;
};

struct some_transaction {
    commit_result commit() noexcept { return commit_result::aborted; }
    void rollback() noexcept {}
};
struct some_store {
    using transaction_type = some_transaction;
    some_transaction begin(steady_time) { return {}; }
};
struct other_transaction {
    commit_result commit() noexcept { return commit_result::aborted; }
    void rollback() noexcept {}
};
struct other_store {
    using transaction_type = other_transaction;
    other_transaction begin(steady_time) { return {}; }
};

/// The smallest that can be written in the transactions of `some_store`.
struct archetype_shared : archetype_letters {
    using archetype_letters::holds;
    using archetype_letters::move;
    using archetype_letters::put;

    bool shares(const some_store&) { return false; }
    void put(some_transaction&, const dead_letter_record&) {}
    bool move(some_transaction&, std::int64_t, std::uint64_t, dead_letter_state,
              const failure_note*) {
        return false;
    }
    bool holds(some_transaction&, std::string_view, std::string_view) { return false; }
};

struct shared_without_shares : archetype_shared {
    void shares() = delete;
};
struct shared_without_put : archetype_shared {
    put_result put(const dead_letter_record&, steady_time) { return put_result::unknown; }
};
struct shared_without_move : archetype_shared {
    bool move(std::int64_t, std::uint64_t, dead_letter_state, const failure_note*) { return false; }
};
struct shared_without_holds : archetype_shared {
    bool holds(std::string_view, std::string_view) { return false; }
};

}  // namespace

TEST_CASE("a dead-letter place takes a whole letter by a deadline, and says if it has it") {
    STATIC_REQUIRE(dead_letter_place<archetype_place>);
    STATIC_REQUIRE_FALSE(dead_letter_place<place_without_put>);
    STATIC_REQUIRE_FALSE(dead_letter_place<place_whose_answer_is_bool>);
    STATIC_REQUIRE_FALSE(dead_letter_place<place_that_is_silent>);
    STATIC_REQUIRE_FALSE(dead_letter_place<place_without_deadline>);
    STATIC_REQUIRE_FALSE(dead_letter_place<place_that_takes_the_event_alone>);
}

TEST_CASE("a dead-letter store can be looked through, and letters moved in it") {
    STATIC_REQUIRE(dead_letter_store<archetype_letters>);
    STATIC_REQUIRE_FALSE(dead_letter_store<archetype_place>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_put>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_find>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_found_without_limit>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_counts>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_move>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_requested>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_requested_as_a_list>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_without_holds>);
}

TEST_CASE("a dead-letter store that moves without comparing versions is none") {
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_moved_without_version>);
    STATIC_REQUIRE_FALSE(dead_letter_store<letters_moved_silently>);
}

TEST_CASE("dead letters in a transaction are put, moved and looked for in that of their store") {
    STATIC_REQUIRE(store<some_store>);
    STATIC_REQUIRE(dead_letters_in_transaction<archetype_shared, some_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<archetype_shared, other_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<archetype_letters, some_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<shared_without_shares, some_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<shared_without_put, some_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<shared_without_move, some_store>);
    STATIC_REQUIRE_FALSE(dead_letters_in_transaction<shared_without_holds, some_store>);
}
