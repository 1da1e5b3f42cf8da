// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An instance as text, for people who have to decide about it.
///
/// ```text
/// order "4711" is parked since 2026-11-21T19:00:00Z: not_undone (permanent): bank is closed
///     started 2026-11-21T18:58:00Z, number 17, epoch 9, 120 bytes of input
///     reserve (compensable)
///         act   done after 20 ms, 8 bytes of result
///     charge (compensable)
///         act   done after 3 s, 2 attempts failed before
///         undo  tried since 2026-11-21T18:58:59Z, 10 attempts failed, may have happened
///               last failure 2026-11-21T18:59:59Z: closed (transient): bank is closed
///     ship (pivot)
///         act   failed after 5 ms, 1 attempt failed: no_stock (permanent): sold out
///     email (retriable)
///     not undone: charge, reserve
///     people can: resume; skip_step undo charge; abandon
/// ```
///
/// **Guarantees.** A name, a reason or a detail stays on its line and is shown as printable ASCII,
/// cut off after 200 bytes; the further lines of the reason for which an instance is parked begin
/// with `|`. Input, results and replies are never shown, but their sizes.

#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/timestamp.hpp>
#include <sinew/process/definition_text.hpp>
#include <sinew/process/desk_rules.hpp>
#include <sinew/process/instance_plan.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// What a description says.
struct describe_options {
    /// Whether failures are told with their details. These are for people, and may quote data:
    /// leave them out where the text goes to a log.
    bool details = true;
};

