// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A world with a database, a journal and an outbox in it, services that do what steps ask of them,
/// and people; in which starters and runners live and die; and the laws of long work, checked while
/// they do.
///
/// A starter starts instances, each in a transaction of its own, and begins again if it died or
/// does not know whether it committed. A runner is whatever driver a scenario makes: it reaches
/// store, journal and outbox through `runner_ports`, whose calls end as the tape says. What steps
/// do is written down in a `process_script`; that a step fails, or kills its process, is said of
/// the world. A command that was committed to the outbox reaches its service after a while, maybe
/// twice; the service's reply is brought to the journal, maybe twice, early, or late.
///
/// **Example.**
/// ```cpp
/// const auto scenario = [](trial& t) {
///     process_world w(t);
///     const auto order = write_process({.type = "order", .steps = {{"pick"}, {"pack"}}});
///     w.start("shop", {{order, "1"}});
///     w.run_runner("runner", [order](runner_ports& p) {
///         return sinew::runner(p.store, p.book(), p.box(), runner_options{}, p.does(order));
///     });
///     w.run();
/// };
/// REQUIRE(every_fault(scenario, 2).all_hold());
/// ```

#include <sinew/adapters/memory/journal.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/step_key.hpp>
#include <sinew/testing/faulty_journal.hpp>
#include <sinew/testing/faulty_outbox.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/process_laws.hpp>
#include <sinew/testing/runner_ports.hpp>
#include <sinew/testing/runner_watch.hpp>
#include <sinew/testing/scripted_process.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a world of long work is like.
struct process_world_options {
    world_options world{};
    journal_options journal{.seats = 2};
    /// From a command's commit to the service, and from there to its reply.
    duration command_takes = std::chrono::milliseconds(50);
    duration reply_takes = std::chrono::milliseconds(50);
    /// How much longer a reply takes that the tape has delayed.
    duration reply_delay = std::chrono::seconds(20);
    /// How long the world goes on after everything has settled, for what might still go wrong.
    duration afterwards = std::chrono::seconds(40);
    /// Further ways in which a step of a runner may begin.
    fault_set clocks = {fault::clock_jump, fault::clock_leap};
    /// What can become of a command or a reply on its way.
    fault_set mail = {fault::duplicated, fault::delayed};
    /// What can become of an attempt in the transaction, and of a call to a service.
    fault_set joined = {fault::failed, fault::crash_before, fault::delayed, fault::zombie};
    fault_set called = {fault::refused,    fault::failed,       fault::request_lost,
                        fault::reply_lost, fault::crash_before, fault::crash_after,
                        fault::delayed,    fault::zombie};
};

/// An instance that a starter starts.
struct start_order {
    shared_script of{};
    std::string id{};
};

/// Which step of which instance.
struct step_of {
    std::string id{};
    std::string step{};
    step_phase phase = step_phase::act;

    friend bool operator==(const step_of&, const step_of&) = default;
};

/// What a factory makes of runners.
template <class Make>
using driver_of = std::invoke_result_t<Make&, runner_ports&>;

