// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Values as text, for what a claim expected and what came.
///
/// **Guarantees.** One line of printable ASCII, whatever the bytes. Two values that differ may look
/// alike only beyond `shown_max` bytes or `items_max` items.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/sink.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

template <class T>
[[nodiscard]] std::string show(const std::vector<T>& items);
template <class T>
[[nodiscard]] std::string show(const std::optional<T>& value);
template <class A, class B>
[[nodiscard]] std::string show(const std::pair<A, B>& value);

/// How many bytes of a text, and how many items of a list, are shown.
inline constexpr std::size_t shown_max = 60;
inline constexpr std::size_t items_max = 12;

/// A text as one line of printable ASCII.
[[nodiscard]] inline std::string one_line(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += digits[byte >> 4U];
            out += digits[byte & 0xfU];
        }
    }
    return out;
}

[[nodiscard]] inline std::string show(std::string_view text) {
    const std::string out = '"' + one_line(text.substr(0, shown_max)) + '"';
    return text.size() <= shown_max ? out : out + "... (" + std::to_string(text.size()) + " bytes)";
}
[[nodiscard]] inline std::string show(const std::string& text) {
    return show(std::string_view(text));
}
[[nodiscard]] inline std::string show(const char* text) { return show(std::string_view(text)); }
[[nodiscard]] inline std::string show(bool value) { return value ? "true" : "false"; }
template <std::integral I>
    requires(!std::same_as<I, bool>)
[[nodiscard]] std::string show(I number) {
    return std::to_string(number);
}
[[nodiscard]] inline std::string show(commit_result r) { return std::string(to_string(r)); }
[[nodiscard]] inline std::string show(dead_letter_state s) { return std::string(to_string(s)); }
[[nodiscard]] inline std::string show(put_result r) {
    return r == put_result::stored ? "stored" : "unknown";
}
[[nodiscard]] inline std::string show(publish_result::end how) {
    switch (how) {
        case publish_result::end::accepted: return "accepted";
        case publish_result::end::refused: return "refused";
        case publish_result::end::unknown: return "unknown";
    }
    return "invalid";
}
[[nodiscard]] inline std::string show(const publish_result& r) {
    return r.is_accepted() ? show(r.how())
                           : show(r.how()) + " (" + r.why().reason + ": " + r.why().detail + ")";
}
[[nodiscard]] inline std::string show(const position& where) {
    return std::to_string(where.partition) + ":" + std::to_string(where.offset);
}
[[nodiscard]] inline std::string show(const key_progress& p) {
    if (!p.is_known()) {
        return "an unknown progress";
    }
    std::string out = "next " + std::to_string(p.next());
    for (const auto& gap : p.gaps()) {
        out += ", gap " + std::to_string(gap.first) + "-" + std::to_string(gap.last);
    }
    return p.has_merged_gaps() ? out + ", merged" : out;
}
[[nodiscard]] inline std::string show(const applied_offsets& o) {
    std::string out = "through " + std::to_string(o.through());
    for (std::size_t i = 0; i < o.beyond().size() && i < items_max; ++i) {
        out +=
            ", " + std::to_string(o.beyond()[i].first) + "-" + std::to_string(o.beyond()[i].last);
    }
    return o.beyond().size() <= items_max
               ? out
               : out + ", ... (" + std::to_string(o.beyond().size()) + " ranges)";
}
[[nodiscard]] inline std::string show(const dead_letter_count& c) {
    return c.reason + "/" + c.type + "/" + show(c.state) + "=" + std::to_string(c.entries);
}
template <class T>
[[nodiscard]] std::string show(const std::vector<T>& items) {
    std::string out = "[";
    for (std::size_t i = 0; i < items.size() && i < items_max; ++i) {
        out += (i == 0 ? "" : ", ") + show(items[i]);
    }
    return items.size() <= items_max ? out + "]"
                                     : out + ", ...] (" + std::to_string(items.size()) + " in all)";
}
template <class T>
[[nodiscard]] std::string show(const std::optional<T>& value) {
    return value ? show(*value) : std::string("nothing");
}
template <class A, class B>
[[nodiscard]] std::string show(const std::pair<A, B>& value) {
    return show(value.first) + "=" + show(value.second);
}

/// How two events differ: the first attribute that does, with both values; empty if they are equal.
[[nodiscard]] inline std::string difference(const event& expected, const event& came) {
    struct field {
        std::string_view name;
        std::string event::* where;
    };
    static constexpr field fields[] = {
        {"id", &event::id},
        {"source", &event::source},
        {"type", &event::type},
        {"subject", &event::subject},
        {"time", &event::time},
        {"datacontenttype", &event::datacontenttype},
        {"dataschema", &event::dataschema},
        {"data", &event::data},
        {"partitionkey", &event::partitionkey},
        {"sequence", &event::sequence},
        {"correlationid", &event::correlationid},
        {"causationid", &event::causationid},
        {"traceparent", &event::traceparent},
    };
    const auto differ = [](std::string_view what, const std::string& a, const std::string& b) {
        return std::string(what) + " " + a + " became " + b;
    };
    for (const auto& one : fields) {
        if (expected.*one.where != came.*one.where) {
            return differ(one.name, show(expected.*one.where), show(came.*one.where));
        }
    }
    if (expected.headers.size() != came.headers.size()) {
        return differ("the number of headers", show(expected.headers.size()),
                      show(came.headers.size()));
    }
    for (std::size_t i = 0; i < expected.headers.size(); ++i) {
        const auto& a = expected.headers[i];
        const auto& b = came.headers[i];
        if (a != b) {
            return differ("header " + show(i), show(a.name) + ": " + show(a.value),
                          show(b.name) + ": " + show(b.value));
        }
    }
    return {};
}

}  // namespace sinew::testing::conformance
