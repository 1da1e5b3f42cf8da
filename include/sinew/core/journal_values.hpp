// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What goes into a journal and comes out of it: see core/journal.hpp.

#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// Options of a journal, the same for every adapter.
struct journal_options {
    /// How many runners can be at work at a time. It belongs to the data: a journal that is there
    /// already can only be opened with the number that it was made with.
    shard_id seats = 32;
    std::size_t input_bytes_max = std::size_t{1} << 20U;
    /// The largest result of a step, and the largest reply.
    std::size_t result_bytes_max = std::size_t{1} << 20U;
    std::size_t steps_max = 256;
    std::size_t name_bytes_max = 200;  ///< of a type, an id, a step
    /// How many replies are kept that no instance waits for yet.
    std::size_t early_replies_max = 10'000;
};

/// An instance that is to be started.
struct new_instance {
    std::string_view type{};
    std::string_view id{};
    std::span<const step_entry> steps{};
    std::string_view input{};
};

/// How a start ended.
enum class [[nodiscard]] start_result : std::uint8_t {
    started,
    was_there,  ///< it was started before, with the same input
    differs,    ///< the id is taken by an instance with another input
};

[[nodiscard]] constexpr std::string_view to_string(start_result r) noexcept {
    switch (r) {
        case start_result::started: return "started";
        case start_result::was_there: return "was there";
        case start_result::differs: return "differs";
    }
    return "invalid";
}

/// The reply to a command that a step sent.
struct process_reply {
    std::string_view type{};
    std::string_view id{};
    step_address to{};
    std::string_view data{};
};

/// What became of a reply.
enum class [[nodiscard]] reply_result : std::uint8_t {
    awaited,    ///< its instance waits for it, and can be claimed now
    early,      ///< kept for when its instance is started, or comes to wait for it
    duplicate,  ///< there is one to this step already, which stays
    late,       ///< its instance is past the step, or has ended: nothing was kept
    refused,    ///< too many early ones are kept: nothing was kept. Bring it again later
};

[[nodiscard]] constexpr std::string_view to_string(reply_result r) noexcept {
    switch (r) {
        case reply_result::awaited: return "awaited";
        case reply_result::early: return "early";
        case reply_result::duplicate: return "duplicate";
        case reply_result::late: return "late";
        case reply_result::refused: return "refused";
    }
    return "invalid";
}

/// The right to write what becomes of an instance.
struct instance_claim {
    std::int64_t number = 0;
    epoch_number epoch = 0;

    friend bool operator==(const instance_claim&, const instance_claim&) = default;
};

/// How a write leaves its claim.
enum class claim_end : std::uint8_t {
    none,         ///< the claim goes on
    released,     ///< open: anybody may claim it, once it is due
    parked,       ///< for people, with the reason
    completed,    ///< the instance has ended
    compensated,  ///< the instance has ended
};

/// What a runner writes of one instance.
struct journal_write {
    instance_claim claim{};
    /// How many records the writer knows; its own follow.
    std::size_t known = 0;
    std::vector<step_record> records{};
    std::optional<step_progress> progress{};
    claim_end end = claim_end::none;
    std::optional<instance_wait> wait{};  ///< where it is released; nothing: it is due at once
    std::optional<failure_note> why{};    ///< where it is parked
};

/// How a write ended.
struct [[nodiscard]] write_result {
    fenced_result how = fenced_result::stale;
    bool is_cancelled = false;  ///< done: somebody has asked the instance to turn back

    friend bool operator==(const write_result&, const write_result&) = default;
};

/// What people decide of an instance that has not ended.
struct desk_decision {
    instance_state becomes = instance_state::open;  ///< open, parked or abandoned
    /// How many records they saw, if they decide by the history: a runner that holds the instance
    /// adds some without changing its epoch.
    std::optional<std::size_t> known{};
    std::vector<step_record> records{};
    failure_note why{};
};

/// How many of what a journal keeps.
struct journal_counts {
    std::uint64_t open = 0;
    std::uint64_t parked = 0;
    std::uint64_t early_replies = 0;

    friend bool operator==(const journal_counts&, const journal_counts&) = default;
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const journal_options& options) {
    if (options.seats == 0 || options.seats > shards_max) {
        throw usage_error("journal: option seats has to be between 1 and " +
                          std::to_string(shards_max));
    }
    if (options.steps_max == 0 || options.name_bytes_max == 0 || options.result_bytes_max == 0) {
        throw usage_error(
            "journal: options steps_max, name_bytes_max and result_bytes_max have to be above 0");
    }
}

