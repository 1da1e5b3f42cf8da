// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the scenarios of the laws share. A scenario is small, four to eight events, so that every
/// pair of faults can be tried.

#include "laws/scenarios/named.hpp"
#include "support/impatient_source.hpp"

#include <sinew/consume/consumer.hpp>
#include <sinew/testing/consumer_world.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::laws {

using namespace std::chrono_literals;

using transaction = consumer_ports::transaction;

/// A subscription with the small limits that make a limit matter, and with nothing random in it.
[[nodiscard]] inline subscription_options subscription(std::size_t in_flight_max = 8) {
    return {.topic = "t",
            .group = "g",
            .in_flight_max = in_flight_max,
            .window_max = 16,
            .step_events_max = 8,
            .commit_interval = 100ms,
            .call_timeout = 5s,
            .seed = 7};
}

/// Enough attempts that faults alone never use them up.
[[nodiscard]] inline retry_options patient_retry() {
    return {.max_attempts = 50, .max_elapsed = 24h, .base = 200ms, .cap = 1s, .budget_floor = 100};
}

/// Dead letters that nobody asks to be replayed. So many deaths as here no faults bring about: each
/// lost answer of the attempt log, and each zombie, looks like one.
[[nodiscard]] inline dead_letter_options letters_at_rest() {
    return {.replay_interval = 1h, .deaths_max = 50};
}

inline constexpr std::string_view zombie_refused = "a zombie's commit was refused";

/// How often a fault came up so far.
[[nodiscard]] inline std::uint64_t times(consumer_world& w, fault f) {
    return w.found().happened[static_cast<std::size_t>(f)];
}

/// Applies the event in the transaction; what goes wrong then has to undo it.
inline outcome apply(consumer_ports& ports, const event_view& e, transaction& tx) {
    tx.effect(e);
    ports.self.pass_through("handler");
    // Somebody else has applied it while this handler stood still, so its commit must not work.
    if (auto& w = ports.home; times(w, fault::zombie) != 0) {
        w.found().sometimes(zombie_refused, w.facts().times_applied(e.id) != 0);
    }
    return outcome::done();
}

/// Remembers the most that was seen of each count, over all lives of a consumer. To be given to
/// `consumer_world::consume`.
[[nodiscard]] inline auto watch(consumer_counts& most) {
    return [&most](consumer_ports&, const auto& consumer, moment) {
        const auto raise = [](auto& to, auto seen) { to = seen > to ? seen : to; };
        const consumer_counts& now = consumer.counts();
        raise(most.applied, now.applied);
        raise(most.duplicates, now.duplicates);
        raise(most.skipped, now.skipped);
        raise(most.discarded, now.discarded);
        raise(most.dead_lettered, now.dead_lettered);
        raise(most.given_back, now.given_back);
        raise(most.in_flight, now.in_flight);
        raise(most.replayed, now.replayed);
        raise(most.retries, now.retries);
        raise(most.waits, now.waits);
        raise(most.held, now.held);
        raise(most.gaps, now.gaps);
        raise(most.late, now.late);
        raise(most.commits, now.commits);
        return never;
    };
}

/// A handler had nothing to do with an event, or a stage dropped it: from now on it is set aside.
inline void set_aside(consumer_world& w, std::string_view id) {
    if (!w.facts().is_set_aside(id)) {
        w.facts().set_aside.emplace_back(id);
    }
}

// The scenarios share a few types of pipeline, so that a mutant is compiled in seconds.

using handler = std::function<outcome(const event_view&, transaction&)>;

/// The handler that applies every event.
[[nodiscard]] inline handler applies(consumer_ports& p) {
    return [&p](const event_view& e, transaction& tx) { return apply(p, e, tx); };
}

/// What differs from scenario to scenario.
struct shape {
    subscription_options from = subscription();
    dead_letter_options letters = letters_at_rest();
    retry_options retries = patient_retry();
    once_options once = {.batch_max = 2};
};

/// Effects and dead letters in one store.
[[nodiscard]] inline auto standard(consumer_ports& p, handler f, shape o = {}) {
    return subscribe(p.source(), o.from) | dead_letter(p.letters(), o.letters) | retry(o.retries) |
           once(p.store, o.once) | handle(std::move(f));
}

/// Effects and dead letters in two stores: a letter is put, and then the event is finished. As with
/// most brokers' clients, each event takes its way through the lanes.
[[nodiscard]] inline auto letters_apart(consumer_ports& p, handler f,
                                        dead_letter_options letters = letters_at_rest()) {
    const shape o;
    return subscribe(test::impatient_source{p.source()}, o.from) |
           dead_letter(p.letters_elsewhere(), letters) | retry(o.retries) | once(p.store, o.once) |
           handle(std::move(f));
}

/// Effects and letters in one store, with each key in its sequence.
[[nodiscard]] inline auto sequenced(consumer_ports& p, handler f, resequencer_options sequence) {
    const shape o;
    return subscribe(test::impatient_source{p.source()}, o.from) | in_sequence(sequence) |
           dead_letter(p.letters(), o.letters) | retry(o.retries) | once(p.store, o.once) |
           handle(std::move(f));
}

/// Whether nothing went wrong in this run so far.
[[nodiscard]] inline bool is_unfaulted(consumer_world& w) {
    for (const auto times : w.found().happened) {
        if (times != 0) {
            return false;
        }
    }
    return true;
}

[[nodiscard]] inline std::uint64_t faults_of(consumer_world& w) {
    std::uint64_t sum = 0;
    for (const auto times : w.found().happened) {
        sum += times;
    }
    return sum;
}

inline event make_event(std::string_view key, std::string_view id, std::uint64_t sequence = 0) {
    return consumer_world::make_event(key, id, sequence);
}

/// An event with everything that an event can have, and bytes that are no text.
inline event make_full_event(std::string_view key, std::string_view id) {
    event e = make_event(key, id);
    e.subject = "about";
    e.time = "2026-01-02T03:04:05Z";
    e.datacontenttype = "application/octet-stream";
    e.dataschema = "https://example.org/schema";
    e.data = std::string("\0\xff\r\n\"", 5);
    e.correlationid = "c-1";
    e.causationid = "c-0";
    e.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    e.headers = {{"x", std::string("\0\x01", 2)}, {"x", "twice"}, {"empty", ""}};
    return e;
}

}  // namespace sinew::laws
