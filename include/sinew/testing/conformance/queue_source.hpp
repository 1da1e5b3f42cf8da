// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for queues whose messages are acknowledged one by one.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open()` | a receiver of the environment's queue, or a reference to one | required |
/// | `publish(event_view)` | puts an event into the queue | required |
/// | `lease()` | how long a message that was delivered is invisible | for claims about leases |
/// | `pass(duration)` | lets time go by | for claims about leases |
/// | `publish_broken(bytes_view)` | puts bytes into the queue that are no event | optional |
/// | `crash()` | the receivers die here; their leases run on | optional |
///
/// With a real clock choose a lease of a second or so: the suite waits for a few of them.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/queue_source.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

/// What the adapter promises beyond `queue_source`.
struct queue_source_features {
    bool connections = false;  ///< several receivers can be open on one queue
    bool any_bytes = false;    ///< events of any bytes come back as they were
};

template <class Env>
using queue_of = std::remove_cvref_t<decltype(std::declval<Env&>().open())>;

template <class Env>
concept queue_environment =
    queue_source<queue_of<Env>> && requires(Env& env, const event_view& e) { env.publish(e); };

namespace detail {

/// Keeps the messages that a receiver is given.
template <class Message>
struct catcher {
    std::vector<Message> got{};

    void message(Message&& one) { got.push_back(std::move(one)); }
    [[nodiscard]] std::vector<std::string> ids() const {
        std::vector<std::string> out;
        for (const auto& one : got) {
            out.emplace_back(one.view().id);
        }
        return out;
    }
};

template <class Env>
using caught = std::vector<typename queue_of<Env>::message>;

/// Receives until there are so many messages, or it has taken too long.
template <class Env>
[[nodiscard]] caught<Env> receive(Env& env, queue_of<Env>& from, std::size_t count) {
    catcher<typename queue_of<Env>::message> ear;
    static_cast<void>(eventually(
        env,
        [&](steady_time until) {
            from.receive({.events = count - ear.got.size(), .bytes = SIZE_MAX}, until, ear);
        },
        [&] { return ear.got.size() >= count; }));
    return std::move(ear.got);
}

/// One message, which has to come.
template <class Env>
[[nodiscard]] auto receive_one(const check& c, Env& env, queue_of<Env>& from, std::string_view of) {
    auto got = receive(env, from, 1);
    c.that(!got.empty(), std::string(of) + " to be delivered", "nothing came");
    return std::move(got[0]);
}

/// Looks a few times whether anything comes that should not.
template <class Env>
void receive_nothing(const check& c, Env& env, queue_of<Env>& from, std::string_view why) {
    for (int i = 0; i < 4; ++i) {
        catcher<typename queue_of<Env>::message> ear;
        from.receive({.events = 10, .bytes = SIZE_MAX}, later(now_of(env), patience_of(env) / 400),
                     ear);
        c.that(ear.got.empty(), "nothing to be delivered: " + std::string(why),
               "delivered " + show(ear.ids()));
    }
}

template <class Env>
inline constexpr bool has_lease = has_pass<Env> && requires(Env& env) {
    { env.lease() } -> std::convertible_to<duration>;
};

inline constexpr duration one_moment = std::chrono::milliseconds(1);

template <class Env>
void pass_lease(Env& env) {
    env.pass(env.lease() + env.lease() / 4 + one_moment);
}

/// `queue_source` 1.
template <class Suite>
void claim_receive(Suite& run, const queue_source_features& has) {
    using env_type = typename Suite::environment;
    run.claim(
        {"queue_source 1", "receive delivers at most as many messages as it may",
         "whether the limit goes to the server, and what becomes of what is fetched beyond it"},
        [](check& c, auto& env) {
            auto&& q = env.open();
            for (int i = 0; i < 5; ++i) {
                env.publish(plain_event(std::to_string(i)).view());
            }
            std::size_t all = 0;
            for (int i = 0; i < 400 && all < 5; ++i) {
                catcher<typename queue_of<env_type>::message> ear;
                q.receive({.events = 2, .bytes = SIZE_MAX},
                          later(now_of(env), patience_of(env) / 400), ear);
                c.that(ear.got.size() <= 2, "at most 2 messages", show(ear.got.size()));
                all += ear.got.size();
            }
            c.equal(all, std::size_t{5}, "the number of messages in the end");
        });
    run.claim({"queue_source 1", "receive comes back by its deadline",
               "the client library's own waiting time"},
              [](check& c, auto& env) {
                  auto&& q = env.open();
                  for (const steady_time until : {no_waiting, shortly(env)}) {
                      const steady_time before = now_of(env);
                      catcher<typename queue_of<env_type>::message> ear;
                      q.receive({.events = 1, .bytes = SIZE_MAX}, until, ear);
                      c.that(now_of(env) < later(before, patience_of(env)),
                             "receive to come back by its deadline", "it came back much later");
                  }
              });
    run.claim(
        {"queue_message", "a message's view stays valid while others come and go",
         "views into a buffer of the client that is used again"},
        [](check& c, auto& env) {
            auto&& q = env.open();
            env.publish(plain_event("1", "k", std::string(500, 'a')).view());
            const auto first = receive_one(c, env, q, "the first message");
            const event_view before = first.view();
            for (int i = 2; i < 40; ++i) {
                env.publish(plain_event(std::to_string(i), "k", std::string(500, 'b')).view());
            }
            auto others = receive(env, q, 38);
            for (auto& one : others) {
                static_cast<void>(q.acknowledge(one, soon(env)));
            }
            c.equal(first.view().data.data() == before.data.data(), true,
                    "the data's address, the same");
            c.equal(before.text() == std::string(500, 'a'), true, "the data, the same");
        });
    run.template feature<true>("any_bytes", has.any_bytes)
        .claim({"queue_message", "events of any bytes come back as they were",
                "the mapping of attributes, headers and data"},
               [](check& c, auto& env) {
                   auto&& q = env.open();
                   for (const auto& sent : hostile_events()) {
                       env.publish(sent.view());
                       auto m = receive_one(c, env, q, "event " + show(sent.id));
                       const std::string wrong = difference(sent, to_event(m.view()));
                       c.that(wrong.empty(), "the event " + show(sent.id) + " as it was", wrong);
                       c.that(!m.broken(), "a valid event not to be broken", "it is");
                       static_cast<void>(q.acknowledge(m, soon(env)));
                   }
               });
    constexpr bool can_break = requires(env_type& env) { env.publish_broken(bytes_view()); };
    run.always()
        .template needs<can_break>("publish_broken(bytes)")
        .claim({"queue_message", "what is no event comes as a broken one, with its bytes",
                "a record that cannot be decoded must be delivered, not skipped and not thrown at"},
               [](check& c, auto& env) {
                   auto&& q = env.open();
                   const std::string raw("\0{not an event\xff", 15);
                   env.publish_broken(as_bytes(raw));
                   const auto m = receive_one(c, env, q, "what is no event");
                   c.that(m.broken().has_value(), "broken() to say why", "it says nothing");
                   c.equal(std::string(m.view().text()), raw, "the data");
               });
}

/// `queue_source` 2 and 3: leases and acknowledgements.
template <class Suite>
void claim_leases(Suite& run, const queue_source_features& has) {
    using env_type = typename Suite::environment;
    const auto leases =
        run.always().template needs<has_lease<env_type>>("lease() and pass(duration)");
    run.claim({"queue_source 2", "a message that was delivered is invisible to its own receiver",
               "whether delivery takes a lease"},
              [](check& c, auto& env) {
                  auto&& q = env.open();
                  env.publish(plain_event("1").view());
                  const auto m = receive_one(c, env, q, "the message");
                  receive_nothing(c, env, q, "its lease has not ended");
              });
    run.template feature<true>("connections", has.connections)
        .claim({"queue_source 2", "a message that was delivered is invisible to others",
                "whether the lease is the queue's, not the receiver's"},
               [](check& c, auto& env) {
                   auto&& q = env.open();
                   auto&& other = env.open();
                   env.publish(plain_event("1").view());
                   const auto m = receive_one(c, env, q, "the message");
                   receive_nothing(c, env, other, "its lease has not ended");
               });
    leases.claim({"queue_source 2", "when its lease has ended a message is delivered again",
                  "whether a lease that runs out gives the message back"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1", "k", "data").view());
                     const auto first = receive_one(c, env, q, "the message");
                     pass_lease(env);
                     const auto again = receive_one(c, env, q, "the message, again,");
                     c.equal(std::string(again.view().id), "1", "the id");
                     c.equal(std::string(again.view().text()), "data", "the data");
                 });
    leases.claim({"queue_source 3", "a message that was acknowledged is never delivered again",
                  "whether acknowledge waits for the server's answer"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     env.publish(plain_event("2").view());
                     auto m = receive_one(c, env, q, "the message");
                     const std::string other = m.view().id == "1" ? "2" : "1";
                     c.equal(q.acknowledge(m, soon(env)), commit_result::committed, "the answer");
                     for (int i = 0; i < 3; ++i) {
                         const auto rest = receive_one(c, env, q, "the other message");
                         c.equal(std::string(rest.view().id), other, "the id");
                         receive_nothing(c, env, q, "the rest was acknowledged, or is leased");
                         pass_lease(env);
                     }
                 });
    run.claim({"queue_source 3", "acknowledging twice does nothing",
               "whether a receipt can be used up, and what it hits then"},
              [](check& c, auto& env) {
                  auto&& q = env.open();
                  env.publish(plain_event("1").view());
                  auto m = receive_one(c, env, q, "the message");
                  c.equal(q.acknowledge(m, soon(env)), commit_result::committed, "the answer");
                  env.publish(plain_event("2").view());
                  static_cast<void>(q.acknowledge(m, soon(env)));
                  auto next = receive_one(c, env, q, "the next message");
                  c.equal(std::string(next.view().id), "2", "the id");
                  static_cast<void>(q.acknowledge(m, soon(env)));
                  c.equal(q.acknowledge(next, soon(env)), commit_result::committed,
                          "the answer for the next message");
              });
    leases.claim({"queue_source 3", "acknowledging after the lease has ended answers aborted",
                  "whether acknowledge looks if the message is still this receiver's"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto late = receive_one(c, env, q, "the message");
                     pass_lease(env);
                     c.equal(q.acknowledge(late, soon(env)), commit_result::aborted, "the answer");
                     const auto again = receive_one(c, env, q, "the message, again,");
                     c.equal(std::string(again.view().id), "1", "the id");
                 });
    leases.claim({"queue_source 3",
                  "a late acknowledgement does not take the message from whoever "
                  "has it now",
                  "the receipt: it names a delivery, not a message"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto late = receive_one(c, env, q, "the message");
                     pass_lease(env);
                     auto mine = receive_one(c, env, q, "the message, again,");
                     c.equal(q.acknowledge(late, soon(env)), commit_result::aborted,
                             "the answer to the late one");
                     c.equal(q.acknowledge(mine, soon(env)), commit_result::committed,
                             "the answer to the one that has it");
                 });
    leases.template needs<requires(env_type& env) { env.crash(); }>("crash()").claim(
        {"queue_source, on crash", "what was leased by a process that died is delivered again",
         "leases without an end"},
        [](check& c, auto& env) {
            env.publish(plain_event("1").view());
            {
                auto&& q = env.open();
                const auto m = receive_one(c, env, q, "the message");
                env.crash();
            }
            pass_lease(env);
            auto&& q = env.open();
            const auto again = receive_one(c, env, q, "the message, again,");
            c.equal(std::string(again.view().id), "1", "the id");
        });
}

/// `queue_source` 4 and 5: giving back and extending.
template <class Suite>
void claim_giving_back(Suite& run) {
    using env_type = typename Suite::environment;
    const auto leases =
        run.always().template needs<has_lease<env_type>>("lease() and pass(duration)");
    run.claim({"queue_source 4", "a message that is given back at once is delivered again at once",
               "give_back with a delay of zero"},
              [](check& c, auto& env) {
                  auto&& q = env.open();
                  env.publish(plain_event("1").view());
                  auto m = receive_one(c, env, q, "the message");
                  q.give_back(m, duration::zero());
                  auto again = receive_one(c, env, q, "the message, again,");
                  c.equal(q.acknowledge(again, soon(env)), commit_result::committed, "the answer");
              });
    leases.claim({"queue_source 4",
                  "a message that is given back is visible after the delay, not "
                  "before",
                  "whether the delay is kept, and begins when it is given back"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto m = receive_one(c, env, q, "the message");
                     q.give_back(m, env.lease() / 2);
                     receive_nothing(c, env, q, "the delay is not over");
                     env.pass(env.lease() / 2 + env.lease() / 4 + one_moment);
                     const auto again = receive_one(c, env, q, "the message, after the delay,");
                 });
    leases.claim({"queue_source 4", "whoever gave a message back cannot acknowledge it any more",
                  "whether giving back ends the lease"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto m = receive_one(c, env, q, "the message");
                     q.give_back(m, duration::zero());
                     auto again = receive_one(c, env, q, "the message, again,");
                     c.equal(q.acknowledge(m, soon(env)), commit_result::aborted,
                             "the answer to who gave it back");
                     c.equal(q.acknowledge(again, soon(env)), commit_result::committed,
                             "the answer to who has it");
                 });
    leases.claim({"queue_source 5", "an extended lease ends later",
                  "whether the time counts from now, and reaches the server"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto m = receive_one(c, env, q, "the message");
                     c.equal(q.extend(m, 3 * env.lease(), soon(env)), true, "the answer");
                     pass_lease(env);
                     receive_nothing(c, env, q, "the lease was extended");
                     c.equal(q.acknowledge(m, soon(env)), commit_result::committed,
                             "the answer of acknowledge");
                 });
    leases.claim({"queue_source 5", "a lease that has ended cannot be extended",
                  "extend: it must not take a message back that others can see"},
                 [](check& c, auto& env) {
                     auto&& q = env.open();
                     env.publish(plain_event("1").view());
                     auto m = receive_one(c, env, q, "the message");
                     pass_lease(env);
                     c.equal(q.extend(m, env.lease(), soon(env)), false, "the answer");
                     const auto again = receive_one(c, env, q, "the message, again,");
                     c.equal(q.extend(m, env.lease(), soon(env)), false,
                             "the answer once another delivery has it");
                 });
}

}  // namespace detail

/// Looks at every claim of `queue_source`. `make` makes a fresh environment.
template <class Make>
    requires queue_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table queue_source_claims(std::string_view adapter, Make make,
                                               const queue_source_features& has = {}) {
    suite<Make> run("queue_source", adapter, std::move(make));
    detail::claim_receive(run, has);
    detail::claim_leases(run, has);
    detail::claim_giving_back(run);
    return run.finish();
}

}  // namespace sinew::testing::conformance
