// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace memory = sinew::memory;
using sinew::applied_offsets;
using sinew::commit_result;
using sinew::event_identity;
using sinew::key_progress;
using sinew::wall_time;

namespace {

constexpr wall_time day{};
using items = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE(
    "memory: transaction 1: effects are seen by others after the commit, and then all at once") {
    memory::database data;
    memory::store writer(data);
    const memory::store reader(data);
    auto tx = writer.begin();
    tx.put("a", "1");
    tx.put("b", "2");
    tx.set_progress("c", "k", key_progress(5));
    REQUIRE(tx.get("a") == "1");
    REQUIRE(tx.progress("c", "k").next() == 5);
    REQUIRE(reader.items().empty());
    REQUIRE_FALSE(reader.progress("c", "k").is_known());

    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(reader.items() == items{{"a", "1"}, {"b", "2"}});
    REQUIRE(reader.progress("c", "k").next() == 5);
    REQUIRE(data.commits() == 1);
}

TEST_CASE("memory: transaction 2: one that read what another has changed since does not commit") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto reads = one.begin();
    REQUIRE_FALSE(reads.get("k").has_value());

    auto writes = other.begin();
    SECTION("a value that is new") { writes.put("k", "v"); }
    SECTION("a value that came and went") {
        writes.put("k", "v");
        REQUIRE(writes.commit() == commit_result::committed);
        writes = other.begin();
        writes.erase("k");
    }
    REQUIRE(writes.commit() == commit_result::committed);
    reads.put("elsewhere", "1");
    REQUIRE(reads.commit() == commit_result::aborted);
    REQUIRE_FALSE(one.get("elsewhere").has_value());
}

TEST_CASE("memory: transaction 2: a value that came and went is noticed, whoever else is done") {
    memory::database data;
    memory::store oldest(data);
    memory::store one(data);
    memory::store other(data);
    const auto write = [&](const std::string& key, bool keep) {
        auto tx = other.begin();
        keep ? tx.put(key, "v") : tx.erase(key);
        REQUIRE(tx.commit() == commit_result::committed);
    };
    auto old = oldest.begin();
    write("elsewhere", true);
    auto reads = one.begin();
    REQUIRE_FALSE(reads.get("k").has_value());
    write("k", true);
    write("k", false);
    old.rollback();
    REQUIRE_FALSE(reads.get("k").has_value());
    REQUIRE(reads.commit() == commit_result::aborted);
}

TEST_CASE("memory: transaction 2: one that only read does not commit either") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto reads = one.begin();
    static_cast<void>(reads.get("k"));
    auto writes = other.begin();
    writes.put("k", "v");
    REQUIRE(writes.commit() == commit_result::committed);
    REQUIRE(reads.commit() == commit_result::aborted);
}

TEST_CASE("memory: transaction 2: of two that write the same row the first one stands") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto a = one.begin();
    auto b = other.begin();
    a.put("k", "a");
    b.put("k", "b");
    REQUIRE(b.commit() == commit_result::committed);
    REQUIRE(a.commit() == commit_result::aborted);
    REQUIRE(one.get("k") == "b");
}

TEST_CASE("memory: transaction 2: rows that are not shared do not conflict") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto a = one.begin();
    auto b = other.begin();
    a.put("table", "k", "a");
    b.put("k", "b");
    REQUIRE(a.remember("c", {"s", "1"}, day));
    REQUIRE(b.remember("c", {"s", "2"}, day));
    a.set_offsets("c", "t", 0, applied_offsets(1, {}));
    b.set_offsets("c", "t", 1, applied_offsets(1, {}));
    REQUIRE(b.commit() == commit_result::committed);
    REQUIRE(a.commit() == commit_result::committed);
}

TEST_CASE("memory: transaction 2: there is no write skew") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto a = one.begin();
    auto b = other.begin();
    a.add("x", a.get("y") ? 0 : 1);
    b.add("y", b.get("x") ? 0 : 1);
    REQUIRE(a.commit() == commit_result::committed);
    REQUIRE(b.commit() == commit_result::aborted);
}

