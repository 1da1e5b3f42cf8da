// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for spools.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open(spool_options)` | the spool on the environment's data, which outlives it | required |
/// | `crash()` | the process dies: `open` shows what a new one would find | optional |
///
/// **Example.**
/// ```cpp
/// struct my_environment : real_time {
///     std::string folder;  // a fresh one
///     my::spool open(const spool_options& limits) { return my::spool(folder, limits); }
/// };
/// const auto table = spool_claims("my::spool", [] { return my_environment(); });
/// ```

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/spool_histories.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

template <class Env>
concept spool_environment = requires(Env& env, const spool_options& limits) {
    { env.open(limits) } -> spool;
};

namespace detail {

/// What a limit's refusal has to look like.
template <class Spool>
void check_refused(const check& c, Spool& s, const event& e, moment now, std::string_view reason,
                   failure_class kind) {
    const auto before = s.size();
    const auto answer = s.put(e.view(), now, never);
    c.equal(answer.how() == spool_result::end::refused, true, "whether it is refused");
    c.equal(answer.why().reason, std::string(reason), "the reason");
    c.equal(std::string(to_string(answer.why().kind)), std::string(to_string(kind)), "the class");
    c.that(s.size() == before, "a refused event to change nothing", "it changed the sizes");
}

/// `spool` 1 to 3: what is put.
template <class Suite>
void claim_put(Suite& run) {
    run.claim({"spool 1", "what was stored is there as it was, bit for bit",
               "the encoding of attributes, headers and data; is `sequence` left alone?"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  std::vector<event> stored;
                  for (auto& one : hostile_events()) {
                      if (s.put(one.view(), now_in(env), soon(env)).is_stored()) {
                          stored.push_back(std::move(one));
                      }
                  }
                  c.that(!stored.empty(), "some events to be stored", "none was");
                  const auto shown = s.claim(now_of(env), everything, soon(env));
                  c.equal(shown.size(), stored.size(), "the number of entries");
                  for (std::size_t i = 0; i < shown.size(); ++i) {
                      const std::string wrong = difference(stored[i], shown[i].what);
                      c.that(wrong.empty(), "the event " + show(stored[i].id) + " as it was",
                             wrong);
                  }
              });
    run.claim({"spool 1, 13", "what was stored is there when it is opened again",
               "is it written before `put` answers?"},
              [](check& c, auto& env) {
                  std::vector<event> stored;
                  {
                      auto s = env.open({});
                      for (const char* id : {"1", "2", "3"}) {
                          stored.push_back(plain_event(id, "k"));
                          c.that(s.put(stored.back().view(), now_in(env), soon(env)).is_stored(),
                                 "the event to be stored", "it was not");
                      }
                  }
                  if constexpr (requires { env.crash(); }) {
                      env.crash();
                  }
                  auto s = env.open({});
                  c.that(s.holds("k"), "the key to be held", "it is not");
                  c.equal(ids_in(s, env), ids_of_events(stored), "what is there");
              });
    run.claim(
        {"spool 2, 3", "each limit refuses with its own reason, and changes nothing",
         "the limits in `put`"},
        [](check& c, auto& env) {
            const auto e = plain_event("1", "k");
            {
                auto s = env.open({.entries_max = 1});
                keep(c, s, env, e);
                check_refused(c, s, e, now_in(env), "spool_full_count", failure_class::unavailable);
            }
            {
                auto s = env.open({.bytes_max = spool_weight(e.view())});
                check_refused(c, s, e, now_in(env), "spool_full_bytes", failure_class::unavailable);
            }
            {
                auto s = env.open({.age_max = std::chrono::hours(1)});
                moment late = now_in(env);
                late.steady = later(late.steady, std::chrono::hours(3));
                check_refused(c, s, e, late, "spool_too_old", failure_class::unavailable);
            }
            {
                auto s = env.open({.event_bytes_max = 5});
                check_refused(c, s, e, now_in(env), "payload_too_large", failure_class::permanent);
            }
            auto s = env.open({});
            check_refused(c, s, plain_event("", "k"), now_in(env), "id_missing",
                          failure_class::permanent);
        });
    run.claim({"spool 3", "an entry that is parked does not make the spool too old for others",
               "which entries count for age_max?"},
              [](check& c, auto& env) {
                  auto s = env.open({.age_max = std::chrono::hours(1)});
                  keep(c, s, env, plain_event("1", "a"));
                  keep(c, s, env, plain_event("2", "a"));
                  park(c, s, env, following::park);
                  moment late = now_in(env);
                  late.steady = later(late.steady, std::chrono::hours(3));
                  c.that(s.put(plain_event("3", "b").view(), late, never).is_stored(),
                         "the event to be stored", "it was refused");
              });
    run.claim({"spool 3", "an entry that is put off does not make the spool too old for others",
               "which entries count for age_max?"},
              [](check& c, auto& env) {
                  auto s = env.open({.age_max = std::chrono::hours(1)});
                  keep(c, s, env, plain_event("1", "a"));
                  keep(c, s, env, plain_event("2", "a"));
                  const failure_note note{wall_of(env), failure_class::unknown, 0, "lost", "d"};
                  c.equal(s.put_off(first(c, s, env).number, note, now_of(env), soon(env)),
                          spool_change::done, "put_off");
                  moment late = now_in(env);
                  late.steady = later(late.steady, std::chrono::hours(3));
                  c.that(s.put(plain_event("3", "b").view(), late, never).is_stored(),
                         "the event to be stored", "it was refused");
              });
}

/// `spool` 4 to 8: what is shown, and removed.
template <class Suite>
void claim_shown_in_order(Suite& run) {
    run.claim({"spool 4", "a key is held while one of its entries is there",
               "the count of entries per key; events without a key"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  c.that(!s.holds("a"), "an empty spool to hold nothing", "it holds a key");
                  keep(c, s, env, plain_event("1", "a"));
                  keep(c, s, env, plain_event("2"));
                  c.that(s.holds("a") && !s.holds("b") && !s.holds(""), "one key to be held",
                         "another one is, or it is not");
                  const auto one = first(c, s, env);
                  c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done, "remove");
                  c.that(!s.holds("a"), "the key to be free", "it is held");
              });
    run.claim({"spool 5, 7", "claim shows what was put first, at most so much, and changes nothing",
               "the order and the limits of `claim`"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  for (const char* id : {"1", "2", "3", "4"}) {
                      keep(c, s, env, plain_event(id, id[0] < '3' ? "a" : "b"));
                  }
                  const auto some =
                      s.claim(now_of(env), {.entries = 3, .bytes = SIZE_MAX / 2}, soon(env));
                  c.equal(ids_of_entries(some), std::vector<std::string>{"1", "2", "3"},
                          "the first");
                  c.equal(s.claim(now_of(env), {.entries = 3, .bytes = 1}, soon(env)).size(),
                          std::size_t{1}, "how many a limit of one byte shows");
                  c.equal(ids_in(s, env), std::vector<std::string>{"1", "2", "3", "4"}, "all");
              });
    run.claim({"spool 8", "what was removed is never shown again", "is `remove` written?"},
              [](check& c, auto& env) {
                  {
                      auto s = env.open({});
                      keep(c, s, env, plain_event("1", "a"));
                      keep(c, s, env, plain_event("2", "a"));
                      const auto one = first(c, s, env);
                      c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done, "remove");
                      c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done,
                              "remove, once more");
                      c.equal(ids_in(s, env), std::vector<std::string>{"2"}, "the others");
                  }
                  auto s = env.open({});
                  c.equal(ids_in(s, env), std::vector<std::string>{"2"}, "the others, afterwards");
              });
}

