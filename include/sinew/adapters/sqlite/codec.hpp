// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Lists that are kept in one column, as `core/packed.hpp` writes them.
///
/// **Guarantees.** What was written reads back the same, for any bytes. A list that is cut off or
/// damaged is a `corrupt_error`.

#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/packed.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

/// A list that was unpacked, if it was whole.
template <class List>
[[nodiscard]] List read_whole(std::optional<List> unpacked) {
    if (!unpacked) {
        refuse_damaged("a list");
    }
    return *std::move(unpacked);
}

/// A list as the bytes of a column, in a string whose memory is used again.
template <class List>
void encode(std::string& to, const List& list) {
    to.clear();
    pack(to, list);
}

/// Reads headers as `header`, or as `header_view` into the bytes.
template <class Header>
void decode_headers(std::string_view from, std::vector<Header>& to) {
    if (!unpack_headers(from, to)) {
        refuse_damaged("a list");
    }
}

[[nodiscard]] inline key_progress decode_progress(std::uint64_t next, std::string_view gaps,
                                                  bool merged) {
    return {next, read_whole(unpack_ranges<sequence_gap>(gaps)), merged};
}

[[nodiscard]] inline applied_offsets decode_offsets(log_offset through, std::string_view ranges) {
    return {through, read_whole(unpack_ranges<offset_range>(ranges))};
}

[[nodiscard]] inline std::vector<failure_note> decode_history(std::string_view from) {
    return read_whole(unpack_history(from));
}

}  // namespace sinew::sqlite::detail
