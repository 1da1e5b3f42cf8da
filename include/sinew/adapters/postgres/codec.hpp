// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How lists are kept in one column (numbers in little-endian order, texts behind their length), and
/// how many values become one array parameter.
///
/// **Guarantees.** What was written reads back the same, for any bytes. A list that is cut off or
/// damaged is a `corrupt_error`, never a wrong value or a read beyond its end.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

[[noreturn]] inline void refuse_damaged(std::string_view what) {
    throw corrupt_error("postgres: " + std::string(what) +
                        " in one of sinew's tables is cut off or damaged. Restore a backup.");
}

/// The value of an enumeration by its number; `last` is the highest that there is.
template <class Enum>
[[nodiscard]] Enum checked(std::int64_t number, Enum last, std::string_view what) {
    if (number < 0 || number > static_cast<std::int64_t>(last)) {
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

[[nodiscard]] inline std::string encode(const headers_view& headers) {
    std::string to;
    writer out(to);
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto one = headers[i];
        out.text(one.name);
        out.text(one.value);
    }
    return to;
}

[[nodiscard]] inline std::vector<header> decode_headers(std::string_view from) {
    std::vector<header> all;
    for (reader in(from); !in.is_at_end();) {
        const std::string_view name = in.text();
        all.push_back({std::string(name), std::string(in.text())});
    }
    return all;
}

/// Gaps and ranges: pairs of `first` and `last`.
template <class Range>
[[nodiscard]] std::string encode(const std::vector<Range>& ranges) {
    std::string to;
    writer out(to);
    for (const auto& range : ranges) {
        out.number(range.first);
        out.number(range.last);
    }
    return to;
}

[[nodiscard]] inline key_progress decode_progress(std::int64_t next, std::string_view gaps,
                                                  bool merged) {
    std::vector<sequence_gap> all;
    for (reader in(gaps); !in.is_at_end();) {
        const auto first = in.number<std::uint64_t>();
        all.push_back({first, in.number<std::uint64_t>()});
    }
    return {static_cast<std::uint64_t>(next), std::move(all), merged};
}

[[nodiscard]] inline applied_offsets decode_offsets(log_offset through, std::string_view ranges) {
    std::vector<offset_range> all;
    for (reader in(ranges); !in.is_at_end();) {
        const auto first = in.number<log_offset>();
        all.push_back({first, in.number<log_offset>()});
    }
    return {through, all};
}

[[nodiscard]] inline std::string encode(const std::vector<failure_note>& history) {
    std::string to;
    writer out(to);
    for (const auto& note : history) {
        out.number(note.at.time_since_epoch().count());
        out.number(static_cast<std::uint8_t>(note.kind));
        out.number(note.attempt);
        out.text(note.reason);
        out.text(note.detail);
    }
    return to;
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

/// Many values as one parameter, for `unnest`.
class array_writer {
public:
    array_writer(type of, type element, std::size_t size) : of_(of) {
        number(std::int32_t{size == 0 ? 0 : 1});  // dimensions
        number(std::int32_t{0});                  // no NULLs
        number(static_cast<std::int32_t>(element));
        if (size != 0) {
            number(static_cast<std::int32_t>(size));
            number(std::int32_t{1});  // the first index
        }
    }

    void add(std::string_view bytes) {
        number(static_cast<std::int32_t>(bytes.size()));
        bytes_.append(bytes);
    }
    void add(std::int64_t value) {
        number(std::int32_t{8});
        number(value);
    }
    void add_bool(bool value) {
        number(std::int32_t{1});
        bytes_.push_back(value ? '\1' : '\0');
    }

    [[nodiscard]] array_value value() const noexcept { return {of_, bytes_}; }

private:
    template <class T>
    void number(T value) {
        char room[sizeof(T)];
        put_number(room, value);
        bytes_.append(room, sizeof(T));
    }

    type of_;
    std::string bytes_;
};

[[nodiscard]] inline array_writer array_of_bytes(std::size_t size) {
    return {type::byteas, type::bytes, size};
}
[[nodiscard]] inline array_writer array_of_numbers(std::size_t size) {
    return {type::int8s, type::int8, size};
}
[[nodiscard]] inline array_writer array_of_bools(std::size_t size) {
    return {type::bools, type::boolean, size};
}

}  // namespace sinew::postgres::detail
