// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/store.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::at;
using sinew::test::in;
using sinew::test::no_waiting;
using sinew::test::process;
using sinew::test::temp_folder;

static_assert(consumer_store<sqlite::store>);
static_assert(nestable_transaction<sqlite::transaction>);
static_assert(!std::copyable<sqlite::transaction> && !std::copyable<sqlite::store>);

constexpr event_identity first{"/shop", "1"};
constexpr event_identity second{"/shop", "2"};

std::int64_t rows_of(sqlite::store& db, const char* table = "effects") {
    return std::get<0>(
        *db.connection().query_one<std::int64_t>(std::string("SELECT count(*) FROM ") + table));
}

struct fixture {
    fixture() { db.connection().execute_script("CREATE TABLE effects(n INTEGER UNIQUE)"); }

    temp_folder folder;
    sqlite::store db{folder.file(), {.synchronous = sqlite::synchronous::normal}};
};

}  // namespace

TEST_CASE("sqlite: effects are seen by others after the commit, all at once") {
    fixture f;
    sqlite::store other(f.folder.file());
    auto tx = f.db.begin();
    tx.execute("INSERT INTO effects VALUES (1)");
    tx.execute("INSERT INTO effects VALUES (2)");
    REQUIRE(tx.remember("stock", first, at(1)));
    REQUIRE(rows_of(other) == 0);
    REQUIRE_FALSE(other.remembers("stock", first));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(rows_of(other) == 2);
    REQUIRE(other.remembers("stock", first));
}

TEST_CASE("sqlite: rollback and destruction undo everything, and after a commit do nothing") {
    fixture f;
    {
        auto tx = f.db.begin();
        tx.execute("INSERT INTO effects VALUES (1)");
        tx.rollback();
        REQUIRE(tx.commit() == commit_result::aborted);
        tx.rollback();
    }
    {
        auto tx = f.db.begin();
        tx.execute("INSERT INTO effects VALUES (2)");
        auto moved = std::move(tx);
        moved.execute("INSERT INTO effects VALUES (3)");
    }
    REQUIRE(rows_of(f.db) == 0);
    auto tx = f.db.begin();
    tx.execute("INSERT INTO effects VALUES (4)");
    REQUIRE(tx.commit() == commit_result::committed);
    tx.rollback();
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(rows_of(f.db) == 1);
}

TEST_CASE("sqlite: a transaction that has ended takes nothing more") {
    fixture f;
    auto tx = f.db.begin();
    static_cast<void>(tx.commit());
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (1)"), usage_error);
    REQUIRE_THROWS_AS(tx.remember("stock", first, at(1)), usage_error);
    REQUIRE_THROWS_AS(tx.nest(), usage_error);
    REQUIRE_THROWS_AS(tx.keep_nested(), usage_error);
    REQUIRE_THROWS_AS(tx.handle(), usage_error);
    REQUIRE(rows_of(f.db) == 0);
}

TEST_CASE("sqlite: a store has one transaction at a time") {
    fixture f;
    auto tx = f.db.begin();
    REQUIRE_THROWS_AS(f.db.begin(), usage_error);
    tx.rollback();
    REQUIRE_NOTHROW(f.db.begin());
}

TEST_CASE("sqlite: transactions of two stores run one after the other") {
    fixture f;
    sqlite::store other(f.folder.file());
    auto tx = f.db.begin();
    tx.execute("INSERT INTO effects VALUES (1)");
    REQUIRE_THROWS_AS(other.begin(no_waiting), sqlite::busy_error);
    REQUIRE(tx.commit() == commit_result::committed);
    auto next = other.begin(no_waiting);
    REQUIRE(next.query_one<std::int64_t>("SELECT count(*) FROM effects") == std::tuple(1));
}

