// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What is kept of a piece of long work: the instance of a process, and its journal.
///
/// An instance goes through the steps of its process one after the other. What became of a step is
/// recorded once, and the list of records is the instance's history; a step that failed and will be
/// tried again is no record yet, but `step_progress`.
///
/// | state | becomes | by |
/// | --- | --- | --- |
/// | open | open (claimed, waiting), parked, completed, compensated | who claimed it |
/// | open, parked | open, parked, abandoned | people |
/// | completed, compensated, abandoned | forgotten | `purge` |
///
/// **Guarantees.** Everything here is a value.
/// **Bounds.** A history has at most one record of each step and phase, and what people added.

#include <sinew/core/failure_note.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/put_off.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// What a step means for the way back. Their order is compensable, at most one pivot, retriable.
enum class step_kind : std::uint8_t {
    compensable,  ///< can be undone
    pivot,        ///< can't be undone: once it is done there is no way back
    retriable,    ///< is repeated until it is done: there is no way back any more
};

[[nodiscard]] constexpr std::string_view to_string(step_kind k) noexcept {
    switch (k) {
        case step_kind::compensable: return "compensable";
        case step_kind::pivot: return "pivot";
        case step_kind::retriable: return "retriable";
    }
    return "invalid";
}

/// Whether a step is done or undone.
enum class step_phase : std::uint8_t { act, undo };

[[nodiscard]] constexpr std::string_view to_string(step_phase p) noexcept {
    return p == step_phase::act ? "act" : "undo";
}

/// What became of a step in a phase.
enum class record_kind : std::uint8_t {
    done,     ///< act: it is finished, with its result. undo: it is compensated
    failed,   ///< given up, and the process went on without it; see the note's class
    skipped,  ///< people decided that it need not be done
    retried,  ///< people took a `failed` back: the step is tried again
};

[[nodiscard]] constexpr std::string_view to_string(record_kind k) noexcept {
    switch (k) {
        case record_kind::done: return "done";
        case record_kind::failed: return "failed";
        case record_kind::skipped: return "skipped";
        case record_kind::retried: return "retried";
    }
    return "invalid";
}

/// Where an instance stands.
enum class instance_state : std::uint8_t {
    open,         ///< has more to do
    parked,       ///< for somebody to decide
    completed,    ///< went all the way
    compensated,  ///< went all the way back
    abandoned,    ///< given up by somebody, with a reason
};

[[nodiscard]] constexpr std::string_view to_string(instance_state s) noexcept {
    switch (s) {
        case instance_state::open: return "open";
        case instance_state::parked: return "parked";
        case instance_state::completed: return "completed";
        case instance_state::compensated: return "compensated";
        case instance_state::abandoned: return "abandoned";
    }
    return "invalid";
}

[[nodiscard]] constexpr bool has_ended(instance_state s) noexcept {
    return s != instance_state::open && s != instance_state::parked;
}

/// A step as it is kept with the instances that go by it.
struct step_entry {
    std::string name{};
    step_kind kind = step_kind::retriable;

    friend bool operator==(const step_entry&, const step_entry&) = default;
};

/// A step of an instance, and which way it goes through it.
struct step_address {
    std::string step{};
    step_phase phase = step_phase::act;

    friend bool operator==(const step_address&, const step_address&) = default;
};

/// What became of a step.
struct step_record {
    step_address where{};
    record_kind kind = record_kind::done;
    std::uint32_t attempts = 0;  ///< those that failed and count, before this
    wall_time begun{};           ///< when it was first tried
    wall_time at{};              ///< when this was written
    std::string result{};        ///< as the step's codec made it
    std::optional<failure_note> why{};

    friend bool operator==(const step_record&, const step_record&) = default;
};

/// What an instance has behind it in the step at which it is.
struct step_progress {
    step_address where{};
    std::uint32_t attempts = 0;  ///< that failed and count
    std::uint32_t waits = 0;     ///< failures since the last that counted
    std::uint32_t starts = 0;    ///< attempts that were noted before they began, and did not end
    /// Whether an attempt may have had its effect, though nobody knows.
    bool in_doubt = false;
    wall_time begun{};  ///< when it was first tried
    std::optional<failure_note> last_failure{};

    friend bool operator==(const step_progress&, const step_progress&) = default;
};

/// What an open instance waits for: an instant, or a reply until then.
struct instance_wait {
    put_off_until time{};
    std::optional<step_address> reply{};  ///< which reply ends it

    /// Whether it may be claimed at `now`. See `outbox_entry::is_due`.
    [[nodiscard]] constexpr bool is_due(wall_time now) const noexcept {
        return now < time.from || now >= time.due;
    }
    /// Whether its time is over. A wait can be due without that: by a clock that was set back, it
    /// would wait longer than it was told to. It then begins anew (`begun_anew`).
    [[nodiscard]] constexpr bool is_over(wall_time now) const noexcept { return now >= time.due; }

    /// The same wait, as long as before, from `now` on.
    [[nodiscard]] instance_wait begun_anew(wall_time now) const {
        return {put_off_by(now, wall_between(time.from, time.due)), reply};
    }

    friend bool operator==(const instance_wait&, const instance_wait&) = default;
};

/// An instance, as it is kept. Each claim and each end of one raises `epoch`.
struct process_instance {
    std::int64_t number = 0;  ///< a name for it, and no more
    epoch_number epoch = 0;
    std::string type{};               ///< the name of its process
    std::string id{};                 ///< unique among the instances of its process
    std::vector<step_entry> steps{};  ///< those that its process had when it was started
    std::string input{};
    instance_state state = instance_state::open;
    wall_time started{};
    wall_time since{};  ///< its last record, or when its state last changed
    std::optional<step_progress> progress{};
    std::optional<instance_wait> wait{};
    std::optional<failure_note> cancelled{};  ///< when and why somebody asked it to turn back
    std::optional<failure_note> why{};        ///< parked or abandoned: the reason

    friend bool operator==(const process_instance&, const process_instance&) = default;
};

/// An instance with its history.
struct journal_entry {
    process_instance what{};
    std::vector<step_record> history{};
    std::optional<std::string> reply{};  ///< the one that it waits for, if it is there
    /// How many claims in a row, the present one included, ended without a record or an answer.
    std::uint32_t unsettled = 0;

    friend bool operator==(const journal_entry&, const journal_entry&) = default;
};

}  // namespace sinew
