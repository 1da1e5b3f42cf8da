// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which an event fails: for a while, for ever, or so that the process dies of it.

#include "laws/scenarios/common.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace sinew::laws {

/// The first event of one key fails twice. The second of that key waits; the other key does not.
inline void retry_on_two_keys(trial& t) {
    consumer_world w(t);
    unsigned failures = 0;
    std::optional<steady_time> first_b;
    const auto begin = w.time().now().steady;
    for (const auto& [key, id] : {std::pair{"a", "a1"}, {"a", "a2"}, {"b", "b1"}, {"b", "b2"}}) {
        w.produce(0, make_event(key, id));
    }
    w.consume("worker", [&](consumer_ports& p) {
        return standard(p, [&](const event_view& e, transaction& tx) {
            if (e.id == "a1" && failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            if (e.id == "b2" && !first_b) {
                first_b = w.time().now().steady;
            }
            return apply(p, e, tx);
        });
    });
    w.run();
    if (is_unfaulted(w)) {
        w.found().check(law::order, first_b == begin, "another key waited for a retry");
    }
}

/// Attempts are used up. The key's next event goes on.
inline void attempts_used_up(trial& t) {
    consumer_world w(t);
    w.produce(0, make_full_event("a", "a1"), fate::dead_lettered);
    w.produce(0, make_event("a", "a2"));
    w.produce(0, make_event("b", "b1"));
    w.consume("worker", [](consumer_ports& p) {
        const auto never_works = [&p](const event_view& e, transaction& tx) {
            tx.effect(e);
            if (e.id == "a1") {
                throw transient_error("never", "never");
            }
            // A failure that counts could use up an innocent event's few attempts.
            p.self.pass_through(
                "handler", {fault::refused, fault::crash_before, fault::delayed, fault::zombie});
            return outcome::done();
        };
        auto few = patient_retry();
        few.max_attempts = 3;
        return standard(p, never_works, {.retries = few});
    });
    w.run();
    for (const auto& one : w.facts().letters) {
        // An answer that is lost, or a death behind the letter, makes it come twice: then it has
        // the notes of both.
        w.found().check(
            law::dead_letter_whole,
            !is_unfaulted(w) || (one.letter.attempts == 3 && one.letter.history.size() == 3),
            "a letter does not count its attempts");
    }
}

/// Attempts are used up, and the next one would have worked. Whoever gets the event again must not
/// make it: the event is a dead letter, and stands in one column of the ledger.
inline void would_work_the_next_time(trial& t) {
    consumer_world w(t);
    unsigned failures = 0;
    w.produce(0, make_event("a", "a1"), fate::either);
    w.produce(0, make_event("b", "b1"));
    w.consume("worker", [&failures](consumer_ports& p) {
        const auto fails_twice = [&failures](const event_view& e, transaction& tx) {
            tx.effect(e);
            if (e.id != "a1") {
                return outcome::done();
            }
            if (failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            return outcome::done();
        };
        auto few = patient_retry();
        few.max_attempts = 2;
        return standard(p, fails_twice, {.retries = few});
    });
    w.run();
}

/// An event that no attempt can help, and one that is no event; letters in the store of the
/// effects.
inline void permanent_failure(trial& t) {
    consumer_world w(t);
    event nameless = make_event("b", "b1");
    nameless.type.clear();
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_full_event("a", "a2"), fate::dead_lettered);
    w.produce(0, nameless, fate::dead_lettered);
    w.produce(0, make_event("a", "a3"));
    w.consume("worker", [](consumer_ports& p) {
        return standard(p, [&p](const event_view& e, transaction& tx) {
            if (e.id == "a2") {
                tx.effect(e);
                return outcome::reject("bad", "it will never work");
            }
            return apply(p, e, tx);
        });
    });
    w.run();
}

/// An event kills the process each time it is handled. Its neighbours must not be blamed.
inline void poison(trial& t) {
    consumer_world w(t);
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("a", "a2"), fate::dead_lettered);
    w.produce(0, make_event("a", "a3"));
    w.produce(0, make_event("b", "b1"));
    w.consume("worker", [](consumer_ports& p) {
        const auto kills = [&p](const event_view& e, transaction& tx) {
            tx.effect(e);
            if (e.id == "a2") {
                p.self.die("poison");
            }
            return outcome::done();
        };
        return standard(p, kills, {.letters = {.replay_interval = 1h, .deaths_max = 3}});
    });
    w.run();
    // One death that nothing was recorded of, three that were, and the start that buries it. A
    // fault costs a start itself, and can leave one death without a record.
    const auto starts_max = static_cast<unsigned>(5 + 2 * faults_of(w));
    check_poison(w.found(), w.time().starts("worker"), starts_max);
    w.found().sometimes("an event was buried for the deaths that it had caused",
                        w.facts().is_dead("a2"));
}

inline constexpr named_scenario failing_scenarios[] = {
    {"retry_on_two_keys", retry_on_two_keys},
    {"attempts_used_up", attempts_used_up},
    {"would_work_the_next_time", would_work_the_next_time},
    {"permanent_failure", permanent_failure},
    {"poison", poison},
};

}  // namespace sinew::laws