TEST_CASE("sqlite: begin gives up at its deadline while another process holds the lock") {
    fixture f;
    process holder([&](process& self) {
        sqlite::store mine(f.folder.file());
        mine.connection().execute_script("BEGIN EXCLUSIVE");
        self.tell_parent();
        return self.wait_for_parent() == '!';
    });
    holder.wait_for_child();
    const auto before = machine_clock::now().steady;
    const auto until = later(before, 20ms);
    REQUIRE_THROWS_AS(f.db.begin(no_waiting), sqlite::busy_error);
    try {
        static_cast<void>(f.db.begin(until));
        FAIL("it was locked");
    } catch (const sqlite::busy_error& e) {
        REQUIRE(machine_clock::now().steady >= until);
        REQUIRE(e.kind() == failure_class::unavailable);
        REQUIRE(e.reason() == "sqlite_busy");
        REQUIRE(std::string(e.what()).find("test.db") != std::string::npos);
        REQUIRE(std::string(e.what()).find("BEGIN IMMEDIATE") != std::string::npos);
    }
    holder.tell_child();
    REQUIRE(holder.wait());
    REQUIRE_NOTHROW(f.db.begin(in(5s)));
}

TEST_CASE("sqlite: begin waits for a lock that is given back in time") {
    fixture f;
    process holder([&](process& self) {
        sqlite::store mine(f.folder.file());
        auto tx = mine.begin();
        tx.execute("INSERT INTO effects VALUES (7)");
        self.tell_parent();
        self.wait_for_parent();
        return tx.commit() == commit_result::committed;
    });
    holder.wait_for_child();
    holder.tell_child();
    auto tx = f.db.begin(in(30s));
    REQUIRE(tx.query_one<std::int64_t>("SELECT n FROM effects") == std::tuple(7));
    REQUIRE(holder.wait());
}

TEST_CASE("sqlite: what a killed process had not committed is gone, what it had is there") {
    fixture f;
    process victim([&](process& self) {
        sqlite::store mine(f.folder.file(), {.synchronous = sqlite::synchronous::normal});
        auto done = mine.begin();
        done.execute("INSERT INTO effects VALUES (1)");
        static_cast<void>(done.remember("stock", first, at(1)));
        if (done.commit() != commit_result::committed) {
            return false;
        }
        auto cut_off = mine.begin();
        cut_off.execute("INSERT INTO effects VALUES (2)");
        static_cast<void>(cut_off.remember("stock", second, at(1)));
        self.tell_parent();
        self.wait_for_parent();
        return true;
    });
    victim.wait_for_child();
    victim.kill();
    auto tx = f.db.begin(in(5s));
    REQUIRE_FALSE(tx.remember("stock", first, at(2)));
    REQUIRE(tx.remember("stock", second, at(2)));
    REQUIRE(tx.query<std::int64_t>("SELECT n FROM effects") ==
            std::vector{std::tuple<std::int64_t>(1)});
}

TEST_CASE("sqlite: a nested part is undone alone, or joins the whole") {
    fixture f;
    auto tx = f.db.begin();
    tx.execute("INSERT INTO effects VALUES (1)");
    tx.nest();
    REQUIRE_THROWS_AS(tx.nest(), usage_error);
    tx.execute("INSERT INTO effects VALUES (2)");
    REQUIRE(tx.remember("stock", first, at(1)));
    tx.set_progress("stock", "k", key_progress(5));
    tx.undo_nested();
    REQUIRE_THROWS_AS(tx.undo_nested(), usage_error);
    REQUIRE_THROWS_AS(tx.keep_nested(), usage_error);
    REQUIRE_FALSE(tx.progress("stock", "k").is_known());
    tx.nest();
    tx.execute("INSERT INTO effects VALUES (3)");
    tx.keep_nested();
    tx.nest();
    tx.execute("INSERT INTO effects VALUES (4)");
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.db.connection().query<int>("SELECT n FROM effects ORDER BY n") ==
            std::vector{std::tuple(1), std::tuple(3), std::tuple(4)});
    REQUIRE_FALSE(f.db.remembers("stock", first));
}

