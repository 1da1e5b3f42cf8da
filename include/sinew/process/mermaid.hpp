// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Processes as Mermaid flowcharts: what can happen, and what happened to one instance.
///
/// **Guarantees.** The text is read off the definition and the history, and cannot say anything
/// else. Names stand quoted, and a character that could end a quotation or begin markup is written
/// as its number, so that a hostile name is no more than a strange one.

#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/definition_match.hpp>
#include <sinew/process/describe.hpp>
#include <sinew/process/instance_plan.hpp>
#include <sinew/process/saga_plan.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

namespace detail {

/// A text as the label of a node or an edge.
[[nodiscard]] inline std::string mermaid_label(std::string_view text) {
    std::string out = "\"";
    for (const char c : shown(text)) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') ||
                              std::string_view(" -_.,:()?/").find(c) != std::string_view::npos;
        if (is_plain) {
            out += c;
        } else {
            out += "#" + std::to_string(static_cast<int>(c)) + ";";
        }
    }
    return out + "\"";
}

/// The lines of a flowchart.
class mermaid_text {
public:
    explicit mermaid_text(std::string_view direction)
        : out_("flowchart " + std::string(direction) + "\n") {}

    void line(std::string_view text) { out_.append("    ").append(text).append("\n"); }
    void box(std::string_view id, std::string_view label) {
        line(std::string(id) + "[" + mermaid_label(label) + "]");
    }
    void hexagon(std::string_view id, std::string_view label) {
        line(std::string(id) + "{{" + mermaid_label(label) + "}}");
    }
    void end(std::string_view id, std::string_view label) {
        line(std::string(id) + "([" + mermaid_label(label) + "])");
    }
    void arrow(std::string_view from, std::string_view to) {
        line(std::string(from) + " --> " + std::string(to));
    }
    void dashed(std::string_view from, std::string_view to, std::string_view label) {
        line(std::string(from) + " -.->|" + mermaid_label(label) + "| " + std::string(to));
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

[[nodiscard]] inline std::string node_of(step_phase phase, std::size_t step) {
    return (phase == step_phase::act ? "act" : "undo") + std::to_string(step);
}

/// What can happen: forward down the steps, and back up their compensations.
class definition_as_mermaid {
public:
    explicit definition_as_mermaid(const process_definition& of) : of_(of) {
        for (const auto& one : of.steps) {
            can_turn_ = can_turn_ || one.kind != step_kind::retriable;
            ends_parked_ = ends_parked_ || one.kind != step_kind::pivot;
        }
    }

    [[nodiscard]] std::string text() {
        show_nodes();
        std::string before = "started";
        for (std::size_t i = 0; i < of_.steps.size(); ++i) {
            out_.arrow(before, node_of(step_phase::act, i));
            before = node_of(step_phase::act, i);
        }
        out_.arrow(before, "completed");
        for (std::size_t i = 0; i < of_.steps.size(); ++i) {
            show_failure(i);
        }
        for (std::size_t i = of_.steps.size(); i-- > 0;) {
            if (of_.steps[i].kind == step_kind::compensable) {
                out_.arrow(node_of(step_phase::undo, i), back_from(i));
                out_.dashed(node_of(step_phase::undo, i), "parked", "given up");
            }
        }
        return out_.take();
    }

private:
    void show_nodes() {
        out_.end("started", of_.type);
        for (std::size_t i = 0; i < of_.steps.size(); ++i) {
            const auto id = node_of(step_phase::act, i);
            if (of_.steps[i].kind == step_kind::pivot) {
                out_.hexagon(id, std::string(of_.steps[i].name) + " (pivot)");
            } else {
                out_.box(id, of_.steps[i].name);
            }
        }
        for (std::size_t i = 0; i < of_.steps.size(); ++i) {
            if (of_.steps[i].kind == step_kind::compensable) {
                out_.box(node_of(step_phase::undo, i), "undo " + std::string(of_.steps[i].name));
            }
        }
        out_.end("completed", "completed");
        if (can_turn_) {
            out_.end("compensated", "compensated");
        }
        if (ends_parked_ || can_turn_) {
            out_.end("parked", "parked for people");
        }
    }

    void show_failure(std::size_t i) {
        const auto id = node_of(step_phase::act, i);
        switch (of_.steps[i].kind) {
            case step_kind::compensable:
                out_.dashed(id, back_from(i), "failed");
                out_.dashed(id, node_of(step_phase::undo, i), "may have happened");
                break;
            case step_kind::pivot:
                out_.dashed(id, back_from(i), "failed");
                out_.dashed(id, "parked", "may have happened");
                break;
            case step_kind::retriable: out_.dashed(id, "parked", "given up"); break;
        }
    }

    /// What is undone before a step: the last compensable one in front of it.
    [[nodiscard]] std::string back_from(std::size_t i) const {
        while (i-- > 0) {
            if (of_.steps[i].kind == step_kind::compensable) {
                return node_of(step_phase::undo, i);
            }
        }
        return "compensated";
    }

    const process_definition& of_;
    mermaid_text out_{"TD"};
    bool can_turn_ = false;
    bool ends_parked_ = false;
};

/// What happened: one node for each record, in their order, then where it stands, then the rest of
/// its way if nothing else goes wrong.
class history_as_mermaid {
public:
    history_as_mermaid(const process_definition& code, const journal_entry& of,
                       compensation_policy policy)
        : of_(of),
          match_(match_definition(of.what.steps, code, of.history)),
          plan_(match_, of.history, policy) {}

    [[nodiscard]] std::string text() {
        out_.end("started", of_.what.type + " " + of_.what.id);
        for (const auto& one : of_.history) {
            append_record(one);
        }
        if (has_ended(of_.what.state)) {
            out_.end("now", to_string(of_.what.state));
            out_.arrow(last_, "now");
            return out_.take();
        }
        show_now();
        if (of_.what.state == instance_state::open && match_.goes_on()) {
            show_rest();
        }
        return out_.take();
    }

private:
    [[nodiscard]] std::string name_of(const step_address& where) const {
        const auto at = match_.find(where.step);
        return (where.phase == step_phase::undo ? "undo " : "") +
               (at ? match_.steps[*at].name : where.step);
    }
    void go_to(const std::string& id) {
        out_.arrow(last_, id);
        last_ = id;
    }

    void append_record(const step_record& one) {
        const std::string id = "record" + std::to_string(records_++);
        std::string label = name_of(one.where) + ": ";
        label += to_string(one.kind);
        if (one.kind == record_kind::done || one.kind == record_kind::failed) {
            label += ", " + shown_span(wall_between(one.begun, one.at));
        }
        if (one.attempts != 0) {
            label += ", " + counted(one.attempts, "attempt") + " failed";
        }
        if (one.why && one.kind == record_kind::failed) {
            label += ", " + one.why->reason;
        }
        out_.box(id, label);
        go_to(id);
    }

    /// The step at which it stands.
    void show_now() {
        const auto& what = of_.what;
        std::string label(to_string(what.state));
        if (what.progress) {
            label += " at " + name_of(what.progress->where) + ", " +
                     counted(what.progress->attempts, "attempt") + " failed";
        }
        if (what.wait && what.wait->reply) {
            label += ", waits for a reply";
        }
        if (what.why) {
            label += ", " + what.why->reason;
        }
        out_.end("now", label);
        go_to("now");
    }

    /// Each decision of the plan that follows, were everything done from here on.
    void show_rest() {
        auto here = position_of(of_.what);
        for (std::size_t i = 0; i <= 2 * plan_.size(); ++i) {
            const auto next = plan_.next(here);
            const bool is_step =
                next.what == plan_verdict::act || next.what == plan_verdict::compensate;
            const std::string id = "next" + std::to_string(i);
            if (!is_step) {
                out_.end(id, next.what == plan_verdict::complete          ? "completed"
                             : next.what == plan_verdict::end_compensated ? "compensated"
                                                                          : "parked for people");
                out_.dashed(last_, id, "then");
                return;
            }
            const step_address where{plan_.step(next.step).name, next.what == plan_verdict::act
                                                                     ? step_phase::act
                                                                     : step_phase::undo};
            out_.box(id, name_of(where));
            out_.dashed(std::exchange(last_, id), id, "then");
            step_record done;
            done.where = where;
            plan_.see(done);
            here.begun.reset();
            here.is_in_doubt = false;
        }
    }

    const journal_entry& of_;
    definition_match match_;
    saga_plan plan_;
    mermaid_text out_{"TD"};
    std::string last_ = "started";
    std::size_t records_ = 0;
};

}  // namespace detail

/// What can happen to an instance of a process.
[[nodiscard]] inline std::string to_mermaid(const process_definition& of) {
    return detail::definition_as_mermaid(of).text();
}

/// What happened to an instance, and what follows if nothing else goes wrong.
[[nodiscard]] inline std::string to_mermaid(const process_definition& of,
                                            const journal_entry& instance,
                                            compensation_policy policy = {}) {
    return detail::history_as_mermaid(of, instance, policy).text();
}

}  // namespace sinew