/// `spool` 5, 6, 9 to 11: what is held back.
template <class Suite>
void claim_held_back(Suite& run) {
    run.claim({"spool 5, 6, 9", "an entry that is put off holds its key back until it is due",
               "which entries `claim` goes past"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  for (const char* id : {"1", "2"}) {
                      keep(c, s, env, plain_event(id, "a"));
                  }
                  keep(c, s, env, plain_event("3", "b"));
                  const auto one = first(c, s, env);
                  const auto due = later(now_of(env), std::chrono::minutes(1));
                  const failure_note note{wall_of(env), failure_class::transient, 1, "busy", "d"};
                  c.equal(s.put_off(one.number, note, due, soon(env)), spool_change::done,
                          "put_off");
                  c.equal(ids_in(s, env), std::vector<std::string>{"3"}, "what is shown before");
                  const auto then = s.claim(due, everything, soon(env));
                  c.equal(ids_of_entries(then), std::vector<std::string>{"1", "2", "3"},
                          "what is shown when it is due");
                  c.equal(then.front().attempts, std::uint32_t{1}, "its attempts");
                  c.equal(then.front().last_failure->reason, std::string("busy"), "its reason");
              });
    run.claim({"spool 9", "what says nothing of the entry does not count as an attempt",
               "counts_as_attempt"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  keep(c, s, env, plain_event("1", "a"));
                  const auto one = first(c, s, env);
                  const failure_note note{wall_of(env), failure_class::unknown, 1, "lost", "d"};
                  c.equal(s.put_off(one.number, note, now_of(env), soon(env)), spool_change::done,
                          "put_off");
                  c.equal(first(c, s, env).attempts, std::uint32_t{0}, "its attempts");
              });
    run.claim(
        {"spool 4, 5, 10", "an entry that is parked holds its key, or lets it pass",
         "`following` in `park`, and after a restart"},
        [](check& c, auto& env) {
            for (const auto follow : {following::park, following::pass}) {
                const std::string key(to_string(follow));
                {
                    auto s = env.open({});
                    keep(c, s, env, plain_event(key + "1", key));
                    keep(c, s, env, plain_event(key + "2", key));
                    park(c, s, env, follow);
                }
                auto s = env.open({});
                const auto shown = ids_in(s, env);
                const auto size = s.size();
                c.equal(size.parked, std::uint64_t{1}, "how many are parked");
                c.equal(s.holds(key), true, "whether the key is held");
                if (follow == following::park) {
                    c.equal(shown, std::vector<std::string>{}, "what is shown behind it");
                    c.equal(size.held, std::uint64_t{1}, "how many wait behind it");
                    discard_all(c, s, env);
                } else {
                    c.equal(shown, std::vector<std::string>{key + "2"}, "what is shown behind it");
                }
                for (const auto& one : s.claim(now_of(env), everything, soon(env))) {
                    c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done, "remove");
                }
                c.equal(s.holds(key), false, "whether the key is held at the end");
                discard_all(c, s, env);
            }
        });
    run.claim({"spool 11", "an entry that does not wait is left alone", "the state in a change"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  keep(c, s, env, plain_event("1", "a"));
                  const auto one = first(c, s, env);
                  park(c, s, env, following::park);
                  const auto before = s.size();
                  const failure_note note{wall_of(env), failure_class::transient, 1, "busy", "d"};
                  c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done, "remove");
                  c.equal(s.put_off(one.number, note, never, soon(env)), spool_change::done,
                          "put_off");
                  c.that(s.size() == before, "nothing to change", "the sizes did");
              });
}

}  // namespace detail

