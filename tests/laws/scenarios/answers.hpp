// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios of a service that publishes by itself, with one of the answers to a broker that is
/// down: fail fast, try again behind a breaker, fall back to a function. The one with a spool is
/// `spooling`.

#include "laws/scenarios/named.hpp"

#include <sinew/adapters/memory/log.hpp>
#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/with_breaker.hpp>
#include <sinew/publish/with_fallback.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/publishing_judge.hpp>
#include <sinew/testing/scripted_topic.hpp>
#include <sinew/testing/world.hpp>
#include <sinew/testing/world_clock.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::laws {

using namespace std::chrono_literals;

/// A topic, another one for what it does not take, and a service that publishes its list: each
/// event until it is accepted.
class direct_world {
public:
    using topic_type = scripted_topic<memory::producer>;

    /// A topic, as a process reaches it: no call may go on for longer than the service waits.
    class checked_sink {
    public:
        checked_sink(process& self, direct_world& home, topic_type& to)
            : home_(&home), to_(self, to) {}
        publish_result publish(const event_view& e, steady_time until) {
            home_->found().check(law::waits_end, until <= home_->until_,
                                 "a sink may take longer than its caller waits");
            return to_.publish(e, until);
        }

    private:
        direct_world* home_;
        faulty_sink<topic_type> to_;
    };

    explicit direct_world(trial& run)
        : world_(run, {.faults = fault_set::all().without({fault::zombie})}),
          topic_(world_, log_.producer("orders"), [this](const event_view& e) { take_in(e); }),
          other_(world_, log_.producer("orders"), [this](const event_view& e) {
              take_in(e);
              ++went_elsewhere_;
          }) {}

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] topic_type& topic() noexcept { return topic_; }
    [[nodiscard]] topic_type& other() noexcept { return other_; }
    [[nodiscard]] world_clock clock() noexcept { return {&world_}; }
    [[nodiscard]] std::uint64_t went_elsewhere() const noexcept { return went_elsewhere_; }
    [[nodiscard]] std::uint64_t refusals(std::string_view reason) const noexcept {
        std::uint64_t out = 0;
        for (const auto& one : refusals_) {
            out += one == reason ? 1 : 0;
        }
        return out;
    }

    void publish(std::string_view key, std::string_view id) {
        list_.push_back(make_keyed_event(key, id));
    }

    /// Runs a service that publishes through what `make(topic, other)` makes, in each life anew.
    template <class Make>
    void run(Make make) {
        world_.add("service", [this, make](process& self) {
            return std::make_unique<service<Make>>(self, *this, make);
        });
        world_.settled_when([this] { return next_ == list_.size(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        judge_published(world_, facts_, settled);
    }

private:
    template <class Make>
    class service : public process_body {
    public:
        service(process& self, direct_world& home, const Make& make)
            : self_(self),
              home_(home),
              to_(self, home, home.topic_),
              other_(self, home, home.other_),
              out_(make(to_, other_)) {}

        steady_time step(moment now) override {
            if (home_.next_ == home_.list_.size()) {
                return never;
            }
            const auto& e = home_.list_[home_.next_];
            home_.offer(e);
            home_.until_ = later(now.steady, 5s);
            const auto before = home_.facts_.arrived.size();
            const auto how = out_.publish(e.view(), home_.until_);
            if (!self_.is_alive()) {
                return never;
            }
            home_.judge(e.id, how, home_.facts_.arrived.size() != before);
            home_.next_ += how.is_accepted() ? 1 : 0;
            return later(home_.world_.now().steady, 400ms);
        }

    private:
        process& self_;
        direct_world& home_;
        checked_sink to_;
        checked_sink other_;
        decltype(std::declval<const Make&>()(std::declval<checked_sink&>(),
                                             std::declval<checked_sink&>())) out_;
    };

    void take_in(const event_view& e) {
        world_.note("readers", "get", e.id, "of", e.partitionkey);
        arrive(found(), facts_, e);
    }

    void offer(const event& e) {
        if (facts_.index_of(e.id) == facts_.committed.size()) {
            facts_.committed.push_back({e});
        }
    }

    void judge(std::string_view id, const publish_result& how, bool arrived) {
        world_.note("service", how.is_accepted() ? "published" : "could not publish", id,
                    how.why().reason);
        found().check(law::no_commit_ahead, !how.is_accepted() || arrived, [&] {
            return std::string(id) + " counts as published, and has not arrived";
        });
        found().check(law::ledger, how.how() != publish_result::end::refused || !arrived,
                      [&] { return std::string(id) + " counts as refused, and has arrived"; });
        if (!how.is_accepted()) {
            refusals_.push_back(how.why().reason);
        }
    }

    memory::log log_;
    publishing_record facts_;
    std::vector<event> list_;
    std::size_t next_ = 0;  ///< the first that was not accepted
    std::vector<std::string> refusals_;
    steady_time until_ = never;
    world world_;
    std::uint64_t went_elsewhere_ = 0;
    topic_type topic_;
    topic_type other_;
};

/// Five events of two keys, and a topic that is down for a while.
inline void publish_into_a_gap(direct_world& w) {
    w.publish("a", "a1");
    w.publish("a", "a2");
    w.publish("b", "b1");
    w.publish("a", "a3");
    w.publish("b", "b2");
    w.topic().down_between(300ms, 2500ms);
}

/// The service is told at once that the topic is down, and tries again itself.
inline void fails_fast(trial& t) {
    direct_world w(t);
    publish_into_a_gap(w);
    w.run([&w](auto& to, auto&) {
        return fail_fast(to, {.base = 500ms, .cap = 1s, .seed = 7}, w.clock());
    });
    w.found().sometimes("a service was told at once that the topic is down",
                        w.refusals("sink_down") != 0);
}

/// Each publish tries a few times, until the breaker opens.
inline void tries_again(trial& t) {
    direct_world w(t);
    publish_into_a_gap(w);
    w.topic().refuse("b1", failure_class::transient, 2);
    w.run([&w](auto& to, auto&) {
        return with_breaker(to,
                            {.breaker = {.in_a_row = 3, .open_for = 500ms, .open_max = 1s},
                             .max_attempts = 4,
                             .attempt_timeout = 1s,
                             .base = 100ms,
                             .cap = 300ms,
                             .seed = 7},
                            w.clock());
    });
    w.found().sometimes("a breaker kept a topic that is down from being asked",
                        w.refusals("breaker_open") != 0);
}

/// What the topic does not take goes another way, to the same readers.
inline void falls_back(trial& t) {
    direct_world w(t);
    publish_into_a_gap(w);
    w.other().refuse("a2", failure_class::transient, 1);
    w.run([&w](auto& to, auto& other) {
        return with_fallback(
            to,
            [&other](const event_view& e, const failure&, steady_time until) {
                return other.publish(e, until);
            },
            {.publish_timeout = 1s}, w.clock());
    });
    w.found().sometimes("an event went another way", w.went_elsewhere() != 0);
}

inline constexpr named_scenario answers_scenarios[] = {
    {"fails_fast", fails_fast},
    {"tries_again", tries_again},
    {"falls_back", falls_back},
};

}  // namespace sinew::laws