/// The world.
class process_world {
public:
    explicit process_world(trial& run, process_world_options options = {})
        : options_(options),
          connection_(data_),
          book_(data_, "processes", options.journal),
          box_(data_, "commands", {.shards = 1}),
          world_(run, options.world) {
        ledger_.seats.resize(options.journal.seats);
        ledger_.on_record = [this](const auto& one, const auto& record) { see(one, record); };
        clock_of() = &world_;
    }
    process_world(const process_world&) = delete;
    process_world& operator=(const process_world&) = delete;
    ~process_world() { clock_of() = nullptr; }

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] process_record& facts() noexcept { return ledger_.facts; }
    /// The journal, without faults: what people see.
    [[nodiscard]] memory::journal& desk() noexcept { return book_; }
    /// An instance as it is kept now.
    [[nodiscard]] std::optional<journal_entry> look(std::string_view id) {
        const auto* one = of(id);
        return one == nullptr ? std::nullopt : book_.find(one->type, one->id);
    }

    /// A process that starts these instances, one after the other.
    void start(std::string_view name, std::vector<start_order> list, duration after = {});

    /// A process that runs instances. `make(ports)` makes the driver, in each life anew;
    /// `also(ports, driver, now)` is called after each step.
    template <class Make, std::invocable<runner_ports&, driver_of<Make>&, moment> Also>
    void run_runner(std::string_view name, Make make, Also also, duration after = {}) {
        world_.add(
            name,
            [this, make, also](process& self) mutable {
                return std::make_unique<running<Make, Also>>(self, *this, make, also, runner_end{});
            },
            after);
    }
    template <class Make>
    void run_runner(std::string_view name, Make make, duration after = {}) {
        run_runner(name, std::move(make), [](auto&, auto&, moment) {}, after);
    }
    /// The same, for one that is told after a while to end within so long.
    template <class Make>
    void run_runner_until(duration end, duration within, std::string_view name, Make make) {
        const auto nothing_else = [](auto&, auto&, moment) {};
        const runner_end when{later(world_.now().steady, end), within};
        world_.add(name, [this, make, nothing_else, when](process& self) mutable {
            return std::make_unique<running<Make, decltype(nothing_else)>>(self, *this, make,
                                                                           nothing_else, when);
        });
    }

    // ---- What is written down beforehand. ------------------------------------------------------

    /// What an instance has to come to, and for which reasons it may be parked.
    void expect(std::string_view id, std::vector<instance_state> states,
                std::vector<std::string> reasons = {}) {
        expected_.push_back({std::string(id), std::move(states), std::move(reasons)});
    }
    /// A step fails so many times. Its service refuses it, and has done nothing.
    void fail(step_of where, failure_class kind = failure_class::permanent,
              std::uint32_t times = UINT32_MAX) {
        rules_.push_back({std::move(where), kind, times, rule_kind::fails});
    }
    /// A step's service does what it is asked, and is not heard, so many times.
    void lose_answers(step_of where, std::uint32_t times) {
        rules_.push_back({std::move(where), failure_class::unknown, times, rule_kind::is_mute});
    }
    /// A call to a step's service takes so long.
    void slow_call(step_of where, duration takes) {
        slow_calls_.emplace_back(std::move(where), takes);
    }
    /// A step kills its process so many times.
    void poison(step_of where, std::uint32_t times = UINT32_MAX) {
        rules_.push_back({std::move(where), failure_class::unknown, times, rule_kind::kills});
    }
    /// The step's service does the work, and refuses the step in its reply.
    void refuse_in_reply(step_of where) { refusals_.push_back(std::move(where)); }
    /// What fails does so no more, and is no poison any more.
    void mend(const step_of& where) {
        for (auto& one : rules_) {
            one.times = one.where == where ? 0 : one.times;
        }
    }
    /// A reply of that step's service takes so long.
    void slow_reply(step_of where, duration takes) { slow_.emplace_back(std::move(where), takes); }
    /// A service does what nobody has asked it for yet, and replies.
    void early_reply(duration after, shared_script of, const step_of& to) {
        expect_instance({std::move(of), to.id});
        world_.at(after, [this, to] {
            serve(found(), *this->of(to.id), *find(to), to.phase);
            bring_reply(to);
        });
    }

    /// Something happens as soon as a step has a record.
    void when_recorded(step_of where, std::function<void()> what) {
        hooks_.push_back({std::move(where), std::move(what)});
    }
    /// Somebody asks an instance to turn back.
    void cancel(std::string_view id);
    /// People look every five seconds whether the instance is parked, and decide, until it has
    /// ended.
    void when_parked(std::string_view id,
                     std::function<bool(memory::journal&, const process_instance&)> decide);
    /// People decide that a step need not be done, or undone.
    void excuse(const step_of& where) {
        if (auto* const step = find(where)) {
            step->is_excused = true;
        }
    }

    /// Whether a step happened: people ask its service.
    [[nodiscard]] bool has_happened(const step_of& where) {
        const auto* const step = find(where);
        return step != nullptr && step->in_force;
    }
    /// People see to it that a step does not happen any more.
    void bar(const step_of& where) {
        if (auto* const step = find(where)) {
            step->is_barred = true;
        }
    }

    /// A compensation is given up, and the policy is that the others go on.
    void given_up(const step_of& where) { given_up_.push_back(where); }
    /// A step has another name in the code that comes later. To be said behind `start`.
    void renamed(std::string_view before, std::string_view now) {
        renamed_.emplace_back(before, now);
        for (auto& one : ledger_.facts.instances) {
            if (auto* const step = one.find(before)) {
                step->name = now;
            }
        }
    }
    /// The code that comes later has a step more, at that place.
    void added(std::string_view id, std::string_view step, std::size_t place) {
        if (auto* const one = of(id)) {
            one->steps.insert(one->steps.begin() + static_cast<std::ptrdiff_t>(place),
                              step_facts{std::string(step)});
        }
    }

    /// A further condition for having settled.
    void settled_when(std::function<bool()> also) { also_settled_ = std::move(also); }

    /// How often steps killed a process.
    [[nodiscard]] std::uint64_t deaths() const noexcept { return deaths_; }
    [[nodiscard]] std::uint64_t late_replies() const noexcept { return late_replies_; }

    /// Runs until everything has ended or waits for people, then a while longer, and judges.
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
    friend class runner_ports;

    struct runner_end {
        steady_time at = never;
        duration within{};
    };
    enum class rule_kind : std::uint8_t { fails, is_mute, kills };
    struct rule {
        step_of where{};
        failure_class kind = failure_class::permanent;
        std::uint32_t times = 0;
        rule_kind what = rule_kind::fails;
    };
    struct expectation {
        std::string id{};
        std::vector<instance_state> states{};
        std::vector<std::string> reasons{};
    };
    struct hook {
        step_of where{};
        std::function<void()> what{};
    };

    class starter;
    template <class Make, class Also>
    class running;

    /// The world whose time a runner's stopwatch tells: there is one at a time on a thread.
    static const world*& clock_of() {
        static thread_local const world* now = nullptr;
        return now;
    }

    [[nodiscard]] instance_facts* of(std::string_view id) noexcept {
        for (auto& one : ledger_.facts.instances) {
            if (one.id == id) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] step_facts* find(const step_of& where) noexcept {
        auto* const one = of(where.id);
        return one == nullptr ? nullptr : one->find(name_now(where.step));
    }
    /// Steps are known by their last names.
    [[nodiscard]] std::string_view name_now(std::string_view step) const noexcept {
        for (const auto& [before, now] : renamed_) {
            if (before == step) {
                return now;
            }
        }
        return step;
    }

    void expect_instance(const start_order& order) {
        if (of(order.id) != nullptr) {
            return;
        }
        instance_facts facts;
        facts.type = order.of->script().type;
        facts.id = order.id;
        for (const auto& step : order.of->script().steps) {
            facts.steps.push_back({std::string(step.name), step.kind});
        }
        ledger_.facts.instances.push_back(std::move(facts));
    }

    // ---- What happens to steps. ----------------------------------------------------------------

    /// Of a service that is mute, or of all else that goes wrong.
    [[nodiscard]] rule* rule_for(const step_of& where, bool is_mute) noexcept {
        for (auto& one : rules_) {
            if (one.where == where && one.times != 0 &&
                (one.what == rule_kind::is_mute) == is_mute) {
                return &one;
            }
        }
        return nullptr;
    }

    void see(const runner_ledger::claimed_instance& one, const step_record& record) {
        const step_of where{one.id, std::string(name_now(record.where.step)), record.where.phase};
        auto* const step = find(where);
        for (const auto& one_given_up : given_up_) {
            step_facts* const its = one_given_up == where ? step : nullptr;
            if (its != nullptr) {
                its->is_given_up = record.kind == record_kind::failed;
            }
        }
        if (step != nullptr && record.kind == record_kind::done) {
            check_not_ahead(found(), *of(one.id), *step, where.phase);
        }
        for (auto& one_hook : hooks_) {
            if (one_hook.what && one_hook.where == where) {
                world_.at({}, std::exchange(one_hook.what, nullptr));
            }
        }
    }

    /// Something was committed that a runner may claim.
    void ring() {
        for (auto* const one : runners_) {
            one->ring();
        }
    }
    void deliver(const event& command);
    void serve_command(const step_of& where);
    void bring_reply(const step_of& where);

    // ---- The end. ------------------------------------------------------------------------------

    [[nodiscard]] bool has_settled() {
        if (std::exchange(settled_seen_, data_.commits()) != settled_seen_) {
            rests_ = is_at_rest();
        }
        return rests_ && (!also_settled_ || also_settled_());
    }
    [[nodiscard]] bool is_at_rest() {
        if (unstarted_ != 0) {
            return false;
        }
        for (const auto& one : ledger_.facts.instances) {
            const auto is = book_.find(one.type, one.id);
            if (one.is_started && !one.has_ended &&
                (!is || is->what.state == instance_state::open)) {
                return false;
            }
        }
        return true;
    }

    void judge(bool settled) {
        for (auto& one : ledger_.facts.instances) {
            for (const auto& other : expected_) {
                if (other.id == one.id) {
                    one.expected = other.states;
                    one.reasons = other.reasons;
                }
            }
            const auto is = book_.find(one.type, one.id);
            found().check(law::nothing_lost, is.has_value() || !one.is_started || one.has_ended,
                          [&] { return one.id + " is not there any more"; });
            if (!is) {
                continue;
            }
            world_.note("end", one.id, "is", to_string(is->what.state));
            if (settled) {
                check_fate(found(), one, is->what);
                check_whole_way(found(), one, is->what.state);
                for (auto& step : one.steps) {
                    check_history(found(), one, step, *is, name_in(*is, step.name));
                }
            }
        }
        found().check(law::no_escape, world_.escaped() == 0, "a step threw");
    }
    /// The name under which the history has a step.
    [[nodiscard]] std::string_view name_in(const journal_entry& is, std::string_view step) const {
        for (const auto& [before, now] : renamed_) {
            for (const auto& kept : is.what.steps) {
                if (now == step && kept.name == before) {
                    return is_recorded(is, step) ? step : before;
                }
            }
        }
        return step;
    }
    [[nodiscard]] static bool is_recorded(const journal_entry& is, std::string_view step) {
        for (const auto& one : is.history) {
            if (one.where.step == step) {
                return true;
            }
        }
        return false;
    }

    process_world_options options_;
    memory::database data_;
    memory::store connection_;
    memory::journal book_;
    memory::outbox box_;
    runner_ledger ledger_;
    std::vector<runner_ports*> runners_;  ///< outlives the world, in which they end
    world world_;
    std::vector<expectation> expected_;
    std::vector<rule> rules_;
    std::vector<step_of> refusals_;
    std::vector<step_of> given_up_;
    std::vector<std::pair<step_of, duration>> slow_;
    std::vector<std::pair<step_of, duration>> slow_calls_;
    std::vector<hook> hooks_;
    std::vector<std::pair<std::string, std::string>> renamed_;
    std::function<bool()> also_settled_;
    std::size_t unstarted_ = 0;
    std::uint64_t deaths_ = 0;
    std::uint64_t late_replies_ = 0;
    std::uint64_t replies_ = 0;
    std::uint64_t settled_seen_ = UINT64_MAX;
    bool rests_ = false;
};