TEST_CASE(
    "memory: a transaction reads the state at its beginning, whatever is committed meanwhile") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    const auto write = [&](const std::string& x, const std::string& y) {
        auto tx = other.begin();
        tx.put("x", x);
        y.empty() ? tx.erase("y") : tx.put("y", y);
        REQUIRE(tx.commit() == commit_result::committed);
    };
    write("1", "1");
    auto reads = one.begin();
    REQUIRE(reads.get("x") == "1");
    write("2", "");
    memory::store third(data);
    auto later = third.begin();
    write("3", "3");
    REQUIRE(reads.get("x") == "1");
    REQUIRE(reads.get("y") == "1");
    REQUIRE(later.get("x") == "2");
    REQUIRE_FALSE(later.get("y").has_value());
    reads.rollback();
    REQUIRE(later.get("x") == "2");
    REQUIRE_FALSE(later.get("y").has_value());
    REQUIRE(later.commit() == commit_result::aborted);
    REQUIRE(one.items() == items{{"x", "3"}, {"y", "3"}});
}

TEST_CASE("memory: transaction 3: how a commit ended does not change any more") {
    memory::database data;
    std::optional<memory::store> store(data);
    auto tx = store->begin();
    tx.put("k", "1");
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(data.commits() == 1);
    store.reset();  // the process dies
    REQUIRE(memory::store(data).get("k") == "1");
}

TEST_CASE(
    "memory: transaction 4: rollback and destruction undo all; after commit they do nothing") {
    memory::store store;
    SECTION("rollback") {
        auto tx = store.begin();
        tx.put("k", "1");
        tx.rollback();
        tx.rollback();
        REQUIRE(tx.commit() == commit_result::aborted);
    }
    SECTION("destruction") {
        auto tx = store.begin();
        REQUIRE(tx.remember("c", {"s", "1"}, day));
        tx.put("k", "1");
    }
    SECTION("being overwritten by another") {
        auto tx = store.begin();
        tx.put("k", "1");
        memory::store other;
        tx = other.begin();
    }
    REQUIRE(store.size() == 0);
    REQUIRE_FALSE(store.remembers("c", {"s", "1"}));

    auto tx = store.begin();
    tx.put("k", "1");
    REQUIRE(tx.commit() == commit_result::committed);
    tx.rollback();
    REQUIRE(store.get("k") == "1");
}

TEST_CASE("memory: a transaction that has ended is not used any more") {
    memory::store store;
    auto tx = store.begin();
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE_THROWS_AS(tx.put("k", "1"), sinew::usage_error);
    REQUIRE_THROWS_AS(tx.get("k"), sinew::usage_error);
    REQUIRE_THROWS_AS(tx.nest(), sinew::usage_error);
}

TEST_CASE("memory: a transaction moves, and what it moved from is over") {
    memory::store store;
    auto tx = store.begin();
    tx.put("k", "1");
    tx.nest();
    tx.put("k", "2");
    auto moved = std::move(tx);
    tx.rollback();
    moved.undo_nested();
    REQUIRE(moved.commit() == commit_result::committed);
    REQUIRE(store.get("k") == "1");
}

TEST_CASE("memory: nestable_transaction 1: a part is undone alone, or joins the whole") {
    memory::store store;
    auto tx = store.begin();
    tx.put("before", "1");
    tx.put("both", "1");
    REQUIRE(tx.remember("c", {"s", "before"}, day));
    tx.nest();
    tx.put("both", "2");
    tx.put("both", "3");
    tx.put("inside", "1");
    tx.erase("before");
    REQUIRE(tx.remember("c", {"s", "inside"}, day));
    REQUIRE_FALSE(tx.get("before").has_value());
    SECTION("undone") {
        tx.undo_nested();
        REQUIRE(tx.get("both") == "1");
        REQUIRE(tx.remember("c", {"s", "inside"}, day));
        REQUIRE_FALSE(tx.remember("c", {"s", "before"}, day));
        REQUIRE(tx.commit() == commit_result::committed);
        REQUIRE(store.items() == items{{"before", "1"}, {"both", "1"}});
    }
    SECTION("kept") {
        tx.keep_nested();
        tx.nest();
        tx.put("inside", "undone");
        tx.undo_nested();
        REQUIRE(tx.commit() == commit_result::committed);
        REQUIRE(store.items() == items{{"both", "3"}, {"inside", "1"}});
        REQUIRE(store.remembers("c", {"s", "inside"}));
    }
    SECTION("neither: then it goes with the whole") {
        REQUIRE(tx.commit() == commit_result::committed);
        REQUIRE(store.items() == items{{"both", "3"}, {"inside", "1"}});
    }
    SECTION("one level deep") { REQUIRE_THROWS_AS(tx.nest(), sinew::usage_error); }
}

