// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables that the library makes: their schema and their version.
///
/// | table | key | what it keeps |
/// | --- | --- | --- |
/// | `inbox` | consumer, source, id | when the event was applied |
/// | `progress` | consumer, key | where the key stands in its sequence |
/// | `offsets` | consumer, topic, partition | what of the partition was applied |
/// | `dead_letters` | number | the letter, whole |
/// | `open_partitions` | consumer, topic, partition | somebody works on it |
/// | `attempts` | consumer, topic, partition, offset | how often the event was begun |
/// | `outboxes` | box | its name and its number of shards |
/// | `outbox_rows` | (number) | events, and what became of them |
/// | `outbox_keys` | box, key | how far the key's events are numbered |
/// | `outbox_leases` | box, shard | who publishes |
/// | `journals` | book | its name and its number of seats |
/// | `journal_seats` | book, seat | which runner sits there |
/// | `journal_instances` | number; book, type, id | what an instance was started with |
/// | `journal_states` | number | where it stands, and who has it |
/// | `journal_records` | number, place | what became of its steps |
/// | `journal_replies` | number, phase, step | the replies to its steps |
/// | `meta` | name | the version of each part |
///
/// Texts are kept as bytea: they come from strangers, and text columns take neither a NUL nor what
/// is no UTF-8. To look at one by hand: `SELECT encode(id, 'escape')`. An index takes 2.7 kB, so a
/// key of more than 800 bytes is kept as its first 769 and its SHA-256, which no key of up to 800
/// bytes can equal. Instants are microseconds since 1970. 64-bit unsigned numbers are kept by their
/// bit pattern.
///
/// Those of an outbox, and those of a journal, are made when one is first asked for.
///
/// **Guarantees.** Two processes that start at once make the tables once. Those of an older version
/// are brought to this one, and nothing that is in them is lost. Tables of a newer version are
/// refused, with both versions in the message, and not touched.

#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/core/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::postgres {

namespace detail {

/// Names of tables in the user's schema.
class naming {
public:
    /// **On failure.** Throws `usage_error` unless the schema is a letter or `_`, followed by at
    /// most 62 letters, digits and `_`; names that begin with `pg_` belong to PostgreSQL.
    explicit naming(std::string schema) : schema_(std::move(schema)) {
        const auto is_letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        };
        bool good = !schema_.empty() && schema_.size() <= 63 && is_letter(schema_.front());
        for (const char c : schema_) {
            good = good && (is_letter(c) || (c >= '0' && c <= '9'));
        }
        if (!good || schema_.starts_with("pg_")) {
            throw usage_error(
                "postgres: option schema has to be a letter or _ and at most 62 letters, digits "
                "and _, and not begin with pg_");
        }
    }

    [[nodiscard]] const std::string& schema() const noexcept { return schema_; }

    /// Puts the names into a statement: `~inbox` becomes `"<schema>"."inbox"`.
    [[nodiscard]] std::string operator()(std::string_view sql) const {
        std::string out;
        out.reserve(sql.size() + 64);
        for (std::size_t i = 0; i < sql.size(); ++i) {
            if (sql[i] != '~') {
                out += sql[i];
                continue;
            }
            out.append("\"").append(schema_).append("\".\"");
            while (i + 1 < sql.size() &&
                   (sql[i + 1] == '_' || (sql[i + 1] >= 'a' && sql[i + 1] <= 'z'))) {
                out += sql[++i];
            }
            out += '"';
        }
        return out;
    }

private:
    std::string schema_;
};

/// Tables that belong together and have one version.
struct schema_part {
    std::string_view name;
    std::int64_t version = 0;
    std::string_view script;
    /// What makes version 2 of version 1, if there is one.
    std::string_view upgrade{};
    /// What comes behind either.
    std::string_view also{};
};

