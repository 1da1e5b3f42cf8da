// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that a transaction has added to outboxes and has still to write. They wait for its
/// commit and go as arrays, one for each column that differs, in the order in which they were added.
///
/// **Invariants.** What the nested part that is open added is at the end, and can be cut off.
/// A key's number is known from its first event on, since its row was taken for writing then; at the
/// commit only those rows are written again whose number has risen since.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/column_writer.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/gathered.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::postgres::detail {

/// The number of an outbox within its schema.
using box_id = std::int32_t;

/// How far the events of a key are numbered.
struct key_count {
    std::uint64_t last = 0;     ///< in this transaction
    std::uint64_t written = 0;  ///< in the row
};

/// Outbox and key.
using count_view = std::tuple<box_id, std::string_view>;
using count_rows = gathered<std::tuple<box_id, std::string>, count_view, key_count>;

/// The columns of an event that is added: box, shard, size, when, and those of the event.
inline constexpr std::size_t added_numbers = 4;
inline constexpr std::size_t added_columns = added_numbers + event_columns_count;
using column_set = std::bitset<added_columns>;

/// The statements by which a transaction adds events.
struct adding_statements {
    explicit adding_statements(const naming& named)
        : next_number(
              named("INSERT INTO ~outbox_keys AS k(box, key, last) VALUES ($1, ~key_of($2), "
                    "1) ON CONFLICT (box, key) DO UPDATE SET last = k.last + 1 RETURNING "
                    "last")),
          next_numbers(
              named("INSERT INTO ~outbox_keys AS k(box, key, last) SELECT $1, ~key_of(t.k), "
                    "n FROM unnest($2::bytea[], $3::bigint[]) AS t(k, n) ON CONFLICT "
                    "(box, key) DO UPDATE SET last = k.last + excluded.last RETURNING "
                    "last")),
          set_numbers(named("INSERT INTO ~outbox_keys(box, key, last) SELECT b, ~key_of(k), n FROM "
                            "unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS t(b, k, n) ON "
                            "CONFLICT (box, key) DO UPDATE SET last = excluded.last")),
          names_(named) {}

    /// The insertion in which the columns of that set have one value for all rows.
    [[nodiscard]] prepared& insert(column_set same) {
        auto found = inserts_.find(same.to_ulong());
        if (found == inserts_.end()) {
            found = inserts_.try_emplace(same.to_ulong(), names_(insert_text(same))).first;
        }
        return found->second;
    }
    /// Whether another kind of insertion may be kept prepared.
    [[nodiscard]] bool has_insert(column_set same) const {
        return inserts_.size() < inserts_max || inserts_.contains(same.to_ulong());
    }

    prepared next_number;
    prepared next_numbers;
    prepared set_numbers;
    prepared notify{"SELECT pg_catalog.pg_notify($1, '')"};
    /// Nobody is called where nobody listens: $2 is the lock that listeners hold.
    prepared notify_listeners{
        "SELECT pg_catalog.pg_notify($1, '') WHERE NOT pg_catalog.pg_try_advisory_xact_lock($2)"};

private:
    static constexpr std::size_t inserts_max = 16;

    /// An `unnest` for each column: measured a quarter faster than one of all columns in FROM.
    [[nodiscard]] static std::string insert_text(column_set same) {
        std::string sql("INSERT INTO ~outbox_entries(box, shard, size, added, ");
        sql.append(event_columns).append(") SELECT ");
        for (std::size_t i = 0; i < added_columns; ++i) {
            const bool is_one = same.test(i);
            sql.append(i == 0 ? "" : ", ").append(is_one ? "$" : "unnest($");
            sql.append(std::to_string(i + 1)).append(i < added_numbers ? "::bigint" : "::bytea");
            sql.append(is_one ? "" : "[])");
        }
        return sql;
    }

    naming names_;
    std::map<unsigned long, prepared> inserts_;  // by the set
};

class outgoing {
public:
    /// How many events, and how many bytes of them, wait for the commit at most. Those of a part that
    /// is open are counted when it is kept.
    static constexpr std::size_t rows_max = 1'000;
    static constexpr std::size_t bytes_max = std::size_t{4} << 20U;

    outgoing() : columns_(make_columns(std::make_index_sequence<added_columns>())) {}

