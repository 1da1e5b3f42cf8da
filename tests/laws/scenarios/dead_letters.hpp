// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios about the place for dead letters: apart from the effects, down for a while, and the
/// way back out of it.

#include "laws/scenarios/common.hpp"

#include <memory>
#include <string_view>

namespace sinew::laws {

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

/// Somebody mends the handler and asks for the replay of a key's letters, in their order.
class asks_for_replays : public process_body {
public:
    asks_for_replays(consumer_world& w, memory::dead_letters& letters)
        : world_(w), letters_(letters) {}

    steady_time step(moment now) override {
        for (const auto& one : letters_.find({.state = dead_letter_state::waiting}, 0, 1)) {
            world_.found().sometimes(
                "a replay was asked for while another was outstanding",
                !letters_.find({.state = dead_letter_state::requested}, 0, 1).empty() ||
                    !letters_.find({.state = dead_letter_state::replaying}, 0, 1).empty());
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

/// What the two scenarios of a replay share: somebody asks too early, mends the handler, asks
/// again.
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

inline constexpr named_scenario dead_letters_scenarios[] = {
    {"dead_letters_elsewhere", dead_letters_elsewhere},
    {"dead_letter_place_down", dead_letter_place_down},
    {"replay", replay},
    {"replay_from_elsewhere", replay_from_elsewhere},
};

}  // namespace sinew::laws