inline runner_ports::runner_ports(process& owner, process_world& world)
    : self(owner),
      home(world),
      watch(owner, world.ledger_),
      connection(world.data_),
      store(owner, connection),
      mailbox_(world) {
    world.runners_.push_back(this);
}
inline runner_ports::~runner_ports() { std::erase(home.runners_, this); }

inline runner_ports::journal_type runner_ports::book() { return {self, home.book_, watch}; }
inline runner_ports::outbox_type runner_ports::box() { return {self, home.box_, mailbox_}; }
inline void runner_ports::mailbox::added(const event& e, std::uint64_t /*sequence*/) {
    home_.deliver(e);
}

/// Starts its list, one after the other.
class process_world::starter : public process_body {
public:
    starter(process& self, process_world& home, const std::vector<start_order>& list,
            std::size_t& next)
        : ports_(self, home), list_(list), next_(next) {}

    steady_time step(moment now) override {
        if (next_ == list_.size()) {
            return never;
        }
        ports_.watch.bounds.call_timeout = std::chrono::seconds(5);
        const auto again = later(now.steady, std::chrono::milliseconds(200));
        try {
            auto book = ports_.book();
            const std::size_t at = next_;  // another life of it may come before this one
            const auto& [script, id] = list_[at];
            const auto steps = entries_of(script->definition());
            auto tx = ports_.store.begin(later(now.steady, std::chrono::seconds(5)));
            static_cast<void>(book.start(tx, {script->script().type, id, steps, "input of " + id},
                                         ports_.home.world_.now().wall));
            if (tx.commit() == commit_result::committed) {
                ports_.home.unstarted_ -= next_ == at ? 1U : 0U;
                next_ += next_ == at ? 1U : 0U;
                ports_.home.ring();
                return now.steady;
            }
        } catch (const error&) {
        }
        return again;
    }

private:
    runner_ports ports_;
    const std::vector<start_order>& list_;
    std::size_t& next_;  ///< outlives this life: who starts again begins where it was
};

