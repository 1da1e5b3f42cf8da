// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Steps that act by a command: a message to another service, and the reply to it.
///
/// The command goes out through the outbox, in the transaction in which the wait for its reply is
/// written. What it lacks is set:
///
/// | attribute | is |
/// | --- | --- |
/// | `id` | always the step's idempotency key: the same if it is sent again |
/// | `source` | the name of the process |
/// | `partitionkey`, `correlationid` | the id of the instance, so that an undo stays behind its act |
///
/// Whoever replies names the command as the cause of the reply (`causationid`, which `caused_by`
/// sets), and `bring_reply` brings it to the step.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace sinew {

/// A command that a step sends.
struct command {
    std::string type{};
    std::string data{};
    std::string source{};
    std::string subject{};
    std::string datacontenttype{};
    std::string dataschema{};
    std::string partitionkey{};
    std::string correlationid{};
    std::string traceparent{};
    std::vector<header> headers{};
};

/// What a step returns to send a command and wait for its reply.
///
/// **Example.** `return sinew::send({.type = "points.add", .data = json});`
[[nodiscard]] inline command send(command what) { return what; }

/// The same of an event. Its id is replaced by the idempotency key. Braces make a command: this is
/// not looked at for them.
template <std::same_as<event> Event>
[[nodiscard]] command send(Event what) {
    return {std::move(what.type),
            std::move(what.data),
            std::move(what.source),
            std::move(what.subject),
            std::move(what.datacontenttype),
            std::move(what.dataschema),
            std::move(what.partitionkey),
            std::move(what.correlationid),
            std::move(what.traceparent),
            std::move(what.headers)};
}

/// Options of waiting for a reply.
struct reply_options {
    /// How long the reply may take, before the attempt counts as one of unknown outcome.
    duration within = std::chrono::seconds(30);
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const reply_options& options) {
    if (options.within <= duration::zero()) {
        throw usage_error("reply: option within has to be above 0");
    }
}

namespace detail {

/// The command as it goes out.
[[nodiscard]] inline event completed(command&& what, const attempt_info& at) {
    const auto or_else = [](std::string&& given, std::string_view other) {
        return given.empty() ? std::string(other) : std::move(given);
    };
    event out{.id = std::string(at.key),
              .source = or_else(std::move(what.source), at.instance.type),
              .type = std::move(what.type)};
    out.subject = std::move(what.subject);
    out.datacontenttype = std::move(what.datacontenttype);
    out.dataschema = std::move(what.dataschema);
    out.data = std::move(what.data);
    out.partitionkey = or_else(std::move(what.partitionkey), at.instance.id);
    out.correlationid = or_else(std::move(what.correlationid), at.instance.id);
    out.traceparent = std::move(what.traceparent);
    out.headers = std::move(what.headers);
    return out;
}

}  // namespace detail

}  // namespace sinew
