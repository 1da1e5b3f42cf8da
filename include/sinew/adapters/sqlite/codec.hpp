// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How lists are kept in one column: numbers in little-endian order, texts behind their length.
///
/// **Guarantees.** What was written reads back the same, for any bytes. A list that is cut off or
/// damaged is a `corrupt_error`, never a wrong value or a read beyond its end.

#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::sqlite::detail {

[[noreturn]] inline void refuse_damaged(std::string_view what) {
    throw corrupt_error("sqlite: " + std::string(what) +
                            " in one of sinew's tables is cut off or damaged. Restore a backup.",
                        SQLITE_CORRUPT);
}

/// The value of an enumeration by its number; `last` is the highest that there is.
template <class Enum>
[[nodiscard]] Enum checked(std::uint8_t number, Enum last, std::string_view what) {
    if (number > static_cast<std::uint8_t>(last)) {
        refuse_damaged(what);
    }
    return static_cast<Enum>(number);
}

/// Writes at the end of a string.
class writer {
public:
    explicit writer(std::string& to) noexcept : to_(&to) {}

    template <class T>
    void number(T value) {
        auto bits = static_cast<std::uint64_t>(value);
        for (std::size_t i = 0; i < sizeof(T); ++i, bits >>= 8U) {
            to_->push_back(static_cast<char>(bits & 0xffU));
        }
    }

    void text(std::string_view bytes) {
        number(static_cast<std::uint32_t>(bytes.size()));
        to_->append(bytes);
    }

private:
    std::string* to_;
};

/// Reads from the front of a column's bytes.
class reader {
public:
    explicit reader(std::string_view from) noexcept : left_(from) {}

    [[nodiscard]] bool is_at_end() const noexcept { return left_.empty(); }

    template <class T>
    [[nodiscard]] T number() {
        const std::string_view bytes = take(sizeof(T));
        std::uint64_t bits = 0;
        for (std::size_t i = sizeof(T); i > 0; --i) {
            bits = bits << 8U | static_cast<unsigned char>(bytes[i - 1]);
        }
        return static_cast<T>(bits);
    }

    [[nodiscard]] std::string_view text() { return take(number<std::uint32_t>()); }

private:
    [[nodiscard]] std::string_view take(std::size_t size) {
        if (size > left_.size()) {
            refuse_damaged("a list");
        }
        const std::string_view taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }

    std::string_view left_;
};

inline void encode(std::string& to, const headers_view& headers) {
    to.clear();
    writer out(to);
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto one = headers[i];
        out.text(one.name);
        out.text(one.value);
    }
}

/// Reads headers as anything that is made of two texts: `header` or `header_view`.
template <class Header>
void decode_headers(std::string_view from, std::vector<Header>& to) {
    to.clear();
    for (reader in(from); !in.is_at_end();) {
        const std::string_view name = in.text();
        const std::string_view value = in.text();
        to.push_back(Header{decltype(Header::name)(name), decltype(Header::value)(value)});
    }
}

inline void encode(std::string& to, const std::vector<sequence_gap>& gaps) {
    to.clear();
    writer out(to);
    for (const auto& gap : gaps) {
        out.number(gap.first);
        out.number(gap.last);
    }
}

[[nodiscard]] inline key_progress decode_progress(std::uint64_t next, std::string_view gaps,
                                                  bool merged) {
    std::vector<sequence_gap> all;
    for (reader in(gaps); !in.is_at_end();) {
        const auto first = in.number<std::uint64_t>();
        all.push_back({first, in.number<std::uint64_t>()});
    }
    return {next, std::move(all), merged};
}

inline void encode(std::string& to, const std::vector<offset_range>& ranges) {
    to.clear();
    writer out(to);
    for (const auto& range : ranges) {
        out.number(range.first);
        out.number(range.last);
    }
}

[[nodiscard]] inline applied_offsets decode_offsets(log_offset through, std::string_view ranges) {
    std::vector<offset_range> all;
    for (reader in(ranges); !in.is_at_end();) {
        const auto first = in.number<log_offset>();
        all.push_back({first, in.number<log_offset>()});
    }
    return {through, all};
}

inline void encode(std::string& to, const std::vector<failure_note>& history) {
    to.clear();
    writer out(to);
    for (const auto& note : history) {
        out.number(note.at.time_since_epoch().count());
        out.number(static_cast<std::uint8_t>(note.kind));
        out.number(note.attempt);
        out.text(note.reason);
        out.text(note.detail);
    }
}

[[nodiscard]] inline std::vector<failure_note> decode_history(std::string_view from) {
    std::vector<failure_note> all;
    for (reader in(from); !in.is_at_end();) {
        failure_note note;
        note.at = wall_time(wall_time::duration(in.number<std::int64_t>()));
        note.kind = checked(in.number<std::uint8_t>(), failure_class::unknown, "a list");
        note.attempt = in.number<std::uint32_t>();
        note.reason = in.text();
        note.detail = in.text();
        all.push_back(std::move(note));
    }
    return all;
}

}  // namespace sinew::sqlite::detail
