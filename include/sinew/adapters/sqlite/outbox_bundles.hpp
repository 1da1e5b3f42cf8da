// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Entries of an outbox in SQLite that were added together and lie in one row.
///
/// What one call adds to a shard becomes a bundle: a row that holds events one behind the other,
/// with consecutive numbers, as they were added. As a rule they are published together too, so a
/// bundle is written once, read once and taken out once, which costs a fraction of a row for each.
///
/// | what happens to an entry in a bundle | what becomes of the bundle |
/// | --- | --- |
/// | it is claimed | nothing |
/// | it is marked with all others of it | it goes |
/// | it is marked without them, put off, or parked | each entry gets a row of its own |
/// | its key is held back, and a claim had to pass many entries | as above |
///
/// **Guarantees.** What was written reads back the same, for any bytes. A bundle that is cut off or
/// damaged is a `corrupt_error`.
/// **Bounds.** A bundle has at most `bundle_entries_max` entries and about `bundle_bytes_max`
/// bytes.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace sinew::sqlite::detail {

inline constexpr std::size_t bundle_entries_max = 64;
/// Below `bundle_entry_bytes_max` the copy of an event costs less than its row.
inline constexpr std::size_t bundle_bytes_max = std::size_t{64} << 10U;
inline constexpr std::size_t bundle_entry_bytes_max = std::size_t{8} << 10U;

/// The parts of an event as columns have them: `event_column_names`.
using event_parts = std::array<std::string_view, event_column_count>;

/// The parts of an event; `headers` is room for its headers' bytes.
[[nodiscard]] inline event_parts parts_of(const event_view& e, std::string& headers) {
    event_parts parts;
    for_each_attribute(
        e, [&](int at, std::string_view value) { parts[static_cast<std::size_t>(at)] = value; });
    parts[data_column] = e.text();
    if (!e.headers.empty()) {
        encode(headers, e.headers);
        parts[headers_column] = headers;
    }
    return parts;
}

/// An event that owns its parts.
inline void assign(event& to, const event_parts& parts) {
    for_each_attribute(
        to, [&](int at, std::string& value) { value = parts[static_cast<std::size_t>(at)]; });
    to.data = parts[data_column];
    to.headers.clear();
    if (!parts[headers_column].empty()) {
        decode_headers(parts[headers_column], to.headers);
    }
}

/// Appends the parts, each behind its length: seven bits a byte, the lowest first.
inline void append(std::string& to, const event_parts& parts) {
    constexpr std::size_t length_max = 10;
    std::size_t size = 0;
    for (const auto part : parts) {
        size += length_max + part.size();
    }
    const std::size_t before = to.size();
    to.resize(before + size);
    char* at = to.data() + before;
    for (const auto part : parts) {
        std::uint64_t length = part.size();
        for (; length >= 0x80U; length >>= 7U) {
            *at++ = static_cast<char>(0x80U | (length & 0x7fU));
        }
        *at++ = static_cast<char>(length);
        if (!part.empty()) {
            std::memcpy(at, part.data(), part.size());
            at += part.size();
        }
    }
    to.resize(static_cast<std::size_t>(at - to.data()));
}

/// Reads the parts of one event after the other.
class bundle_reader {
public:
    explicit bundle_reader(std::string_view bytes) noexcept : left_(bytes) {}

    /// Views into the bytes.
    void next(event_parts& to) {
        for (auto& part : to) {
            const std::uint64_t size = length();
            if (size > left_.size()) {
                refuse_damaged("a bundle of an outbox");
            }
            part = left_.substr(0, static_cast<std::size_t>(size));
            left_.remove_prefix(part.size());
        }
    }

private:
    [[nodiscard]] std::uint64_t length() {
        std::uint64_t out = 0;
        for (unsigned bits = 0; bits < 64 && !left_.empty(); bits += 7) {
            const auto byte = static_cast<unsigned char>(left_.front());
            left_.remove_prefix(1);
            out |= static_cast<std::uint64_t>(byte & 0x7fU) << bits;
            if ((byte & 0x80U) == 0) {
                return out;
            }
        }
        refuse_damaged("a bundle of an outbox");
    }

    std::string_view left_;
};

