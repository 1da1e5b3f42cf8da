// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The parts of an instance that are kept in one column each: its steps, its progress, its notes.
///
/// What is kept is read by later versions of the library, so the form stays as it is. Numbers are
/// in little-endian order, texts behind their length, as in core/packed.hpp. A progress begins with
/// its counts, 12 bytes, which a decision of people sets to zero.
///
/// **Guarantees.** What was written reads back the same, for any bytes; what is cut off or damaged
/// is a `corrupt_error`.

#include <sinew/adapters/postgres/codec.hpp>
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

namespace sinew::postgres::detail {

/// A note, or nothing, as bytes.
[[nodiscard]] inline std::string encode_note(const std::optional<failure_note>& note) {
    return note ? encode(std::vector<failure_note>{kept_note(*note)}) : std::string();
}

[[nodiscard]] inline std::optional<failure_note> decode_note_if_any(std::string_view from) {
    auto notes = decode_history(from);
    return notes.empty() ? std::nullopt : std::optional(std::move(notes.front()));
}

[[nodiscard]] inline std::string encode_steps(std::span<const step_entry> steps) {
    std::string to;
    for (const auto& one : steps) {
        sinew::detail::pack_number(to, static_cast<std::uint8_t>(one.kind));
        sinew::detail::pack_text(to, one.name);
    }
    return to;
}

[[nodiscard]] inline std::vector<step_entry> decode_steps(std::string_view from) {
    std::vector<step_entry> steps;
    sinew::detail::unpacker in(from);
    while (in.has_more()) {
        const auto kind = in.one_of(step_kind::retriable);
        steps.push_back({std::string(in.text()), kind});
    }
    if (!in.is_whole()) {
        refuse_damaged("the steps of an instance");
    }
    return steps;
}

[[nodiscard]] inline std::string encode_progress(const std::optional<step_progress>& progress) {
    std::string to;
    if (progress) {
        sinew::detail::pack_number(to, progress->attempts);
        sinew::detail::pack_number(to, progress->waits);
        sinew::detail::pack_number(to, progress->starts);
        sinew::detail::pack_number(to, static_cast<std::uint8_t>(progress->in_doubt));
        sinew::detail::pack_number(to, progress->begun.time_since_epoch().count());
        sinew::detail::pack_number(to, static_cast<std::uint8_t>(progress->where.phase));
        sinew::detail::pack_text(to, progress->where.step);
        sinew::detail::pack_text(to, encode_note(progress->last_failure));
    }
    return to;
}

[[nodiscard]] inline step_progress decode_progress_of_step(std::string_view from) {
    sinew::detail::unpacker in(from);
    step_progress one;
    one.attempts = in.number<std::uint32_t>();
    one.waits = in.number<std::uint32_t>();
    one.starts = in.number<std::uint32_t>();
    one.in_doubt = in.number<std::uint8_t>() != 0;
    one.begun = wall_time(wall_time::duration(in.number<std::int64_t>()));
    one.where.phase = in.one_of(step_phase::undo);
    one.where.step = in.text();
    const std::string_view failure = in.text();
    if (!in.is_whole()) {
        refuse_damaged("the progress of an instance");
    }
    one.last_failure = decode_note_if_any(failure);
    return one;
}

}  // namespace sinew::postgres::detail
