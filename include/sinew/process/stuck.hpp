// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What has not moved for a while, and at which step it stands.

#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sinew {

/// An instance that has not ended and has not moved for a while.
struct stuck_process {
    process_instance what{};
    duration since{};                       ///< how long it has not moved
    std::optional<step_address> where{};    ///< the step at which it stands, if it began one
    std::uint32_t attempts = 0;             ///< that failed there and count
    std::optional<failure_note> failure{};  ///< the last one; where it is parked, the reason
};

/// Lists instances that have not moved for longer than `older_than`, by their numbers; at most so
/// many, with a number above `after`. An instance that waits for its time or a reply is among them,
/// if it waits for so long.
///
/// **On failure.** Throws `unavailable_error` if the store cannot be reached by `until`.
template <journal_desk Journal>
[[nodiscard]] std::vector<stuck_process> stuck(Journal& in, duration older_than, wall_time now,
                                               steady_time until, std::size_t limit = 100,
                                               std::int64_t after = INT64_MIN) {
    std::vector<stuck_process> out;
    const auto stamp = now - std::chrono::duration_cast<wall_time::duration>(older_than);
    for (auto& one : in.stuck(stamp, after, limit, until)) {
        stuck_process row;
        row.since = wall_between(one.since, now);
        if (one.progress) {
            row.where = one.progress->where;
            row.attempts = one.progress->attempts;
            row.failure = one.progress->last_failure;
        }
        row.failure = one.why ? one.why : row.failure;
        row.what = std::move(one);
        out.push_back(std::move(row));
    }
    return out;
}

/// One line for each: instance, state, step, since when, attempts, last failure.
[[nodiscard]] inline std::string describe(std::span<const stuck_process> all,
                                          describe_options options = {}) {
    std::string out;
    for (const auto& one : all) {
        out += detail::shown(one.what.type) + " \"" + detail::shown(one.what.id) + "\" ";
        out += to_string(one.what.state);
        out += " for " + detail::shown_span(one.since);
        if (one.where) {
            out += ", at " + detail::shown_address(*one.where);
            out += ", " + detail::counted(one.attempts, "attempt") + " failed";
        }
        if (one.failure) {
            out += ": " + detail::shown_failure(*one.failure, options.details);
        }
        out += "\n";
    }
    return out;
}

}  // namespace sinew