/// A bundle in the current row of a statement; valid until that moves on.
struct bundle_row {
    explicit bundle_row(const statement& from)
        : place(from.column<std::int64_t>(0)), entries(from.column<std::int64_t>(1)) {
        if (entries < 1 || entries > numbers_max || number_of(place) + entries - 1 > numbers_max) {
            refuse_damaged("a bundle of an outbox");
        }
    }

    [[nodiscard]] bool has(std::int64_t at) const noexcept {
        return place <= at && at - place < entries;
    }
    [[nodiscard]] std::int64_t last() const noexcept { return place + entries - 1; }
    [[nodiscard]] static wall_time added(const statement& from) {
        return from.column<wall_time>(2);
    }
    [[nodiscard]] static std::string_view events(const statement& from) {
        return column_bytes(from.handle(), 3);
    }

    std::int64_t place;  ///< of the first entry
    std::int64_t entries;
};

/// The bundles of a shard. Within a write transaction.
class outbox_bundles {
public:
    outbox_bundles(session& s, const box_state& box) noexcept : session_(&s), box_(&box) {}

    void insert(std::int64_t place, std::int64_t entries, std::string_view events,
                wall_time now) const {
        use(sql().bundle)
            .bind(box_->slot(number_of(place)), place, entries, now, blob{events})
            .step();
    }

    /// Gives each entry of the bundle that has this place a row of its own, if there is one.
    void unpack_at(std::int64_t place) const {
        statement found = use(sql().bundle_before);
        if (found.bind(box_->place(box_->shard_at(place), 0), place).step()) {
            const bundle_row row(found);
            if (row.has(place)) {
                unpack(row, found);
            }
        }
    }

    /// Does so with the last bundles of a shard that begin up to `place`, until so many entries
    /// were unpacked. Answers from which place on there is no bundle any more.
    [[nodiscard]] std::int64_t unpack_last(std::int64_t place, std::size_t entries) const {
        const std::int64_t first = box_->place(box_->shard_at(place), 0);
        std::int64_t from = first;
        for (std::size_t done = 0; done < entries;) {
            statement found = use(sql().bundle_before);
            if (!found.bind(first, place).step()) {
                return first;
            }
            const bundle_row row(found);
            unpack(row, found);
            done += static_cast<std::size_t>(row.entries);
            from = row.place;
        }
        return from;
    }

    void forget(std::int64_t from, std::int64_t to) const {
        use(sql().forget_bundles).bind(from, to).run();
    }

    /// Keeps the entries of a bundle as published.
    void settle(const bundle_row& row, wall_time now) const {
        statement found = use(sql().bundle_before);
        if (found.bind(row.place, row.place).step()) {
            each(row, found, [&](std::int64_t at, const event_parts& parts) {
                statement to = use(sql().settle_new);
                to.bind_at(1, box_->number);
                to.bind_at(2, number_of(at));
                to.bind_at(3, now);
                to.bind_at(4, bundle_row::added(found));
                bind(to, 5, parts);
                to.step();
            });
        }
    }

private:
    template <class F>
    static void each(const bundle_row& row, const statement& from, F f) {
        bundle_reader in(bundle_row::events(from));
        event_parts parts;
        for (std::int64_t at = row.place; at <= row.last(); ++at) {
            in.next(parts);
            f(at, parts);
        }
    }
    static void bind(statement& to, int first, const event_parts& parts) {
        for (int i = 0; i < event_column_count; ++i) {
            to.bind_at(first + i, blob_or_null{parts[static_cast<std::size_t>(i)]});
        }
    }
    void unpack(const bundle_row& row, const statement& from) const {
        each(row, from, [&](std::int64_t at, const event_parts& parts) {
            statement to = use(sql().insert);
            to.bind_at(1, at);
            to.bind_at(2, bundle_row::added(from));
            bind(to, 3, parts);
            to.step();
        });
        forget(row.place, row.place);
    }

    [[nodiscard]] outbox_writes& sql() const noexcept { return session_->outbox->writes; }
    [[nodiscard]] statement use(prepared& kept) const {
        return statement(session_->db.handle(), kept);
    }

    session* session_;
    const box_state* box_;
};

}  // namespace sinew::sqlite::detail