TEST_CASE("memory: nestable_transaction: what an undone part had read still counts as read") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto a = one.begin();
    a.nest();
    static_cast<void>(a.get("k"));
    a.undo_nested();
    REQUIRE_THROWS_AS(a.undo_nested(), sinew::usage_error);
    REQUIRE_THROWS_AS(a.keep_nested(), sinew::usage_error);
    auto b = other.begin();
    b.put("k", "1");
    REQUIRE(b.commit() == commit_result::committed);
    REQUIRE(a.commit() == commit_result::aborted);
}

TEST_CASE(
    "memory: inbox_transaction 1: remember answers true once; rolled back, it was never there") {
    memory::store store;
    const event_identity who{"source", "id"};
    {
        auto tx = store.begin();
        REQUIRE(tx.remember("c", who, day));
        REQUIRE_FALSE(tx.remember("c", who, day));
    }
    auto tx = store.begin();
    REQUIRE(tx.remember("c", who, day));
    REQUIRE(tx.commit() == commit_result::committed);
    tx = store.begin();
    REQUIRE_FALSE(tx.remember("c", who, day + 1h));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.inbox_size() == 1);
    REQUIRE(store.purge_inbox(day + 1h, 10) == 1);  // the second look changed nothing
}

TEST_CASE(
    "memory: inbox_transaction 1: two that remember the same event at once: one of them commits") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto a = one.begin();
    auto b = other.begin();
    REQUIRE(a.remember("c", {"s", "1"}, day));
    REQUIRE(b.remember("c", {"s", "1"}, day));
    REQUIRE(a.commit() == commit_result::committed);
    REQUIRE(b.commit() == commit_result::aborted);
    REQUIRE(one.inbox_size() == 1);
}

TEST_CASE("memory: inbox_transaction 2: identities are compared byte by byte, per consumer") {
    memory::store store;
    auto tx = store.begin();
    using namespace std::string_view_literals;
    REQUIRE(tx.remember("c", {"ab", "c"}, day));
    REQUIRE(tx.remember("c", {"a", "bc"}, day));
    REQUIRE(tx.remember("ca", {"b", "c"}, day));
    REQUIRE(tx.remember("d", {"ab", "c"}, day));
    REQUIRE(tx.remember("c", {"ab", "C"}, day));
    REQUIRE(tx.remember("c", {"ab\0"sv, "c"}, day));
    REQUIRE(tx.remember("c", {"ab", "\0c"sv}, day));
    REQUIRE(tx.remember("c", {"ab", "c\xff"}, day));
    REQUIRE_FALSE(tx.remember("c", {"ab", "c"}, day));
}

TEST_CASE("memory: progress_transaction 1: progress is what was set last, or unknown") {
    memory::store store;
    auto tx = store.begin();
    REQUIRE_FALSE(tx.progress("c", "k").is_known());
    const key_progress some(9, {{2, 3}, {5, 5}}, true);
    tx.set_progress("c", "k", key_progress(3));
    tx.set_progress("c", "k", some);
    REQUIRE(tx.progress("c", "k") == some);
    REQUIRE_FALSE(tx.progress("d", "k").is_known());
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.begin().progress("c", "k") == some);
}

TEST_CASE("memory: offsets_transaction 1: offsets are what was set last, or nothing applied") {
    memory::store store;
    auto tx = store.begin();
    REQUIRE(tx.offsets("c", "t", 1) == applied_offsets());
    const applied_offsets some(4, {{6, 8}});
    tx.set_offsets("c", "t", 1, some);
    REQUIRE(tx.offsets("c", "t", 1) == some);
    REQUIRE(tx.offsets("c", "t", 0) == applied_offsets());
    REQUIRE(tx.offsets("c", "u", 1) == applied_offsets());
    REQUIRE(tx.offsets("d", "t", 1) == applied_offsets());
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.offsets("c", "t", 1) == some);
}