    void add(box_id box, shard_id shard, const event_view& e, std::string_view sequence,
             wall_time now) {
        std::size_t at = 0;
        columns_[at++].add(std::int64_t{box});
        columns_[at++].add(std::int64_t{shard});
        columns_[at++].add(static_cast<std::int64_t>(e.size_bytes()));
        columns_[at++].add(now.time_since_epoch().count());
        headers_.clear();
        pack(headers_, e.headers);
        for (const auto text : {e.id, e.source, e.type, e.subject, e.time, e.datacontenttype,
                                e.dataschema, e.text(), e.partitionkey, sequence, e.correlationid,
                                e.causationid, e.traceparent, std::string_view(headers_)}) {
            columns_[at++].add(text);
            bytes_ += text.size();
        }
        ++rows_;
    }

    [[nodiscard]] bool empty() const noexcept { return rows_ == 0; }
    [[nodiscard]] bool is_much() const noexcept { return rows_ > rows_max || bytes_ > bytes_max; }

    void open_part() noexcept {
        part_ = {rows_, bytes_, {}};
        for (std::size_t i = 0; rows_ != 0 && i < added_columns; ++i) {
            part_.ends[i] = columns_[i].end();
        }
    }
    void keep_part() { keys.keep_part(); }
    void undo_part() noexcept {
        keys.undo_part();
        if (part_.rows == 0) {
            clear_rows();
            return;
        }
        for (std::size_t i = 0; i < added_columns; ++i) {
            columns_[i].cut(part_.ends[i]);
        }
        rows_ = part_.rows;
        bytes_ = part_.bytes;
    }
    void clear() noexcept {
        keys.clear();
        channels.clear();
        clear_rows();
    }

    /// Queues what was added, and forgets it once it is sent.
    void queue_rows(wire& to, adding_statements& sql) {
        if (rows_ != 0) {
            const column_set same = same_columns(sql);
            std::array<array_value, added_columns> values;
            for (std::size_t i = 0; i < added_columns; ++i) {
                values[i] = same.test(i) ? columns_[i].one() : columns_[i].all();
            }
            to.queue(sql.insert(same),
                     std::apply([](const auto&... one) { return parameters(one...); }, values));
        }
        auto boxes = array_of_numbers();
        auto names = array_of_bytes();
        auto lasts = array_of_numbers();
        bool any = false;
        for (const auto& [name, count] : keys.all()) {
            if (count.last != count.written) {
                boxes.add(std::int64_t{std::get<0>(name)});
                names.add(std::get<1>(name));
                lasts.add(static_cast<std::int64_t>(count.last));
                any = true;
            }
        }
        if (any) {
            to.queue(sql.set_numbers, parameters(boxes.value(), names.value(), lasts.value()));
        }
    }
    /// What was queued is on the server.
    void written() noexcept {
        keys.clear();
        clear_rows();
    }

    count_rows keys;
    /// Whom the commit wakes.
    std::set<std::string, std::less<>> channels;

private:
    /// From how many rows on it is worth a statement of its own that some columns are the same.
    static constexpr std::size_t many = 8;

    struct part {
        std::size_t rows = 0;
        std::size_t bytes = 0;
        std::array<column_writer::mark, added_columns> ends{};
    };

    template <std::size_t... At>
    [[nodiscard]] static std::array<column_writer, added_columns> make_columns(
        std::index_sequence<At...>) {
        return {column_writer(At < added_numbers)...};
    }

    /// The columns of which one value is sent. Of a single row that is all of them; of several the ids
    /// are always an array, which says how many rows there are.
    [[nodiscard]] column_set same_columns(const adding_statements& sql) const {
        column_set same;
        if (rows_ == 1) {
            return same.set();
        }
        for (std::size_t i = 0; rows_ >= many && i < added_columns; ++i) {
            same.set(i, columns_[i].is_same() && i != added_numbers);
        }
        return sql.has_insert(same) ? same : column_set();
    }

    void clear_rows() noexcept {
        for (auto& one : columns_) {
            one.clear();
        }
        rows_ = bytes_ = 0;
        part_ = {};
    }

    std::array<column_writer, added_columns> columns_;
    std::string headers_;
    std::size_t rows_ = 0;
    std::size_t bytes_ = 0;
    part part_;
};

}  // namespace sinew::postgres::detail
