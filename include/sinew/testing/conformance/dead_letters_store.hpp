// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The claims on dead letters that can be looked at, moved and replayed, and on those that are
/// written in a store's transaction.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/dead_letters_environment.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

using letter_state = dead_letter_state;

/// Puts letters about events `1`, `2`, ... with these keys.
template <class Env, class Place>
void put_keys(const check& c, Env& env, Place& place, const std::vector<std::string>& keys,
              const std::string& consumer = "c") {
    std::size_t id = 0;
    for (const auto& key : keys) {
        const auto letter = letter_of(consumer, plain_event(std::to_string(++id), key));
        c.equal(place.put(letter, soon(env)), put_result::stored, "the answer of put");
    }
}

/// Moves the entry of the event with that id, under its own version; it has to succeed.
template <class Place>
void move_to(const check& c, Place& place, std::string_view id, letter_state to,
             const failure_note* note = nullptr) {
    for (const auto& one : entries_in(place)) {
        if (one.letter.original.id == id) {
            c.equal(place.move(one.number, one.version, to, note), true,
                    "the answer of move, under the entry's own version,");
            return;
        }
    }
    c.fail("an entry of event " + show(id), "there is none");
}

/// `dead_letter_store` 1 and 5: looking.
template <class Suite>
void claim_finding(Suite& run, const dead_letters_features& has) {
    using place_type = place_of<typename Suite::environment>;
    const auto store = run.template feature<dead_letter_store<place_type>>("store", has.store);
    store.claim(
        {"dead_letter_store 1", "entries are listed by number, above the one given, so many",
         "find: the order, the bound being exclusive, the limit"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            put_keys(c, env, place, {"a", "b", "c", "d", "e"});
            const auto all = entries_in(place);
            c.equal(ids_of(all), std::vector<std::string>{"1", "2", "3", "4", "5"}, "all events");
            for (std::size_t i = 1; i < all.size(); ++i) {
                c.that(all[i].number > all[i - 1].number, "rising numbers",
                       show(all[i].number) + " after " + show(all[i - 1].number));
            }
            c.equal(ids_of(place.find({}, all[1].number, 2)), std::vector<std::string>{"3", "4"},
                    "two events behind the second");
            c.equal(place.find({}, all[4].number, 9).size(), std::size_t{0},
                    "the number of events behind the last");
            c.equal(place.find({}, 0, 0).size(), std::size_t{0}, "of none, the number");
        });
    store.claim({"dead_letter_store 1", "a filter leaves only what fits in each of its fields",
                 "find: each field, and all of them together"},
                [](check& c, auto& env) {
                    auto&& place = env.open();
                    auto odd = letter_of("d", plain_event("odd", "k'2"), 2);
                    odd.topic = "u";
                    odd.original.type = "another type";
                    odd.kind = odd.history[0].kind = failure_class::transient;
                    c.equal(place.put(letter_of("c", plain_event("1", "k")), soon(env)),
                            put_result::stored, "the answer");
                    c.equal(place.put(odd, soon(env)), put_result::stored, "the answer");
                    move_to(c, place, "odd", letter_state::requested);
                    const dead_letter_filter each[] = {{.consumer = "d"},
                                                       {.topic = "u"},
                                                       {.reason = "reason-2"},
                                                       {.type = "another type"},
                                                       {.key = "k'2"},
                                                       {.kind = failure_class::transient},
                                                       {.state = letter_state::requested}};
                    for (const auto& filter : each) {
                        c.equal(ids_of(entries_in(place, filter)), std::vector<std::string>{"odd"},
                                "what fits");
                    }
                    c.equal(entries_in(place, {.consumer = "c", .topic = "u"}).size(),
                            std::size_t{0}, "the number that fits in one field of two");
                });
    store.claim(
        {"dead_letter_store 5", "entries are counted by reason, type and state, in that order",
         "counts: the grouping and the order"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            for (const auto* id : {"1", "2", "3", "4"}) {
                auto letter = letter_of("c", plain_event(id), *id == '1' ? 2 : 1);
                letter.original.type = *id == '4' ? "a" : "b";
                c.equal(place.put(letter, soon(env)), put_result::stored, "the answer");
            }
            move_to(c, place, "3", letter_state::discarded);
            const std::vector<dead_letter_count> expected = {
                {"reason-1", "a", letter_state::waiting, 1},
                {"reason-1", "b", letter_state::waiting, 1},
                {"reason-1", "b", letter_state::discarded, 1},
                {"reason-2", "b", letter_state::waiting, 1}};
            c.equal(place.counts({}), expected, "the counts");
            c.equal(place.counts({.type = "a"}), std::vector<dead_letter_count>{expected[0]},
                    "the counts of one type");
        });
}