namespace detail {

/// What strangers chose, as printable ASCII on one line.
[[nodiscard]] inline std::string shown(std::string_view text) {
    constexpr std::size_t bytes_max = 200;
    std::string out = printable(text.substr(0, bytes_max));
    return text.size() > bytes_max ? out.append("...") : out;
}

/// A span as people say it: in the largest unit of which it has at least one, and the next one.
[[nodiscard]] inline std::string shown_span(duration span) {
    struct unit {
        std::int64_t size;
        const char* name;
    };
    constexpr unit units[] = {{86'400'000'000'000, " d"}, {3'600'000'000'000, " h"},
                              {60'000'000'000, " min"},   {1'000'000'000, " s"},
                              {1'000'000, " ms"},         {1'000, " us"}};
    std::string out;
    for (const auto& one : units) {
        const auto times = span.count() / one.size;
        const bool is_second = !out.empty();
        if (times > 0) {
            out += (is_second ? " " : "") + std::to_string(times) + one.name;
            span -= duration(times * one.size);
        }
        if (is_second) {
            break;
        }
    }
    if (!out.empty()) {
        return out;
    }
    return span < duration::zero() ? "a time before it" : "no time";
}

[[nodiscard]] inline std::string shown_time(wall_time at) {
    const std::string text = format_time(at);
    return text.empty() ? "at no time of the calendar" : text;
}

[[nodiscard]] inline std::string counted(std::uint64_t number, std::string_view one) {
    std::string out = std::to_string(number);
    out += " ";
    out += one;
    return number == 1 ? out : out + "s";
}

[[nodiscard]] inline std::string shown_failure(const failure_note& why, bool with_detail) {
    std::string out = why.reason.empty() ? "without a reason" : shown(why.reason);
    out += " (";
    out += to_string(why.kind);
    out += ")";
    if (with_detail && !why.detail.empty()) {
        out += ": " + shown(why.detail);
    }
    return out;
}

[[nodiscard]] inline std::string shown_address(const step_address& where) {
    return std::string(to_string(where.phase)) + " " + shown(where.step);
}

/// Makes the lines of a description.
class instance_as_text {
public:
    instance_as_text(const journal_entry& of, describe_options options) : of_(of), how_(options) {}

    [[nodiscard]] std::string text() {
        show_state();
        show_steps();
        show_wait();
        show_what_is_left();
        return std::move(out_);
    }

private:
    void line(std::string_view text) { out_.append("    ").append(text).append("\n"); }

    void show_state() {
        const auto& what = of_.what;
        out_ += shown(what.type) + " \"" + shown(what.id) + "\" is ";
        out_ += to_string(what.state);
        out_ += has_ended(what.state) || what.state == instance_state::parked ? " since "
                                                                              : ", last moved ";
        out_ += shown_time(what.since);
        show_reason(what.why);
        line("started " + shown_time(what.started) + ", number " + std::to_string(what.number) +
             ", epoch " + std::to_string(what.epoch) + ", " + counted(what.input.size(), "byte") +
             " of input");
        if (what.cancelled) {
            line("to turn back since " + shown_time(what.cancelled->at) + ": " +
                 shown_failure(*what.cancelled, how_.details));
        }
        if (of_.unsettled > 1) {
            line(counted(of_.unsettled - 1, "claim") + " before ended without a word");
        }
    }

    /// The reason that people have to deal with. Two lists of steps have many lines.
    void show_reason(const std::optional<failure_note>& why) {
        if (!why) {
            out_ += "\n";
            return;
        }
        failure_note first = *why;
        const auto end = first.detail.find('\n');
        first.detail.resize(end < first.detail.size() ? end : first.detail.size());
        out_ += ": " + shown_failure(first, how_.details) + "\n";
        std::string_view rest = why->detail;
        rest.remove_prefix(end < rest.size() ? end + 1 : rest.size());
        for (std::size_t i = 0; i < lines_max && how_.details && !rest.empty(); ++i) {
            const auto length = rest.find('\n');
            line("| " + shown(rest.substr(0, length)));
            rest.remove_prefix(length < rest.size() ? length + 1 : rest.size());
        }
    }

    void show_steps() {
        const auto plan = plan_as_kept(of_);
        for (std::size_t i = 0; i < plan.size(); ++i) {
            const auto& step = plan.step(i);
            const bool is_kept = i < of_.what.steps.size();
            line(shown(step.name) + " (" +
                 (is_kept ? std::string(to_string(step.kind)) : "not among its first steps") + ")");
            for (const auto phase : {step_phase::act, step_phase::undo}) {
                show_records({step.name, phase});
                show_progress({step.name, phase});
            }
        }
    }

    /// Two columns: the phase, and what became of it.
    void show_in(step_phase phase, const std::string& text) {
        std::string row = "    ";
        append_padded(row, std::string(to_string(phase)), 6);
        line(row + text);
    }

    void show_records(const step_address& where) {
        for (const auto& one : of_.history) {
            if (one.where != where) {
                continue;
            }
            std::string text(to_string(one.kind));
            const bool is_by_people =
                one.kind == record_kind::retried || one.kind == record_kind::skipped;
            text += is_by_people ? " by people at " + shown_time(one.at)
                                 : " after " + shown_span(wall_between(one.begun, one.at));
            if (one.attempts != 0) {
                text += ", " + counted(one.attempts, "attempt") + " failed";
                text += one.kind == record_kind::done ? " before" : "";
            }
            if (!one.result.empty()) {
                text += ", " + counted(one.result.size(), "byte") + " of result";
            }
            text += one.why ? ": " + shown_failure(*one.why, how_.details) : "";
            show_in(where.phase, text);
        }
    }

    void show_progress(const step_address& where) {
        const auto& at = of_.what.progress;
        if (!at || at->where != where || has_ended(of_.what.state)) {
            return;
        }
        std::string text = "tried since " + shown_time(at->begun) + ", " +
                           counted(at->attempts, "attempt") + " failed";
        if (at->waits != 0) {
            text += ", waited " + counted(at->waits, "time") + " for what was unavailable";
        }
        if (at->starts != 0) {
            text += ", began " + counted(at->starts, "time") + " without an end";
        }
        text += at->in_doubt ? ", may have happened" : "";
        show_in(where.phase, text);
        if (at->last_failure) {
            line("          last failure " + shown_time(at->last_failure->at) + ": " +
                 shown_failure(*at->last_failure, how_.details));
        }
    }

    void show_wait() {
        if (const auto& wait = of_.what.wait) {
            std::string text = "waits until " + shown_time(wait->time.due);
            if (wait->reply) {
                text += " for the reply to " + shown_address(*wait->reply);
                text += of_.reply ? ", which is there" : "";
            }
            line(text);
        }
    }

    void show_what_is_left() {
        const auto state = of_.what.state;
        if (state == instance_state::parked || state == instance_state::abandoned ||
            (state == instance_state::open && goes_back(of_))) {
            std::string text;
            for (const auto& name : not_undone(of_)) {
                text += (text.empty() ? "" : ", ") + shown(name);
            }
            line("not undone: " + (text.empty() ? "nothing" : text));
        }
        std::string text;
        for (const auto& one : choices_for(of_)) {
            text += text.empty() ? "" : "; ";
            text += to_string(one.what);
            text += one.where ? " " + shown_address(*one.where) : "";
        }
        if (!text.empty()) {
            line("people can: " + text);
        }
    }

    static constexpr std::size_t lines_max = 64;

    const journal_entry& of_;
    describe_options how_;
    std::string out_{};
};

}  // namespace detail

/// Where an instance stands, what became of each step, and what people can do about it.
[[nodiscard]] inline std::string describe(const journal_entry& of, describe_options options = {}) {
    return detail::instance_as_text(of, options).text();
}

}  // namespace sinew