/// Looks at every claim of `spool`, and of `spool_desk`. `make` makes a fresh environment.
template <class Make>
    requires spool_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table spool_claims(std::string_view adapter, Make make) {
    suite<Make> run("spool", adapter, std::move(make));
    detail::claim_put(run);
    detail::claim_shown_in_order(run);
    detail::claim_held_back(run);
    run.claim({"spool 13", "nobody else can open it while it is open", "the lock of the spool"},
              [](check& c, auto& env) {
                  auto s = env.open({});
                  c.template throws<spool_in_use_error>(
                      [&] { static_cast<void>(env.open({}).size()); },
                      "the second to open it to get a spool_in_use_error");
              });
    run.claim(
        {"spool_desk 2, 3", "a decision on a parked entry names the version that it saw",
         "the version in `unpark` and `discard`"},
        [](check& c, auto& env) {
            auto s = env.open({});
            detail::keep(c, s, env, plain_event("1", "a"));
            detail::park(c, s, env, following::park);
            const auto seen = s.parked(0, 10, soon(env));
            c.equal(seen.size(), std::size_t{1}, "how many are parked");
            const auto [number, version] = std::pair(seen[0].number, seen[0].version);
            c.equal(s.unpark(number, version + 1, soon(env)), false, "unpark of another version");
            c.equal(s.discard(number, version + 1, soon(env)), false, "discard of another version");
            c.equal(s.unpark(number, version, soon(env)), true, "unpark");
            c.equal(s.discard(number, version, soon(env)), false, "discard afterwards");
            c.equal(detail::ids_in(s, env), std::vector<std::string>{"1"}, "what waits again");
            c.equal(detail::first(c, s, env).attempts, std::uint32_t{1}, "its attempts");
        });
    run.claim(
        {"spool 3", "the age of what was parked, or waited behind that, begins when it is let go",
         "from when age_max counts"},
        [](check& c, auto& env) {
            for (const bool unparks : {true, false}) {
                auto s = env.open({.age_max = std::chrono::hours(1)});
                detail::keep(c, s, env, plain_event("1", "a"));
                detail::keep(c, s, env, plain_event("2", "a"));
                detail::park(c, s, env, following::park);
                moment late = detail::now_in(env);
                late.steady = later(late.steady, std::chrono::hours(3));
                for (const auto& one : s.parked(0, 10, soon(env))) {
                    c.equal(unparks ? s.unpark(one.number, one.version, soon(env))
                                    : s.discard(one.number, one.version, soon(env)),
                            true, unparks ? "unpark" : "discard");
                }
                c.that(s.put(plain_event("3", "b").view(), late, never).is_stored(),
                       "the event to be stored", "it was refused");
                late.steady = later(late.steady, std::chrono::hours(2));
                detail::check_refused(c, s, plain_event("4", "b"), late, "spool_too_old",
                                      failure_class::unavailable);
                for (const auto& one : s.claim(late.steady, detail::everything, soon(env))) {
                    c.equal(s.remove({&one.number, 1}, soon(env)), spool_change::done, "remove");
                }
            }
        });
    run.claim({"all", "random histories end as those of a list of all entries",
               "the shortest history that differs"},
              [](check& c, auto& env) { detail::check_spool_histories(c, env); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