// The inbox has no B-tree on `at`: a BRIN index costs next to nothing for each event, and finds
// what is old because rows lie in the order in which they came.
inline constexpr schema_part consumer_schema{"consumer", 1, R"(
CREATE FUNCTION ~key_of(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$SELECT CASE WHEN pg_catalog.octet_length($1) > 800
    THEN pg_catalog.substring($1, 1, 769) || pg_catalog.sha256($1) ELSE $1 END$$;
CREATE TABLE ~inbox(
    consumer bytea NOT NULL, source bytea NOT NULL, id bytea NOT NULL, at bigint NOT NULL,
    PRIMARY KEY(consumer, source, id));
CREATE INDEX inbox_by_time ON ~inbox USING brin(at) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE ~progress(
    consumer bytea NOT NULL, key bytea NOT NULL, next bigint NOT NULL, merged boolean NOT NULL,
    gaps bytea NOT NULL, PRIMARY KEY(consumer, key)) WITH (fillfactor = 70);
CREATE TABLE ~offsets(
    consumer bytea NOT NULL, topic bytea NOT NULL, partition bigint NOT NULL,
    through bigint NOT NULL, beyond bytea NOT NULL, PRIMARY KEY(consumer, topic, partition))
    WITH (fillfactor = 50);
CREATE TABLE ~dead_letters(
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version bigint NOT NULL,
    state smallint NOT NULL, consumer bytea NOT NULL, topic bytea NOT NULL,
    partition bigint NOT NULL, "offset" bigint NOT NULL, reason bytea NOT NULL,
    kind smallint NOT NULL, attempts bigint NOT NULL, first_failure bigint NOT NULL,
    last_failure bigint NOT NULL, history bytea NOT NULL, id bytea NOT NULL,
    source bytea NOT NULL, type bytea NOT NULL, subject bytea NOT NULL, time bytea NOT NULL,
    datacontenttype bytea NOT NULL, dataschema bytea NOT NULL, data bytea NOT NULL,
    partitionkey bytea NOT NULL, sequence bytea NOT NULL, correlationid bytea NOT NULL,
    causationid bytea NOT NULL, traceparent bytea NOT NULL, headers bytea NOT NULL);
CREATE UNIQUE INDEX dead_letters_by_identity
    ON ~dead_letters(consumer, ~key_of(source), ~key_of(id)) WHERE source <> '' AND id <> '';
CREATE UNIQUE INDEX dead_letters_by_place
    ON ~dead_letters(consumer, topic, partition, "offset") WHERE source = '' OR id = '';
CREATE INDEX dead_letters_by_state ON ~dead_letters(consumer, state, number);
CREATE INDEX dead_letters_held ON ~dead_letters(consumer, ~key_of(partitionkey)) WHERE state < 3;
CREATE TABLE ~open_partitions(
    consumer bytea NOT NULL, topic bytea NOT NULL, partition bigint NOT NULL,
    PRIMARY KEY(consumer, topic, partition));
CREATE TABLE ~attempts(
    consumer bytea NOT NULL, topic bytea NOT NULL, partition bigint NOT NULL,
    "offset" bigint NOT NULL, starts bigint NOT NULL, at bigint NOT NULL,
    PRIMARY KEY(consumer, topic, partition, "offset"));
)"};

// Entries are found by their state, through indexes that hold only those that wait or are parked,
// those that are parked or were put off, large ones that wait, those that are parked, and those
// that are settled. Of an event that is added only the first has to know, and of a large one the
// third. The sums keep the planner from taking the first index in place of another. There is no
// primary key: it would be a second B-tree for each event, and nothing looks for it; so that
// changes can be published to subscribers all the same, old rows are told whole (which only a
// server that logs for subscribers does). Rows come and go fast, so what they leave behind is
// cleared away early.
//
// A row is one entry, or a bundle of as many as `bundled` says, whose events are in `events`, and
// whose other columns of an event are empty. Such a row stays in its page as it is. Numbers are as
// far apart as a bundle may have entries.
inline constexpr schema_part outbox_schema{"outbox", 2, R"(
CREATE TABLE ~outboxes(
    box integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name bytea NOT NULL,
    shards integer NOT NULL);
CREATE UNIQUE INDEX outboxes_by_name ON ~outboxes(~key_of(name));
CREATE TABLE ~outbox_keys(
    box integer NOT NULL, key bytea NOT NULL, last bigint NOT NULL,
    PRIMARY KEY(box, key)) WITH (fillfactor = 70);
CREATE TABLE ~outbox_leases(
    box integer NOT NULL, shard integer NOT NULL, epoch bigint NOT NULL, beat bigint NOT NULL,
    owner bytea NOT NULL, PRIMARY KEY(box, shard)) WITH (fillfactor = 50);
CREATE TABLE ~outbox_rows(
    number bigint GENERATED ALWAYS AS IDENTITY (START WITH 64 INCREMENT BY 64),
    version bigint NOT NULL DEFAULT 1, attempts bigint NOT NULL DEFAULT 0, added bigint NOT NULL,
    settled bigint, wait_from bigint, wait_due bigint,
    box integer NOT NULL, shard integer NOT NULL, size integer NOT NULL,
    state smallint NOT NULL DEFAULT 0, following smallint NOT NULL DEFAULT 0, failure bytea,
    id bytea NOT NULL, source bytea NOT NULL, type bytea NOT NULL, subject bytea NOT NULL,
    time bytea NOT NULL, datacontenttype bytea NOT NULL, dataschema bytea NOT NULL,
    data bytea NOT NULL, partitionkey bytea NOT NULL, sequence bytea NOT NULL,
    correlationid bytea NOT NULL, causationid bytea NOT NULL, traceparent bytea NOT NULL,
    headers bytea NOT NULL, bundled integer NOT NULL DEFAULT 0,
    events bytea NOT NULL DEFAULT '') WITH (toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE ~outbox_rows REPLICA IDENTITY FULL;
CREATE INDEX outbox_open ON ~outbox_rows(box, shard, number) WHERE state < 2;
CREATE INDEX outbox_held ON ~outbox_rows(box, shard, ~key_of(partitionkey), number)
    WHERE wait_due IS NOT NULL OR state = 1;
CREATE INDEX outbox_large ON ~outbox_rows(box, shard) WHERE state + 0 = 0 AND size > 8192;
CREATE INDEX outbox_parked ON ~outbox_rows((box + 0), (number + 0)) WHERE state = 1;
CREATE INDEX outbox_settled ON ~outbox_rows(box, settled) WHERE state > 1;
)",
                                           R"(
ALTER TABLE ~outbox_entries RENAME TO outbox_rows;
ALTER TABLE ~outbox_rows ADD COLUMN bundled integer NOT NULL DEFAULT 0,
    ADD COLUMN events bytea NOT NULL DEFAULT '', SET (toast_tuple_target = 8160),
    ALTER COLUMN number SET INCREMENT BY 64;
SELECT pg_catalog.setval(place, (pg_catalog.nextval(place) / 64 + 2) * 64)
    FROM (SELECT pg_catalog.pg_get_serial_sequence('~outbox_rows', 'number')::regclass AS place)
    AS of;
)",
                                           R"(
ALTER TABLE ~outbox_rows ALTER COLUMN events SET STORAGE EXTERNAL;
CREATE OR REPLACE FUNCTION ~outbox_unpacked(bytea)
RETURNS TABLE(at bigint, size bigint, parts bytea[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$SELECT place / 14, pg_catalog.sum(length)::bigint, pg_catalog.array_agg(
        pg_catalog.substring($1, (ended - length + 1)::integer, length) ORDER BY place)
    FROM (SELECT place, length, 2 + 28 * entries + pg_catalog.sum(length) OVER (ORDER BY place)
            AS ended
        FROM (SELECT entries, place, 256 * pg_catalog.get_byte($1, (2 + 2 * place)::integer)
                + pg_catalog.get_byte($1, (3 + 2 * place)::integer) AS length
            FROM (SELECT 256 * pg_catalog.get_byte($1, 0) + pg_catalog.get_byte($1, 1) AS entries)
                    AS head,
                pg_catalog.generate_series(0::bigint, 14 * entries - 1) AS place) AS lengths)
        AS ends
    GROUP BY place / 14$$;
)"};

// What an instance was started with is apart from where it stands, which is written often. States:
// as `instance_state`; 5: only replies are there yet; 9: a row that was taken and is not there. An
// instance is free while it is open and has no seat, and only then its `due` counts: it is due
// unless `due_from <= now < due`. A seat of -1 is one that is being swept. `progress`, `wait_*`,
// `since` and `unsettled` hold as long as there are no more records than `records`, so that a
// record is no more than an insertion. What changes while somebody has an instance is in no index.
inline constexpr schema_part journal_schema{"journal", 1, R"(
CREATE TABLE ~journals(
    book integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name bytea NOT NULL,
    seats integer NOT NULL);
CREATE UNIQUE INDEX journals_by_name ON ~journals(~key_of(name));
CREATE TABLE ~journal_seats(
    book integer NOT NULL, seat integer NOT NULL, epoch bigint NOT NULL, beat bigint NOT NULL,
    owner bytea NOT NULL, unswept bigint NOT NULL DEFAULT 0, PRIMARY KEY(book, seat))
    WITH (fillfactor = 50);
CREATE INDEX journal_unswept ON ~journal_seats(book) WHERE unswept > 0;
CREATE TABLE ~journal_instances(
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, started bigint NOT NULL,
    book integer NOT NULL, type bytea NOT NULL, id bytea NOT NULL, steps bytea NOT NULL,
    input bytea NOT NULL) WITH (fillfactor = 90);
CREATE UNIQUE INDEX journal_instances_by_id
    ON ~journal_instances(book, ~key_of(type), ~key_of(id));
CREATE TABLE ~journal_states(
    number bigint PRIMARY KEY, epoch bigint NOT NULL, kind bigint NOT NULL, due bigint NOT NULL,
    due_from bigint NOT NULL, since bigint NOT NULL, tag bigint NOT NULL DEFAULT 0,
    seat_epoch bigint NOT NULL DEFAULT 0, unsettled bigint NOT NULL DEFAULT 0, ended bigint,
    wait_from bigint, wait_due bigint, book integer NOT NULL, seat integer,
    records integer NOT NULL DEFAULT 0, state smallint NOT NULL, wait_phase smallint,
    claimed boolean NOT NULL DEFAULT false, woken boolean NOT NULL DEFAULT false,
    replied boolean NOT NULL DEFAULT false, wait_step bytea, progress bytea, cancelled bytea,
    why bytea) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX journal_due ON ~journal_states(book, kind, due, number)
    WHERE state = 0 AND seat IS NULL;
CREATE INDEX journal_due_from ON ~journal_states(book, kind, due_from)
    WHERE state = 0 AND seat IS NULL;
CREATE INDEX journal_held ON ~journal_states(book, seat, seat_epoch, tag) WHERE seat IS NOT NULL;
CREATE INDEX journal_open ON ~journal_states(book, number) WHERE state < 2;
CREATE INDEX journal_ended ON ~journal_states(book, ended) WHERE ended IS NOT NULL;
CREATE INDEX journal_unborn ON ~journal_states(book, tag) WHERE state = 5;
CREATE TABLE ~journal_records(
    number bigint NOT NULL, written bigint NOT NULL, begun bigint NOT NULL, at bigint NOT NULL,
    attempts bigint NOT NULL, place integer NOT NULL, phase smallint NOT NULL,
    kind smallint NOT NULL, step bytea NOT NULL, result bytea NOT NULL, why bytea,
    PRIMARY KEY(number, place));
CREATE TABLE ~journal_replies(
    number bigint NOT NULL, at bigint NOT NULL, book integer NOT NULL, phase smallint NOT NULL,
    step bytea NOT NULL, data bytea NOT NULL);
CREATE UNIQUE INDEX journal_replies_by_step ON ~journal_replies(number, phase, ~key_of(step));
CREATE INDEX journal_replies_by_time ON ~journal_replies(book, at);
)"};

/// What makes the tables of some parts, within one transaction.
[[nodiscard]] inline std::string creation_of(const naming& named,
                                             const std::vector<schema_part>& parts) {
    std::string sql =
        named("CREATE TABLE IF NOT EXISTS ~meta(name text PRIMARY KEY, version bigint NOT NULL);");
    for (const auto& part : parts) {
        sql += named(part.script) + named(part.also) +
               named("INSERT INTO ~meta(name, version) VALUES ('" + std::string(part.name) + "', " +
                     std::to_string(part.version) + ");\n");
    }
    return sql;
}

[[nodiscard]] inline bool has_schema(connection& db, const naming& named) {
    return db
        .query_one<std::int32_t>("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                                 named.schema())
        .has_value();
}

/// Whether a table is there, as anybody may see who may not read it.
[[nodiscard]] inline bool has_table(connection& db, const naming& named, std::string_view table) {
    return db
        .query_one<std::int32_t>(
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
            "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
            named.schema(), table)
        .has_value();
}

[[nodiscard]] inline std::optional<std::int64_t> schema_version(connection& db, const naming& named,
                                                                const schema_part& part) {
    if (!has_table(db, named, "meta")) {
        return std::nullopt;
    }
    const auto found =
        db.query_one<std::int64_t>(named("SELECT version FROM ~meta WHERE name = $1"), part.name);
    return found ? std::optional(std::get<0>(*found)) : std::nullopt;
}

/// The version of the tables, or 0 if they are not there.
[[nodiscard]] inline std::int64_t checked_schema_version(connection& db, const naming& named,
                                                         const schema_part& part) {
    const auto version = schema_version(db, named, part);
    if (version && *version > part.version) {
        throw schema_error("postgres: " + db.where() + ": its tables of '" +
                           std::string(part.name) + "' in schema \"" + named.schema() +
                           "\" are of version " + std::to_string(*version) +
                           ", and this program knows version " + std::to_string(part.version) +
                           ". Run a program that was built with the newer sinew.");
    }
    return version.value_or(0);
}

/// Whether the tables are there, in this version.
[[nodiscard]] inline bool schema_is_there(connection& db, const naming& named,
                                          const schema_part& part) {
    return checked_schema_version(db, named, part) == part.version;
}

/// What brings the tables of a part from version 1 to this one, within one transaction.
[[nodiscard]] inline std::string upgrade_of(const naming& named, const schema_part& part) {
    return named(part.upgrade) + named(part.also) +
           named("UPDATE ~meta SET version = " + std::to_string(part.version) + " WHERE name = '" +
                 std::string(part.name) + "';\n");
}

/// The number of the lock under which a schema is made.
[[nodiscard]] inline std::int64_t lock_of(const naming& named) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : named.schema()) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return static_cast<std::int64_t>(hash);
}

}  // namespace detail

