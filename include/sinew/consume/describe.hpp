// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The boundary map of a consumer: what holds at each place where an event changes hands.
///
/// It is read off the pipeline's type and options, so it cannot say anything else than what runs.

#include <sinew/consume/consumer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// One boundary, and the answer to each question at it.
struct boundary {
    std::string from;
    std::string to;
    std::string guarantee;
    std::string order;
    std::string retry;
    std::string dead_letter;
};

namespace detail {

/// A duration as people write it: in its largest whole unit.
[[nodiscard]] inline std::string brief(duration span) {
    struct unit {
        std::int64_t size;
        const char* name;
    };
    constexpr unit units[] = {{86'400'000'000'000, " d"}, {3'600'000'000'000, " h"},
                              {60'000'000'000, " min"},   {1'000'000'000, " s"},
                              {1'000'000, " ms"},         {1'000, " us"}};
    for (const auto& one : units) {
        if (span.count() != 0 && span.count() % one.size == 0) {
            return std::to_string(span.count() / one.size) + one.name;
        }
    }
    return std::to_string(span.count()) + " ns";
}

template <class Plan, class Parts>
[[nodiscard]] std::string describe_duplicates(const Parts& parts) {
    if constexpr (Plan::has_once) {
        const auto by = parts.duplicate.options.duplicates;
        if (by != duplicates::automatic) {
            return std::string(to_string(by));
        }
        return Plan::has_sequence ? "by sequence, without a key by id" : "by id";
    } else if constexpr (Plan::deduplicates) {
        return "by id, from memory, for " + brief(parts.duplicate.options.age_max);
    } else if constexpr (Plan::forgets) {
        return "not recognised: the offset is committed first";
    } else {
        return "harmless, as the handler says";
    }
}

template <class Plan, class Parts>
[[nodiscard]] std::string describe_order(const Parts& parts) {
    std::string text(to_string(parts.from.options.ordering));
    if constexpr (Plan::has_sequence) {
        text += ", by sequence; a gap waits " + brief(parts.sequence.options.gap_timeout);
    }
    return text;
}

template <class Plan, class Parts>
[[nodiscard]] std::string describe_retry(const Parts& parts) {
    if constexpr (Plan::has_retry) {
        const auto& o = parts.retry.options;
        return std::to_string(o.max_attempts) + " attempts within " + brief(o.max_elapsed) +
               "; waits without counting while something is unavailable";
    } else {
        return "none: 1 attempt; waits without counting while something is unavailable";
    }
}

template <class Plan, class Parts>
[[nodiscard]] std::string describe_last_resort(const Parts& parts) {
    if constexpr (Plan::has_place) {
        const auto& o = parts.failure.options;
        std::string text = "dead letter; its key's next events ";
        text += o.following == following::pass ? "pass" : "park behind it";
        if (Plan::guards) {
            text += "; after " + std::to_string(o.deaths_max) + " recorded deaths of the process";
        }
        return text;
    } else if constexpr (Plan::halts) {
        return "halt: the consumer stops there";
    } else {
        return "discard: dropped and counted";
    }
}

}  // namespace detail

/// The boundaries of a consumer, in the order in which an event crosses them.
template <class Parts, class Handler>
[[nodiscard]] std::vector<boundary> boundaries(const consumer<Parts, Handler>& of) {
    using plan = typename consumer<Parts, Handler>::plan_type;
    const Parts& parts = of.parts();
    const auto& options = parts.from.options;
    const std::string group = options.group;
    const std::string none = "-";
    std::vector<boundary> all;
    all.push_back({"topic " + options.topic, group,
                   plan::forgets ? "at most once" : "at least once", "by partition",
                   "delivered again after a crash or a rebalance", none});
    all.push_back({group, "handler",
                   std::string(to_string(plan::guarantee())) + "; duplicates " +
                       detail::describe_duplicates<plan>(parts),
                   detail::describe_order<plan>(parts), detail::describe_retry<plan>(parts),
                   detail::describe_last_resort<plan>(parts)});
    if constexpr (plan::has_once) {
        const bool inside = plan::guarantee() == guarantee::effectively_once;
        all.push_back({"handler", "store",
                       inside ? "effectively once: effects and memory are one transaction"
                              : "at least once: the handler acts outside of the transaction",
                       "as handled",
                       "a batch of up to " + std::to_string(parts.duplicate.options.batch_max) +
                           "; a failing event is undone alone",
                       none});
    }
    if constexpr (plan::has_place) {
        all.push_back({group, "dead letters", "at least once; an event is there once", "as failed",
                       "without end: the consumer waits, and drops nothing", none});
    }
    return all;
}

/// The boundary map as text.
template <class Parts, class Handler>
[[nodiscard]] std::string describe(const consumer<Parts, Handler>& of) {
    const auto& options = of.options();
    std::string text = options.group + " reads " + options.topic + ", " +
                       std::string(to_string(of.guarantee())) + "\n";
    for (const auto& one : boundaries(of)) {
        text += one.from + " -> " + one.to + "\n";
        const auto line = [&text](std::string_view what, const std::string& answer) {
            if (answer != "-") {
                text += "    ";
                text += what;
                text += answer;
                text += '\n';
            }
        };
        line("guarantee:   ", one.guarantee);
        line("order:       ", one.order);
        line("retry:       ", one.retry);
        line("last resort: ", one.dead_letter);
    }
    text += "limits\n    in flight:   " + std::to_string(options.in_flight_max) + " events, " +
            std::to_string(options.in_flight_bytes_max) +
            " bytes\n    one event:   " + std::to_string(options.event_bytes_max) + " bytes\n";
    return text;
}

/// The boundary map as a Mermaid flowchart.
template <class Parts, class Handler>
[[nodiscard]] std::string to_mermaid(const consumer<Parts, Handler>& of) {
    const auto quoted = [](std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"') {
                out += "#quot;";
            } else if (c == '<' || c == '>' || static_cast<unsigned char>(c) < 0x20) {
                out += ' ';
            } else {
                out += c;
            }
        }
        return out + "\"";
    };
    const auto node = [](std::string_view name) {
        if (name == "handler") {
            return "handler";
        }
        if (name == "store") {
            return "store";
        }
        return name == "dead letters" ? "letters" : name.starts_with("topic ") ? "topic" : "group";
    };
    std::string text = "flowchart LR\n";
    std::string declared;
    for (const auto& one : boundaries(of)) {
        for (const auto& name : {one.from, one.to}) {
            const std::string id = node(name);
            const bool is_place = id == "store" || id == "letters" || id == "topic";
            const std::string line = "    " + id + (is_place ? "[(" : "[") + quoted(name) +
                                     (is_place ? ")]" : "]") + "\n";
            if (declared.find(line) == std::string::npos) {
                declared += line;
            }
        }
    }
    text += declared;
    for (const auto& one : boundaries(of)) {
        text += "    " + std::string(node(one.from)) + " -->|" + quoted(one.guarantee) + "| " +
                node(one.to) + "\n";
    }
    return text;
}

}  // namespace sinew
