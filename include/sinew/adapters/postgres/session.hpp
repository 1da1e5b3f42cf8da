// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a store, its transactions, its dead letters and its attempts share: one connection, the
/// names of the tables, and the statements of a transaction.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/gathered.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::postgres {

/// What transactions that run at the same time may see of each other.
enum class isolation : std::uint8_t {
    /// As if one ran after the other, whatever the handlers read and write.
    serializable,
    /// A snapshot: of two that write one row, one gives way, so what the library keeps is as exact.
    /// Handlers that decide by rows that they do not write have to lock them (`FOR UPDATE`).
    repeatable_read,
};

/// Options of a store.
struct store_options {
    /// The schema of the library's tables.
    std::string schema = "sinew";
    /// How long a call takes at most, where the caller gives no deadline.
    duration call_timeout = std::chrono::seconds(5);
    /// How long a statement waits for another transaction's lock.
    duration lock_timeout = std::chrono::seconds(2);
    /// How long a transaction may do nothing before the server ends it: a consumer that was stopped
    /// in the middle must not hold its locks for ever. Longer than any handler runs.
    duration idle_timeout = std::chrono::minutes(1);
    postgres::isolation isolation = postgres::isolation::serializable;
    /// Whether the schema and its tables are made if they are not there.
    bool create = true;
    /// Whether statements are kept prepared. Not behind a pooler that gives one server connection to
    /// several clients in turn.
    bool prepare = true;
};

namespace detail {

/// The statements of a transaction.
struct transaction_statements {
    explicit transaction_statements(const naming& named)
        : remember(named("INSERT INTO ~inbox(consumer, source, id, at) VALUES ($1, ~key_of($2), "
                         "~key_of($3), $4) ON CONFLICT DO NOTHING")),
          progress(named("SELECT next, gaps, merged FROM ~progress WHERE consumer = $1 AND key = "
                         "~key_of($2)")),
          lock_progress(named(
              "INSERT INTO ~progress AS p(consumer, key, next, gaps, merged) VALUES ($1, "
              "~key_of($2), 0, '', false) ON CONFLICT (consumer, key) DO UPDATE SET next = p.next "
              "RETURNING next, gaps, merged")),
          set_progress(named(
              "INSERT INTO ~progress(consumer, key, next, gaps, merged) SELECT c, ~key_of(k), n, "
              "g, m FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], "
              "$5::boolean[]) AS t(c, k, n, g, m) ON CONFLICT (consumer, key) DO UPDATE SET "
              "next = excluded.next, gaps = excluded.gaps, merged = excluded.merged")),
          offsets(named("SELECT through, beyond FROM ~offsets "
                        "WHERE consumer = $1 AND topic = $2 AND partition = $3")),
          lock_offsets(named(
              "INSERT INTO ~offsets AS o(consumer, topic, partition, through, beyond) VALUES ($1, "
              "$2, $3, -1, '') ON CONFLICT (consumer, topic, partition) DO UPDATE SET through = "
              "o.through RETURNING through, beyond")),
          set_offsets(named(
              "INSERT INTO ~offsets(consumer, topic, partition, through, beyond) SELECT * FROM "
              "unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[]) "
              "ON CONFLICT (consumer, topic, partition) DO UPDATE SET "
              "through = excluded.through, beyond = excluded.beyond")) {}

