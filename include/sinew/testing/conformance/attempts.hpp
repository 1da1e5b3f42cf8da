// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for the durable record of attempts.
///
/// | member of the environment | means | |
/// | --- | --- | --- |
/// | `open()` | a record of attempts on the environment's data, or a reference to one | required |
/// | `crash()` | the process dies here: `open` shows from now on what a new one would find | optional |

#include <sinew/adapters/memory/attempts.hpp>
#include <sinew/core/attempts.hpp>
#include <sinew/core/position.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/random_history.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::testing::conformance {

/// What the adapter promises beyond `attempt_log`: nothing so far.
struct attempts_features {};

template <class Env>
using attempts_of = std::remove_cvref_t<decltype(std::declval<Env&>().open())>;

template <class Env>
concept attempts_environment = attempt_log<attempts_of<Env>>;

namespace detail {

/// Carries out the steps of one history on a record of attempts.
template <class Env>
class attempts_player {
public:
    enum kind : std::uint64_t { opened, closed, begun, ended, reopen, kinds };
    static constexpr std::array<step_name, kinds> names{
        {{"opened", 1}, {"closed", 1}, {"begun", 2}, {"ended", 2}, {"reopen"}}};

    attempts_player(Env& env, std::string name) : env_(&env), name_(std::move(name)) {}

    std::string play(const step& one, std::string_view /*expected*/ = {}) {
        auto&& log = env_->open();
        const auto partition = static_cast<partition_id>(one.a);
        const position where{partition, static_cast<log_offset>(one.b)};
        switch (static_cast<kind>(one.kind)) {
            case opened: return show(log.opened(name_, "t", partition));
            case closed: log.closed(name_, "t", partition); return {};
            case begun: return show(log.begun(name_, "t", where, wall_of(*env_)));
            case ended: log.ended(name_, "t", where); return {};
            default: return {};
        }
    }

private:
    Env* env_;
    std::string name_;
};

struct memory_attempts_environment {
    memory::database data;
    [[nodiscard]] memory::attempts open() const { return memory::attempts(data); }
};

template <class Suite>
void claim_open_partitions(Suite& run) {
    run.claim({"attempt_log 1", "a partition that was not closed is found open",
               "opened: it answers what was before"},
              [](check& c, auto& env) {
                  {
                      auto&& log = env.open();
                      c.equal(log.opened("c", "t", 0), false, "the first answer");
                      c.equal(log.opened("c", "t", 0), true, "the second answer");
                  }
                  auto&& log = env.open();
                  c.equal(log.opened("c", "t", 0), true, "the answer when opened again");
              });
    run.claim({"attempt_log 2", "a partition that was closed is not found open", "closed"},
              [](check& c, auto& env) {
                  auto&& log = env.open();
                  static_cast<void>(log.opened("c", "t", 0));
                  log.closed("c", "t", 0);
                  log.closed("c", "t", 0);
                  c.equal(log.opened("c", "t", 0), false, "the answer");
              });
    run.claim({"attempt_log 2", "closing a partition forgets its attempts, and no others'",
               "the condition of the delete"},
              [](check& c, auto& env) {
                  auto&& log = env.open();
                  const auto start = [&](auto* consumer, auto* topic, partition_id p) {
                      return log.begun(consumer, topic, {p, 5}, wall_of(env));
                  };
                  for (const partition_id p : {0U, 1U}) {
                      static_cast<void>(start("c", "t", p));
                  }
                  static_cast<void>(start("c", "u", 0));
                  static_cast<void>(start("d", "t", 0));
                  log.closed("c", "t", 0);
                  c.equal(start("c", "t", 0), 1U, "the starts in the closed partition");
                  c.equal(start("c", "t", 1), 2U, "the starts in another partition");
                  c.equal(start("c", "u", 0), 2U, "the starts in another topic");
                  c.equal(start("d", "t", 0), 2U, "the starts of another consumer");
              });
}

template <class Suite>
void claim_starts(Suite& run) {
    using env_type = typename Suite::environment;
    run.claim({"attempt_log 3", "the starts of an event are counted, each event by itself",
               "the key: consumer, topic, partition and offset, each in its whole range"},
              [](check& c, auto& env) {
                  auto&& log = env.open();
                  const position places[] = {
                      {0, 0}, {0, 1}, {1, 0}, {0, INT64_MAX}, {UINT32_MAX, 0}};
                  for (std::uint32_t n = 1; n <= 3; ++n) {
                      for (const auto& where : places) {
                          c.equal(log.begun("c", "t", where, wall_of(env)), n,
                                  "the starts of the event at " + show(where));
                      }
                  }
                  c.equal(log.begun("o'brien", "t", places[0], wall_of(env)), 1U,
                          "the starts for another consumer");
                  c.equal(log.begun("c", "u", places[0], wall_of(env)), 1U,
                          "the starts in another topic");
              });
    run.claim({"attempt_log 3", "starts are counted on when the record is opened again",
               "whether the count is kept in memory"},
              [](check& c, auto& env) {
                  for (std::uint32_t n = 1; n <= 3; ++n) {
                      auto&& log = env.open();
                      c.equal(log.begun("c", "t", {0, 7}, wall_of(env)), n, "the starts");
                  }
              });
    run.always().template needs<requires(env_type& env) { env.crash(); }>("crash()").claim(
        {"attempt_log 3", "a start is counted though the process dies right after it",
         "whether begun returns before the count is durable"},
        [](check& c, auto& env) {
            {
                auto&& log = env.open();
                static_cast<void>(log.opened("c", "t", 0));
                c.equal(log.begun("c", "t", {0, 7}, wall_of(env)), 1U, "the starts");
                env.crash();
            }
            auto&& log = env.open();
            c.equal(log.opened("c", "t", 0), true, "whether the partition was open");
            c.equal(log.begun("c", "t", {0, 7}, wall_of(env)), 2U, "the starts");
        });
    run.claim({"attempt_log 4", "an event that has ended begins again at one, and only that event",
               "the condition of the delete"},
              [](check& c, auto& env) {
                  auto&& log = env.open();
                  for (const log_offset at : {5, 6}) {
                      static_cast<void>(log.begun("c", "t", {0, at}, wall_of(env)));
                  }
                  log.ended("c", "t", {0, 5});
                  log.ended("c", "t", {0, 5});
                  log.ended("c", "t", {3, 999});
                  c.equal(log.begun("c", "t", {0, 5}, wall_of(env)), 1U,
                          "the starts of what ended");
                  c.equal(log.begun("c", "t", {0, 6}, wall_of(env)), 2U, "the starts of the other");
              });
}

}  // namespace detail

/// Looks at every claim of `attempt_log`. `make` makes a fresh environment.
template <class Make>
    requires attempts_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table attempts_claims(std::string_view adapter, Make make,
                                           const attempts_features& /*has*/ = {}) {
    suite<Make> run("attempt_log", adapter, std::move(make));
    detail::claim_open_partitions(run);
    detail::claim_starts(run);
    run.claim(
        {"reference", "random histories end as in the in-memory reference",
         "the in-memory record, which is the reference"},
        [](check& c, auto& env) {
            using env_type = std::remove_cvref_t<decltype(env)>;
            detail::memory_attempts_environment model;
            detail::compare_histories<detail::attempts_player<env_type>,
                                      detail::attempts_player<detail::memory_attempts_environment>>(
                c, detail::on(env), detail::on(model), [](const auto&) { return true; });
        });
    return run.finish();
}

}  // namespace sinew::testing::conformance
