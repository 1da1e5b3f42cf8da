// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for what `batch_sink` adds to `sink`, whose own suite is in `sink.hpp`.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open()` | a sink that takes batches, and publishes to the environment's topic | required |
/// | `delivered()` | all events that a reader has got so far, from the beginning; of one partition in their order | required |
/// | `refuse(id)` | from now on the broker refuses an event of that id for good | optional |
/// | `disconnect()`, `reconnect()` | the broker cannot be reached in between | optional |

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/sink.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

template <class Env>
concept batch_sink_environment = requires(Env& env) {
    { env.open() } -> batch_sink;
    { env.delivered() } -> std::convertible_to<std::vector<event>>;
};

namespace detail {

/// Publishes a batch, and looks that there is an answer for each event.
template <class Sink>
[[nodiscard]] std::vector<publish_result> publish_all(const check& c, Sink& to,
                                                      const std::vector<event>& events,
                                                      steady_time until) {
    std::vector<event_view> views;
    views.reserve(events.size());
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    auto answers = to.publish_batch(std::span<const event_view>(views), until);
    c.equal(answers.size(), events.size(), "the number of answers");
    return answers;
}

/// Each answer says what became of its own event.
template <class Env>
void check_answers(const check& c, Env& env, const std::vector<event>& sent,
                   const std::vector<publish_result>& answers) {
    std::size_t accepted = 0;
    for (const auto& one : answers) {
        accepted += one.is_accepted() ? 1U : 0U;
    }
    const auto all = arrived(env, accepted);
    for (std::size_t i = 0; i < sent.size(); ++i) {
        check_arrival(c, sent[i], answers[i], all);
    }
}

/// Events of two keys by turns, and one without a key at the end: a1, b1, a2, b2, a3, b3, n1.
[[nodiscard]] inline std::vector<event> two_keys() {
    std::vector<event> out;
    for (const auto* number : {"1", "2", "3"}) {
        for (const auto* key : {"a", "b"}) {
            out.push_back(plain_event(std::string(key).append(number), key));
        }
    }
    out.push_back(plain_event("n1"));
    return out;
}

/// `batch_sink` 1: an answer for each event, in the order of the events.
template <class Suite>
void claim_answers(Suite& run) {
    run.claim({"batch_sink 1", "each event of a batch is delivered as it was, in its key's order",
               "what is sent of a batch, and how it is put together"},
              [](check& c, auto& env) {
                  auto&& to = env.open();
                  auto events = hostile_events();
                  for (std::size_t i = 0; i < 100; ++i) {
                      events.push_back(plain_event(show(i), "k" + show(i % 3)));
                  }
                  const auto answers = publish_all(c, to, events, soon(env));
                  check_answers(c, env, events, answers);
                  std::vector<event> sent;
                  for (std::size_t i = 0; i < events.size(); ++i) {
                      if (answers[i].is_accepted()) {
                          sent.push_back(events[i]);
                      }
                  }
                  c.that(sent.size() >= 100, "events of plain texts to be accepted",
                         show(sent.size()) + " were");
                  auto read = ids_by_key(arrived(env, sent.size()));
                  for (const auto& [key, ids] : ids_by_key(sent)) {
                      if (!key.empty()) {
                          c.equal(read[key], ids, "the events of key " + show(key));
                      }
                  }
              });
    run.claim({"batch_sink 1", "an empty batch has no answers, and is no failure",
               "a call that is made for nothing"},
              [](check& c, auto& env) {
                  auto&& to = env.open();
                  static_cast<void>(publish_all(c, to, {}, soon(env)));
                  c.equal(env.delivered().size(), std::size_t{0}, "the number of events");
              });
}

/// `batch_sink` 1 to 3, where one of the events is refused.
template <class Suite>
void claim_refusals(Suite& run) {
    using env_type = typename Suite::environment;
    const auto part =
        run.always().template needs<requires(env_type& env) { env.refuse(std::string_view()); }>(
            "refuse(id)");
    part.claim({"batch_sink 1", "the answers stand in the order of the events",
                "how answers that come one by one find their events"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   env.refuse("n1");
                   const auto events = two_keys();
                   const auto answers = publish_all(c, to, events, soon(env));
                   check_answers(c, env, events, answers);
                   c.equal(show(answers.front()), std::string("accepted"), "the first answer");
                   c.that(answers.back().how() == publish_result::end::refused,
                          "the last event to be refused", show(answers.back()));
               });
    part.claim({"batch_sink 2", "nothing is accepted behind a refused event of its key",
                "events of one key that are in flight together"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   env.refuse("a1");
                   const auto events = two_keys();
                   const auto answers = publish_all(c, to, events, soon(env));
                   check_answers(c, env, events, answers);
                   for (const std::size_t behind : {2U, 4U}) {
                       const auto& one = answers[behind];
                       const bool says_so = one.how() == publish_result::end::refused &&
                                            one.why().reason == "behind" &&
                                            one.why().kind == failure_class::transient;
                       c.that(says_so || one.how() == publish_result::end::unknown,
                              "event " + show(events[behind].id) +
                                  " to be refused, transient, as `behind`, or to be unknown",
                              show(one));
                   }
               });
    part.claim({"batch_sink 3", "other keys, and events without one, do not wait for it",
                "a batch that is given up as a whole"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   env.refuse("a1");
                   const auto events = two_keys();
                   const auto answers = publish_all(c, to, events, soon(env));
                   for (const std::size_t other : {1U, 3U, 5U, 6U}) {
                       c.equal(show(answers[other]), std::string("accepted"),
                               "the answer for event " + show(events[other].id));
                   }
               });
}

/// `batch_sink` 4: no time, and no broker.
template <class Suite>
void claim_batch_ends(Suite& run) {
    using env_type = typename Suite::environment;
    constexpr bool can_fail = requires(env_type& env) {
        env.disconnect();
        env.reconnect();
    };
    run.claim({"batch_sink 4", "with a deadline that has passed, a batch does not wait",
               "what is answered when no time is left: unknown, if the events were sent"},
              [](check& c, auto& env) {
                  auto&& to = env.open();
                  const steady_time before = now_of(env);
                  const auto events = two_keys();
                  const auto answers = publish_all(c, to, events, no_waiting);
                  c.that(now_of(env) < later(before, patience_of(env)), "it not to wait",
                         "it came back much later");
                  check_answers(c, env, events, answers);
              });
    run.always()
        .template needs<can_fail>("disconnect() and reconnect()")
        .claim({"batch_sink 4", "a batch comes back by its deadline while the broker is away",
                "a deadline that is counted for each event anew"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   env.disconnect();
                   const steady_time until = shortly(env);
                   const auto events = two_keys();
                   const auto answers = publish_all(c, to, events, until);
                   c.that(now_of(env) < later(until, patience_of(env)),
                          "it to come back by its deadline", "it came back much later");
                   env.reconnect();
                   check_answers(c, env, events, answers);
               });
}

}  // namespace detail

/// Looks at every claim of `batch_sink` beyond those of `sink`. `make` makes a fresh environment.
template <class Make>
    requires batch_sink_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table batch_sink_claims(std::string_view adapter, Make make) {
    suite<Make> run("batch_sink", adapter, std::move(make));
    detail::claim_answers(run);
    detail::claim_refusals(run);
    detail::claim_batch_ends(run);
    return run.finish();
}

}  // namespace sinew::testing::conformance
