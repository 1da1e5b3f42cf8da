// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One schedule of a simulation: the user's world, the log, the process, and the judgement.
///
/// **Judged.** All laws of `laws.hpp` that hold for any handler; then, if these hold, the master
/// oracle: the state of each key is that of the sequential run without faults. An event that
/// nothing but faults gave up is the schedule's doing, and ends the judgement of the state.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/faulty_source.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/simulate/ports.hpp>
#include <sinew/testing/simulate/sequential.hpp>
#include <sinew/testing/simulate/simulation.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

namespace law {

/// A process that has died does nothing more. Broken by a handler that swallows its own death.
inline constexpr std::string_view death_is_final = "a crash ends the handler";

}  // namespace law

namespace detail {

/// One schedule, as far as it does not depend on the user's types.
class simulated_schedule : public simulated_home {
public:
    simulated_schedule(const simulated_schedule&) = delete;
    simulated_schedule& operator=(const simulated_schedule&) = delete;

    void go() {
        if (world_->run().trace.has_text()) {
            seen_ = read_state();
        }
        for (std::size_t i = 0; i < events_.size(); ++i) {
            produce(i);
        }
        world_->add("worker", [this](process& self) { return make_body(self); });
        world_->settled_when([this] { return has_settled(); });
        const bool settled = world_->run_until_settled();
        check_drains(found(), settled, world_->steps());
        if (settled) {
            world_->run_for(std::chrono::seconds(20));
        }
        found().check(law::no_escape, world_->escaped() == 0, "a step of the consumer threw");
        if (settled) {
            judge();
        }
    }

    /// What the history showed the handler do outside of its transaction, if it was written.
    [[nodiscard]] const std::string& changed_outside() const noexcept { return changed_outside_; }

    // What the ports ask for.
    [[nodiscard]] const effect_hook& on_effect() const noexcept final { return on_effect_; }
    [[nodiscard]] memory::dead_letters letters() const final { return letters_; }

    [[nodiscard]] faulty_source<memory::member> join(process& self) final {
        auto member = log_.join(std::string(simulated_topic), std::string(simulated_group));
        const auto id = member.id();
        return {self, std::move(member),
                group_hooks{[this, id] { log_.kick(id); },
                            [this] {
                                log_.rebalance(std::string(simulated_topic),
                                               std::string(simulated_group));
                            }},
                source_hooks{
                    .committed =
                        [this](partition_id partition, epoch_number epoch, log_offset through) {
                            judge_commit(partition, epoch, through);
                        },
                    .assigned =
                        [this](assignment a) {
                            epochs_[a.partition] = std::max(epochs_[a.partition], a.epoch);
                        }}};
    }

    [[nodiscard]] std::uint32_t& faults_in(std::string_view id) final {
        for (auto& one : faults_in_) {
            if (one.id == id) {
                return one.count;
            }
        }
        return faults_in_.emplace_back(fault_counter{std::string(id), 0}).count;
    }

    /// An event's effects are in the store for good.
    void take_effect(std::string_view key, std::string_view id) final {
        facts_.apply(key, id);
        watch("state", false);
    }

    void handler_returned(process& self) final {
        watch(self.name(), true);
        found().check(law::death_is_final, self.is_alive(),
                      "the handler went on after the process had died: it swallowed what is no "
                      "std::exception. Catch std::exception instead of everything");
        self.must_live();
    }

    void handler_threw(process& self, std::string_view what) final {
        watch(self.name(), true);
        self.note("throws:", what);
    }

protected:
    /// What the user's types decide.
    struct nature {
        bool shared = false;            ///< all lives have one store
        bool effectively_once = false;  ///< the guarantee of the pipeline
    };

    simulated_schedule(trial& run, const simulation_plan& plan, nature is)
        : events_(plan.events),
          expected_(plan.expected),
          options_(plan.options),
          is_(is),
          letters_{memory::database()},
          on_effect_([this](const effect& e) { take_effect(e.key, e.id); }),
          judged_(options_.partitions, -1),
          epochs_(options_.partitions, 0) {
        const auto faults =
            is_.shared ? options_.allowed.without({fault::zombie}) : options_.allowed;
        world_.emplace(run, world_options{.faults = faults, .steps_max = options_.steps_max});
        log_.create_topic(std::string(simulated_topic), {.partitions = options_.partitions});
    }
    ~simulated_schedule() = default;

    [[nodiscard]] virtual key_states read_state() = 0;
    virtual std::unique_ptr<process_body> make_body(process& self) = 0;

    /// The end of the world, which has to come before that of the user's.
    void end() noexcept { world_.reset(); }

