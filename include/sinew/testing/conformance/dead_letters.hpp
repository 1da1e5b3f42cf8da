// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for places of dead letters, and for stores of them.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open()` | the place on the environment's data, or a reference to it | required |
/// | `letters()` | all letters that are there, for a place that is no `dead_letter_store` | optional |
/// | `open_store()` | a store on the same data | for letters in a transaction |
/// | `letters_of(store&)` | the place whose letters are written in that store's transactions | the same |
/// | `crash()` | the process dies here: `open` shows from now on what a new one would find | optional |

#include <sinew/core/dead_letters.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/dead_letters_environment.hpp>
#include <sinew/testing/conformance/dead_letters_histories.hpp>
#include <sinew/testing/conformance/dead_letters_store.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

namespace detail {

/// `dead_letter_place` 1 and 3: letters are there, and whole.
template <class Suite>
void claim_letters(Suite& run) {
    using env_type = typename Suite::environment;
    const auto seen = run.always().template needs<can_look<env_type>>("letters()");
    seen.claim({"dead_letter_place 1",
                "a letter that was stored is there when the place is opened "
                "again",
                "whether put answers before the letter is durable"},
               [](check& c, auto& env) {
                   {
                       auto&& place = env.open();
                       c.equal(place.put(letter_of("c", plain_event("1")), soon(env)),
                               put_result::stored, "the answer");
                   }
                   c.equal(ids_of(letters_in(env)), std::vector<std::string>{"1"}, "the letters");
               });
    seen.template needs<requires(env_type& env) { env.crash(); }>("crash()").claim(
        {"dead_letter_place 1", "a letter that was stored is there after a crash",
         "whether put answers before the letter is durable"},
        [](check& c, auto& env) {
            {
                auto&& place = env.open();
                c.equal(place.put(letter_of("c", plain_event("1")), soon(env)), put_result::stored,
                        "the answer");
                env.crash();
            }
            c.equal(ids_of(letters_in(env)), std::vector<std::string>{"1"}, "the letters");
        });
    seen.claim({"dead_letter_record", "a letter comes back bit for bit, whatever its bytes",
                "headers (order, names that come twice, empty values), NUL bytes, long values"},
               [](check& c, auto& env) {
                   auto&& place = env.open();
                   std::vector<dead_letter_record> sent;
                   for (auto& one : hostile_events()) {
                       sent.push_back(letter_of("c", std::move(one)));
                       c.equal(place.put(sent.back(), soon(env)), put_result::stored, "the answer");
                   }
                   const auto all = letters_in(env);
                   c.equal(all.size(), sent.size(), "the number of letters");
                   for (std::size_t i = 0; i < sent.size(); ++i) {
                       same_letter(c, sent[i], all[i]);
                   }
               });
    seen.claim(
        {"dead_letter_record", "what stands beside the event comes back, at its limits, too",
         "the types of the columns: offsets, times, counts, failure classes, long histories"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            for (const auto& one : letters_at_the_limits()) {
                c.equal(place.put(one, soon(env)), put_result::stored, "the answer");
                const auto all = letters_in(env);
                c.that(!all.empty(), "the letter to be there", "there is none");
                same_letter(c, one, all.back());
            }
        });
    seen.claim({"dead_letter_place 3", "the original is kept as it was put first",
                "put: an update of the event where only notes are to be added"},
               [](check& c, auto& env) {
                   auto&& place = env.open();
                   const auto first = letter_of("c", plain_event("1", "k", "first"));
                   c.equal(place.put(first, soon(env)), put_result::stored, "the answer");
                   auto second = letter_of("c", plain_event("1", "k", "second"), 2);
                   second.original.headers = {{"new", "header"}};
                   c.equal(place.put(second, soon(env)), put_result::stored, "the second answer");
                   const auto all = letters_in(env);
                   c.equal(all.size(), std::size_t{1}, "the number of letters");
                   const std::string wrong = difference(first.original, all[0].original);
                   c.that(wrong.empty(), "the original as it was", wrong);
               });
}

/// `dead_letter_place` 2: once per consumer.
template <class Suite>
void claim_identity(Suite& run) {
    using env_type = typename Suite::environment;
    const auto seen = run.always().template needs<can_look<env_type>>("letters()");
    seen.claim({"dead_letter_place 2", "an event is there once per consumer, whatever is put",
                "the unique key: consumer, source and id, byte by byte"},
               [](check& c, auto& env) {
                   auto&& place = env.open();
                   std::vector<std::string> expected;
                   for (const auto* consumer : {"c", "d"}) {
                       for (const auto& id : hostile_texts()) {
                           const auto letter = letter_of(consumer, plain_event(id));
                           c.equal(place.put(letter, soon(env)), put_result::stored, "the answer");
                           c.equal(place.put(letter, soon(env)), put_result::stored,
                                   "the answer when put again");
                           expected.push_back(id);
                       }
                   }
                   c.equal(letters_in(env).size(), expected.size(), "the number of letters");
                   c.equal(ids_of(letters_in(env)), expected, "the letters");
               });
    seen.claim(
        {"dead_letter_place 2", "putting an event again adds its notes to an entry that waits",
         "put: the history of the second letter"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            const auto first = letter_of("c", plain_event("1"), 1);
            const auto second = letter_of("c", plain_event("1"), 2);
            c.equal(place.put(first, soon(env)), put_result::stored, "the answer");
            c.equal(place.put(second, soon(env)), put_result::stored, "the second answer");
            const auto all = letters_in(env);
            c.equal(all.size(), std::size_t{1}, "the number of letters");
            c.equal(reasons_of(all[0]), std::vector<std::string>{"reason-1", "reason-2"},
                    "the reasons in its history");
            c.equal(all[0].first_failure == first.first_failure &&
                        all[0].last_failure == second.last_failure,
                    true, "its first and last failure, those of the two");
        });
    seen.claim(
        {"dead_letter_place 2", "an event without identity is told apart by its place",
         "the key of an event without id or source: topic and position"},
        [](check& c, auto& env) {
            auto&& place = env.open();
            event nobody = plain_event("");
            nobody.source.clear();
            std::size_t places = 0;
            for (const auto* topic : {"t", "u"}) {
                for (const position where : {position{0, 1}, position{0, 2}, position{1, 1}}) {
                    auto letter = letter_of("c", nobody);
                    letter.topic = topic;
                    letter.where = where;
                    for (int i = 0; i < 2; ++i) {
                        c.equal(place.put(letter, soon(env)), put_result::stored, "the answer");
                    }
                    ++places;
                }
            }
            c.equal(letters_in(env).size(), places, "the number of letters");
        });
}

}  // namespace detail

/// Looks at every claim of `dead_letter_place` and its optional parts. `make` makes a fresh
/// environment.
template <class Make>
    requires dead_letters_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table dead_letters_claims(std::string_view adapter, Make make,
                                               const dead_letters_features& has = {}) {
    suite<Make> run("dead letters", adapter, make);
    detail::claim_letters(run);
    detail::claim_identity(run);
    detail::claim_finding(run, has);
    detail::claim_moving(run, has);
    detail::claim_replays(run, has);
    detail::claim_letters_in_transaction(run, make, has);
    using place = detail::place_of<decltype(make())>;
    run.template feature<dead_letter_store<place>>("store", has.store)
        .claim({"reference", "random histories end as in the in-memory reference",
                "the in-memory dead letters, which are the reference"},
               [](check& c, auto& env) { detail::check_letter_histories(c, env); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
