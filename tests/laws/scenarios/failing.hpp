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
        // An answer that is lost, or a death behind the letter, makes it come twice: then it has the
        // notes of both.
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

/// An event that no attempt can help, and one that is no event; letters in the store of the effects.
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

/// A handler that rejects one event.
[[nodiscard]] inline handler rejects(consumer_ports& p, std::string_view id) {
    return [&p, id](const event_view& e, transaction& tx) {
        return e.id == id ? outcome::reject("bad", "it will never work") : apply(p, e, tx);
    };
}

/// The same with the dead letters in a place of their own: put and applied are two transactions.
inline void dead_letters_elsewhere(trial& t) {
    consumer_world w(t);
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_full_event("a", "a2"), fate::dead_lettered);
    w.produce(0, make_event("a", "a3"));
    w.consume("worker", [](consumer_ports& p) { return letters_apart(p, rejects(p, "a2")); });
    w.run();
}

/// A place that takes no letters for a while.
struct place_that_is_down {
    memory::dead_letters* real;
    world* time;
    steady_time up_at;

    put_result put(const dead_letter_record& letter, steady_time until) {
        if (time->now().steady < up_at) {
            throw unavailable_error("down", "the dead-letter place is down");
        }
        return real->put(letter, until);
    }
};

/// The dead-letter place is down: the consumer waits and drops nothing.
inline void dead_letter_place_down(trial& t) {
    consumer_world w(t);
    w.produce(0, make_full_event("a", "a1"), fate::dead_lettered);
    w.produce(0, make_event("a", "a2"));
    w.produce(0, make_event("b", "b1"));
    const place_that_is_down place{&w.letters_elsewhere(), &w.time(), w.time().now().steady + 2s};
    w.consume("worker", [place](consumer_ports& p) {
        return subscribe(p.source(), subscription()) |
               dead_letter(faulty_dead_letters(p.self, place), letters_at_rest()) |
               retry(patient_retry()) | once(p.store, {.batch_max = 2}) | handle(rejects(p, "a1"));
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
    // One death that nothing was recorded of, three that were, and the start that buries it. A fault
    // costs a start itself, and can leave one death without a record.
    const auto starts_max = static_cast<unsigned>(5 + 2 * faults_of(w));
    check_poison(w.found(), w.time().starts("worker"), starts_max);
}

/// Somebody mends the handler and asks for the replay of a key's letters, in their order.
class asks_for_replays : public process_body {
public:
    asks_for_replays(consumer_world& w, memory::dead_letters& letters)
        : world_(w), letters_(letters) {}

    steady_time step(moment now) override {
        for (const auto& one : letters_.find({.state = dead_letter_state::waiting}, 0, 1)) {
            static_cast<void>(
                letters_.move(one.number, one.version, dead_letter_state::requested, nullptr));
            world_.time().stir();
        }
        return now.steady + 2s;
    }

private:
    consumer_world& world_;
    memory::dead_letters& letters_;
};

/// What the two scenarios of a replay share: somebody asks too early, mends the handler, asks again.
inline void run_replay(consumer_world& w, bool& mended, memory::dead_letters& letters) {
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(0, make_event("b", "b1"));
    w.time().at(5s, [&mended] { mended = true; });
    w.time().add(
        "operator",
        [&w, &letters](process&) { return std::make_unique<asks_for_replays>(w, letters); }, 4s);
    w.settled_when([&letters] {
        for (const auto& one : letters.find({}, 0, 10)) {
            if (one.state != dead_letter_state::resolved) {
                return false;
            }
        }
        return true;
    });
    w.run();
}

[[nodiscard]] inline handler works_later(consumer_ports& p, const bool& mended) {
    return [&p, &mended](const event_view& e, transaction& tx) {
        return e.id == "a1" && !mended ? outcome::reject("bad", "it does not work yet")
                                       : apply(p, e, tx);
    };
}

inline constexpr dead_letter_options letters_to_replay = {
    .following = following::park, .replay_interval = 1s, .replay_lease = 5s, .deaths_max = 50};

/// A dead letter is replayed, and with it what was parked behind it in its key.
inline void replay(trial& t) {
    consumer_world w(t);
    bool mended = false;
    w.consume("worker", [&mended](consumer_ports& p) {
        return standard(p, works_later(p, mended), {.letters = letters_to_replay});
    });
    run_replay(w, mended, w.letters());
}

/// The same with the dead letters in a place of their own.
inline void replay_from_elsewhere(trial& t) {
    consumer_world w(t);
    bool mended = false;
    w.consume("worker", [&mended](consumer_ports& p) {
        return letters_apart(p, works_later(p, mended), letters_to_replay);
    });
    run_replay(w, mended, w.letters_elsewhere());
}

}  // namespace sinew::laws