    /// After each step of the consumer.
    void stepped(bool counts_balance) {
        found().check(law::ledger, counts_balance, "the consumer's counts do not balance");
    }
    /// When to poll again, whatever the consumer says.
    [[nodiscard]] steady_time next_poll() const {
        return later(world_->now().steady, std::chrono::seconds(5));
    }
    void tick(moment now) { log_.tick(now.steady); }

    /// Writes to the history what has changed in the user's state. `inside`: a transaction is open,
    /// so that nothing should have.
    void watch(std::string_view who, bool inside) {
        auto& trace = world_->run().trace;
        if (!trace.has_text() || (inside && is_.shared)) {
            return;
        }
        key_states now;
        try {
            now = read_state();
        } catch (const std::exception&) {
            return;  // locked, perhaps: the history does without
        }
        const auto changed = difference(now, seen_, "was");
        if (changed.empty()) {
            return;
        }
        trace.remark(world_->now().steady, who,
                     inside ? "changed, outside of its transaction:" : "is now", changed);
        if (inside && changed_outside_.empty()) {
            changed_outside_ = changed;
        }
        seen_ = std::move(now);
    }

private:
    struct fault_counter {
        std::string id;
        std::uint32_t count;
    };

    [[nodiscard]] findings& found() noexcept { return world_->run().found; }

    /// What the event has to come to. Events that are there twice have one end.
    [[nodiscard]] fate fate_of(const event& e) const {
        const auto at = std::find(expected_.order.begin(), expected_.order.end(), e);
        return expected_.fates[static_cast<std::size_t>(at - expected_.order.begin())];
    }

    /// Events of one key go to one partition, keys to partitions in turn.
    [[nodiscard]] partition_id partition_of(std::size_t index) const {
        std::vector<std::string_view> keys;
        for (std::size_t i = 0; i <= index; ++i) {
            const std::string_view key = events_[i].partitionkey;
            if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
                keys.push_back(key);
            }
        }
        const auto at = std::find(keys.begin(), keys.end(), events_[index].partitionkey);
        return static_cast<partition_id>(at - keys.begin()) % options_.partitions;
    }

    void produce(std::size_t index) {
        const auto& e = events_[index];
        const auto how =
            world_->choose("producer", "produce",
                           options_.duplicates ? fault_set{fault::duplicated} : fault_set{});
        for (int times = how == fault::duplicated ? 2 : 1; times != 0; --times) {
            const auto partition = partition_of(index);
            const auto where = log_.append(std::string(simulated_topic), partition, e.view());
            facts_.produced.push_back({e, where, fate_of(e)});
            world_->note("producer", "appends", e.id, "of", e.partitionkey, "at", where.offset);
        }
        world_->stir();
    }

    [[nodiscard]] bool has_settled() {
        for (partition_id i = 0; i < options_.partitions; ++i) {
            if (log_.committed(std::string(simulated_topic), std::string(simulated_group), i) + 1 <
                log_.end(std::string(simulated_topic), i)) {
                return false;
            }
        }
        return true;
    }

    void judge_commit(partition_id partition, epoch_number epoch, log_offset through) {
        facts_.letters = letters_.find({}, 0, SIZE_MAX);
        check_epoch(found(), partition, epochs_[partition], epoch);
        check_no_commit_ahead(found(), facts_, partition, judged_[partition] + 1, through);
        check_no_commit_back(found(), partition, judged_[partition], through);
        judged_[partition] = std::max(judged_[partition], through);
    }

    /// Whether nothing but faults gave the event up: they used up its attempts, or killed its
    /// process so often that it was taken for the author. (No handler kills a simulated process by
    /// itself.)
    [[nodiscard]] bool died_of_faults(const dead_letter_record& letter) {
        return letter.reason == "crash_loop" || (letter.kind == failure_class::transient &&
                                                 letter.attempts <= faults_in(letter.original.id));
    }