inline void process_world::start(std::string_view name, std::vector<start_order> list,
                                 duration after) {
    for (const auto& one : list) {
        expect_instance(one);
    }
    unstarted_ += list.size();
    const auto shared = std::make_shared<const std::vector<start_order>>(std::move(list));
    const auto next = std::make_shared<std::size_t>(0);
    world_.add(
        name,
        [this, shared, next](process& self) {
            return std::make_unique<starter>(self, *this, *shared, *next);
        },
        after);
}

/// Steps a runner.
template <class Make, class Also>
class process_world::running : public process_body {
public:
    running(process& self, process_world& home, Make& make, Also& also, runner_end end)
        : ports_(self, home), also_(also), one_(make(ports_)), end_(end) {
        if constexpr (requires { one_.measure_with(nullptr); }) {
            one_.measure_with([] { return clock_of()->now().steady; });
        }
    }

    steady_time step(moment now) override {
        auto& home = ports_.home;
        if (std::exchange(seen_stirs_, home.world_.stirs()) != home.world_.stirs()) {
            ports_.self.call("runner step", home.options_.clocks, [] {});
            now.wall = home.world_.now().wall;
        }
        ports_.watch.steps(now);
        if (now.steady >= end_.at) {
            return shut_down(now);
        }
        if constexpr (requires { one_.step(now, never); }) {
            // A runner waits only for as long as nothing else can happen.
            constexpr duration moment_of_waiting(1);
            one_.step(now, ports_.wakes() ? later(home.world_.now().steady, moment_of_waiting)
                                          : steady_time::min());
        } else {
            one_.step(now);
        }
        also_(ports_, one_, now);
        const auto next = one_.next_deadline();
        return next < end_.at ? next : end_.at;
    }

private:
    steady_time shut_down(moment now) {
        const auto until = later(end_.at, end_.within);
        const bool ended = now.steady > until || one_.shut_down(now, until);
        ports_.home.found().check(law::waits_end, ended || now.steady < until,
                                  "a runner has not shut down in time");
        const auto again = later(now.steady, std::chrono::milliseconds(100));
        return ended ? never : again < until ? again : until;
    }

    runner_ports ports_;
    Also also_;
    driver_of<Make> one_;
    runner_end end_;
    std::uint64_t seen_stirs_ = UINT64_MAX;
};

}  // namespace sinew::testing

// What was declared above.
#include <sinew/testing/process_mail.hpp>
#include <sinew/testing/process_steps.hpp>