namespace detail {

/// What makes some parts, and gives `role` the right to use them.
[[nodiscard]] inline std::string script_of(const naming& named, std::string_view role,
                                           const std::vector<schema_part>& parts) {
    std::string quoted = "\"";
    for (const char c : role) {
        quoted.append(c == '"' ? 2 : 1, c);
    }
    quoted += '"';
    return "BEGIN;\nCREATE SCHEMA IF NOT EXISTS \"" + named.schema() + "\";\n" +
           creation_of(named, parts) + "GRANT USAGE ON SCHEMA \"" + named.schema() + "\" TO " +
           quoted + ";\nGRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"" +
           named.schema() + "\" TO " + quoted + ";\nCOMMIT;\n";
}

}  // namespace detail

/// What makes the library's schema, for a database in which the service may not do so itself.
/// `role` is who is to use it.
///
/// **On failure.** Throws `usage_error` if `schema` is no name.
[[nodiscard]] inline std::string schema_script(const std::string& schema, std::string_view role) {
    return detail::script_of(
        detail::naming(schema), role,
        {detail::consumer_schema, detail::outbox_schema, detail::journal_schema});
}

namespace detail {

inline void make_schema(connection& db, const naming& named, const schema_part& part) {
    // Each statement sees what was committed before it, so whoever waited for the lock sees the
    // tables.
    db.execute_script("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    db.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", lock_of(named));
    const auto found = checked_schema_version(db, named, part);
    if (found == 0) {
        if (!has_schema(db, named)) {
            db.execute_script("CREATE SCHEMA \"" + named.schema() + "\"");
        }
        db.execute_script(creation_of(named, {part}));
    } else if (found < part.version) {
        db.execute_script(upgrade_of(named, part));
    }
    db.execute_script("COMMIT");
}

inline void give_up(connection& db) noexcept {
    try {
        if (db.is_in_transaction()) {
            db.execute_script("ROLLBACK");
        }
    } catch (...) {
        // The connection is gone, and with it the transaction.
    }
}

/// What somebody else may run to bring the tables to this version.
[[nodiscard]] inline std::string upgrade_script_of(const naming& named, const schema_part& part) {
    return "BEGIN;\n" + upgrade_of(named, part) + "COMMIT;\n";
}

[[nodiscard]] inline bool is_of_older_version(connection& db, const naming& named,
                                              const schema_part& part) noexcept {
    try {
        const auto found = schema_version(db, named, part);
        return found && *found < part.version;
    } catch (...) {
        return false;  // it may not even look
    }
}

/// Whether the tables of a part are there.
[[nodiscard]] inline bool has_part(connection& db, const naming& named,
                                   const schema_part& part) noexcept {
    try {
        return has_table(db, named,
                         part.name == consumer_schema.name ? "inbox"
                         : part.name == outbox_schema.name ? "outboxes"
                                                           : "journals");
    } catch (...) {
        return false;
    }
}

/// What somebody else may run for a role that lacks rights: what is missing, and the rights.
[[nodiscard]] inline std::string script_for(connection& db, const naming& named,
                                            std::string_view role, const schema_part& part) {
    std::vector<schema_part> missing;
    for (const auto& one : {consumer_schema, outbox_schema, journal_schema}) {
        const bool is_wanted = part.name == consumer_schema.name || part.name == one.name;
        if (is_wanted && !has_part(db, named, one)) {
            missing.push_back(one);
        }
    }
    return script_of(named, role, missing);
}

/// Makes the tables unless they are there, in this version.
inline void ensure_schema(connection& db, const naming& named, const schema_part& part) {
    if (db.is_in_transaction()) {
        throw usage_error(
            "postgres: the connection is inside a transaction; end it before the store is made");
    }
    try {
        if (!schema_is_there(db, named, part)) {
            make_schema(db, named, part);
        }
    } catch (const rights_error& e) {
        const std::string role =
            db.native() == nullptr ? std::string("the_role") : std::string(PQuser(db.native()));
        give_up(db);
        const bool is_older = is_of_older_version(db, named, part);
        const rights_error with_script(
            std::string(e.what()) + " Or let somebody who may do so run this:\n" +
                (is_older ? upgrade_script_of(named, part) : script_for(db, named, role, part)),
            e.state());
        throw with_script;
    } catch (...) {
        give_up(db);
        throw;
    }
}

}  // namespace detail

}  // namespace sinew::postgres
