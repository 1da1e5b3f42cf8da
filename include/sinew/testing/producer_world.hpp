// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A world with a database, an outbox in it, and a topic, in which writers and relays live and die;
/// and the laws of publishing, checked while they do.
///
/// A writer is a process with a list of business transactions. Each writes a row that says that it
/// is done, has an effect, and adds events to the outbox. A writer that dies, or has no answer to a
/// commit, begins again at the front of its list and looks which of them are done.
///
/// A relay is whatever driver a scenario makes: it reaches the outbox and the topic through
/// `relay_ports`, whose calls end as the tape says.
///
/// **Example.**
/// ```cpp
/// const auto scenario = [](trial& t) {
///     producer_world w(t);
///     w.write("shop", {{.name = "order-1", .adds = {w.make_event("Ada", "placed-1")}}});
///     const relay_options options{.owner = "relay-1", .seed = 1};
///     w.relay("relay", [options](relay_ports& p) {
///         p.keeps_to(relay_bounds::of(options));
///         return sinew::relay(p.box(), p.topic, options);
///     });
///     w.run();
/// };
/// REQUIRE(every_fault(scenario, 2).all_hold());
/// ```

#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/run.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/producer_ports.hpp>
#include <sinew/testing/publishing_judge.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/relay_watch.hpp>
#include <sinew/testing/scripted_topic.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>
#include <sinew/testing/world_clock.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a world of writers and relays is like.
struct producer_world_options {
    world_options world{};
    outbox_options outbox{.shards = 1};
    /// How long each call of a relay to the outbox takes, and each to the topic.
    duration outbox_takes{};
    duration topic_takes{};
    /// For how long nothing may have happened that could excuse an event's being late.
    duration patience = std::chrono::seconds(20);
    /// How long the world goes on after everything has settled, for what might still go wrong.
    duration afterwards = std::chrono::seconds(20);
    /// Further ways in which a step of a relay may begin.
    fault_set clocks = {fault::clock_jump, fault::clock_leap};
};

/// One business transaction of a writer.
struct business {
    std::string name;
    std::vector<event> adds{};
    bool gives_up = false;         ///< it is rolled back, for a reason of its own
    duration takes{};              ///< from what it writes to its commit
    std::optional<event> cause{};  ///< the event that is being handled, if there is one
};

/// The world.
class producer_world {
public:
    using topic_type = scripted_topic<memory::producer>;

