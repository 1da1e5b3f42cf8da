// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The outboxes of an SQLite file: how they are found and made.

#include <sinew/adapters/sqlite/added_signal.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/shard_lease.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

namespace sinew::sqlite::detail {

/// What the session keeps for its outboxes; its tables are made if they are not
/// there.
[[nodiscard]] inline outbox_part& outbox_part_of(session& s) {
    if (!s.outbox) {
        ensure_schema(s.db, s.named, outbox_schema);
        add_kept_number(s.db.handle());
        // SQLite seeds it from the operating system, in each process anew.
        std::int64_t drawer = 0;
        sqlite3_randomness(sizeof drawer, &drawer);
        s.outbox.emplace(s.named, drawer);
    }
    return *s.outbox;
}

[[nodiscard]] inline std::optional<box_state> find_box(session& s, const std::string& name) {
    const auto row = s.db.query_one<std::int64_t, shard_id, std::int64_t>(
        s.named("SELECT number, shards, first_stream FROM ~outboxes WHERE name = ?"), name);
    if (!row) {
        return std::nullopt;
    }
    return box_state{.number = std::get<0>(*row),
                     .shards = std::get<1>(*row),
                     .first_stream = std::get<2>(*row)};
}

/// Makes an outbox, unless another process was faster, and a lease for each
/// shard. In a transaction.
[[nodiscard]] inline std::optional<box_state> make_box(session& s, const std::string& name,
                                                       shard_id shards) {
    if (auto found = find_box(s, name)) {
        return found;
    }
    const auto first = std::get<0>(*s.db.query_one<std::int64_t>(
        s.named("SELECT coalesce(max(first_stream + shards), 1) FROM ~outboxes")));
    if (first + shards > outbox_streams_max) {
        throw usage_error("sqlite: the file's outboxes have too many shards together");
    }
    s.db.execute(s.named("INSERT INTO ~outboxes(name, shards, first_stream, drawn, drawer) "
                         "VALUES (?, ?, ?, 0, 0)"),
                 name, shards, first);
    make_leases(s.db, s.named, "~outbox_shards", first, shards);
    return find_box(s, name);
}

/// The name of an outbox's signal in this process. A database without a file is
/// seen by its own session alone.
[[nodiscard]] inline std::string signal_name(const session& s, const std::string& name) {
    std::string all = s.db.file();
    if (all.empty()) {
        all = std::to_string(reinterpret_cast<std::uintptr_t>(&s));
    }
    return all.append(1, '\0').append(s.named("~outboxes")).append(1, '\0').append(name);
}

}  // namespace sinew::sqlite::detail
