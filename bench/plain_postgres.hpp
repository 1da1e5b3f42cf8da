// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in PostgreSQL as somebody writes it by hand for speed alone: one table, a batch in one
/// statement of arrays, prepared statements, values in binary, one relay. No sequence, no leases,
/// no attempts, no shards.

#include "orders.hpp"
#include "plain_sqlite.hpp"
#include "raw_postgres.hpp"

#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::bench {

/// How the plain loop adds.
enum class adding : std::uint8_t {
    in_one_statement,  ///< which is its own transaction: one round trip
    in_a_transaction,  ///< as a service does that writes its own rows with it: three round trips
};

class plain_postgres {
public:
    plain_postgres(const std::string& conninfo, const std::string& schema, settling settles,
                   adding adds)
        : writer_(conninfo), reader_(conninfo), settles_(settles), adds_(adds) {
        const bool marks = settles == settling::marks;
        const std::string table = schema + ".outbox";
        writer_.run("CREATE SCHEMA " + schema + "; CREATE TABLE " + table +
                    "(number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, added bigint NOT "
                    "NULL, published bigint, id bytea NOT NULL, source bytea NOT NULL, type bytea "
                    "NOT NULL, subject bytea NOT NULL, time bytea NOT NULL, datacontenttype bytea "
                    "NOT NULL, dataschema bytea NOT NULL, data bytea NOT NULL, partitionkey bytea "
                    "NOT NULL, sequence bytea NOT NULL, correlationid bytea NOT NULL, causationid "
                    "bytea NOT NULL, traceparent bytea NOT NULL, headers bytea NOT NULL)");
        if (marks) {
            writer_.run("CREATE INDEX waiting ON " + table + "(number) WHERE published IS NULL");
        }
        std::string arrays;
        for (int i = 2; i <= 15; ++i) {
            arrays.append(i == 2 ? "$" : ", $").append(std::to_string(i)).append("::bytea[]");
        }
        writer_.prepare("add", "INSERT INTO " + table +
                                   "(added, id, source, type, subject, time, datacontenttype, "
                                   "dataschema, data, partitionkey, sequence, correlationid, "
                                   "causationid, traceparent, headers) SELECT $1::bigint, * FROM "
                                   "unnest(" +
                                   arrays + ")");
        // A plan that was made while the table was small must not stay when it is not.
        reader_.run("SET enable_seqscan = off");
        reader_.prepare("look",
                        "SELECT number, id, source, type, subject, time, datacontenttype, "
                        "dataschema, data, partitionkey, sequence, correlationid, "
                        "causationid, traceparent, headers FROM " +
                            table + (marks ? " WHERE published IS NULL" : "") +
                            " ORDER BY number LIMIT $1::bigint");
        reader_.prepare("settle",
                        marks ? "UPDATE " + table +
                                    " SET published = $2::bigint WHERE number = ANY($1::bigint[])"
                              : "DELETE FROM " + table + " WHERE number = ANY($1::bigint[])");
        clear_ = "DELETE FROM " + table;
        vacuum_ = "VACUUM " + table;
    }

    /// One transaction.
    void add(std::span<const event> events, wall_time now) {
        if (adds_ == adding::in_a_transaction) {
            writer_.run("BEGIN");
        }
        std::vector<std::string> values;
        values.push_back(binary(now.time_since_epoch().count()));
        for (const auto column :
             {&event::id, &event::source, &event::type, &event::subject, &event::time,
              &event::datacontenttype, &event::dataschema, &event::data, &event::partitionkey,
              &event::sequence, &event::correlationid, &event::causationid, &event::traceparent}) {
            std::string all = array_head(bytea_oid, events.size());
            for (const auto& e : events) {
                append_binary(all, static_cast<std::int32_t>((e.*column).size()));
                all += e.*column;
            }
            values.push_back(std::move(all));
        }
        std::string headers = array_head(bytea_oid, events.size());
        for (std::size_t i = 0; i < events.size(); ++i) {
            append_binary(headers, std::int32_t{0});
        }
        values.push_back(std::move(headers));
        static_cast<void>(writer_.ask("add", values, PGRES_COMMAND_OK));
        if (adds_ == adding::in_a_transaction) {
            writer_.run("COMMIT");
        }
    }

    /// Publishes all that is there, in batches of so many.
    void relay(std::size_t batch, null_sink& sink) {
        const std::vector<std::string> limit{binary(static_cast<std::int64_t>(batch))};
        for (;;) {
            const auto rows = reader_.ask("look", limit, PGRES_TUPLES_OK);
            const int count = PQntuples(rows.get());
            if (count != 0) {
                std::string numbers = array_head(int8_oid, static_cast<std::size_t>(count));
                for (int row = 0; row < count; ++row) {
                    append_binary(numbers, std::int32_t{8});
                    numbers += text(rows.get(), row, 0);
                    static_cast<void>(sink.publish(view_of(rows.get(), row), never));
                }
                std::vector<std::string> values{std::move(numbers)};
                if (settles_ == settling::marks) {
                    values.push_back(binary(machine_clock::now().wall.time_since_epoch().count()));
                }
                static_cast<void>(reader_.ask("settle", values, PGRES_COMMAND_OK));
            }
            if (static_cast<std::size_t>(count) < batch) {
                return;
            }
        }
    }

    /// Between rounds.
    void tidy() {
        if (settles_ == settling::marks) {
            writer_.run(clear_);
        }
        writer_.run(vacuum_);
    }

private:
    static constexpr std::int32_t bytea_oid = 17;
    static constexpr std::int32_t int8_oid = 20;

    [[nodiscard]] static std::string array_head(std::int32_t element, std::size_t size) {
        std::string out;
        append_binary(out, std::int32_t{1});
        append_binary(out, std::int32_t{0});
        append_binary(out, element);
        append_binary(out, static_cast<std::int32_t>(size));
        append_binary(out, std::int32_t{1});
        return out;
    }

    [[nodiscard]] static std::string_view text(const PGresult* from, int row, int column) {
        return {PQgetvalue(from, row, column),
                static_cast<std::size_t>(PQgetlength(from, row, column))};
    }
    /// The row as libpq keeps it: nothing is copied.
    [[nodiscard]] static event_view view_of(const PGresult* from, int row) {
        const auto at = [&](int column) { return text(from, row, column); };
        return {.id = at(1),
                .source = at(2),
                .type = at(3),
                .subject = at(4),
                .time = at(5),
                .datacontenttype = at(6),
                .dataschema = at(7),
                .data = as_bytes(at(8)),
                .partitionkey = at(9),
                .sequence = at(10),
                .correlationid = at(11),
                .causationid = at(12),
                .traceparent = at(13)};
    }

    raw_postgres writer_;
    raw_postgres reader_;
    settling settles_;
    adding adds_;
    std::string clear_;
    std::string vacuum_;
};

}  // namespace sinew::bench