    explicit producer_world(trial& run, producer_world_options options = {})
        : options_(options),
          box_(data_, "orders", options.outbox),
          world_(run, options.world),
          topic_(world_, log_.producer("orders"), [this](const event_view& e) { take_in(e); }),
          on_effect_([this](const effect& e) { effects_.push_back(e.id); }),
          apart_(world_, options.patience) {
        ledger_.shards = options.outbox.shards;
        topic_.take_time(options.topic_takes);
    }
    producer_world(const producer_world&) = delete;
    producer_world& operator=(const producer_world&) = delete;

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] topic_type& topic() noexcept { return topic_; }
    [[nodiscard]] const publishing_record& facts() const noexcept { return ledger_.facts; }
    /// The outbox, without faults: what people do with it.
    [[nodiscard]] memory::outbox& desk() noexcept { return box_; }

    [[nodiscard]] static event make_event(std::string_view key, std::string_view id) {
        return make_keyed_event(key, id);
    }

    /// Says what an event has to come to, where it is not to be published.
    void expect(std::string_view id, outbox_fate what) {
        ledger_.facts.expected.emplace_back(id, what);
    }

    /// A process that does these transactions, one after the other.
    void write(std::string_view name, std::vector<business> list, duration after = {});

    /// A process that relays. `make(ports)` makes the driver, in each life anew; `also(ports,
    /// driver, now)` is called after each step.
    template <class Make, class Also>
    void relay(std::string_view name, Make make, Also also, duration after = {}) {
        world_.add(
            name,
            [this, make, also](process& self) mutable {
                return std::make_unique<relayer<Make, Also>>(self, *this, make, also, relay_end{});
            },
            after);
    }
    /// The same, for one that is told at some time to end within so long.
    template <class Make>
    void relay_until(steady_time end, duration within, std::string_view name, Make make) {
        const auto nothing_else = [](auto&, auto&, moment) {};
        world_.add(name, [this, make, nothing_else, end, within](process& self) mutable {
            return std::make_unique<relayer<Make, decltype(nothing_else)>>(
                self, *this, make, nothing_else, relay_end{end, within});
        });
    }
    template <class Make>
    void relay(std::string_view name, Make make, duration after = {}) {
        relay(name, std::move(make), [](auto&, auto&, moment) {}, after);
    }

    /// People mend what made the topic refuse an event, `after` a while, and let it be tried again.
    void unpark_after(duration after, std::string_view id) {
        world_.at(after, [this, id = std::string(id)] {
            decide(id, [this](const outbox_entry& one) {
                topic_.mend(one.what.id);
                box_.unpark(one.number, one.version);
            });
        });
    }
    /// People give a parked event up, `after` a while.
    void discard_after(duration after, std::string_view id) {
        world_.at(after, [this, id = std::string(id)] {
            decide(id, [this](const outbox_entry& one) {
                box_.discard(one.number, one.version,
                             {.at = world_.now().wall,
                              .kind = failure_class::permanent,
                              .reason = "given_up"});
            });
        });
    }

    /// A further condition for having settled.
    void settled_when(std::function<bool()> also) { also_settled_ = std::move(also); }

    /// Runs until everything is written and published, then a while longer, and judges.
    void run() {
        world_.settled_when([this] { return has_settled(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(options_.afterwards);
        }
        judge(settled);
    }

private:
    friend class writer_ports;
    friend class relay_ports;

    /// When a relay is to end.
    struct relay_end {
        steady_time at = never;
        duration within{};
    };

    class writer;
    template <class Make, class Also>
    class relayer;

    template <class F>
    void decide(const std::string& id, F f) {
        for (const auto& one : box_.parked(INT64_MIN, SIZE_MAX)) {
            if (one.what.id == id) {
                world_.note("people", "decide on", id);
                f(one);
                world_.stir();
                is_quiet_no_more();
                return;
            }
        }
        // It is not parked yet: they come again.
        world_.at(std::chrono::seconds(10), [this, id, f] { decide(id, f); });
    }

    void take_in(const event_view& e) {
        world_.note("topic", "gets", e.id, "of", e.partitionkey, "number", e.sequence);
        arrive(found(), ledger_.facts, e);
        is_quiet_no_more();
    }

    void ring() {
        for (auto* one : relays_) {
            one->ring();
        }
    }

    void is_quiet_no_more() { apart_.disturb(world_); }

    void check_keys_apart() {
        const auto now = world_.now().steady;
        if (now > later(std::exchange(looked_, now), options_.patience / 4)) {
            is_quiet_no_more();  // nobody looked
        }
        apart_.look(world_, ledger_.facts, topic_);
    }

    [[nodiscard]] bool has_settled() {
        if (std::exchange(settled_seen_, data_.commits()) != settled_seen_) {
            rests_ = effects_.size() == planned_ && box_.lag().waiting == 0;
        }
        return rests_ && (!also_settled_ || also_settled_());
    }

    void judge(bool settled) {
        auto& facts = ledger_.facts;
        for (const auto& one : box_.parked(INT64_MIN, SIZE_MAX)) {
            facts.parked.push_back(one.what.id);
            world_.note("end", one.what.id, "is parked");
        }
        check_effects();
        judge_published(world_, facts, settled);
    }
    /// The writers' own effects: each once.
    void check_effects() {
        for (std::size_t i = 0; i < effects_.size(); ++i) {
            for (std::size_t k = 0; k < i; ++k) {
                found().check(law::nothing_twice, effects_[i] != effects_[k],
                              [&] { return effects_[i] + " was done twice"; });
            }
        }
    }

    producer_world_options options_;
    memory::log log_;
    memory::database data_;
    memory::outbox box_;
    relay_ledger ledger_;
    std::vector<relay_ports*> relays_;  ///< those that live; they leave it when the world ends
    world world_;
    world_stopwatch stopwatch_{world_};
    topic_type topic_;
    effect_hook on_effect_;
    std::vector<std::string> effects_;
    std::uint64_t events_made_ = 1;
    std::function<bool()> also_settled_;
    std::size_t planned_ = 0;
    keys_apart_watch apart_;
    steady_time looked_{};  ///< when a relay made a step
    std::uint64_t settled_seen_ = UINT64_MAX;
    bool rests_ = false;
};

inline writer_ports::writer_ports(process& owner, producer_world& world)
    : self(owner),
      home(world),
      watch(owner, world.ledger_),
      connection(world.data_),
      store(owner, connection, &world.on_effect_),
      emit({owner, world.box_, watch}, {&world.world_}, splitmix64(world.events_made_++)) {}

inline relay_ports::relay_ports(process& owner, producer_world& world)
    : self(owner),
      home(world),
      watch(owner, world.ledger_),
      topic(owner, world.topic_, watch),
      batches(owner, world.topic_, watch) {
    world.relays_.push_back(this);
}
inline relay_ports::~relay_ports() { std::erase(home.relays_, this); }

inline world& relay_ports::home_of_time() const { return home.world_; }

inline relay_ports::outbox_type relay_ports::box() {
    return {self, home.box_, watch, home.options_.outbox_takes};
}
inline waking_handle relay_ports::waking_box() {
    wakes_ = true;
    return {box(), rung_};
}

/// Does its list, one after the other.
class producer_world::writer : public process_body {
public:
    writer(process& self, producer_world& home, const std::vector<business>& list)
        : ports_(self, home), list_(list) {}

    steady_time step(moment now) override {
        auto& home = ports_.home;
        if (next_ == list_.size()) {
            return never;
        }
        const auto again = later(now.steady, std::chrono::milliseconds(200));
        try {
            if (!open_ && !begin(now)) {
                return now.steady;
            }
            const auto& what = list_[next_];
            if (what.takes > duration::zero() && !std::exchange(waited_, true)) {
                return later(home.world_.now().steady, what.takes);
            }
            const auto how = end();
            home.is_quiet_no_more();
            if (how == commit_result::committed) {
                home.ring();
                ++next_;
                return now.steady;
            }
        } catch (const error&) {
            open_.reset();
        }
        return again;
    }

private:
    /// Opens the next transaction and writes in it. False if it was done before.
    bool begin(moment now) {
        const auto& what = list_[next_];
        waited_ = false;
        open_.emplace(ports_.store.begin(later(now.steady, std::chrono::seconds(5))));
        if (open_->inner().get("done", what.name)) {
            open_.reset();
            ++next_;
            return false;
        }
        open_->inner().put("done", what.name, "");
        open_->effect("done", what.name);
        for (const auto& e : what.adds) {
            if (what.cause) {
                ports_.emit.add(*open_, e, what.cause->view());
            } else {
                ports_.emit.add(*open_, e);
            }
        }
        return true;
    }
    commit_result end() {
        auto how = commit_result::committed;
        if (list_[next_].gives_up) {
            open_->rollback();
        } else {
            how = open_->commit();
        }
        open_.reset();
        return how;
    }

    writer_ports ports_;
    const std::vector<business>& list_;
    std::optional<writer_ports::transaction> open_;
    std::size_t next_ = 0;
    bool waited_ = false;
};

inline void producer_world::write(std::string_view name, std::vector<business> list,
                                  duration after) {
    for (const auto& one : list) {
        planned_ += one.gives_up ? 0 : 1;
    }
    const auto shared = std::make_shared<const std::vector<business>>(std::move(list));
    world_.add(
        name,
        [this, shared](process& self) { return std::make_unique<writer>(self, *this, *shared); },
        after);
}

/// Steps a relay.
template <class Make, class Also>
class producer_world::relayer : public process_body {
public:
    relayer(process& self, producer_world& home, Make& make, Also& also, relay_end end)
        : ports_(self, home), also_(also), one_(make(ports_)), end_(end) {
        if constexpr (requires { one_.measure_with(nullptr); }) {
            one_.measure_with(&world_stopwatch::read);
        }
    }

    steady_time step(moment now) override {
        auto& home = ports_.home;
        if (std::exchange(seen_stirs_, home.world_.stirs()) != home.world_.stirs()) {
            ports_.self.call("relay step", home.options_.clocks, [] {});
            now.wall = home.world_.now().wall;
        }
        ports_.watch.steps(now);
        if (now.steady >= end_.at) {
            return shut_down(now);
        }
        if constexpr (requires { one_.step(now, never); }) {
            // A relay waits only for as long as nothing else can happen.
            constexpr duration moment_of_waiting(1);
            one_.step(now, ports_.wakes() ? later(home.world_.now().steady, moment_of_waiting)
                                          : steady_time::min());
        } else {
            one_.step(now);
        }
        also_(ports_, one_, now);
        home.check_keys_apart();
        const auto next = one_.next_deadline();
        return next < end_.at ? next : end_.at;
    }

private:
    steady_time shut_down(moment now) {
        if constexpr (requires { one_.shut_down(now, never); }) {
            const auto until = later(end_.at, end_.within);
            const bool ended = now.steady > until || one_.shut_down(now, until);
            ports_.home.found().check(law::waits_end, ended || now.steady < until,
                                      "a relay has not shut down in time");
            const auto again = later(now.steady, std::chrono::milliseconds(100));
            return ended ? never : again < until ? again : until;
        }
        return never;
    }

    relay_ports ports_;
    Also also_;
    decltype(std::declval<Make&>()(std::declval<relay_ports&>())) one_;
    relay_end end_;
    std::uint64_t seen_stirs_ = UINT64_MAX;
};

}  // namespace sinew::testing