TEST_CASE("sqlite: remember answers true once, per consumer, and false changes nothing") {
    fixture f;
    {
        auto tx = f.db.begin();
        REQUIRE(tx.remember("stock", first, at(1)));
        REQUIRE_FALSE(tx.remember("stock", first, at(2)));
        REQUIRE(tx.remember("billing", first, at(2)));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    auto tx = f.db.begin();
    REQUIRE_FALSE(tx.remember("stock", first, at(3)));
    REQUIRE(tx.remember("stock", second, at(3)));
    tx.rollback();
    REQUIRE_FALSE(f.db.remembers("stock", second));
    REQUIRE(f.db.connection().query_one<wall_time>(
                "SELECT at FROM sinew_inbox WHERE consumer = 'stock'") == std::tuple(at(1)));
}

TEST_CASE(
    "sqlite: remember takes each value as it is at the call, whatever changed since the last") {
    fixture f;
    std::string consumer = "stock";
    std::string source = "/shop";
    std::string id = "1";
    auto tx = f.db.begin();
    REQUIRE(tx.remember(consumer, {source, id}, at(1)));
    id[0] = '2';
    REQUIRE(tx.remember(consumer, {source, id}, at(1)));
    consumer[0] = 'S';
    REQUIRE(tx.remember(consumer, {source, id}, at(1)));
    source[1] = 'S';
    REQUIRE(tx.remember(consumer, {source, id}, at(2)));
    f.db.connection().execute_script("PRAGMA query_only = ON");
    REQUIRE_THROWS_AS(tx.remember("billing", {"/till", "3"}, at(3)), error);
    f.db.connection().execute_script("PRAGMA query_only = OFF");
    id[0] = '4';
    REQUIRE(tx.remember(consumer, {source, id}, at(2)));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.db.connection().query<std::string, std::string, std::string, wall_time>(
                "SELECT consumer, source, id, at FROM sinew_inbox ORDER BY 3, 4, 1 DESC") ==
            std::vector<std::tuple<std::string, std::string, std::string, wall_time>>{
                {"stock", "/shop", "1", at(1)},
                {"stock", "/shop", "2", at(1)},
                {"Stock", "/shop", "2", at(1)},
                {"Stock", "/Shop", "2", at(2)},
                {"Stock", "/Shop", "4", at(2)}});
}

TEST_CASE("sqlite: identities are compared byte by byte") {
    fixture f;
    test::prop("only the same bytes are the same identity",
               [&](const std::string& source, const std::string& id, const std::string& other) {
                   auto tx = f.db.begin();
                   RC_ASSERT(tx.remember("stock", {source, id}, at(1)));
                   RC_ASSERT(!tx.remember("stock", {source, id}, at(1)));
                   RC_ASSERT(tx.remember("stock", {source, other}, at(1)) == (other != id));
                   RC_ASSERT(tx.remember("stock", {other + source, id}, at(1)) == !other.empty());
               });
    auto tx = f.db.begin();
    using namespace std::string_literals;
    const std::string odd[] = {""s,  "\0"s, "\0\0"s, "\xff\xfe"s, "\xc3\x28"s,
                               "a"s, "A"s,  "a\0b"s, "a "s,       "\xed\xa0\x80"s};
    for (const auto& id : odd) {
        REQUIRE(tx.remember("stock", {"/odd", id}, at(1)));
    }
    for (const auto& id : odd) {
        REQUIRE_FALSE(tx.remember("stock", {"/odd", id}, at(1)));
    }
}

TEST_CASE("sqlite: progress is what was last written, or unknown") {
    fixture f;
    auto tx = f.db.begin();
    REQUIRE(tx.progress("stock", "k") == key_progress());
    const key_progress with_gaps(UINT64_MAX, {{1, 1}, {5, 9}, {1ULL << 63U, (1ULL << 63U) + 2}},
                                 true);
    tx.set_progress("stock", "k", key_progress(3));
    tx.set_progress("stock", "k", with_gaps);
    tx.set_progress("stock", "", key_progress(UINT64_MAX));
    REQUIRE(tx.progress("stock", "k") == with_gaps);
    REQUIRE(tx.commit() == commit_result::committed);
    sqlite::store again(f.folder.file());
    REQUIRE(again.progress("stock", "k") == with_gaps);
    REQUIRE(again.progress("stock", "").next() == UINT64_MAX);
    REQUIRE_FALSE(again.progress("billing", "k").is_known());

    test::prop("any progress of any key comes back",
               [&](const std::string& key, const std::vector<std::uint64_t>& steps) {
                   key_progress progress(1);
                   for (const auto step : steps) {
                       progress.advance_past(step);
                   }
                   auto inner = again.begin();
                   inner.set_progress("stock", key, progress);
                   RC_ASSERT(inner.progress("stock", key) == progress);
               });
}

