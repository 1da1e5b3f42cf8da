// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a database in memory is made of: one ordered table of named rows.
///
/// Everything that is kept (users' values, inbox, progress, offsets, dead letters, outboxes) is a
/// row, so one mechanism makes all of it transactional.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sinew::memory::detail {

/// What a row is for.
enum class space : std::uint8_t {
    values,            ///< table, key: a user's value
    inbox,             ///< consumer, source, id: when it was remembered
    progress,          ///< consumer, key
    offsets,           ///< consumer, topic, partition
    letters,           ///< number: a dead letter
    letter_of_event,   ///< consumer, source, id: its number
    letter_at_place,   ///< consumer, topic, partition, offset: its number
    letters_wanted,    ///< consumer, rank of the state, number: requested or replaying
    letters_held,      ///< consumer, key: how many are neither resolved nor discarded
    letters_in_total,  ///< 0: the last number; 1: how many there are
    outbox_shards,     ///< outbox: how many there are
    outbox_leases,     ///< outbox, shard
    outbox_keys,       ///< outbox, key: the last number in its sequence
    outbox_open,       ///< outbox, number: an entry that waits or is parked
    outbox_settled,    ///< outbox, number: an entry that was published or discarded
    spool_entries,     ///< spool, number
    journal_seats,     ///< journal: how many there are
    journal_leases,    ///< journal, seat
    journal_ids,       ///< journal, type, id: the number of the instance
    journal_entries,   ///< journal, number: an instance with its history
    journal_replies,   ///< journal, type, id: those that were not taken yet
};

/// An instance, and who holds it.
struct kept_instance {
    journal_entry entry{};
    shard_id seat = 0;
    epoch_number seat_epoch = 0;  ///< 0: nobody holds it
    bool is_woken = false;        ///< due, whatever it waits for
};

struct kept_reply {
    step_address to{};
    std::string data{};
    wall_time at{};
};

/// The name of a row, looked at.
struct row_name {
    space in = space::values;
    std::string_view a{};
    std::string_view b{};
    std::string_view c{};
    std::int64_t n = 0;

    friend auto operator<=>(const row_name&, const row_name&) = default;
};

/// The name of a row, owned.
struct row_key {
    explicit row_key(const row_name& name)
        : in(name.in), a(name.a), b(name.b), c(name.c), n(name.n) {}

    [[nodiscard]] row_name name() const noexcept { return {in, a, b, c, n}; }

    void assign(const row_name& name) {
        in = name.in;
        a = name.a;
        b = name.b;
        c = name.c;
        n = name.n;
    }

    /// Whether the name takes so little memory that it does no harm to keep it.
    [[nodiscard]] bool is_small() const noexcept {
        return a.capacity() + b.capacity() + c.capacity() <= 512;
    }

    space in;
    std::string a;
    std::string b;
    std::string c;
    std::int64_t n;
};

/// Byte order, the same for owned names and views, so that a look-up copies nothing.
struct by_name {
    using is_transparent = void;
    static row_name see(const row_key& key) noexcept { return key.name(); }
    static const row_name& see(const row_name& name) noexcept { return name; }

    template <class L, class R>
    bool operator()(const L& left, const R& right) const noexcept {
        return see(left) < see(right);
    }
};

/// What a row holds; `monostate` is a row that is not there.
using cell = std::variant<std::monostate, std::string, std::int64_t, wall_time, key_progress,
                          applied_offsets, std::shared_ptr<const dead_letter_entry>,
                          std::shared_ptr<const outbox_entry>, std::shared_ptr<const shard_lease>,
                          std::shared_ptr<const spool_entry>, std::shared_ptr<const kept_instance>,
                          std::shared_ptr<const std::vector<kept_reply>>>;

[[nodiscard]] inline bool is_there(const cell& value) noexcept { return value.index() != 0; }

/// What a row held until a later commit.
struct old_cell {
    std::uint64_t version = 0;
    cell value{};
};

/// A row: what was committed last, and what open transactions may still read.
struct row {
    std::uint64_t version = 0;
    cell value{};
    std::vector<old_cell> history{};  ///< by version, rising
    bool listed = false;              ///< to be cleaned up
};

using row_table = std::map<row_key, row, by_name>;

/// What a transaction has to do with a row: it read it, and may want to write it.
struct touch {
    bool written = false;
    cell value{};
    /// Its row, if `known`: one that was there when it was read. It stays while the reader's
    /// snapshot is open, so that a commit need not look for it again.
    row_table::iterator target{};
    bool known = false;
    bool made = false;  ///< used while committing alone
};

using touched_rows = std::map<row_key, touch, by_name>;

/// What a nested part of a transaction overwrote.
struct undo {
    touched_rows::iterator where;
    bool was_written = false;
    cell value{};
};
using undo_list = std::vector<undo>;

}  // namespace sinew::memory::detail
