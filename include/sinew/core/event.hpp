// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An event: a CloudEvents 1.0 event, owned or only looked at.
///
/// **Guarantees.** The identity of an event is (`source`, `id`), never its content. Attributes are
/// kept as the text they came as, so that what is stored again is the same bit for bit; the ones
/// with a structure (`time`, `sequence`) have parsers here.
///
/// **Invariants.** An empty attribute is an absent one, as CloudEvents has no empty attributes.
/// **Source.** CloudEvents 1.0.2, cloudevents/spec.md, and its documented extensions
/// `partitioning`, `sequence`, `distributed tracing` (`traceparent`) and `correlation`.

#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sinew {

/// Bytes that somebody else owns.
using bytes_view = std::span<const std::byte>;

/// Text seen as bytes.
[[nodiscard]] inline bytes_view as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Bytes seen as text. Nothing is checked.
[[nodiscard]] inline std::string_view as_text(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A further header of an event: a name and bytes, which need not be UTF-8.
struct header {
    std::string name;
    std::string value;

    friend bool operator==(const header&, const header&) = default;
};

/// A header that somebody else owns.
struct header_view {
    std::string_view name;
    std::string_view value;

    friend bool operator==(const header_view&, const header_view&) = default;
};

/// The headers of an event as a list to read, whatever they are stored in. Nothing is copied, so
/// an adapter can show its client library's own headers.
class headers_view {
public:
    using reader = header_view (*)(const void* owner, std::size_t index);

    constexpr headers_view() noexcept = default;
    constexpr headers_view(const void* owner, std::size_t size, reader read) noexcept
        : owner_(owner), size_(size), read_(read) {}
    explicit headers_view(const std::vector<header>& headers) noexcept
        : headers_view(headers.data(), headers.size(), [](const void* owner, std::size_t index) {
              const auto& one = static_cast<const header*>(owner)[index];
              return header_view{one.name, one.value};
          }) {}

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] header_view operator[](std::size_t index) const { return read_(owner_, index); }

    /// The value of the first header of that name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
        for (std::size_t i = 0; i < size_; ++i) {
            if (const auto one = (*this)[i]; one.name == name) {
                return one.value;
            }
        }
        return std::nullopt;
    }

private:
    const void* owner_ = nullptr;
    std::size_t size_ = 0;
    reader read_ = nullptr;
};

/// Who an event is.
struct event_identity {
    std::string_view source;
    std::string_view id;

    friend bool operator==(const event_identity&, const event_identity&) = default;
};

/// An event that somebody else owns. Cheap to copy; valid as long as the owner says.
struct event_view {
    std::string_view id{};
    std::string_view source;
    std::string_view type;
    std::string_view subject{};
    std::string_view time{};
    std::string_view datacontenttype{};
    std::string_view dataschema{};
    bytes_view data{};
    std::string_view partitionkey{};
    std::string_view sequence{};
    std::string_view correlationid{};
    std::string_view causationid{};
    std::string_view traceparent{};
    headers_view headers{};

    [[nodiscard]] event_identity identity() const noexcept { return {source, id}; }
    /// The data as text. Nothing is checked.
    [[nodiscard]] std::string_view text() const noexcept { return as_text(data); }
    /// Bytes of all attributes, data and headers together: what an event weighs in an account.
    [[nodiscard]] std::size_t size_bytes() const {
        std::size_t sum = id.size() + source.size() + type.size() + subject.size() + time.size() +
                          datacontenttype.size() + dataschema.size() + data.size() +
                          partitionkey.size() + sequence.size() + correlationid.size() +
                          causationid.size() + traceparent.size();
        for (std::size_t i = 0; i < headers.size(); ++i) {
            const auto one = headers[i];
            sum += one.name.size() + one.value.size();
        }
        return sum;
    }
};

/// An event that owns its parts. `id`, `source` and `type` are required; the rest may stay empty.
struct event {
    std::string id;
    std::string source;
    std::string type;
    std::string subject{};
    std::string time{};
    std::string datacontenttype{};
    std::string dataschema{};
    std::string data{};
    std::string partitionkey{};
    std::string sequence{};
    std::string correlationid{};
    std::string causationid{};
    std::string traceparent{};
    std::vector<header> headers{};

    /// A view into this event, valid until it is changed or gone.
    [[nodiscard]] event_view view() const noexcept {
        return {id,
                source,
                type,
                subject,
                time,
                datacontenttype,
                dataschema,
                as_bytes(data),
                partitionkey,
                sequence,
                correlationid,
                causationid,
                traceparent,
                headers_view(headers)};
    }

    friend bool operator==(const event&, const event&) = default;
};