    prepared remember;
    // Under serializable isolation PostgreSQL notes what was read by pages, and takes a write of
    // another row of the page for a conflict: two consumers of different keys gave way to each other
    // in half of their transactions. Taking the row for writing notes nothing, and it is written in
    // the end anyway.
    prepared progress;
    prepared lock_progress;
    prepared set_progress;
    prepared offsets;
    prepared lock_offsets;
    prepared set_offsets;
    // With few rows in a table the planner prefers to read all of it. Under serializable isolation
    // that is a read of all rows, and each write of any of them a conflict.
    prepared no_seqscan{"SET LOCAL enable_seqscan = off"};
    prepared any_scan{"SET LOCAL enable_seqscan TO DEFAULT"};
    prepared nest{"SAVEPOINT sinew_nested"};
    prepared keep_nested{"RELEASE sinew_nested"};
};

/// Queues what a transaction has gathered.
inline void queue_all(wire& to, transaction_statements& sql, const progress_rows::rows& progress,
                      const offsets_rows::rows& offsets) {
    if (const std::size_t size = progress.size(); size != 0) {
        auto consumers = array_of_bytes(size);
        auto keys = array_of_bytes(size);
        auto nexts = array_of_numbers(size);
        auto gaps = array_of_bytes(size);
        auto merged = array_of_bools(size);
        for (const auto& [name, one] : progress) {
            consumers.add(std::get<0>(name));
            keys.add(std::get<1>(name));
            nexts.add(static_cast<std::int64_t>(one.next()));
            gaps.add(encode(one.gaps()));
            merged.add_bool(one.has_merged_gaps());
        }
        to.queue(sql.set_progress, parameters(consumers.value(), keys.value(), nexts.value(),
                                              gaps.value(), merged.value()));
    }
    if (const std::size_t size = offsets.size(); size != 0) {
        auto consumers = array_of_bytes(size);
        auto topics = array_of_bytes(size);
        auto partitions = array_of_numbers(size);
        auto throughs = array_of_numbers(size);
        auto beyonds = array_of_bytes(size);
        for (const auto& [name, one] : offsets) {
            consumers.add(std::get<0>(name));
            topics.add(std::get<1>(name));
            partitions.add(std::int64_t{std::get<2>(name)});
            throughs.add(std::int64_t{one.through()});
            beyonds.add(encode(one.beyond()));
        }
        to.queue(sql.set_offsets, parameters(consumers.value(), topics.value(), partitions.value(),
                                             throughs.value(), beyonds.value()));
    }
}

/// The progress that a statement found.
[[nodiscard]] inline key_progress read_progress(const PGresult* from) {
    if (PQntuples(from) == 0) {
        return {};
    }
    return decode_progress(column<std::int64_t>(from, 0, 0), column<std::string_view>(from, 0, 1),
                           column<bool>(from, 0, 2));
}

/// A second connection, which reads what is committed while the first has a transaction open.
struct side_reader {
    side_reader(std::string conninfo, const connection_options& options, const naming& named)
        : db(std::move(conninfo), options),
          progress(named("SELECT next, gaps, merged FROM ~progress WHERE consumer = $1 AND key = "
                         "~key_of($2)")) {}

    connection db;
    prepared progress;
};

/// How many rows at most, as PostgreSQL takes it.
[[nodiscard]] inline std::int64_t limit_of(std::size_t limit) noexcept {
    constexpr std::size_t most = INT64_MAX;
    return static_cast<std::int64_t>(limit < most ? limit : most);
}

/// The words that connect to where a connection is connected already.
[[nodiscard]] inline std::string conninfo_of(PGconn* conn) {
    std::string text;
    PQconninfoOption* all = PQconninfo(conn);
    for (const auto* one = all; one != nullptr && one->keyword != nullptr; ++one) {
        if (one->val == nullptr || *one->val == '\0' ||
            std::string_view(one->keyword) == "client_encoding") {
            continue;
        }
        text.append(one->keyword).append("='");
        for (const char* c = one->val; *c != '\0'; ++c) {
            text.append(*c == '\'' || *c == '\\' ? "\\" : "").append(1, *c);
        }
        text.append("' ");
    }
    PQconninfoFree(all);
    return text;
}

/// The state behind a store and the handles that were made of it.
struct session {
    session(std::string the_conninfo, const store_options& the_options)
        : options(checked(the_options)),
          named(options.schema),
          conninfo(std::move(the_conninfo)),
          db(conninfo, connecting(options)),
          statements(named) {
        open();
    }
    session(PGconn* borrowed, const store_options& the_options)
        : options(checked(the_options)),
          named(options.schema),
          db(borrowed, connecting(options)),
          statements(named) {
        conninfo = conninfo_of(borrowed);
        open();
    }

