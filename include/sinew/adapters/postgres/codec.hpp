// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Lists that are kept in one column, as `core/packed.hpp` writes them; and how many values become
/// one array parameter.
///
/// **Guarantees.** What was written reads back the same, for any bytes. A list that is cut off or
/// damaged is a `corrupt_error`.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/packed.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
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

/// A list that was unpacked, if it was whole.
template <class List>
[[nodiscard]] List read_whole(std::optional<List> unpacked) {
    if (!unpacked) {
        refuse_damaged("a list");
    }
    return *std::move(unpacked);
}

/// A list as the bytes of a column.
template <class List>
[[nodiscard]] std::string encode(const List& list) {
    std::string to;
    pack(to, list);
    return to;
}

[[nodiscard]] inline std::vector<header> decode_headers(std::string_view from) {
    std::vector<header> all;
    if (!unpack_headers(from, all)) {
        refuse_damaged("a list");
    }
    return all;
}

[[nodiscard]] inline key_progress decode_progress(std::int64_t next, std::string_view gaps,
                                                  bool merged) {
    return {static_cast<std::uint64_t>(next), read_whole(unpack_ranges<sequence_gap>(gaps)),
            merged};
}

[[nodiscard]] inline applied_offsets decode_offsets(log_offset through, std::string_view ranges) {
    return {through, read_whole(unpack_ranges<offset_range>(ranges))};
}

[[nodiscard]] inline std::vector<failure_note> decode_history(std::string_view from) {
    return read_whole(unpack_history(from));
}

/// Many values as one parameter, for `unnest`. Those at the end can be taken back.
class array_writer {
public:
    /// A length at which the values can be cut off again.
    struct mark {
        std::int32_t count = 0;
        std::size_t bytes = 0;
    };

    array_writer(type of, type element) : of_(of) {
        number(std::int32_t{1});  // dimensions
        number(std::int32_t{0});  // no NULLs
        number(static_cast<std::int32_t>(element));
        number(std::int32_t{0});  // how many
        number(std::int32_t{1});  // the first index
    }

    void add(std::string_view bytes) {
        begin(static_cast<std::int32_t>(bytes.size()));
        bytes_.append(bytes);
    }
    void add(std::int64_t value) {
        begin(8);
        number(value);
    }
    void add_bool(bool value) {
        begin(1);
        bytes_.push_back(value ? '\1' : '\0');
    }

    [[nodiscard]] mark end() const noexcept { return {count_, bytes_.size()}; }
    void cut(const mark& at) noexcept {
        count_ = at.count;
        bytes_.resize(at.bytes);
        put_number(bytes_.data() + count_at, count_);
    }
    void clear() noexcept { cut({0, head}); }

    [[nodiscard]] array_value value() const noexcept { return {of_, bytes_}; }

private:
    static constexpr std::size_t count_at = 12;
    static constexpr std::size_t head = 20;

    void begin(std::int32_t size) {
        number(size);
        put_number(bytes_.data() + count_at, ++count_);
    }

    template <class T>
    void number(T value) {
        char room[sizeof(T)];
        put_number(room, value);
        bytes_.append(room, sizeof(T));
    }

    type of_;
    std::int32_t count_ = 0;
    std::string bytes_;
};

[[nodiscard]] inline array_writer array_of_bytes() { return {type::byteas, type::bytes}; }
[[nodiscard]] inline array_writer array_of_numbers() { return {type::int8s, type::int8}; }
[[nodiscard]] inline array_writer array_of_bools() { return {type::bools, type::boolean}; }

}  // namespace sinew::postgres::detail
