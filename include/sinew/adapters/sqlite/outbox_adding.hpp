// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Adding entries to an outbox in SQLite.
///
/// What is added in one call goes into bundles (`outbox_bundles`), and the number of each key is
/// written once.

#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/outbox_bundles.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sinew::sqlite::detail {

/// Adds to an outbox. Within a transaction that the caller undoes as a whole if this throws, as the
/// number of a key may be counted already.
class outbox_adding {
public:
    outbox_adding(session& s, const std::shared_ptr<box_state>& box, wall_time now) noexcept
        : session_(&s), box_(&box), now_(now) {}

    /// Answers the number in the key.
    std::uint64_t one(const event_view& e) {
        key_run run;
        if (!e.partitionkey.empty()) {
            run.count = 1;
            take_sequences(e.partitionkey, run);
        }
        insert_row({&e, &run, run.next}, shard_of(e, (*box_)->shards));
        return run.next;
    }

    std::vector<std::uint64_t> all(std::span<const event_view> events) {
        std::unordered_map<std::string_view, key_run> keys;
        key_run none;
        std::vector<numbered> entries;
        entries.reserve(events.size());
        for (const auto& one : events) {
            key_run& run = one.partitionkey.empty() ? none : keys[one.partitionkey];
            ++run.count;
            entries.push_back({&one, &run, 0});
        }
        for (auto& [key, run] : keys) {
            run.shard = shard_of(key, (*box_)->shards);
            take_sequences(key, run);
        }
        std::vector<std::uint64_t> sequences;
        sequences.reserve(events.size());
        std::vector<std::vector<numbered>> by_shard((*box_)->shards);
        for (auto& one : entries) {
            const bool has_key = one.run != &none;
            one.sequence = has_key ? one.run->next++ : 0;
            sequences.push_back(one.sequence);
            by_shard[has_key ? one.run->shard : shard_of(*one.what, (*box_)->shards)].push_back(
                one);
        }
        for (shard_id shard = 0; shard < by_shard.size(); ++shard) {
            insert_all(by_shard[shard], shard);
        }
        return sequences;
    }

private:
    /// The events of one key in a call.
    struct key_run {
        std::uint64_t count = 0;
        std::uint64_t next = 0;  ///< the number of the next
        shard_id shard = 0;
        bool is_behind = false;
    };
    struct numbered {
        const event_view* what;
        key_run* run;
        std::uint64_t sequence;
    };

    void take_sequences(std::string_view key, key_run& run) const {
        if (use(sql().count).bind(run.count, (*box_)->number, blob{key}).run() == 0) {
            use(sql().first_sequence).bind(run.count, (*box_)->number, blob{key}).step();
            run.next = 1;
            return;
        }
        const auto found = kept();
        run.next = static_cast<std::uint64_t>(found.number) - run.count + 1;
        run.is_behind = found.is_behind;
    }

    /// Those of one shard: bundles of what can be in one, and rows of the others.
    void insert_all(std::span<const numbered> entries, shard_id shard) {
        while (!entries.empty()) {
            std::size_t count = 0;
            std::size_t bytes = 0;
            while (count < entries.size() && count < bundle_entries_max &&
                   bytes < bundle_bytes_max && !entries[count].run->is_behind) {
                const std::size_t size = entries[count].what->size_bytes();
                if (size > bundle_entry_bytes_max) {
                    break;
                }
                bytes += size;
                ++count;
            }
            if (count > 1) {
                insert_bundle(entries.first(count), shard);
            } else {
                count = 1;
                insert_row(entries.front(), shard);
            }
            entries = entries.subspan(count);
        }
    }

    void insert_bundle(std::span<const numbered> entries, shard_id shard) {
        bytes_.clear();
        std::int64_t first = 0;
        for (const auto& one : entries) {
            char digits[20];
            auto parts = parts_of(as_numbered(one, digits), session_->scratch);
            append(bytes_, parts);
            const std::int64_t place = next_place(shard);
            first = first == 0 ? place : first;
        }
        outbox_bundles(*session_, **box_).insert(first, std::ssize(entries), bytes_, now_);
    }

    void insert_row(const numbered& one, shard_id shard) {
        char digits[20];
        const std::int64_t place = next_place(shard);
        statement to = use(sql().insert);
        to.bind_at(1, one.run->is_behind ? behind(place) : place);
        to.bind_at(2, now_);
        bind_event(to, 3, as_numbered(one, digits), session_->scratch);
        to.step();
    }

    /// The event with its number as its sequence, if it has one.
    [[nodiscard]] static event_view as_numbered(const numbered& one, char (&digits)[20]) {
        event_view out = *one.what;
        if (one.sequence != 0) {
            const auto end = std::to_chars(digits, digits + sizeof digits, one.sequence).ptr;
            out.sequence = std::string_view(digits, static_cast<std::size_t>(end - digits));
        }
        return out;
    }

    [[nodiscard]] std::int64_t next_place(shard_id shard) const {
        return (*box_)->place(shard, session_->outbox->next(session_->db, *box_));
    }
    [[nodiscard]] outbox_writes& sql() const noexcept { return session_->outbox->writes; }
    [[nodiscard]] statement use(prepared& kept) const {
        return statement(session_->db.handle(), kept);
    }

    session* session_;
    const std::shared_ptr<box_state>* box_;
    wall_time now_;
    std::string bytes_;
};

}  // namespace sinew::sqlite::detail