TEST_CASE("sqlite: applied offsets are what was last written, or nothing") {
    fixture f;
    auto tx = f.db.begin();
    REQUIRE(tx.offsets("stock", "orders", 0) == applied_offsets());
    const applied_offsets some(41, {{43, 44}, {50, INT64_MAX}});
    tx.set_offsets("stock", "orders", 4'000'000'000U, applied_offsets(7, {}));
    tx.set_offsets("stock", "orders", 4'000'000'000U, some);
    REQUIRE(tx.offsets("stock", "orders", 4'000'000'000U) == some);
    REQUIRE(tx.offsets("stock", "orders", 0) == applied_offsets());
    REQUIRE(tx.offsets("stock", "other", 4'000'000'000U) == applied_offsets());
    REQUIRE(tx.offsets("billing", "orders", 4'000'000'000U) == applied_offsets());
}

TEST_CASE("sqlite: committed progress is read beside an open transaction") {
    fixture f;
    {
        auto tx = f.db.begin();
        tx.set_progress("stock", "k", key_progress(2));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    auto tx = f.db.begin();
    tx.set_progress("stock", "k", key_progress(3));
    REQUIRE(f.db.progress("stock", "k", no_waiting).next() == 2);
    sqlite::store other(f.folder.file());
    REQUIRE(other.progress("stock", "k", no_waiting).next() == 2);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.db.progress("stock", "k", no_waiting).next() == 3);
}

TEST_CASE("sqlite: a database without a file serves as a store, but not beside a transaction") {
    sqlite::store db(":memory:");
    {
        auto tx = db.begin();
        tx.set_progress("stock", "k", key_progress(2));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    REQUIRE(db.progress("stock", "k").next() == 2);
    auto tx = db.begin();
    REQUIRE_THROWS_AS(db.progress("stock", "k"), usage_error);
}

TEST_CASE("sqlite: purging forgets what is older, in bites, and nothing else") {
    fixture f;
    {
        auto tx = f.db.begin();
        for (int i = 0; i < 100; ++i) {
            const std::string id = std::to_string(i);
            REQUIRE(tx.remember(i % 2 == 0 ? "stock" : "billing", {"/shop", id}, at(i)));
        }
        REQUIRE(tx.commit() == commit_result::committed);
    }
    std::size_t gone = 0;
    std::size_t calls = 0;
    while (gone < 60 && calls < 100) {
        const std::size_t bite = f.db.purge_inbox(at(60), 7);
        REQUIRE(bite <= 7);
        gone += bite;
        ++calls;
    }
    REQUIRE(gone == 60);
    REQUIRE(calls >= 9);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(f.db.purge_inbox(at(60), 1000) == 0);
    }
    REQUIRE(f.db.inbox_size() == 40);
    REQUIRE_FALSE(f.db.remembers("billing", {"/shop", "59"}));
    REQUIRE(f.db.remembers("stock", {"/shop", "60"}));

    auto tx = f.db.begin();
    REQUIRE_THROWS_AS(f.db.purge_inbox(at(99), 1), unavailable_error);
}

TEST_CASE("sqlite: a handler's own statements") {
    fixture f;
    f.db.connection().execute_script("CREATE TABLE stock(sku TEXT PRIMARY KEY, n, price, raw)");
    using namespace std::string_literals;
    auto tx = f.db.begin();
    const std::string raw = "\0\xff\x80 raw"s;
    REQUIRE(tx.execute("INSERT INTO stock VALUES (?, ?, ?, ?)", "a", 3, 2.5, as_bytes(raw)) == 1);
    REQUIRE(tx.execute("INSERT INTO stock VALUES (?, ?, ?, ?)", "b"s, std::optional<int>(), nullptr,
                       sqlite::blob{raw}) == 1);
    REQUIRE(tx.execute("INSERT INTO stock VALUES (?, ?, ?, ?)", std::string_view(), true,
                       UINT64_MAX, at(9)) == 1);
    REQUIRE(tx.execute("UPDATE stock SET n = 0 WHERE sku = ?", "nobody") == 0);
    REQUIRE(tx.query_one<std::int64_t, double, std::string>(
                "SELECT n, price, raw FROM stock WHERE sku = ?", "a") == std::tuple(3, 2.5, raw));
    REQUIRE_FALSE(tx.query_one<std::int64_t>("SELECT n FROM stock WHERE sku = 'c'"));
    REQUIRE(tx.query_one<std::optional<int>, std::optional<double>>(
                "SELECT n, price FROM stock WHERE sku = ?", std::string("b")) ==
            std::tuple(std::nullopt, std::nullopt));
    REQUIRE(tx.query_one<bool, std::uint64_t, wall_time>(
                "SELECT n, price, raw FROM stock WHERE sku = ''") ==
            std::tuple(true, UINT64_MAX, at(9)));
    std::string seen;
    tx.for_each<std::string_view>("SELECT sku FROM stock ORDER BY sku", [&](std::string_view sku) {
        // The same statement within itself.
        tx.for_each<std::string>("SELECT sku FROM stock ORDER BY sku",
                                 [&](const std::string& inner) { seen += inner; });
        seen.append(sku).append(";");
    });
    REQUIRE(seen == "ab;aba;abb;");
    REQUIRE(sqlite3_get_autocommit(tx.handle()) == 0);
}

TEST_CASE("sqlite: mistakes in a handler's statements are told, and the transaction goes on") {
    fixture f;
    auto tx = f.db.begin();
    REQUIRE_THROWS_AS(tx.execute("NO SUCH VERB"), sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.execute(""), sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (1); DELETE FROM effects"),
                      sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (?)"), sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (?)", 1, 2), sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.query_one<int>("SELECT NULL"), sqlite::sql_error);
    REQUIRE_THROWS_AS((tx.query_one<int, int>("SELECT 1")), sqlite::sql_error);
    REQUIRE_THROWS_AS(tx.query_one<int>("SELECT 5000000000"), sqlite::sql_error);
    try {
        tx.execute("INSERT INTO nowhere VALUES (?)", "a secret of the event");
        FAIL("there is no such table");
    } catch (const sqlite::sql_error& e) {
        REQUIRE(e.kind() == failure_class::transient);
        const std::string text = e.what();
        REQUIRE(text.find("no such table: nowhere") != std::string::npos);
        REQUIRE(text.find("secret") == std::string::npos);
    }
    tx.execute("INSERT INTO effects VALUES (1);  ");
    try {
        tx.execute("INSERT INTO effects VALUES (1)");
        FAIL("1 is there");
    } catch (const sqlite::constraint_error& e) {
        REQUIRE(e.kind() == failure_class::permanent);
        REQUIRE(e.reason() == "constraint");
        REQUIRE(e.code() == SQLITE_CONSTRAINT_UNIQUE);
    }
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(rows_of(f.db) == 1);
}

TEST_CASE("sqlite: many different statements keep the cache within its bound") {
    fixture f;
    auto tx = f.db.begin();
    for (int i = 0; i < 500; ++i) {
        REQUIRE(tx.query_one<int>("SELECT " + std::to_string(i)) == std::tuple(i));
    }
    int kept = 0;
    for (auto* one = sqlite3_next_stmt(tx.handle(), nullptr); one != nullptr;
         one = sqlite3_next_stmt(tx.handle(), one)) {
        ++kept;
    }
    REQUIRE(kept <= static_cast<int>(sqlite::connection::statements_max) + 20);
}

TEST_CASE("sqlite: a transaction that SQLite gave up swallows nothing that follows") {
    fixture f;
    f.db.connection().execute_script(
        "CREATE TRIGGER give_up BEFORE INSERT ON effects WHEN new.n = 13 "
        "BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END");
    auto tx = f.db.begin();
    tx.execute("INSERT INTO effects VALUES (1)");
    tx.nest();
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (13)"), sqlite::constraint_error);
    REQUIRE_THROWS_AS(tx.execute("INSERT INTO effects VALUES (2)"), sqlite::transaction_lost_error);
    REQUIRE_NOTHROW(tx.undo_nested());
    REQUIRE_THROWS_AS(tx.nest(), sqlite::transaction_lost_error);
    REQUIRE_THROWS_AS(tx.remember("stock", first, at(1)), sqlite::transaction_lost_error);
    REQUIRE_THROWS_AS(tx.handle(), sqlite::transaction_lost_error);
    REQUIRE(tx.commit() == commit_result::aborted);
    REQUIRE(f.db.last_commit_failure()->reason == "transaction_lost");
    REQUIRE(rows_of(f.db) == 0);
    REQUIRE_FALSE(f.db.remembers("stock", first));
}

TEST_CASE("sqlite: a store on the service's own connection leaves it as it was") {
    temp_folder folder;
    sqlite3* mine = nullptr;
    REQUIRE(sqlite3_open(folder.file().c_str(), &mine) == SQLITE_OK);
    sqlite3_busy_timeout(mine, 1234);
    {
        sqlite::store db(mine, {.prefix = "Orders_"});
        REQUIRE(db.connection().handle() == mine);
        auto tx = db.begin();
        REQUIRE(tx.remember("stock", first, at(1)));
        tx.set_progress("stock", "k", key_progress(2));
        REQUIRE(db.progress("stock", "k", no_waiting) == key_progress());
        REQUIRE(tx.commit() == commit_result::committed);
        REQUIRE(db.progress("stock", "k", no_waiting) == key_progress(2));
        sqlite3_exec(mine, "BEGIN", nullptr, nullptr, nullptr);
        REQUIRE_THROWS_AS(db.begin(), usage_error);
        sqlite3_exec(mine, "COMMIT", nullptr, nullptr, nullptr);
        REQUIRE_NOTHROW(db.begin());
    }
    const auto ask = [&](const char* sql) {
        std::string answer;
        sqlite3_exec(
            mine, sql,
            [](void* to, int, char** values, char**) {
                *static_cast<std::string*>(to) = values[0];
                return 0;
            },
            &answer, nullptr);
        return answer;
    };
    REQUIRE(ask("PRAGMA journal_mode") == "delete");
    REQUIRE(ask("PRAGMA busy_timeout") == "1234");
    REQUIRE(ask("SELECT count(*) FROM Orders_inbox") == "1");
    REQUIRE(sqlite3_close(mine) == SQLITE_OK);
}

TEST_CASE("sqlite: a commit that readers hold up is aborted, and its effects are nowhere") {
    // Without WAL a commit needs all readers to be gone.
    temp_folder folder;
    sqlite3* mine = nullptr;
    REQUIRE(sqlite3_open(folder.file().c_str(), &mine) == SQLITE_OK);
    {
        sqlite::store db(mine, {.busy_timeout = 10ms});
        sqlite3* reader = nullptr;
        REQUIRE(sqlite3_open(folder.file().c_str(), &reader) == SQLITE_OK);
        REQUIRE(sqlite3_exec(reader, "BEGIN; SELECT * FROM sinew_inbox", nullptr, nullptr,
                             nullptr) == SQLITE_OK);
        {
            auto tx = db.begin();
            REQUIRE(tx.remember("stock", first, at(1)));
            REQUIRE(tx.commit() == commit_result::aborted);
        }
        REQUIRE(db.last_commit_failure()->reason == "sqlite_busy");
        REQUIRE_FALSE(db.remembers("stock", first));
        sqlite3_close(reader);
        auto tx = db.begin();
        REQUIRE(tx.remember("stock", first, at(1)));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    REQUIRE(sqlite3_close(mine) == SQLITE_OK);
}

TEST_CASE("sqlite: synchronous is full unless it is said otherwise, and files are in WAL mode") {
    temp_folder folder;
    sqlite::store careful(folder.file());
    REQUIRE(careful.connection().query_one<int>("PRAGMA synchronous") == std::tuple(2));
    REQUIRE(careful.connection().query_one<std::string>("PRAGMA journal_mode") ==
            std::tuple("wal"));
    sqlite::store quick(folder.file(), {.synchronous = sqlite::synchronous::normal});
    REQUIRE(quick.connection().query_one<int>("PRAGMA synchronous") == std::tuple(1));
}

TEST_CASE("sqlite: handles keep what they need when the store object is gone or moved") {
    fixture f;
    auto first_store = std::make_unique<sqlite::store>(f.folder.file());
    auto letters = first_store->dead_letters();
    auto attempts = first_store->attempts();
    sqlite::store moved(std::move(*first_store));
    first_store.reset();
    REQUIRE(letters.shares(moved));
    REQUIRE_FALSE(letters.shares(f.db));
    REQUIRE_FALSE(attempts.opened("stock", "orders", 0));
    REQUIRE(letters.size() == 0);
}
