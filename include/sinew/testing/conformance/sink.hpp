// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for sinks.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open()` | a sink that publishes to the environment's topic | required |
/// | `delivered()` | all events that a reader has got so far, from the beginning; of one partition in their order | required |
/// | `crash()` | both sides die here and come back | optional |
/// | `disconnect()`, `reconnect()` | the broker cannot be reached in between | optional |

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <concepts>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

/// What the adapter promises beyond `sink`.
struct sink_features {
    /// It carries attributes and headers of any bytes, rather than refusing what its broker cannot
    /// carry.
    bool any_bytes = false;
};

template <class Env>
concept sink_environment = requires(Env& env) {
    { env.open() } -> sink;
    { env.delivered() } -> std::convertible_to<std::vector<event>>;
};

namespace detail {

/// The events that a reader gets, once there are so many or it has taken too long.
template <class Env>
[[nodiscard]] std::vector<event> arrived(Env& env, std::size_t count) {
    std::vector<event> all;
    static_cast<void>(eventually(
        env,
        [&](steady_time) {
            if constexpr (has_pass<Env>) {
                env.pass(patience_of(env) / 400);
            }
        },
        [&] {
            all = env.delivered();
            return all.size() >= count;
        }));
    return all;
}

[[nodiscard]] inline const event* with_id(const std::vector<event>& all, std::string_view id) {
    for (const auto& one : all) {
        if (one.id == id) {
            return &one;
        }
    }
    return nullptr;
}

/// The ids of each key, in the order of their first arrival.
[[nodiscard]] inline std::map<std::string, std::vector<std::string>> ids_by_key(
    const std::vector<event>& all) {
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& one : all) {
        auto& ids = out[one.partitionkey];
        bool known = false;
        for (const auto& id : ids) {
            known = known || id == one.id;
        }
        if (!known) {
            ids.push_back(one.id);
        }
    }
    return out;
}

/// What was refused is not there, what was accepted is, as it was.
inline void check_arrival(const check& c, const event& sent, const publish_result& answer,
                          const std::vector<event>& all) {
    const event* found = with_id(all, sent.id);
    if (answer.is_accepted()) {
        c.that(found != nullptr, "the accepted event " + show(sent.id) + " to be delivered",
               "it is not among the " + show(all.size()) + " that were");
        const std::string wrong = difference(sent, *found);
        c.that(wrong.empty(), "the event " + show(sent.id) + " as it was", wrong);
    } else if (answer.how() == publish_result::end::refused) {
        c.that(found == nullptr, "the refused event " + show(sent.id) + " not to be delivered",
               "it is");
    }
}

/// `sink` 1 and 2: accepted and refused.
template <class Suite>
void claim_acceptance(Suite& run, const sink_features& has) {
    using env_type = typename Suite::environment;
    run.claim({"sink 1", "what was accepted is delivered as it was, or refused in the first place",
               "the mapping of attributes, headers and data to the broker's record"},
              [](check& c, auto& env) {
                  auto&& to = env.open();
                  std::vector<std::pair<event, publish_result>> sent;
                  std::size_t accepted = 0;
                  for (auto& one : hostile_events()) {
                      auto answer = to.publish(one.view(), soon(env));
                      accepted += answer.is_accepted() ? 1U : 0U;
                      sent.emplace_back(std::move(one), std::move(answer));
                  }
                  c.that(accepted != 0, "some events to be accepted", "none was");
                  const auto all = arrived(env, accepted);
                  for (const auto& [one, answer] : sent) {
                      check_arrival(c, one, answer, all);
                  }
              });
    run.template feature<true>("any_bytes", has.any_bytes)
        .claim({"sink 1", "events of any bytes are accepted",
                "what the broker's record cannot hold as it is"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   for (const auto& one : hostile_events()) {
                       c.equal(show(to.publish(one.view(), soon(env))), std::string("accepted"),
                               "the answer for event " + show(one.id));
                   }
               });
    run.claim({"sink 1", "of many events that were accepted none is lost",
               "whether accepted is answered before the broker has acknowledged"},
              [](check& c, auto& env) {
                  constexpr std::size_t count = 200;
                  {
                      auto&& to = env.open();
                      for (std::size_t i = 0; i < count; ++i) {
                          const event one = plain_event(std::to_string(i), "k" + show(i % 7));
                          c.equal(show(to.publish(one.view(), soon(env))), std::string("accepted"),
                                  "the answer for event " + show(i));
                      }
                  }
                  const auto all = arrived(env, count);
                  for (std::size_t i = 0; i < count; ++i) {
                      c.that(with_id(all, std::to_string(i)) != nullptr,
                             "the accepted event " + show(i) + " to be delivered",
                             "it is not among the " + show(all.size()) + " that were");
                  }
              });
    run.always().template needs<requires(env_type& env) { env.crash(); }>("crash()").claim(
        {"sink 1", "what was accepted is delivered after a crash of either side",
         "whether accepted is answered before the event is durable"},
        [](check& c, auto& env) {
            {
                auto&& to = env.open();
                const event one = plain_event("1", "k");
                c.equal(show(to.publish(one.view(), soon(env))), std::string("accepted"),
                        "the answer");
                env.crash();
            }
            c.that(with_id(arrived(env, 1), "1") != nullptr, "the accepted event to be delivered",
                   "it is not");
        });
}

