// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A world with a log, a store and dead letters in it, in which consumers live and die; and the
/// laws, checked while they do.
///
/// A scenario produces events and says what each has to come to, says how a consumer is made, and
/// runs. Everything that a consumer reaches, it reaches through `ports`, which end as the tape
/// says.
///
/// **Example.**
/// ```cpp
/// const auto scenario = [](trial& t) {
///     consumer_world w(t);
///     w.produce(0, w.make_event("a", "1"));
///     w.consume("worker", [](consumer_ports& p) {
///         return subscribe(p.source(), {.topic = "t", .group = "g"})
///              | dead_letter(p.letters()) | retry() | once(p.store)
///              | handle([](const event_view& e, consumer_ports::transaction& tx) {
///                    tx.effect(e.partitionkey, e.id);
///                });
///     });
///     w.run();
/// };
/// REQUIRE(every_fault(scenario, 2).all_hold());
/// ```

#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/faulty_dead_letters.hpp>
#include <sinew/testing/faulty_source.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a world of consumers is like.
struct consumer_world_options {
    world_options world{};
    std::uint32_t partitions = 1;
    std::string topic = "t";
    std::string group = "g";
    /// How long a consumer that has no deadline of its own waits before it polls again.
    duration poll_interval = std::chrono::seconds(5);
    /// How long the world goes on after everything has settled, for what might still go wrong.
    duration afterwards = std::chrono::seconds(20);
    std::uint64_t in_flight_max = UINT64_MAX;  ///< what a consumer may hold
    /// Handlers act outside of transactions: effects may come twice, and are the caller's to bear.
    bool at_least_once = false;
    /// What can go wrong while events are produced. `duplicated`: a producer without an answer
    /// writes again. `reordered`: what was sent first is written second, whatever their keys.
    fault_set producer = {};
};

class consumer_world;

/// What a consumer is made of, in one life of its process.
class consumer_ports {
public:
    using store_type = faulty_store<memory::store>;
    using transaction = store_type::transaction_type;
    using source_type = faulty_source<memory::member>;
    using letters_type = faulty_dead_letters<memory::dead_letters>;

    consumer_ports(process& owner, consumer_world& world);
    consumer_ports(const consumer_ports&) = delete;
    consumer_ports& operator=(const consumer_ports&) = delete;

    process& self;
    consumer_world& home;
    memory::store connection;
    store_type store;
    /// Whatever else the scenario keeps for one life.
    std::shared_ptr<void> keep{};

    /// Joins the group.
    [[nodiscard]] source_type source();
    /// The dead letters, in the database of `store`.
    [[nodiscard]] letters_type letters();
    /// The dead letters, in a database of their own.
    [[nodiscard]] letters_type letters_elsewhere();
    /// What a handler does that does not keep its effects in a transaction.
    void apply(std::string_view key, std::string_view id);
};

