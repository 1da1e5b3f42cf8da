// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that a transaction has added to outboxes and has still to write. They wait for its
/// commit and go as arrays: those of one shard in bundles (`outbox_bundles.hpp`), in the order in
/// which they were added; one alone, and large ones, in rows of their own.
///
/// **Invariants.** What the nested part that is open added is at the end, and can be cut off. A
/// key's number is known from its first event on, since its row was taken for writing then; at the
/// commit only those rows are written again whose number has risen since.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/column_writer.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/gathered.hpp>
#include <sinew/adapters/postgres/outbox_bundles.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
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
#include <vector>

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
              named("INSERT INTO ~outbox_keys AS k(box, key, last) VALUES ($1, ~key_of($2), 1) ON "
                    "CONFLICT (box, key) DO UPDATE SET last = k.last + 1 RETURNING last")),
          next_numbers(
              named("INSERT INTO ~outbox_keys AS k(box, key, last) SELECT $1, ~key_of(t.k), n FROM "
                    "unnest($2::bytea[], $3::bigint[]) AS t(k, n) ON CONFLICT (box, key) DO UPDATE "
                    "SET last = k.last + excluded.last RETURNING last")),
          set_numbers(named("INSERT INTO ~outbox_keys(box, key, last) SELECT b, ~key_of(k), n FROM "
                            "unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS t(b, k, n) ON "
                            "CONFLICT (box, key) DO UPDATE SET last = excluded.last")),
          insert_bundles(named(bundles_text())),
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
    prepared insert_bundles;
    prepared notify{"SELECT pg_catalog.pg_notify($1, '')"};
    /// Nobody is called where nobody waits for it: $2 is the lock of those that do.
    prepared notify_listeners{
        "SELECT pg_catalog.pg_notify($1, '') WHERE NOT pg_catalog.pg_try_advisory_xact_lock($2)"};

private:
    static constexpr std::size_t inserts_max = 16;

    /// An `unnest` for each column: measured a quarter faster than one of all columns in FROM.
    [[nodiscard]] static std::string insert_text(column_set same) {
        std::string sql("INSERT INTO ~outbox_rows(box, shard, size, added, ");
        sql.append(event_columns).append(") SELECT ");
        for (std::size_t i = 0; i < added_columns; ++i) {
            const bool is_one = same.test(i);
            sql.append(i == 0 ? "" : ", ").append(is_one ? "$" : "unnest($");
            sql.append(std::to_string(i + 1)).append(i < added_numbers ? "::bigint" : "::bytea");
            sql.append(is_one ? "" : "[])");
        }
        return sql;
    }

    [[nodiscard]] static std::string bundles_text() {
        std::string sql("INSERT INTO ~outbox_rows(box, shard, size, added, bundled, events, ");
        sql.append(event_columns)
            .append(
                ") SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), "
                "unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bytea[])");
        for (int i = 0; i < event_columns_count; ++i) {
            sql.append(", ''::bytea");
        }
        return sql;
    }

    naming names_;
    std::map<unsigned long, prepared> inserts_;  // by the set
};

class outgoing {
public:
    /// How many events, and how many bytes of them, wait for the commit at most. Those of a part
    /// that is open are counted when it is kept.
    static constexpr std::size_t rows_max = 1'000;
    static constexpr std::size_t bytes_max = std::size_t{4} << 20U;

    outgoing() : columns_(make_columns(std::make_index_sequence<added_columns>())) {}

    void add(box_id box, shard_id shard, const event_view& e, std::string_view sequence,
             wall_time now) {
        headers_.clear();
        pack(headers_, e.headers);
        entry one{box, shard, now.time_since_epoch().count(), e.size_bytes(), bytes_.size(), 0, {}};
        std::size_t at = 0;
        for (const auto text : {e.id, e.source, e.type, e.subject, e.time, e.datacontenttype,
                                e.dataschema, e.text(), e.partitionkey, sequence, e.correlationid,
                                e.causationid, e.traceparent, std::string_view(headers_)}) {
            one.lengths[at++] = static_cast<std::uint32_t>(text.size());
            bytes_.append(text);
        }
        one.bytes = bytes_.size() - one.from;
        entries_.push_back(one);
    }

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] bool is_much() const noexcept {
        return entries_.size() > rows_max || bytes_.size() > bytes_max;
    }

    void open_part() noexcept {
        part_entries_ = entries_.size();
        part_bytes_ = bytes_.size();
    }
    void keep_part() { keys.keep_part(); }
    void undo_part() noexcept {
        keys.undo_part();
        entries_.resize(part_entries_);
        bytes_.resize(part_bytes_);
    }
    void clear() noexcept {
        keys.clear();
        channels.clear();
        clear_entries();
    }

    /// Queues what was added, and forgets it once it is sent.
    void queue_rows(wire& to, adding_statements& sql) {
        if (entries_.empty() && keys.all().empty()) {
            return;
        }
        bundles_.clear();
        clear_alone();
        if (entries_.size() == 1) {
            put_row(entries_.front());
        } else if (!entries_.empty()) {
            put_all(to, sql);
        }
        queue_bundles(to, sql);
        queue_alone(to, sql);
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
        clear_entries();
    }

    count_rows keys;
    /// Whom the commit wakes.
    std::set<std::string, std::less<>> channels;