TEST_CASE("memory: store 2: a store has one transaction at a time") {
    memory::store store;
    std::optional tx(store.begin());
    REQUIRE_THROWS_AS(store.begin(), sinew::usage_error);
    SECTION("committed") { REQUIRE(tx->commit() == commit_result::committed); }
    SECTION("rolled back") { tx->rollback(); }
    SECTION("destroyed") { tx.reset(); }
    SECTION("moved and committed") {
        auto moved = std::move(*tx);
        REQUIRE(moved.commit() == commit_result::committed);
    }
    REQUIRE(store.begin().commit() == commit_result::committed);
}

TEST_CASE("memory: consumer_store 1: committed progress is read while a transaction is open") {
    memory::database data;
    memory::store one(data);
    const memory::store other(data);
    auto tx = one.begin();
    tx.set_progress("c", "k", key_progress(2));
    REQUIRE(tx.commit() == commit_result::committed);
    tx = one.begin();
    tx.set_progress("c", "k", key_progress(3));
    REQUIRE(other.progress("c", "k", sinew::never).next() == 2);
    REQUIRE(tx.commit() == commit_result::committed);  // reading did not hold it up
    REQUIRE(other.progress("c", "k", sinew::never).next() == 3);
}

TEST_CASE("memory: values live in tables and are listed by key") {
    memory::store store;
    auto tx = store.begin();
    tx.put("b", "2");
    tx.put("a", "1");
    tx.put("orders", "a", "in another table");
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.items() == items{{"a", "1"}, {"b", "2"}});
    REQUIRE(store.items("orders") == items{{"a", "in another table"}});
    REQUIRE(store.size() == 2);
    REQUIRE(store.get("orders", "a") == "in another table");
    tx = store.begin();
    tx.erase("a");
    tx.erase("never there");
    tx.erase("orders", "a");
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.items() == items{{"b", "2"}});
    REQUIRE(store.size("orders") == 0);
}

TEST_CASE("memory: numbers are added to, and what is none is refused") {
    memory::store store;
    auto tx = store.begin();
    REQUIRE(tx.add("n", 5) == 5);
    REQUIRE(tx.add("n", -7) == -2);
    REQUIRE(tx.add("table", "n", 1) == 1);
    REQUIRE(tx.get("n") == "-2");
    tx.put("text", "12 apples");
    REQUIRE_THROWS_AS(tx.add("text", 1), sinew::permanent_error);
    tx.put("high", std::to_string(std::numeric_limits<long>::max()));
    REQUIRE_THROWS_AS(tx.add("high", 1), sinew::permanent_error);
    REQUIRE(tx.get("high") == std::to_string(std::numeric_limits<long>::max()));
}

TEST_CASE("memory: the inbox is purged in small bites, the oldest first") {
    memory::store store;
    for (int i = 0; i < 5; ++i) {
        auto tx = store.begin();
        REQUIRE(tx.remember("c", {"s", std::to_string(i)}, day + i * 1h));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    REQUIRE(store.purge_inbox(day + 3h, 2) == 2);
    REQUIRE_FALSE(store.remembers("c", {"s", "1"}));
    REQUIRE(store.remembers("c", {"s", "2"}));
    REQUIRE(store.purge_inbox(day + 3h, 2) == 1);
    REQUIRE(store.purge_inbox(day + 3h, 2) == 0);
    REQUIRE(store.inbox_size() == 2);
    auto tx = store.begin();
    REQUIRE(tx.remember("c", {"s", "0"}, day + 9h));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(store.inbox_size() == 3);
}

TEST_CASE("memory: a purge while somebody looks at the event: the looker is aborted") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto tx = one.begin();
    REQUIRE(tx.remember("c", {"s", "1"}, day));
    REQUIRE(tx.commit() == commit_result::committed);
    tx = one.begin();
    REQUIRE_FALSE(tx.remember("c", {"s", "1"}, day));
    REQUIRE(other.purge_inbox(day + 1h, 10) == 1);
    REQUIRE_FALSE(tx.remember("c", {"s", "1"}, day));
    REQUIRE(tx.commit() == commit_result::aborted);
}

TEST_CASE("memory: stores on one database share everything, stores of their own nothing") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    memory::store apart;
    auto tx = one.begin();
    tx.put("k", "1");
    REQUIRE(data.open_transactions() == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(data.open_transactions() == 0);
    REQUIRE(other.get("k") == "1");
    REQUIRE_FALSE(apart.get("k").has_value());
}