/// `sink` 3: order.
template <class Suite>
void claim_key_order(Suite& run) {
    run.claim({"sink 3", "events of one key are read in the order in which they were accepted",
               "the choice of the partition, and how many sends of a key are in flight"},
              [](check& c, auto& env) {
                  constexpr std::size_t count = 197;
                  auto&& to = env.open();
                  std::vector<event> sent;
                  splitmix64 random(7);
                  for (std::size_t i = 0; i < count; ++i) {
                      const std::string key = "k" + show(random() % 3);
                      const std::string data(random() % 2'000, 'd');
                      event one = plain_event(std::to_string(i), key, data);
                      if (to.publish(one.view(), soon(env)).is_accepted()) {
                          sent.push_back(std::move(one));
                      }
                  }
                  auto read = ids_by_key(arrived(env, sent.size()));
                  for (const auto& [key, ids] : ids_by_key(sent)) {
                      c.equal(read[key], ids, "the events of key " + show(key));
                  }
              });
}

/// `sink` 2, 4 and 5: no answer, no time, no view.
template <class Suite>
void claim_ends(Suite& run) {
    using env_type = typename Suite::environment;
    constexpr bool can_fail = requires(env_type& env) {
        env.disconnect();
        env.reconnect();
    };
    const auto away = run.always().template needs<can_fail>("disconnect() and reconnect()");
    away.claim({"sink 2", "what was refused while the broker was away is not delivered later",
                "buffers of the client library that send again after refused was answered"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   std::vector<std::pair<event, publish_result>> sent;
                   env.disconnect();
                   for (const auto* id : {"1", "2"}) {
                       event one = plain_event(id, "k");
                       auto answer = to.publish(one.view(), shortly(env));
                       sent.emplace_back(std::move(one), std::move(answer));
                   }
                   env.reconnect();
                   event last = plain_event("3", "k");
                   auto answer = to.publish(last.view(), soon(env));
                   c.equal(show(answer), std::string("accepted"), "the answer afterwards");
                   sent.emplace_back(std::move(last), std::move(answer));
                   const auto all = arrived(env, 3);
                   for (const auto& [one, how] : sent) {
                       check_arrival(c, one, how, all);
                   }
               });
    away.claim({"sink 4", "publish comes back by its deadline while the broker is away",
                "the client library's own time-outs"},
               [](check& c, auto& env) {
                   auto&& to = env.open();
                   env.disconnect();
                   const steady_time until = shortly(env);
                   const event one = plain_event("1", "k");
                   static_cast<void>(to.publish(one.view(), until));
                   c.that(now_of(env) < later(until, patience_of(env)),
                          "publish to come back by its deadline", "it came back much later");
                   env.reconnect();
               });
    run.claim(
        {"sink 4", "with a deadline that has passed, publish does not wait, and tells the truth",
         "what is answered when no time is left: unknown, if the event was sent"},
        [](check& c, auto& env) {
            auto&& to = env.open();
            const steady_time before = now_of(env);
            const event one = plain_event("1", "k");
            const auto answer = to.publish(one.view(), no_waiting);
            c.that(now_of(env) < later(before, patience_of(env)), "publish not to wait",
                   "it came back much later");
            check_arrival(c, one, answer, arrived(env, answer.is_accepted() ? 1 : 0));
        });
    run.claim({"sink 5", "nothing of the view is kept after the call",
               "views and pointers in what is sent later, or in another thread"},
              [](check& c, auto& env) {
                  auto&& to = env.open();
                  event one = plain_event("1", "key", std::string(1'000, 'd'));
                  one.headers = {{"name", "value"}};
                  const event kept = one;
                  const auto answer = to.publish(one.view(), soon(env));
                  for (auto* text : {&one.id, &one.partitionkey, &one.data, &one.source,
                                     &one.headers[0].name, &one.headers[0].value}) {
                      for (char& byte : *text) {
                          byte = '#';
                      }
                  }
                  check_arrival(c, kept, answer, arrived(env, 1));
              });
}

}  // namespace detail

/// Looks at every claim of `sink`. `make` makes a fresh environment.
template <class Make>
    requires sink_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table sink_claims(std::string_view adapter, Make make,
                                       const sink_features& has = {}) {
    suite<Make> run("sink", adapter, std::move(make));
    detail::claim_acceptance(run, has);
    detail::claim_key_order(run);
    detail::claim_ends(run);
    return run.finish();
}

}  // namespace sinew::testing::conformance
