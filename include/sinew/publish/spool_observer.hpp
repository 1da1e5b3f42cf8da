// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Seeing what a spool does: plain hooks, each given a small struct. The default does nothing.
///
/// The notes carry no payload, no key and no header value, so they can go to logs and metrics.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/spool.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sinew {

/// What is told of an event on its way through a spool. The texts are valid during the call alone.
struct spool_note {
    std::string_view id;
    std::string_view source;
    std::string_view type;
    std::uint32_t attempts = 0;           ///< those that failed so far, and count
    std::string_view reason{};            ///< where something went wrong
    std::optional<failure_class> kind{};  ///< where something went wrong
    std::optional<duration> retry_in{};   ///< where it will be tried again
};

/// What is told of the spool's sink, and of the spool as a whole.
struct spool_state_note {
    spool_size size{};
    std::string_view reason{};           ///< why the sink is taken for down
    std::optional<duration> retry_in{};  ///< when it is tried again
};

/// Hooks that do nothing. The first four are called by `spooled`, the others by `drainer`.
struct null_spool_observer {
    void on_first_spooled(const spool_note&) {}    ///< nothing waited in the spool before
    void on_spooled(const spool_note&) {}          ///< in the spool; also called for the first
    void on_spool_refused(const spool_note&) {}    ///< neither published nor in the spool
    void on_live(const spool_note&) {}             ///< published without the spool
    void on_published(const spool_note&) {}        ///< taken from the spool, and accepted
    void on_put_off(const spool_note&) {}          ///< its key waits
    void on_parked(const spool_note&) {}           ///< refused for good: for somebody to decide
    void on_sink_down(const spool_state_note&) {}  ///< the drainer waits for the sink
    void on_sink_up(const spool_state_note&) {}    ///< it answers again
    void on_drained(const spool_state_note&) {}    ///< nothing is left to be published
};

/// A `spool_observer` has all the hooks of `null_spool_observer`. A hook must not throw, and should
/// return soon: it runs on the thread that publishes, or on the drainer's.
template <class O>
concept spool_observer = std::move_constructible<O> &&
                         requires(O& o, const spool_note& event, const spool_state_note& state) {
                             o.on_first_spooled(event);
                             o.on_spooled(event);
                             o.on_spool_refused(event);
                             o.on_live(event);
                             o.on_published(event);
                             o.on_put_off(event);
                             o.on_parked(event);
                             o.on_sink_down(state);
                             o.on_sink_up(state);
                             o.on_drained(state);
                         };

namespace detail {

[[nodiscard]] inline spool_note note_of(const event_view& e) noexcept {
    return {.id = e.id, .source = e.source, .type = e.type};
}
[[nodiscard]] inline spool_note note_of(const event_view& e, const failure& why) noexcept {
    return {.id = e.id,
            .source = e.source,
            .type = e.type,
            .attempts = 0,
            .reason = why.reason,
            .kind = why.kind};
}

}  // namespace detail

}  // namespace sinew
