// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How the parts of an instance are kept in columns of an SQLite file.
///
/// What is kept is read by later versions of the library, so the form stays as it is. Numbers are
/// in little-endian order, texts behind their length, as in core/packed.hpp.
///
/// **Guarantees.** What was written reads back the same, for any bytes; what is cut off or damaged
/// is a `corrupt_error`.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/packed.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

/// A note, or nothing, as the bytes of a column.
[[nodiscard]] inline std::string pack_note(const std::optional<failure_note>& note) {
    std::string bytes;
    if (note) {
        pack(bytes, std::vector<failure_note>{kept_note(*note)});
    }
    return bytes;
}

[[nodiscard]] inline std::optional<failure_note> unpack_note(std::string_view bytes) {
    auto notes = decode_history(bytes);
    return notes.empty() ? std::nullopt : std::optional(std::move(notes.front()));
}

[[nodiscard]] inline std::string pack_steps(std::span<const step_entry> steps) {
    std::string bytes;
    for (const auto& one : steps) {
        sinew::detail::pack_number(bytes, static_cast<std::uint8_t>(one.kind));
        sinew::detail::pack_text(bytes, one.name);
    }
    return bytes;
}

[[nodiscard]] inline std::vector<step_entry> unpack_steps(std::string_view bytes) {
    std::vector<step_entry> steps;
    sinew::detail::unpacker in(bytes);
    while (in.has_more()) {
        const auto kind = in.one_of(step_kind::retriable);
        steps.push_back({std::string(in.text()), kind});
    }
    if (!in.is_whole()) {
        refuse_damaged("the steps of an instance");
    }
    return steps;
}

[[nodiscard]] inline std::string pack_progress(const std::optional<step_progress>& progress) {
    std::string bytes;
    if (progress) {
        const auto& one = *progress;
        sinew::detail::pack_text(bytes, one.where.step);
        sinew::detail::pack_number(bytes, static_cast<std::uint8_t>(one.where.phase));
        sinew::detail::pack_number(bytes, one.attempts);
        sinew::detail::pack_number(bytes, one.waits);
        sinew::detail::pack_number(bytes, one.starts);
        sinew::detail::pack_number(bytes, static_cast<std::uint8_t>(one.in_doubt));
        sinew::detail::pack_number(bytes, one.begun.time_since_epoch().count());
        sinew::detail::pack_text(bytes, pack_note(one.last_failure));
    }
    return bytes;
}

[[nodiscard]] inline std::optional<step_progress> unpack_progress(std::string_view bytes) {
    if (bytes.empty()) {
        return std::nullopt;
    }
    sinew::detail::unpacker in(bytes);
    step_progress one;
    one.where.step = in.text();
    one.where.phase = in.one_of(step_phase::undo);
    one.attempts = in.number<std::uint32_t>();
    one.waits = in.number<std::uint32_t>();
    one.starts = in.number<std::uint32_t>();
    one.in_doubt = in.number<std::uint8_t>() != 0;
    one.begun = wall_time(wall_time::duration(in.number<std::int64_t>()));
    one.last_failure = unpack_note(in.text());
    if (!in.is_whole()) {
        refuse_damaged("the progress of an instance");
    }
    return one;
}

}  // namespace sinew::sqlite::detail