    void judge() {
        facts_.letters = letters_.find({}, 0, SIZE_MAX);
        bool as_expected = true;
        for (const auto& one : facts_.letters) {
            const bool excused = died_of_faults(one.letter);
            as_expected = as_expected && !excused;
            for (auto& each : facts_.produced) {
                if (excused && each.original.id == one.letter.original.id) {
                    each.expected = fate::either;
                }
            }
        }
        check_dead_letters(found(), facts_, {simulated_group, simulated_topic});
        judge_fates();
        check_nothing_lost(found(), facts_);
        if (is_.effectively_once) {
            check_nothing_twice(found(), facts_);
        }
        if (options_.in_order) {
            check_order(found(), facts_, applied_in_order());
        }
        // Where one copy of an event died of faults, another one may have been applied.
        std::erase_if(facts_.letters, [this](const dead_letter_entry& one) {
            return died_of_faults(one.letter) && facts_.times_applied(one.letter.original.id) != 0;
        });
        check_ledger(found(), facts_);
        const auto state = read_state();
        for (const auto& [key, value] : state) {
            world_->note("end", key, "is", value);
        }
        if (found().all_hold() && as_expected) {
            found().check(law::as_without_faults, state == expected_.state,
                          [&] { return difference(state, expected_.state); });
        }
    }

    /// What was given up had to be, and the letter tells what was wrong where it had not.
    void judge_fates() {
        for (const auto& one : facts_.letters) {
            const auto* const source = facts_.find(one.letter.original.id);
            const bool right = source == nullptr || source->expected != fate::applied;
            found().check(law::only_hopeless, right, [&] {
                const auto& last = one.letter.history.back();
                return one.letter.original.id + " was dead-lettered after " +
                       std::to_string(one.letter.attempts) + " attempts (" + last.reason + ": " +
                       last.detail + "); without faults it is applied";
            });
        }
    }

    [[nodiscard]] std::vector<key_effects> applied_in_order() const {
        record out;
        for (const auto& e : expected_.order) {
            if (!e.partitionkey.empty()) {  // without a key there is no order to keep
                out.apply(e.partitionkey, e.id);
            }
        }
        return std::move(out.applied);
    }

    const std::vector<event>& events_;
    const sequential_result& expected_;
    const simulation_options& options_;
    nature is_;
    memory::log log_;
    memory::dead_letters letters_;
    effect_hook on_effect_;
    record facts_;
    std::deque<fault_counter> faults_in_;  ///< references into it stay good
    std::vector<log_offset> judged_;
    std::vector<epoch_number> epochs_;
    key_states seen_;
    std::string changed_outside_;
    std::optional<world> world_;
};

/// What the pipeline of a simulation makes.
template <class What>
using simulated_consumer = std::remove_cvref_t<
    std::invoke_result_t<decltype((std::declval<const What&>().pipeline)),
                         simulation_ports<typename simulation_types<What>::store>&>>;

/// One schedule.
template <class What>
class simulated_run final : public simulated_schedule {
public:
    using types = simulation_types<What>;
    using consumer_type = simulated_consumer<What>;

    static_assert(consumer_type::guarantee() != guarantee::at_most_once,
                  "sinew: a simulation judges that nothing is lost, and a pipeline with "
                  "at_most_once loses events by design; take it out of .pipeline");

    simulated_run(trial& run, const What& what, const simulation_plan& plan)
        : simulated_schedule(
              run, plan,
              {.shared = types::shared,
               .effectively_once = consumer_type::guarantee() == guarantee::effectively_once}),
          what_(what),
          user_(what.open()) {}
    ~simulated_run() { end(); }

private:
    using connection_type = typename types::connection;
    using transaction_type = typename types::store::transaction_type;

    class body final : public process_body {
    public:
        body(process& self, simulated_run& home)
            : home_(home),
              handle_(home.what_.handle),
              connection_(connect(self, home)),
              ports_(self, connection_, home,
                     [this](const event_view& e, transaction_type* tx, outside& out) {
                         return call_handler_of(handle_, home_.user_, e, tx, out);
                     }),
              consumer_(home.what_.pipeline(ports_)) {}

        steady_time step(moment now) override {
            home_.tick(now);
            consumer_.step(now);
            home_.stepped(consumer_.counts().balances());
            const auto wake = consumer_.next_deadline();
            const auto poll = home_.next_poll();
            return poll < wake ? poll : wake;
        }

    private:
        /// A process that does not reach its store does not come up, and is started again.
        static connection_type connect(process& self, simulated_run& home) {
            try {
                return home.what_.connect(home.user_);
            } catch (const unavailable_error& problem) {
                self.note("cannot connect:", std::string_view(problem.what()));
                self.die("it does not reach its store");
            }
        }

        simulated_run& home_;
        typename types::handle handle_;
        connection_type connection_;
        simulation_ports<typename types::store> ports_;
        consumer_type consumer_;
    };

    key_states read_state() override { return types::read(what_, user_); }
    std::unique_ptr<process_body> make_body(process& self) override {
        return std::make_unique<body>(self, *this);
    }

    const What& what_;
    typename types::world user_;
};

}  // namespace detail

}  // namespace sinew::testing
