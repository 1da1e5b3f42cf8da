// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The vocabulary as text, for fmt: `fmt::print("{} at {}", event, position)`.
///
/// **Guarantees.** What is printed can go to a log as it is. It holds no data, no partition key and
/// no value of a header; a failure's detail, which may quote data, is printed only when asked for:
/// `{:d}`. Control characters, and bytes that are not UTF-8, are printed as `\x1b`, and what is
/// long is cut, so that nobody who sends an event can write lines of our logs.
///
/// | type | printed as |
/// | --- | --- |
/// | the enumerations | their `to_string`, with the usual width and alignment: `{:>10}` |
/// | `position` | `3@1042`: partition and offset |
/// | `event_view`, `event` | `order.placed 17 from /shop (time 2026-03-01T12:00:00Z, 312 bytes)` |
/// | `event_identity` | `17 from /shop` |
/// | `failure` | `transient price_service_timeout`; with `{:d}` also `: ` and the detail |
/// | `outcome` | `done`; `retry: transient price_service_timeout`; `skip: not_ours` |
/// | `moment` | its wall time |
/// | `dead_letter_record` | why, how often, for whom, where, when, and the event; `{:d}` as above |
///
/// A bare `wall_time` has no formatter here, as it is a type of the standard library, which is not
/// ours to teach: print `format_time(at)`.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/timestamp.hpp>

#include <fmt/core.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace sinew::detail {

/// How many bytes of one attribute are printed.
inline constexpr std::size_t printed_max = 256;

/// How many bytes the UTF-8 character at the front of the text has; 0 if it has none that can be
/// printed.
[[nodiscard]] constexpr std::size_t printable_size(std::string_view text) noexcept {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) {
        return lead >= 0x20 && lead != 0x7f ? 1 : 0;
    }
    for (std::size_t size = 2; size <= 4 && size <= text.size(); ++size) {
        if (is_utf8(text.substr(0, size))) {
            // U+0080 to U+009F are control characters.
            return size == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0 ? 0
                                                                                           : size;
        }
    }
    return 0;
}

/// Appends text that comes from strangers.
inline void append_printable(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::size_t left = printed_max;
    while (!text.empty() && left != 0) {
        const std::size_t size = printable_size(text);
        if (size == 0) {
            const auto byte = static_cast<unsigned char>(text[0]);
            out += "\\x";
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        } else {
            out += text.substr(0, size);
        }
        const std::size_t taken = size == 0 ? 1 : size;
        text.remove_prefix(taken);
        left -= taken < left ? taken : left;
    }
    if (!text.empty()) {
        out += "...";
    }
}

inline void append_identity(std::string& out, const event_identity& who) {
    append_printable(out, who.id.empty() ? "(no id)" : who.id);
    out += " from ";
    append_printable(out, who.source.empty() ? "(no source)" : who.source);
}

/// Appends what may be seen of an event.
inline void append_event(std::string& out, const event_view& e) {
    append_printable(out, e.type.empty() ? "(no type)" : e.type);
    out += ' ';
    append_identity(out, e.identity());
    out += " (";
    const auto put = [&out](std::string_view name, std::string_view value) {
        if (!value.empty()) {
            out += name;
            append_printable(out, value);
            out += ", ";
        }
    };
    put("subject ", e.subject);
    put("time ", e.time);
    put("sequence ", e.sequence);
    put("", e.datacontenttype);
    put("dataschema ", e.dataschema);
    put("correlationid ", e.correlationid);
    put("causationid ", e.causationid);
    put("traceparent ", e.traceparent);
    out += std::to_string(e.data.size());
    out += " bytes";
    if (!e.headers.empty()) {
        out += ", " + std::to_string(e.headers.size()) + " headers";
    }
    out += ')';
}

inline void append_failure(std::string& out, const failure& why, bool with_detail) {
    out += to_string(why.kind);
    out += ' ';
    append_printable(out, why.reason);
    if (why.retry_after) {
        out +=
            ", again after " +
            std::to_string(
                std::chrono::duration_cast<std::chrono::milliseconds>(*why.retry_after).count()) +
            " ms";
    }
    if (with_detail && !why.detail.empty()) {
        out += ": ";
        append_printable(out, why.detail);
    }
}

// What follows calls `fmt::format` and never `fmt::format_to`: clang 19 names the latter's
// instance differently from g++, so that it would not be found in a libfmt that g++ has built.

/// Puts a finished text into an output.
inline auto put_text(fmt::format_context& ctx, std::string_view text) {
    auto out = ctx.out();
    for (const char c : text) {
        *out++ = c;
    }
    return out;
}

/// Formats an enumeration as fmt formats text.
template <class Enum>
struct name_formatter : fmt::formatter<std::string_view> {
    constexpr auto parse(fmt::format_parse_context& ctx) {
        const auto* const from = ctx.begin();
        const auto* const to = fmt::formatter<std::string_view>::parse(ctx);
        spec_ = {from, static_cast<std::size_t>(to - from)};
        return to;
    }
    auto format(Enum value, fmt::format_context& ctx) const {
        // <fmt/core.h> declares the formatting of text alone, so it is asked for once more.
        const std::string pattern = "{:" + std::string(spec_) + "}";
        const std::string_view text = to_string(value);
        return put_text(ctx, fmt::vformat(pattern, fmt::make_format_args(text)));
    }

private:
    std::string_view spec_{};
};

