// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a simulated consumer is made of, in one life of its process.
///
/// A pipeline of the user's own is a callable that takes the ports and answers the consumer:
/// ```cpp
/// .pipeline = [](auto& p) {
///     return subscribe(p.source(), p.subscription()) | in_sequence() | dead_letter(p.letters()) |
///            retry({.max_attempts = 5}) | once(p.store) | handle(p.handler());
/// },
/// ```

#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/log.hpp>
#include <sinew/consume/consumer.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/fault.hpp>
#include <sinew/testing/faulty_dead_letters.hpp>
#include <sinew/testing/faulty_source.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/simulate/outside.hpp>
#include <sinew/testing/world.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing {

/// The pipeline that is taken if the user gives none.
struct standard_pipeline {
    /// Enough attempts that faults alone do not use them up.
    retry_options retry = {.max_attempts = 50,
                           .max_elapsed = std::chrono::hours(24),
                           .base = std::chrono::milliseconds(200),
                           .cap = std::chrono::seconds(1),
                           .budget_floor = 100};
    once_options once = {.batch_max = 2, .duplicates = duplicates::by_id};
    /// Nobody asks for a replay, and no fault is taken for an event that kills its process.
    dead_letter_options letters = {.replay_interval = std::chrono::hours(1), .deaths_max = 50};

    template <class Ports>
    [[nodiscard]] auto operator()(Ports& p) const {
        return subscribe(p.source(), p.subscription()) | dead_letter(p.letters(), letters) |
               sinew::retry(retry) | sinew::once(p.store, once) | handle(p.handler());
    }
};

namespace detail {

inline constexpr std::string_view simulated_topic = "events";
inline constexpr std::string_view simulated_group = "handler";

/// What the ports ask of the run that they belong to.
class simulated_home {
public:
    virtual faulty_source<memory::member> join(process& self) = 0;
    [[nodiscard]] virtual memory::dead_letters letters() const = 0;
    [[nodiscard]] virtual const effect_hook& on_effect() const noexcept = 0;
    virtual void take_effect(std::string_view key, std::string_view id) = 0;
    [[nodiscard]] virtual std::uint32_t& faults_in(std::string_view id) = 0;
    virtual void handler_returned(process& self) = 0;
    virtual void handler_threw(process& self, std::string_view what) = 0;

protected:
    ~simulated_home() = default;
};

/// A user's handler, whatever it takes. Without `once` there is no transaction.
template <class Tx>
using handler_function = std::function<outcome(const event_view&, Tx*, outside&)>;

}  // namespace detail

/// The ports of a simulation whose store is a `Store`.
template <consumer_store Store>
class simulation_ports {
public:
    using store_type = faulty_store<Store>;
    using transaction = typename store_type::transaction_type;
    using source_type = faulty_source<memory::member>;
    using letters_type = faulty_dead_letters<memory::dead_letters>;
    using function = detail::handler_function<typename Store::transaction_type>;

    /// Made by the run, in each life anew.
    simulation_ports(process& owner, Store& connection, detail::simulated_home& home, function f)
        : self(owner),
          store(owner, connection, &home.on_effect()),
          home_(home),
          out_(&owner),
          f_(std::move(f)) {}
    simulation_ports(const simulation_ports&) = delete;
    simulation_ports& operator=(const simulation_ports&) = delete;

    process& self;
    /// The user's store; its calls end as the tape says.
    store_type store;

    /// What the topic and the group are called, and limits that fit a small world. Take it as it
    /// is, or change what is the user's own; the seed has to stay fixed.
    [[nodiscard]] subscription_options subscription() const {
        return {.topic = std::string(detail::simulated_topic),
                .group = std::string(detail::simulated_group),
                .in_flight_max = 16,
                .window_max = 64,
                .step_events_max = 16,
                .commit_interval = std::chrono::milliseconds(100),
                .seed = 7};
    }
    /// Joins the group.
    [[nodiscard]] source_type source() { return home_.join(self); }
    /// A place for dead letters, beside the store.
    [[nodiscard]] letters_type letters() { return {self, home_.letters()}; }

    /// The user's handler, as a handler of this world.
    class handler_type {
    public:
        explicit handler_type(simulation_ports& ports) noexcept : ports_(&ports) {}

        outcome operator()(const event_view& e, transaction& tx) {
            outcome answer = ports_->run_handler(e, &tx.inner());
            if (answer.is_done() || answer.verdict() == verdict::skip) {
                tx.effect(e.partitionkey, e.id);
            }
            return answer;
        }

        /// Without `once` there is no transaction, and what the handler did is done.
        outcome operator()(const event_view& e) {
            outcome answer = ports_->run_handler(e, nullptr);
            if (answer.is_done() || answer.verdict() == verdict::skip) {
                ports_->home_.take_effect(e.partitionkey, e.id);
            }
            return answer;
        }

    private:
        simulation_ports* ports_;
    };
    [[nodiscard]] handler_type handler() noexcept { return handler_type(*this); }

private:
    outcome run_handler(const event_view& e, typename Store::transaction_type* tx) {
        self.must_live();
        self.note("handles", e.id, "of", e.partitionkey);
        out_.count_faults_in(&home_.faults_in(e.id));
        try {
            outcome answer = f_(e, tx, out_);
            home_.handler_returned(self);
            if (!answer.is_done()) {
                self.note("answers", to_string(answer.verdict()), answer.why().reason);
            }
            out_.point("end of the handler", {fault::failed, fault::crash_before});
            return answer;
        } catch (const std::exception& problem) {
            home_.handler_threw(self, problem.what());
            throw;
        }
    }

    detail::simulated_home& home_;
    outside out_;
    function f_;
};

}  // namespace sinew::testing
