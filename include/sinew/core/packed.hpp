// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Lists as bytes, for stores that keep one in a column: numbers in little-endian order, texts
/// behind their length (four bytes).
///
/// What is kept by a store is read by later versions of the library, so the form stays as it is.
///
/// **Guarantees.** What was packed unpacks to the same, for any bytes. Bytes that are cut off or
/// damaged unpack to nothing, never to a wrong value or by a read beyond their end.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

namespace detail {

template <class T>
void pack_number(std::string& to, T value) {
    auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i, bits >>= 8U) {
        to.push_back(static_cast<char>(bits & 0xffU));
    }
}

inline void pack_text(std::string& to, std::string_view bytes) {
    pack_number(to, static_cast<std::uint32_t>(bytes.size()));
    to.append(bytes);
}

/// Reads from the front of packed bytes. What is not there reads as zeros, and is remembered.
class unpacker {
public:
    explicit unpacker(std::string_view from) noexcept : left_(from) {}

    /// Whether there is more, and nothing was missing so far.
    [[nodiscard]] bool has_more() const noexcept { return whole_ && !left_.empty(); }
    [[nodiscard]] bool is_whole() const noexcept { return whole_; }

    template <class T>
    [[nodiscard]] T number() noexcept {
        const std::string_view bytes = take(sizeof(T));
        std::uint64_t bits = 0;
        for (std::size_t i = bytes.size(); i > 0; --i) {
            bits = bits << 8U | static_cast<unsigned char>(bytes[i - 1]);
        }
        return static_cast<T>(bits);
    }
    [[nodiscard]] std::string_view text() noexcept { return take(number<std::uint32_t>()); }

    /// The value of an enumeration by its number; `last` is the highest that there is.
    template <class Enum>
    [[nodiscard]] Enum one_of(Enum last) noexcept {
        const auto value = number<std::uint8_t>();
        whole_ = whole_ && value <= static_cast<std::uint8_t>(last);
        return whole_ ? static_cast<Enum>(value) : last;
    }

private:
    [[nodiscard]] std::string_view take(std::size_t size) noexcept {
        if (!whole_ || size > left_.size()) {
            whole_ = false;
            return {};
        }
        const std::string_view taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }

    std::string_view left_;
    bool whole_ = true;
};

}  // namespace detail

/// A list of `first` and `last`: the gaps of a key, the ranges of applied offsets.
template <class R>
concept packed_range = std::same_as<R, sequence_gap> || std::same_as<R, offset_range>;

/// Appends headers.
inline void pack(std::string& to, const headers_view& headers) {
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto one = headers[i];
        detail::pack_text(to, one.name);
        detail::pack_text(to, one.value);
    }
}

/// Appends gaps or ranges.
template <packed_range Range>
void pack(std::string& to, const std::vector<Range>& ranges) {
    for (const auto& one : ranges) {
        detail::pack_number(to, one.first);
        detail::pack_number(to, one.last);
    }
}

/// Appends the history of a dead letter.
inline void pack(std::string& to, const std::vector<failure_note>& history) {
    for (const auto& note : history) {
        detail::pack_number(to, note.at.time_since_epoch().count());
        detail::pack_number(to, static_cast<std::uint8_t>(note.kind));
        detail::pack_number(to, note.attempt);
        detail::pack_text(to, note.reason);
        detail::pack_text(to, note.detail);
    }
}

/// Reads headers into a list whose memory is used again; as `header_view` they show into the bytes.
/// Answers false, with the list empty, if the bytes are damaged.
template <class Header>
    requires std::same_as<Header, header> || std::same_as<Header, header_view>
[[nodiscard]] bool unpack_headers(std::string_view from, std::vector<Header>& to) {
    to.clear();
    detail::unpacker in(from);
    while (in.has_more()) {
        const std::string_view name = in.text();
        const std::string_view value = in.text();
        to.push_back(Header{decltype(Header::name)(name), decltype(Header::value)(value)});
    }
    if (!in.is_whole()) {
        to.clear();
    }
    return in.is_whole();
}

/// Reads gaps or ranges.
template <packed_range Range>
[[nodiscard]] std::optional<std::vector<Range>> unpack_ranges(std::string_view from) {
    std::vector<Range> all;
    detail::unpacker in(from);
    while (in.has_more()) {
        const auto first = in.number<decltype(Range::first)>();
        all.push_back({first, in.number<decltype(Range::last)>()});
    }
    return in.is_whole() ? std::optional(std::move(all)) : std::nullopt;
}

/// Reads the history of a dead letter.
[[nodiscard]] inline std::optional<std::vector<failure_note>> unpack_history(
    std::string_view from) {
    std::vector<failure_note> all;
    detail::unpacker in(from);
    while (in.has_more()) {
        failure_note note;
        note.at = wall_time(wall_time::duration(in.number<std::int64_t>()));
        note.kind = in.one_of(failure_class::unknown);
        note.attempt = in.number<std::uint32_t>();
        note.reason = in.text();
        note.detail = in.text();
        all.push_back(std::move(note));
    }
    return in.is_whole() ? std::optional(std::move(all)) : std::nullopt;
}

}  // namespace sinew
