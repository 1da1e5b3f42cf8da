// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "conformance/fresh.hpp"
#include "postgres/parts.hpp"
#include "postgres/proxy.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/testing/conformance/attempts.hpp>
#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/outbox.hpp>
#include <sinew/testing/conformance/store.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace sinew::test;
using namespace sinew::testing::conformance;
namespace postgres = sinew::postgres;

namespace {

constexpr const char* effects_table =
    "CREATE TABLE IF NOT EXISTS effects(key bytea PRIMARY KEY, value bytea NOT NULL)";

/// Nobody but the scenarios takes locks here: an autovacuum worker that cuts a table off holds one
/// that no statement passes, for longer than `lock_timeout` where it has to wait for a processor
/// meanwhile.
postgres_server& quiet_server() {
    static postgres_server one({.settings = {"autovacuum=off"}});
    return one;
}

/// What is to be refused is refused by a lock that somebody holds. Whatever else takes time takes
/// it on a busy machine, so that it does not matter how much.
struct postgres_environment : real_time {
    place here{quiet_server()};

    [[nodiscard]] static sinew::duration patience() { return std::chrono::minutes(1); }
    [[nodiscard]] postgres::store_options options() const {
        return {.schema = here.schema,
                .call_timeout = patience(),
                .lock_timeout = std::chrono::milliseconds(20)};
    }
    /// All sessions end, as they do when their processes die.
    void crash() const {
        own_connection(here.conninfo)
            .ask(
                "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE "
                "pid <> pg_backend_pid() AND backend_type = 'client backend'");
    }
};

struct postgres_store_environment : postgres_environment {
    std::unique_ptr<proxy> between = std::make_unique<proxy>(quiet_server().folder());

    [[nodiscard]] postgres::store open() const {
        postgres::store s(between->through(here.conninfo, quiet_server().folder()), options());
        s.connection().execute_script(effects_table);
        return s;
    }
    void put(postgres::transaction& tx, std::string_view key, std::string_view text) const {
        tx.execute(
            "INSERT INTO effects VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = "
            "excluded.value",
            postgres::bytea{key}, postgres::bytea{text});
    }
    std::optional<std::string> get(postgres::transaction& tx, std::string_view key) const {
        const auto row = tx.query_one<std::string>("SELECT value FROM effects WHERE key = $1",
                                                   postgres::bytea{key});
        return row ? std::optional(std::get<0>(*row)) : std::nullopt;
    }
    void lose_reply() const { between->lose_reply_to("COMMIT"); }
};

struct postgres_letters_environment : postgres_environment {
    std::optional<postgres::store> db;

    postgres::store& open_store() {
        if (!db) {
            db.emplace(here.conninfo, options());
        }
        return *db;
    }
    postgres::dead_letters open() { return open_store().dead_letters(); }
    postgres::dead_letters letters_of(postgres::store& s) const { return s.dead_letters(); }
    void crash() {
        postgres_environment::crash();
        db.reset();
    }
};

struct postgres_outbox_environment : postgres_environment {
    std::unique_ptr<proxy> between = std::make_unique<proxy>(quiet_server().folder());

    [[nodiscard]] postgres::store open() const {
        return postgres::store(between->through(here.conninfo, quiet_server().folder()), options());
    }
    [[nodiscard]] postgres::outbox outbox_of(postgres::store& s) const {
        return s.outbox("orders");
    }
    /// That to whatever is sent next: a write may be one statement, which nothing else follows.
    void lose_reply() const { between->lose_reply_to("sinew_"); }
};

struct postgres_attempts_environment : postgres_letters_environment {
    postgres::attempts open() { return open_store().attempts(); }
};

}  // namespace

TEST_CASE("postgres: the store keeps every claim") {
    const auto table = store_claims("postgres::store", fresh<postgres_store_environment>,
                                    {.connections = true,
                                     .nested = true,
                                     .inbox = true,
                                     .progress = true,
                                     .offsets = true,
                                     .consumer = true});
    INFO(table.text());
    CHECK(table.all_kept());
    CHECK(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("postgres: the dead letters keep every claim") {
    const auto table =
        dead_letters_claims("postgres::dead_letters", fresh<postgres_letters_environment>,
                            {.store = true, .in_transaction = true});
    INFO(table.text());
    CHECK(table.all_kept());
    CHECK(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("postgres: the record of attempts keeps every claim") {
    const auto table = attempts_claims("postgres::attempts", fresh<postgres_attempts_environment>);
    INFO(table.text());
    CHECK(table.all_kept());
    CHECK(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("postgres: the outbox keeps every claim") {
    const auto table = outbox_claims("postgres::outbox", fresh<postgres_outbox_environment>,
                                     {.connections = true, .nested = true});
    INFO(table.text());
    CHECK(table.all_kept());
    CHECK(table.count(claim_state::not_claimed) == 0);
}