/// Reads a format that is empty, or `d`, which asks for the detail, where there is one. fmt refuses
/// what follows.
template <bool HasDetail>
struct plain_formatter {
    constexpr auto parse(fmt::format_parse_context& ctx) {
        const auto* at = ctx.begin();
        if constexpr (HasDetail) {
            if (at != ctx.end() && *at == 'd') {
                with_detail_ = true;
                ++at;
            }
        }
        return at;
    }

protected:
    [[nodiscard]] bool with_detail() const noexcept { return with_detail_; }

private:
    bool with_detail_ = false;
};

}  // namespace sinew::detail

template <>
struct fmt::formatter<sinew::failure_class> : sinew::detail::name_formatter<sinew::failure_class> {
};
template <>
struct fmt::formatter<sinew::verdict> : sinew::detail::name_formatter<sinew::verdict> {};
template <>
struct fmt::formatter<sinew::commit_result> : sinew::detail::name_formatter<sinew::commit_result> {
};
template <>
struct fmt::formatter<sinew::standing> : sinew::detail::name_formatter<sinew::standing> {};
template <>
struct fmt::formatter<sinew::dead_letter_state>
    : sinew::detail::name_formatter<sinew::dead_letter_state> {};

template <>
struct fmt::formatter<sinew::position> : sinew::detail::plain_formatter<false> {
    auto format(const sinew::position& where, fmt::format_context& ctx) const {
        return sinew::detail::put_text(ctx, fmt::format("{}@{}", where.partition, where.offset));
    }
};

template <>
struct fmt::formatter<sinew::moment> : sinew::detail::plain_formatter<false> {
    auto format(const sinew::moment& at, fmt::format_context& ctx) const {
        return sinew::detail::put_text(ctx, sinew::format_time(at.wall));
    }
};

template <>
struct fmt::formatter<sinew::event_identity> : sinew::detail::plain_formatter<false> {
    auto format(const sinew::event_identity& who, fmt::format_context& ctx) const {
        std::string out;
        sinew::detail::append_identity(out, who);
        return sinew::detail::put_text(ctx, out);
    }
};

template <>
struct fmt::formatter<sinew::event_view> : sinew::detail::plain_formatter<false> {
    auto format(const sinew::event_view& e, fmt::format_context& ctx) const {
        std::string out;
        sinew::detail::append_event(out, e);
        return sinew::detail::put_text(ctx, out);
    }
};

template <>
struct fmt::formatter<sinew::event> : fmt::formatter<sinew::event_view> {
    auto format(const sinew::event& e, fmt::format_context& ctx) const {
        return fmt::formatter<sinew::event_view>::format(e.view(), ctx);
    }
};

template <>
struct fmt::formatter<sinew::failure> : sinew::detail::plain_formatter<true> {
    auto format(const sinew::failure& why, fmt::format_context& ctx) const {
        std::string out;
        sinew::detail::append_failure(out, why, with_detail());
        return sinew::detail::put_text(ctx, out);
    }
};

template <>
struct fmt::formatter<sinew::outcome> : sinew::detail::plain_formatter<true> {
    auto format(const sinew::outcome& answer, fmt::format_context& ctx) const {
        std::string out(sinew::to_string(answer.verdict()));
        if (answer.verdict() == sinew::verdict::skip) {
            // To skip is no failure, so there is no class to tell.
            out += ": ";
            sinew::detail::append_printable(out, answer.why().reason);
            if (with_detail() && !answer.why().detail.empty()) {
                out += ": ";
                sinew::detail::append_printable(out, answer.why().detail);
            }
        } else if (!answer.is_done()) {
            out += ": ";
            sinew::detail::append_failure(out, answer.why(), with_detail());
        }
        return sinew::detail::put_text(ctx, out);
    }
};

/// A summary: why, how often, where, when, and which event.
template <>
struct fmt::formatter<sinew::dead_letter_record> : sinew::detail::plain_formatter<true> {
    auto format(const sinew::dead_letter_record& letter, fmt::format_context& ctx) const {
        std::string out(sinew::to_string(letter.kind));
        out += ' ';
        sinew::detail::append_printable(out, letter.reason);
        out += " after " + std::to_string(letter.attempts) + " attempts of ";
        sinew::detail::append_printable(out, letter.consumer);
        out += " at ";
        sinew::detail::append_printable(out, letter.topic);
        out +=
            fmt::format(" {}, {} to {}: ", letter.where, sinew::format_time(letter.first_failure),
                        sinew::format_time(letter.last_failure));
        sinew::detail::append_event(out, letter.original.view());
        if (with_detail() && !letter.history.empty() && !letter.history.back().detail.empty()) {
            out += ": ";
            sinew::detail::append_printable(out, letter.history.back().detail);
        }
        return sinew::detail::put_text(ctx, out);
    }
};