/// A copy that owns its parts.
[[nodiscard]] inline event to_event(const event_view& e) {
    event out{.id = std::string(e.id),
              .source = std::string(e.source),
              .type = std::string(e.type),
              .subject = std::string(e.subject),
              .time = std::string(e.time),
              .datacontenttype = std::string(e.datacontenttype),
              .dataschema = std::string(e.dataschema),
              .data = std::string(e.text()),
              .partitionkey = std::string(e.partitionkey),
              .sequence = std::string(e.sequence),
              .correlationid = std::string(e.correlationid),
              .causationid = std::string(e.causationid),
              .traceparent = std::string(e.traceparent),
              .headers = {}};
    out.headers.reserve(e.headers.size());
    for (std::size_t i = 0; i < e.headers.size(); ++i) {
        const auto one = e.headers[i];
        out.headers.push_back({std::string(one.name), std::string(one.value)});
    }
    return out;
}

/// A `sequence` attribute as a number: decimal digits alone, 1 or more, and below 2⁶⁴ − 1, so that
/// each number has a next one. Leading zeros are allowed, up to 40 digits in all (CloudEvents
/// compares sequences as text, so producers pad them).
[[nodiscard]] constexpr std::optional<std::uint64_t> parse_sequence(
    std::string_view text) noexcept {
    if (text.empty() || text.size() > 40) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return std::nullopt;
        }
        value = value * 10 + digit;
    }
    return value == 0 || value == UINT64_MAX ? std::nullopt : std::optional(value);
}

/// How many bytes at the front of the text are well-formed UTF-8 (RFC 3629: no overlong forms, no
/// surrogates): all of them, or those before the first character that is not.
[[nodiscard]] constexpr std::size_t utf8_prefix(std::string_view text) noexcept {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) {
            return i;
        }
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0U) != 0x80U) {
                return i;
            }
        }
        const auto second = static_cast<unsigned char>(text[i + 1]);
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
            (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
            return i;
        }
        i += length;
    }
    return i;
}

namespace detail {

/// The bytes of a text laid over each other: a bit is set if any byte has it. Which byte of the word
/// shows it is left open. Up to eight at a time: attributes are read for each event.
[[nodiscard, gnu::always_inline]] constexpr std::uint64_t overlay(std::string_view text) noexcept {
    if (std::is_constant_evaluated() || text.size() < 4) {
        std::uint64_t seen = 0;
        for (const char c : text) {
            seen |= static_cast<unsigned char>(c);
        }
        return seen;
    }
    const auto word = [](const char* from, std::size_t count) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, from, count);
        return bytes;
    };
    // The last word overlaps the one before it, so that no byte is left to be looked at alone.
    const char* const begin = text.data();
    if (text.size() >= 8) {
        const char* const last = begin + text.size() - 8;
        std::uint64_t seen = word(begin, 8) | word(last, 8);
        for (const char* at = begin + 8; at < last; at += 8) {
            seen |= word(at, 8);
        }
        return seen;
    }
    return word(begin, 4) | word(begin + text.size() - 4, 4);
}

/// Whether only bytes below 0x80 lie in an overlay.
[[nodiscard]] constexpr bool is_ascii(std::uint64_t overlaid) noexcept {
    return (overlaid & 0x8080808080808080U) == 0;
}

}  // namespace detail

/// Whether the text is well-formed UTF-8.
[[nodiscard]] constexpr bool is_utf8(std::string_view text) noexcept {
    return detail::is_ascii(detail::overlay(text)) || utf8_prefix(text) == text.size();
}

/// What makes an event unusable, or nothing.
struct defect {
    std::string_view reason;  ///< a stable code; a static string
    std::string_view detail;  ///< a sentence; a static string
};

namespace detail {

/// What is wrong with the required attributes, looked at one by one.
[[nodiscard]] [[gnu::cold]] [[gnu::noinline]] constexpr std::optional<defect> find_defect_slowly(
    const event_view& e) noexcept {
    if (e.id.empty()) {
        return defect{"id_missing", "the event has no id; the producer has to set one"};
    }
    if (e.source.empty()) {
        return defect{"source_missing", "the event has no source; the producer has to set one"};
    }
    if (e.type.empty()) {
        return defect{"type_missing", "the event has no type; the producer has to set one"};
    }
    if (!is_utf8(e.id) || !is_utf8(e.source) || !is_utf8(e.type)) {
        return defect{"attribute_not_utf8", "id, source and type have to be UTF-8"};
    }
    return std::nullopt;
}

}  // namespace detail

/// Looks whether the required attributes are there and well formed.
///
/// **Bounds.** Linear in the three attributes; allocates nothing. Headers and data are not looked
/// at: their bytes are the handler's business.
[[nodiscard]] [[gnu::always_inline]] constexpr std::optional<defect> find_defect(
    const event_view& e) noexcept {
    const auto all = detail::overlay(e.id) | detail::overlay(e.source) | detail::overlay(e.type);
    if (!e.id.empty() && !e.source.empty() && !e.type.empty() && detail::is_ascii(all)) [[likely]] {
        return std::nullopt;
    }
    return detail::find_defect_slowly(e);
}

}  // namespace sinew