/// `dead_letter_store` 2: compare and swap. And what a settled entry takes.
template <class Suite>
void claim_moving(Suite& run, const dead_letters_features& has) {
    using place_type = place_of<typename Suite::environment>;
    const auto store = run.template feature<dead_letter_store<place_type>>("store", has.store);
    store.claim({"dead_letter_store 2", "a move under the entry's version changes its state",
                 "move: the state, the version that rises, and the note"},
                [](check& c, auto& env) {
                    auto&& place = env.open();
                    put_keys(c, env, place, {"k"});
                    const auto before = entries_in(place).at(0);
                    const auto note = note_of(7);
                    c.equal(
                        place.move(before.number, before.version, letter_state::discarded, &note),
                        true, "the answer");
                    const auto after = entries_in(place).at(0);
                    c.equal(after.state, letter_state::discarded, "the state");
                    c.that(after.version > before.version,
                           "a version above " + show(before.version), show(after.version));
                    c.equal(reasons_of(after.letter),
                            std::vector<std::string>{"reason-1", "reason-7"}, "its history");
                });
    store.claim(
        {"dead_letter_store 2", "a move under another version changes nothing",
         "move: a condition on the version, in the same statement as the change"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            put_keys(c, env, place, {"k"});
            const auto first = entries_in(place).at(0);
            c.equal(place.move(first.number, first.version, letter_state::requested, nullptr), true,
                    "the answer of the first move");
            const auto before = entries_in(place).at(0);
            const auto note = note_of(7);
            for (const auto wrong : {first.version, before.version + 1, UINT64_MAX}) {
                c.equal(place.move(before.number, wrong, letter_state::discarded, &note), false,
                        "the answer of a move under version " + show(wrong) + " when it is " +
                            show(before.version));
            }
            const auto after = entries_in(place).at(0);
            c.equal(after.state, letter_state::requested, "the state");
            c.equal(after.version, before.version, "the version");
            c.equal(after.letter == before.letter, true, "the letter, the same");
            c.equal(place.move(before.number + 1'000, 1, letter_state::resolved, nullptr), false,
                    "the answer for a number that nobody has");
        });
    store.claim({"dead_letter_place 2",
                 "putting an event again changes nothing in an entry that is "
                 "resolved or discarded",
                 "put: the state of the entry that it finds"},
                [](check& c, auto& env) {
                    auto&& place = env.open();
                    put_keys(c, env, place, {"k", "k"});
                    move_to(c, place, "1", letter_state::resolved);
                    move_to(c, place, "2", letter_state::discarded);
                    const auto before = entries_in(place);
                    for (const auto* id : {"1", "2"}) {
                        c.equal(place.put(letter_of("c", plain_event(id, "k"), 9), soon(env)),
                                put_result::stored, "the answer");
                    }
                    const auto after = entries_in(place);
                    c.equal(after.size(), std::size_t{2}, "the number of entries");
                    for (std::size_t i = 0; i < 2; ++i) {
                        c.equal(after[i].state, before[i].state, "the state");
                        c.equal(after[i].letter == before[i].letter, true, "the letter, the same");
                    }
                });
}

/// `dead_letter_store` 3 and 4: replays.
template <class Suite>
void claim_replays(Suite& run, const dead_letters_features& has) {
    using place_type = place_of<typename Suite::environment>;
    const auto store = run.template feature<dead_letter_store<place_type>>("store", has.store);
    store.claim(
        {"dead_letter_store 3", "the requested entry with the lowest number is the next one",
         "requested: the order, the state and the consumer"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            put_keys(c, env, place, {"a", "b", "c"});
            put_keys(c, env, place, {"a"}, "another");
            c.equal(place.requested("c").has_value(), false, "whether any is, at first,");
            move_to(c, place, "3", letter_state::requested);
            move_to(c, place, "2", letter_state::requested);
            const auto next = place.requested("c");
            c.that(next.has_value(), "an entry", "nothing");
            c.equal(next->letter.original.id, "2", "its event");
            c.equal(next->state, letter_state::requested, "its state");
            c.equal(place.requested("another").has_value(), false,
                    "whether another consumer has one");
        });
    store.claim({"dead_letter_store 3", "a replay that was cut off comes first",
                 "requested: an entry that is replaying, also under a higher number"},
                [](check& c, auto& env) {
                    auto&& place = env.open();
                    put_keys(c, env, place, {"a", "b"});
                    move_to(c, place, "1", letter_state::requested);
                    move_to(c, place, "2", letter_state::replaying);
                    const auto next = place.requested("c");
                    c.that(next.has_value(), "an entry", "nothing");
                    c.equal(next->letter.original.id, "2", "its event");
                    move_to(c, place, "2", letter_state::resolved);
                    const auto then = place.requested("c");
                    c.that(then.has_value(), "an entry", "nothing");
                    c.equal(then->letter.original.id, "1", "the event after it");
                });
    store.claim({"dead_letter_store 4", "a key is held until its entries are resolved or discarded",
                 "holds: each state, the empty key, and keys of any bytes"},
                [](check& c, auto& env) {
                    auto&& place = env.open();
                    auto keys = hostile_texts();
                    keys.emplace_back();
                    for (const auto& key : keys) {
                        c.equal(place.holds("c", key), false,
                                "whether key " + show(key) + " is held at first");
                    }
                    put_keys(c, env, place, keys);
                    for (const auto to :
                         {letter_state::waiting, letter_state::requested, letter_state::replaying,
                          letter_state::resolved, letter_state::discarded}) {
                        const bool held =
                            to != letter_state::resolved && to != letter_state::discarded;
                        for (std::size_t i = 0; i < keys.size(); ++i) {
                            move_to(c, place, std::to_string(i + 1), to);
                            c.equal(place.holds("c", keys[i]), held,
                                    "whether key " + show(keys[i]) +
                                        " is held by an entry that is " + show(to));
                        }
                    }
                    c.equal(place.holds("d", "a"), false, "whether another consumer's key is held");
                });
}

template <class Env>
using letters_store_of = std::remove_cvref_t<decltype(std::declval<Env&>().open_store())>;

template <class Env>
concept letters_with_store = store<letters_store_of<Env>> &&
                             requires(Env& env, letters_store_of<Env>& s) { env.letters_of(s); };

template <class Env>
constexpr bool models_in_transaction() {
    if constexpr (letters_with_store<Env>) {
        return dead_letters_in_transaction<place_of<Env>, letters_store_of<Env>>;
    } else {
        return false;
    }
}

/// `dead_letters_in_transaction`.
template <class Suite, class Make>
void claim_letters_in_transaction(Suite& run, Make make, const dead_letters_features& has) {
    using env_type = typename Suite::environment;
    const auto part = run.template feature<models_in_transaction<env_type>()>("in_transaction",
                                                                              has.in_transaction);
    part.claim(
        {"dead_letters_in_transaction 1", "it shares the transactions of its own store alone",
         "shares: two stores on different data"},
        [make](check& c, auto& env) {
            auto&& s = env.open_store();
            auto&& place = env.letters_of(s);
            c.equal(place.shares(s), true, "whether it shares those of its own store");
            std::remove_cvref_t<decltype(env)> another = make();
            auto&& theirs = another.open_store();
            c.equal(place.shares(theirs), false, "whether it shares those of other data");
        });
    part.claim({"dead_letters_in_transaction 2",
                "a letter is there if its transaction commits, and "
                "only then",
                "whether the letter is written on the transaction's connection"},
               [](check& c, auto& env) {
                   auto&& s = env.open_store();
                   auto&& place = env.letters_of(s);
                   {
                       auto tx = s.begin(soon(env));
                       place.put(tx, letter_of("c", plain_event("gone", "k")));
                       c.equal(place.holds(tx, "c", "k"), true, "whether the key is held within");
                       tx.rollback();
                   }
                   c.equal(entries_in(place).size(), std::size_t{0}, "the number after a rollback");
                   c.equal(place.holds("c", "k"), false, "whether the key is held after it");
                   auto tx = s.begin(soon(env));
                   place.put(tx, letter_of("c", plain_event("kept", "k")));
                   place.put(tx, letter_of("c", plain_event("kept", "k"), 2));
                   c.equal(tx.commit(), commit_result::committed, "the answer of commit");
                   const auto all = entries_in(place);
                   c.equal(ids_of(all), std::vector<std::string>{"kept"}, "the letters");
                   c.equal(reasons_of(all[0].letter),
                           std::vector<std::string>{"reason-1", "reason-2"}, "its history");
               });
    part.claim(
        {"dead_letters_in_transaction 2",
         "a move is done if its transaction commits, and only "
         "then",
         "whether the move is written on the transaction's connection"},
        [](check& c, auto& env) {
            auto&& s = env.open_store();
            auto&& place = env.letters_of(s);
            put_keys(c, env, place, {"k"});
            const auto before = entries_in(place).at(0);
            {
                auto tx = s.begin(soon(env));
                c.equal(
                    place.move(tx, before.number, before.version, letter_state::resolved, nullptr),
                    true, "the answer of move");
                c.equal(place.holds(tx, "c", "k"), false, "whether the key is held within");
                c.equal(
                    place.move(tx, before.number, before.version, letter_state::discarded, nullptr),
                    false, "the answer of move under the version that was");
                tx.rollback();
            }
            c.equal(entries_in(place).at(0).state, letter_state::waiting,
                    "the state after a "
                    "rollback");
            auto tx = s.begin(soon(env));
            c.equal(place.move(tx, before.number, before.version, letter_state::resolved, nullptr),
                    true, "the answer of move after the rollback");
            c.equal(tx.commit(), commit_result::committed, "the answer of commit");
            c.equal(entries_in(place).at(0).state, letter_state::resolved, "the state in the end");
        });
}

}  // namespace sinew::testing::conformance::detail