    [[nodiscard]] static const store_options& checked(const store_options& options) {
        if (options.idle_timeout <= duration::zero()) {
            throw usage_error("postgres: option idle_timeout has to be above 0");
        }
        return options;
    }
    [[nodiscard]] static connection_options connecting(const store_options& options) {
        return {options.call_timeout, options.lock_timeout, options.prepare};
    }

    [[nodiscard]] detail::wire& line() noexcept { return db.wire_; }

    [[nodiscard]] prepared* kept(std::string_view sql, const Oid* types, std::size_t count) {
        return db.kept(sql, types, count);
    }

    /// The deadline of a call that was given one: it may say less than the usual, not more.
    [[nodiscard]] steady_time deadline(steady_time until) {
        const steady_time usual = line().usual_deadline();
        return until < usual ? until : usual;
    }

    /// Connects, if need be, for a call outside of transactions.
    detail::wire& connected(steady_time until) {
        if (machine_clock::now().steady >= until) {
            throw deadline_error(explain(db.where(), "the deadline has passed already", {}, {},
                                         "Give it more time."));
        }
        line().ensure(until);
        return line();
    }

    /// Looks at one of the library's tables, outside of transactions or within the one that is open.
    template <class... Args>
    [[nodiscard]] result look(prepared& sql, const Args&... args) {
        const steady_time until = line().usual_deadline();
        connected(until).queue(sql, parameters(args...));
        return line().run(until);
    }

    /// Removes some rows in a transaction of its own; `sql` answers how many. What others have just
    /// changed is no conflict here, and old rows are looked for by index.
    template <class... Args>
    [[nodiscard]] std::size_t remove(prepared& sql, const Args&... args) {
        const steady_time until = line().usual_deadline();
        auto& to = connected(until);
        const std::string limit =
            "SET LOCAL statement_timeout=" + milliseconds(options.call_timeout);
        to.queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
        to.queue(limit.c_str());
        to.queue(statements.no_seqscan, parameters());
        to.queue(sql, parameters(args...));
        to.queue("COMMIT");
        const reply got = to.exchange(until);
        if (!got.is_good()) {
            if (db.is_in_transaction()) {
                to.script("ROLLBACK", until);
            }
            to.raise(got);
        }
        return static_cast<std::size_t>(column<std::int64_t>(got.last.get(), 0, 0));
    }

    /// The connection that reads beside an open transaction.
    [[nodiscard]] side_reader& beside() {
        if (!reader) {
            reader = std::make_unique<side_reader>(conninfo, connecting(options), named);
        }
        return *reader;
    }
    [[nodiscard]] static detail::wire& line_of(side_reader& reader) noexcept {
        return reader.db.wire_;
    }

    /// For writes that are no part of a transaction: one that is open would swallow them.
    void check_idle(const char* what) const {
        if (is_open) {
            throw unavailable_error("transaction_open",
                                    std::string("postgres: ") + what +
                                        " has to wait until the store's open transaction has "
                                        "ended, or be called with it");
        }
    }

    /// Why the last commit did not commit, to be thrown.
    [[nodiscard]] unavailable_error why() const {
        return why_not ? unavailable_error(why_not->reason, why_not->detail)
                       : unavailable_error("transaction_lost", "postgres: the commit failed");
    }

    store_options options;
    naming named;
    std::string conninfo;
    connection db;
    transaction_statements statements;
    std::unique_ptr<side_reader> reader;
    /// Why the last commit did not commit.
    std::optional<failure> why_not;
    bool is_open = false;
    /// Whether the server would answer a commit before it is durable.
    bool is_lazy = false;

private:
    void open() {
        if (options.create) {
            ensure_schema(db, named, consumer_schema);
        } else if (!schema_is_there(db, named, consumer_schema)) {
            throw usage_error("postgres: schema \"" + named.schema() +
                              "\" has no tables of sinew, and option create is off; make them "
                              "with what schema_script answers");
        }
        const auto found =
            db.query_one<std::string>("SELECT pg_catalog.current_setting('synchronous_commit')");
        is_lazy = found && std::get<0>(*found) == "off";
    }
};

}  // namespace detail

}  // namespace sinew::postgres
