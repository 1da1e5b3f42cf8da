// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Entries of an outbox in PostgreSQL that were added together and lie in one row.
///
/// What one transaction adds to a shard at one time becomes a bundle: a row that holds events one
/// behind the other, as they were added. As a rule they are published together too, so a bundle is
/// written once, read once and taken out once, which costs a fraction of a row for each.
///
/// | what happens to an entry in a bundle | what becomes of the bundle |
/// | --- | --- |
/// | it is claimed | nothing |
/// | it is marked with all others of it | it goes, or is kept as published |
/// | it is marked without them, put off, or parked | each entry gets a row of its own |
/// | it is claimed while its key is held back | as above |
///
/// A bundle has the number of its first entry. Numbers of rows are `numbers_apart` apart, so the
/// others follow upon it. Its bytes are: how many events; for each the lengths of its columns, in
/// two bytes each, the higher first; and the columns of all. The server reads that form, too
/// (`outbox_unpacked`), when it gives each entry its row.
///
/// **Guarantees.** What was written reads back the same, for any bytes. A bundle that is cut off or
/// damaged is a `corrupt_error`.
/// **Bounds.** A bundle fits a page, so its row is never put elsewhere.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/core/event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

/// How far the numbers of rows lie apart, and so how many entries a bundle has at most.
inline constexpr std::int64_t numbers_apart = 64;
inline constexpr std::size_t bundle_entries_max = 64;
/// With what else is in its row, a bundle fits a page of 8 KiB.
inline constexpr std::size_t bundle_bytes_max = 7'600;
/// How many bytes come in front of the events, and what each event takes beside its own.
inline constexpr std::size_t bundle_head = 2;
inline constexpr std::size_t bundled_head = 2 * std::size_t{event_columns_count};

/// The columns of an event.
using event_parts = std::array<std::string_view, event_columns_count>;
using part_lengths = std::array<std::uint32_t, event_columns_count>;

/// Appends a number of two bytes.
inline void append_short(std::string& to, std::uint32_t value) {
    const char bytes[] = {static_cast<char>((value >> 8U) & 0xffU),
                          static_cast<char>(value & 0xffU)};
    to.append(bytes, 2);
}

/// How many of so many entries begin a bundle: those that belong together, as far as it has room; 0
/// if the first is too large for one. `size_of(i)` is how many bytes the columns of an event have,
/// and `belongs(i)` is whether it may lie in one row with the first.
template <class SizeOf, class Belongs>
[[nodiscard]] std::size_t bundle_length(std::size_t entries, SizeOf size_of, Belongs belongs) {
    std::size_t count = 0;
    std::size_t bytes = bundle_head;
    while (count < entries && count < bundle_entries_max && belongs(count) &&
           size_of(count) <= bundle_bytes_max &&
           bundled_head + size_of(count) <= bundle_bytes_max - bytes) {
        bytes += bundled_head + size_of(count++);
    }
    return count;
}

/// Reads the entries of a bundle one after the other.
class bundle_reader {
public:
    explicit bundle_reader(std::string_view bytes) : bytes_(bytes) {
        entries_ = bytes.size() < bundle_head ? 0 : short_at(0);
        at_ = bundle_head + entries_ * bundled_head;
        if (entries_ == 0 || entries_ > bundle_entries_max || at_ > bytes.size()) {
            refuse_damaged("a bundle of an outbox");
        }
    }

    [[nodiscard]] std::size_t entries() const noexcept { return entries_; }
    /// How many bytes the events have.
    [[nodiscard]] std::size_t event_bytes() const noexcept {
        return bytes_.size() - bundle_head - entries_ * bundled_head;
    }

    /// Views into the bytes. There are as many as `entries` says.
    void next(event_parts& to) {
        std::size_t length_at = bundle_head + read_ * bundled_head;
        for (auto& part : to) {
            const std::size_t size = short_at(length_at);
            if (size > bytes_.size() - at_) {
                refuse_damaged("a bundle of an outbox");
            }
            part = bytes_.substr(at_, size);
            at_ += size;
            length_at += 2;
        }
        ++read_;
    }

private:
    [[nodiscard]] std::size_t short_at(std::size_t at) const noexcept {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes_[at])) << 8U |
               static_cast<unsigned char>(bytes_[at + 1]);
    }

    std::string_view bytes_;
    std::size_t entries_ = 0;
    std::size_t read_ = 0;
    std::size_t at_ = 0;
};

/// An event that owns its parts.
inline void assign(event& to, const event_parts& parts) {
    std::size_t at = 0;
    for (auto* const one : {&to.id, &to.source, &to.type, &to.subject, &to.time,
                            &to.datacontenttype, &to.dataschema, &to.data, &to.partitionkey,
                            &to.sequence, &to.correlationid, &to.causationid, &to.traceparent}) {
        one->assign(parts[at++]);
    }
    if (!parts[at].empty()) {
        to.headers = decode_headers(parts[at]);
    }
}
inline constexpr std::size_t key_part = 8;

/// The keys that are held back, each with the number of the first entry that does so.
class held_keys {
public:
    /// `number`, length and bytes of each, as `claim_statements` has the server write them.
    void read(std::string_view from) {
        while (!from.empty()) {
            const auto number = take_number<std::int64_t>(head(from, 8).data());
            const auto size = take_number<std::uint32_t>(head(from, 4).data());
            const auto key = head(from, size);
            const auto [at, is_new] = first_.try_emplace(std::string(key), number);
            at->second = is_new || at->second < number ? at->second : number;
        }
    }

    [[nodiscard]] bool empty() const noexcept { return first_.empty(); }
    /// Whether the bundle has an entry whose key is held back by one before it.
    [[nodiscard]] bool hold_some_of(std::string_view bundle, std::int64_t number) const {
        bundle_reader in(bundle);
        event_parts parts;
        for (std::size_t i = 0; i < in.entries(); ++i, ++number) {
            in.next(parts);
            const auto found = first_.find(std::string(parts[key_part]));
            if (found != first_.end() && found->second < number) {
                return true;
            }
        }
        return false;
    }

private:
    [[nodiscard]] static std::string_view head(std::string_view& from, std::size_t size) {
        if (size > from.size()) {
            refuse_damaged("an outbox's entry");
        }
        const auto out = from.substr(0, size);
        from.remove_prefix(size);
        return out;
    }

    std::unordered_map<std::string, std::int64_t> first_;
};

/// Entries that may lie in one row.
struct entry_run {
    std::int64_t number = 0;
    std::int64_t entries = 0;
};

/// Finds the rows in which entries are likely to lie: those from the number of a row on, without a
/// hole, are taken for a bundle. Where that is wrong, the server says so.
template <class F>
void for_each_run(std::span<const std::int64_t> numbers, F f) {
    for (std::size_t i = 0; i < numbers.size();) {
        entry_run run{numbers[i], 1};
        if (run.number % numbers_apart == 0) {
            while (i + static_cast<std::size_t>(run.entries) < numbers.size() &&
                   run.entries < numbers_apart &&
                   numbers[i + static_cast<std::size_t>(run.entries)] == run.number + run.entries) {
                ++run.entries;
            }
        }
        f(run);
        i += static_cast<std::size_t>(run.entries);
    }
}

/// The number of the bundle in which an entry would lie.
[[nodiscard]] constexpr std::int64_t bundle_of(std::int64_t number) noexcept {
    return number - (number % numbers_apart + numbers_apart) % numbers_apart;
}

}  // namespace sinew::postgres::detail