private:
    /// From how many rows on it is worth a statement of its own that some columns are the same.
    static constexpr std::size_t many = 8;

    struct entry {
        box_id box;
        shard_id shard;
        std::int64_t added;
        std::size_t size;  ///< of the event
        std::size_t from;  ///< where its bytes begin
        std::size_t bytes;
        part_lengths lengths;

        [[nodiscard]] bool shares_bundle_with(const entry& other) const noexcept {
            return box == other.box && shard == other.shard && added == other.added;
        }
    };

    template <std::size_t... At>
    [[nodiscard]] static std::array<column_writer, added_columns> make_columns(
        std::index_sequence<At...>) {
        return {column_writer(At < added_numbers)...};
    }

    /// The columns of which one value is sent. Of a single row that is all of them; of several the
    /// ids are always an array, which says how many rows there are.
    [[nodiscard]] column_set same_columns(const adding_statements& sql) const {
        column_set same;
        if (alone_ == 1) {
            return same.set();
        }
        for (std::size_t i = 0; alone_ >= many && i < added_columns; ++i) {
            same.set(i, columns_[i].is_same() && i != added_numbers);
        }
        return sql.has_insert(same) ? same : column_set();
    }

    /// Shard by shard, in the order of each: what is claimed together then lies together. As a row
    /// is written behind those that are queued before it, bundles and rows of a shard go by turns.
    void put_all(wire& to, adding_statements& sql) {
        std::vector<std::tuple<box_id, shard_id, std::size_t>> order;
        order.reserve(entries_.size());
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            order.emplace_back(entries_[i].box, entries_[i].shard, i);
        }
        std::sort(order.begin(), order.end());
        const auto at = [&](std::size_t i) -> const entry& {
            return entries_[std::get<2>(order[i])];
        };
        for (std::size_t i = 0; i < order.size();) {
            const std::size_t count = bundle_length(
                order.size() - i, [&](std::size_t j) { return at(i + j).bytes; },
                [&](std::size_t j) { return at(i).shares_bundle_with(at(i + j)); });
            if (count == 0) {
                queue_bundles(to, sql);
                put_row(at(i++));
                continue;
            }
            queue_alone(to, sql);
            put_bundle(at(i), count, [&](std::size_t j) -> const entry& { return at(i + j); });
            i += count;
        }
    }

    template <class At>
    void put_bundle(const entry& first, std::size_t count, At at) {
        packed_.clear();
        append_short(packed_, static_cast<std::uint32_t>(count));
        std::size_t size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            for (const auto length : at(i).lengths) {
                append_short(packed_, length);
            }
            size += at(i).size;
        }
        for (std::size_t i = 0; i < count; ++i) {
            packed_.append(bytes_, at(i).from, at(i).bytes);
        }
        bundles_.boxes.add(std::int64_t{first.box});
        bundles_.shards.add(std::int64_t{first.shard});
        bundles_.sizes.add(static_cast<std::int64_t>(size));
        bundles_.added.add(first.added);
        bundles_.entries.add(static_cast<std::int64_t>(count));
        bundles_.events.add(std::string_view(packed_));
        ++bundles_.count;
    }

    void queue_bundles(wire& to, adding_statements& sql) {
        auto& b = bundles_;
        if (b.count != 0) {
            to.queue(sql.insert_bundles,
                     parameters(b.boxes.value(), b.shards.value(), b.sizes.value(), b.added.value(),
                                b.entries.value(), b.events.value()));
            b.clear();
        }
    }

    void put_row(const entry& one) {
        std::size_t column = 0;
        columns_[column++].add(std::int64_t{one.box});
        columns_[column++].add(std::int64_t{one.shard});
        columns_[column++].add(static_cast<std::int64_t>(one.size));
        columns_[column++].add(one.added);
        std::size_t from = one.from;
        for (const auto length : one.lengths) {
            columns_[column++].add(std::string_view(bytes_).substr(from, length));
            from += length;
        }
        ++alone_;
    }

    void queue_alone(wire& to, adding_statements& sql) {
        if (alone_ == 0) {
            return;
        }
        const column_set same = same_columns(sql);
        std::array<array_value, added_columns> values;
        for (std::size_t i = 0; i < added_columns; ++i) {
            values[i] = same.test(i) ? columns_[i].one() : columns_[i].all();
        }
        to.queue(sql.insert(same),
                 std::apply([](const auto&... one) { return parameters(one...); }, values));
        clear_alone();
    }

    void clear_alone() noexcept {
        for (auto& one : columns_) {
            one.clear();
        }
        alone_ = 0;
    }
    void clear_entries() noexcept {
        entries_.clear();
        bytes_.clear();
        part_entries_ = part_bytes_ = 0;
        bundles_.clear();
        clear_alone();
    }

    struct bundle_columns {
        array_writer boxes = array_of_numbers();
        array_writer shards = array_of_numbers();
        array_writer sizes = array_of_numbers();
        array_writer added = array_of_numbers();
        array_writer entries = array_of_numbers();
        array_writer events = array_of_bytes();
        std::size_t count = 0;

        void clear() noexcept {
            for (auto* const one : {&boxes, &shards, &sizes, &added, &entries, &events}) {
                one->clear();
            }
            count = 0;
        }
    };

    std::vector<entry> entries_;
    std::string bytes_;  // of the columns of all
    std::string headers_;
    std::string packed_;
    std::size_t part_entries_ = 0;
    std::size_t part_bytes_ = 0;
    bundle_columns bundles_;
    std::array<column_writer, added_columns> columns_;
    std::size_t alone_ = 0;
};

}  // namespace sinew::postgres::detail
