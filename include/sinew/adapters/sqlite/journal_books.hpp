// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The journals of an SQLite file: how they are found and made.

#include <sinew/adapters/sqlite/added_signal.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/own_writes.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

namespace sinew::sqlite::detail {

/// What the session keeps for its journals; its tables are made if they are not there.
[[nodiscard]] inline journal_part& journal_part_of(session& s) {
    if (!s.journal) {
        ensure_schema(s.db, s.named, journal_schema);
        s.journal.emplace(s.named);
    }
    return *s.journal;
}

[[nodiscard]] inline std::optional<book_state> find_book(session& s, const std::string& name) {
    const auto row = s.db.query_one<std::int64_t, shard_id, std::int64_t>(
        s.named("SELECT number, seats, first_stream FROM ~journals WHERE name = ?"), name);
    return row ? std::optional(book_state{std::get<0>(*row), std::get<1>(*row), std::get<2>(*row)})
               : std::nullopt;
}

/// Makes a journal, unless another process was faster, and a lease for each seat. In a transaction.
[[nodiscard]] inline book_state make_book(session& s, const std::string& name, shard_id seats) {
    if (const auto found = find_book(s, name)) {
        return *found;
    }
    const auto first = std::get<0>(*s.db.query_one<std::int64_t>(
        s.named("SELECT coalesce(max(first_stream + seats), 1) FROM ~journals")));
    s.db.execute(
        s.named("INSERT INTO ~journals(name, seats, first_stream, early) VALUES (?, ?, ?, 0)"),
        name, seats, first);
    make_leases(s.db, s.named, "~journal_leases", first, seats);
    return find_book(s, name).value();
}

/// The name of a journal's signal in this process. A database without a file is seen by its own
/// session alone.
[[nodiscard]] inline std::string signal_name_of_book(const session& s, const std::string& name) {
    std::string all = s.db.file();
    if (all.empty()) {
        all = std::to_string(reinterpret_cast<std::uintptr_t>(&s));
    }
    return all.append(1, '\0').append(s.named("~journals")).append(1, '\0').append(name);
}

/// The journal of that name, which is made if it is not there.
[[nodiscard]] inline book_state open_book(const std::shared_ptr<session>& on,
                                          const std::string& name, shard_id seats) {
    auto& s = *on;
    auto& books = journal_part_of(s).books;
    if (const auto known = books.find(name); known != books.end()) {
        return known->second;
    }
    auto found = find_book(s, name);
    if (!found) {
        auto tx = own_writes::begin(on, "making a journal",
                                    later(machine_clock::now().steady, s.busy_timeout));
        found = make_book(s, name, seats);
        own_writes::finish(s, tx);
    }
    found->signal = signal_of(signal_name_of_book(s, name));
    return books.emplace(name, *found).first->second;
}

}  // namespace sinew::sqlite::detail