/// The world.
class consumer_world {
public:
    explicit consumer_world(trial& run, consumer_world_options options = {})
        : options_(std::move(options)),
          world_(run, options_.world),
          letters_elsewhere_(memory::database()),
          letters_(data_),
          on_effect_([this](const effect& e) { take_effect(e.key, e.id, e.content); }),
          judged_(options_.partitions, -1),
          epochs_(options_.partitions, 0) {
        log_.create_topic(options_.topic, {.partitions = options_.partitions});
    }
    consumer_world(const consumer_world&) = delete;
    consumer_world& operator=(const consumer_world&) = delete;

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] memory::log& log() noexcept { return log_; }
    [[nodiscard]] const memory::database& data() const noexcept { return data_; }
    [[nodiscard]] const consumer_world_options& options() const noexcept { return options_; }
    /// What happened so far.
    [[nodiscard]] record& facts() {
        collect_letters();
        return facts_;
    }
    /// The dead letters, without faults: what people do with them.
    [[nodiscard]] memory::dead_letters& letters() noexcept { return letters_; }
    [[nodiscard]] memory::dead_letters& letters_elsewhere() noexcept { return letters_elsewhere_; }

    /// An event of that key. Its id is also its data, so that ids have to be unique.
    [[nodiscard]] static event make_event(std::string_view key, std::string_view id,
                                          std::uint64_t sequence = 0) {
        return {.id = std::string(id),
                .source = "/s",
                .type = "t",
                .data = std::string(id),
                .partitionkey = std::string(key),
                .sequence = sequence == 0 ? std::string() : std::to_string(sequence)};
    }

    /// Appends an event to the log, and says what it has to come to.
    void produce(partition_id partition, const event& e, fate expected = fate::applied) {
        auto ends = options_.producer;
        if (late_ || ended_producing_) {
            ends = ends.without({fault::reordered});
        }
        const auto how = world_.choose("producer", "produce", ends);
        if (how == fault::reordered) {
            late_.emplace(late_event{partition, e, expected});
            return;
        }
        append(partition, e, expected);
        if (how == fault::duplicated) {
            append(partition, e, expected);
        }
        append_late();
    }
    void produce_after(duration after, partition_id partition, event e,
                       fate expected = fate::applied) {
        world_.at(after, [this, partition, e = std::move(e), expected] {
            produce(partition, e, expected);
        });
    }

    /// A process that consumes. `make(ports)` makes the consumer, in each life anew; `also(ports,
    /// consumer, now)` is called after each step and says when it wants to be called again.
    template <class Make, class Also>
    void consume(std::string_view name, Make make, Also also) {
        consume_after(duration::zero(), name, std::move(make), std::move(also));
    }
    template <class Make>
    void consume(std::string_view name, Make make) {
        consume_after(duration::zero(), name, std::move(make));
    }
    /// The same, for one that joins `after` a while.
    template <class Make, class Also>
    void consume_after(duration after, std::string_view name, Make make, Also also) {
        world_.add(
            name,
            [this, make, also](process& self) mutable {
                return std::make_unique<body<Make, Also>>(self, *this, make, also);
            },
            after);
    }
    template <class Make>
    void consume_after(duration after, std::string_view name, Make make) {
        consume_after(after, name, std::move(make), [](auto&, auto&, moment) { return never; });
    }

    /// A further condition for having settled.
    void settled_when(std::function<bool()> also) { also_settled_ = std::move(also); }

    /// Runs until everything is finished and committed, then a while longer, and judges.
    void run() {
        ended_producing_ = true;
        append_late();
        world_.settled_when([this] { return has_settled(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(options_.afterwards);
        }
        judge(settled);
    }

private:
    friend class consumer_ports;

    template <class Make, class Also>
    class body : public process_body {
    public:
        body(process& self, consumer_world& home, Make& make, Also& also)
            : ports_(self, home), also_(also), consumer_(make(ports_)) {}

        steady_time step(moment now) override {
            auto& home = ports_.home;
            home.log_.tick(now.steady);
            consumer_.step(now);
            auto wake = consumer_.next_deadline();
            const auto other = also_(ports_, consumer_, now);
            home.check_counts(consumer_);
            home.check_progress();
            wake = other < wake ? other : wake;
            const auto poll = later(home.world_.now().steady, home.options_.poll_interval);
            return poll < wake ? poll : wake;
        }

    private:
        consumer_ports ports_;
        Also also_;
        decltype(std::declval<Make&>()(std::declval<consumer_ports&>())) consumer_;
    };

    struct key_height {
        std::string key;
        std::uint64_t next;
    };
    struct late_event {
        partition_id partition;
        event what;
        fate expected;
    };

    void append(partition_id partition, const event& e, fate expected) {
        const auto where = log_.append(options_.topic, partition, e.view());
        facts_.produced.push_back({e, where, expected});
        if (!e.sequence.empty()) {
            watch_progress(e.partitionkey);
        }
        world_.note("producer", "appends", e.id, "of", e.partitionkey, "to", partition);
        world_.stir();
    }
    void append_late() {
        if (late_) {
            const auto one = *std::exchange(late_, std::nullopt);
            append(one.partition, one.what, one.expected);
        }
    }

    /// An effect is in the store for good.
    void take_effect(std::string_view key, std::string_view id, std::uint64_t content) {
        facts_.apply(key, id, content);
        auto& trace = world_.run().trace;
        if (!trace.has_text()) {
            return;
        }
        for (const auto& one : facts_.applied) {
            if (one.key == key) {
                std::string state;
                for (const auto& each : one.ids) {
                    state += ' ' + each;
                }
                trace.remark(world_.now().steady, "store", "key", key, "is now" + state);
            }
        }
    }

    /// What the database says of a key never goes back.
    void check_progress() {
        if (const auto commits = data_.commits();
            std::exchange(progress_seen_, commits) == commits) {
            return;
        }
        const memory::store eyes(data_);
        const std::string consumer = options_.group + '/' + options_.topic;
        for (auto& one : risen_) {
            const auto next = eyes.progress(consumer, one.key).next();
            check_only_rises(found(), "the progress", one.key, one.next, next);
            one.next = next > one.next ? next : one.next;
        }
    }
    /// A key with a sequence is watched from now on.
    void watch_progress(std::string_view key) {
        for (const auto& one : risen_) {
            if (one.key == key) {
                return;
            }
        }
        risen_.push_back({std::string(key), 0});
    }

    template <class Consumer>
    void check_counts(Consumer& consumer) {
        if constexpr (requires { consumer.counts().in_flight; }) {
            const auto counts = consumer.counts();
            check_bound(found(), "the number of events in flight", counts.in_flight,
                        options_.in_flight_max);
            found().check(law::ledger, counts.balances(), "the consumer's counts do not balance");
        }
    }

    [[nodiscard]] bool has_settled() {
        for (partition_id i = 0; i < options_.partitions; ++i) {
            if (log_.committed(options_.topic, options_.group, i) + 1 <
                log_.end(options_.topic, i)) {
                return false;
            }
        }
        return !also_settled_ || also_settled_();
    }

    void collect_letters() {
        if (const auto commits = data_.commits(); commits != letters_seen_) {
            letters_seen_ = commits;
            facts_.letters = letters_.find({}, 0, SIZE_MAX);
        }
        for (auto& one : letters_elsewhere_.find({}, 0, SIZE_MAX)) {
            facts_.letters.push_back(std::move(one));
            letters_seen_ = UINT64_MAX;
        }
    }

    void judge_commit(partition_id partition, epoch_number epoch, log_offset through) {
        collect_letters();
        check_epoch(found(), partition, epochs_[partition], epoch);
        check_no_commit_ahead(found(), facts_, partition, judged_[partition] + 1, through);
        check_no_commit_back(found(), partition, judged_[partition], through);
        judged_[partition] = through > judged_[partition] ? through : judged_[partition];
    }
    void see_assignment(assignment a) {
        epochs_[a.partition] = a.epoch > epochs_[a.partition] ? a.epoch : epochs_[a.partition];
    }

    void judge(bool settled) {
        collect_letters();
        if (settled) {
            check_final(found(), facts_, {options_.group, options_.topic}, options_.at_least_once);
        }
        found().check(law::no_escape, world_.escaped() == 0, "a step threw");
        if (settled) {
            check_as_without_faults(found(), facts_, options_.at_least_once);
        }
        for (const auto& key : facts_.applied) {
            for (const auto& id : key.ids) {
                world_.note("end", key.key, "has", id);
            }
        }
        for (const auto& one : facts_.letters) {
            world_.note("end", one.letter.original.id, "is a dead letter:", one.letter.reason,
                        to_string(one.state));
        }
    }

    consumer_world_options options_;
    memory::log log_;
    memory::database data_;
    world world_;
    memory::dead_letters letters_elsewhere_;
    memory::dead_letters letters_;
    effect_hook on_effect_;
    record facts_;
    std::function<bool()> also_settled_;
    std::vector<log_offset> judged_;
    std::vector<epoch_number> epochs_;  ///< the newest one of each partition
    std::vector<key_height> risen_;     ///< the highest progress of each key with a sequence
    std::optional<late_event> late_;    ///< what was sent and is written after the next one
    bool ended_producing_ = false;
    std::uint64_t letters_seen_ = UINT64_MAX;
    std::uint64_t progress_seen_ = UINT64_MAX;
};

inline consumer_ports::consumer_ports(process& owner, consumer_world& world)
    : self(owner),
      home(world),
      connection(world.data_),
      store(owner, connection, &world.on_effect_) {}

inline consumer_ports::source_type consumer_ports::source() {
    auto member = home.log_.join(home.options_.topic, home.options_.group);
    const auto id = member.id();
    auto& world = home;
    return {
        self, std::move(member),
        group_hooks{[&world, id] { world.log_.kick(id); },
                    [&world] { world.log_.rebalance(world.options_.topic, world.options_.group); }},
        source_hooks{.committed =
                         [&world](partition_id partition, epoch_number epoch, log_offset through) {
                             world.judge_commit(partition, epoch, through);
                         },
                     .assigned = [&world](assignment a) { world.see_assignment(a); }}};
}

inline consumer_ports::letters_type consumer_ports::letters() { return {self, home.letters_}; }

inline consumer_ports::letters_type consumer_ports::letters_elsewhere() {
    return {self, home.letters_elsewhere_};
}

inline void consumer_ports::apply(std::string_view key, std::string_view id) {
    self.must_live();
    self.note("applies", id, "to", key);
    home.take_effect(key, id, 0);
}

}  // namespace sinew::testing