namespace detail {

[[nodiscard]] inline bool is_name(std::string_view name, const journal_options& options) {
    return !name.empty() && name.size() <= options.name_bytes_max;
}

[[nodiscard]] inline bool is_listed_twice(std::span<const step_entry> steps, std::size_t at) {
    for (std::size_t i = 0; i < at; ++i) {
        if (steps[i].name == steps[at].name) {
            return true;
        }
    }
    return false;
}

}  // namespace detail

/// Refuses an instance that cannot be started.
///
/// **On failure.** Throws `usage_error` for type and steps, which the program chose; for id and
/// input, which may come from outside, `permanent_error` with the reason `malformed_id` or
/// `payload_too_large`.
inline void check_startable(const new_instance& one, const journal_options& options) {
    if (!detail::is_name(one.type, options)) {
        throw usage_error("journal: the type of an instance has 1 to " +
                          std::to_string(options.name_bytes_max) + " bytes");
    }
    if (!detail::is_name(one.id, options)) {
        throw permanent_error(
            "malformed_id",
            "the id of an instance has 1 to " + std::to_string(options.name_bytes_max) + " bytes");
    }
    if (one.steps.empty() || one.steps.size() > options.steps_max) {
        throw usage_error("journal: a process has 1 to " + std::to_string(options.steps_max) +
                          " steps");
    }
    for (std::size_t i = 0; i < one.steps.size(); ++i) {
        if (!detail::is_name(one.steps[i].name, options) || detail::is_listed_twice(one.steps, i)) {
            throw usage_error("journal: step " + std::to_string(i + 1) +
                              " has no name, one that is too long, or that of another step");
        }
    }
    if (one.input.size() > options.input_bytes_max) {
        throw permanent_error("payload_too_large",
                              "the input has " + std::to_string(one.input.size()) +
                                  " bytes, and the journal takes " +
                                  std::to_string(options.input_bytes_max) +
                                  " at most; keep it elsewhere and pass its name, or raise "
                                  "input_bytes_max");
    }
}

/// Refuses a reply that cannot be kept.
///
/// **On failure.** Throws `permanent_error` with the reason `payload_too_large` or
/// `malformed_reply`.
inline void check_reply(const process_reply& reply, const journal_options& options) {
    if (!detail::is_name(reply.type, options) || !detail::is_name(reply.id, options) ||
        !detail::is_name(reply.to.step, options)) {
        throw permanent_error("malformed_reply",
                              "the type, the id or the step of a reply is empty or too long");
    }
    if (reply.data.size() > options.result_bytes_max) {
        throw permanent_error("payload_too_large",
                              "the reply has " + std::to_string(reply.data.size()) +
                                  " bytes, and the journal takes " +
                                  std::to_string(options.result_bytes_max) + " at most");
    }
}

/// Refuses a result that cannot be kept.
///
/// **On failure.** Throws `permanent_error` with the reason `payload_too_large`.
inline void check_writable(const journal_write& one, const journal_options& options) {
    for (const auto& record : one.records) {
        if (record.result.size() > options.result_bytes_max) {
            throw permanent_error("payload_too_large",
                                  "the result of step " + record.where.step + " has " +
                                      std::to_string(record.result.size()) +
                                      " bytes, and the journal takes " +
                                      std::to_string(options.result_bytes_max) +
                                      " at most; keep it elsewhere and return its name, or raise "
                                      "result_bytes_max");
        }
    }
}

/// The last word on a step and phase; null if it has none, or people took it back.
[[nodiscard]] inline const step_record* find_record(std::span<const step_record> history,
                                                    const step_address& where) noexcept {
    for (std::size_t i = history.size(); i-- > 0;) {
        if (history[i].where == where) {
            return history[i].kind == record_kind::retried ? nullptr : &history[i];
        }
    }
    return nullptr;
}

/// The claim that came with an entry.
[[nodiscard]] constexpr instance_claim claim_of(const process_instance& one) noexcept {
    return {one.number, one.epoch};
}

/// The progress of an instance that people opened again.
[[nodiscard]] inline std::optional<step_progress> begun_anew(std::optional<step_progress> before) {
    if (before) {
        before->attempts = before->waits = before->starts = 0;
    }
    return before;
}

}  // namespace sinew
