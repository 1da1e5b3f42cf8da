// SPDX-License-Identifier: BSL-1.0
#include "supervisor.hpp"

#include "audit.hpp"
#include "orchestrated.hpp"
#include "services.hpp"
#include "topics.hpp"

#include <shared/child_process.hpp>
#include <shared/stop_signal.hpp>
#include <sinew/core/random.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

namespace checkout {

namespace {

using namespace std::chrono_literals;
using sinew::sqlite::store;

[[nodiscard]] sinew::steady_time in(sinew::duration span) {
    return sinew::later(sinew::machine_clock::now().steady, span);
}

/// A process that is started again whenever it was killed.
struct service {
    std::string name;
    std::vector<std::string> arguments;
    example::child_process runs;

    service(std::string called, std::vector<std::string> with)
        : name(std::move(called)), arguments(std::move(with)), runs(arguments) {}

    void kill_and_restart() {
        runs.kill();
        runs = example::child_process(arguments);
    }
};

class supervisor {
public:
    supervisor(style how, const run_folder& files, const run_plan& plan)
        : how_(how),
          files_(&files),
          plan_(&plan),
          db_(files.shop()),
          log_(open_topics(files.topics(), "supervisor")),
          provider_(files.provider()),
          parcels_(files.carrier()),
          journal_(db_.journal(journal_name)),
          random_(plan.seed) {}

    bool run() {
        make_shop();
        start();
        let_it_run();
        stop();
        return report();
    }

private:
    void make_shop() {
        db_.connection().execute_script(tables);
        if (db_.connection().query_one<std::int64_t>("SELECT 1 FROM stock")) {
            throw run_error("there is an earlier run in that folder; name a new one");
        }
        for (int article = 0; article < 20; ++article) {
            db_.connection().execute("INSERT INTO stock VALUES ($1, $2, 0)",
                                     fmt::format("article-{}", article), plan_->stock);
        }
    }

    [[nodiscard]] std::vector<std::string> with_folder(std::vector<std::string> command) const {
        command.insert(command.end(), {"--folder", files_->path});
        return command;
    }

    void start() {
        const double pause_ms = plan_->seconds * 1000 / static_cast<double>(plan_->carts);
        services_.emplace_back(
            "checkout desk",
            with_folder({"place", "--style", how_ == style::saga ? "saga" : "events", "--carts",
                         std::to_string(plan_->carts), "--seed", std::to_string(plan_->seed),
                         "--pause", std::to_string(pause_ms)}));
        for (const auto& name : services_of(how_)) {
            services_.emplace_back(name, with_folder({"serve", name}));
        }
    }

    [[nodiscard]] std::int64_t count(const char* sql) {
        return std::get<0>(db_.connection().query_one<std::int64_t>(sql).value());
    }
    [[nodiscard]] std::int64_t ended() {
        return count("SELECT count(*) FROM orders WHERE state <> 'placed'");
    }

    /// Whether nothing is under way any more.
    [[nodiscard]] bool is_at_rest() {
        if (!services_.front().runs.ended() || ended() < static_cast<std::int64_t>(plan_->carts)) {
            return false;
        }
        for (const char* box : {commands_topic, replies_topic, events_topic}) {
            if (db_.outbox(box).lag(sinew::never).waiting != 0) {
                return false;
            }
        }
        if (how_ == style::saga) {
            const auto all = journal_.counts(sinew::never);
            return all.open == 0 && all.parked == 0;
        }
        for (const auto& group : services_of(how_)) {
            for (sinew::partition_id one = 0; one < log_.partitions(events_topic); ++one) {
                const bool is_reader = !group.starts_with("relay");
                if (is_reader &&
                    log_.committed(events_topic, group, one) + 1 < log_.end(events_topic, one)) {
                    return false;
                }
            }
        }
        return true;
    }

    /// Kills one process after the other, evenly over the run, until all is done.
    void let_it_run() {
        const example::stop_signal stop;
        const auto total = static_cast<std::int64_t>(plan_->carts);
        std::int64_t seen = -1;
        auto patience = in(60s);
        for (;;) {
            const std::int64_t at = ended();
            if (std::exchange(seen, at) != at) {
                patience = in(60s);
            }
            if (stop.stop_requested()) {
                throw run_error("interrupted");
            }
            if (sinew::machine_clock::now().steady > patience) {
                throw run_error(
                    fmt::format("nothing happened for a minute; {} of {} ended", at, total));
            }
            look_after_services();
            decide_what_is_parked();
            const auto next = static_cast<std::int64_t>(kills_ + 1);
            if (kills_ < plan_->kills &&
                at * static_cast<std::int64_t>(plan_->kills + 1) >= next * total) {
                kill_one();
            } else if (is_at_rest()) {
                return;
            }
            std::this_thread::sleep_for(10ms);
        }
    }

    void kill_one() {
        std::this_thread::sleep_for(
            std::chrono::microseconds(static_cast<std::int64_t>(sinew::uniform(random_) * 20'000)));
        const std::size_t first = services_.front().runs.ended() ? 1 : 0;
        services_[first + kills_ % (services_.size() - first)].kill_and_restart();
        ++kills_;
    }

    void look_after_services() {
        for (auto& one : services_) {
            const auto end = one.runs.ended();
            if (end && (!end->is_good() || &one != &services_.front())) {
                throw run_error("the process \"" + one.name + "\" ended by itself, with " +
                                example::describe(*end) + "; what it said stands above");
            }
        }
    }

    // [people]
    /// What people would do: a shipment in doubt is looked up at the carrier's.
    void decide_what_is_parked() {
        const auto now = sinew::machine_clock::now().wall;
        for (const auto& one : journal_.stuck(now, 0, 100, in(5s))) {
            if (one.state != sinew::instance_state::parked) {
                continue;
            }
            const sinew::step_address ship{"ship", sinew::step_phase::act};
            const bool has_it =
                parcels_.knows(sinew::make_step_key(one.type, one.id, "ship", ship.phase));
            const bool decided =
                has_it ? sinew::resume(journal_, one, "the carrier has it", now, in(5s))
                       : sinew::give_up_step(journal_, one, ship, "the carrier never had it", now,
                                             in(5s));
            decisions_ += decided ? 1 : 0;
        }
    }
    // [/people]

    void stop() {
        for (auto& one : services_) {
            one.runs.ask_to_stop();
        }
        for (auto& one : services_) {
            const auto end = one.runs.wait(in(15s));
            // By the signal itself: it was started a moment ago, and did not yet listen for it.
            if (!end || !(end->is_good() || end->signal == SIGTERM)) {
                throw run_error("the process \"" + one.name + "\" did not stop as it was asked");
            }
        }
    }

    bool report() {
        fmt::print("{}: {} carts, {} kills, seed {}\n",
                   how_ == style::saga ? "orchestrated" : "choreographed", plan_->carts, kills_,
                   plan_->seed);
        fmt::print("  {:<44}{:>8}\n", "shipped",
                   count("SELECT count(*) FROM orders WHERE state = 'shipped'"));
        fmt::print("  {:<44}{:>8}\n", "cancelled",
                   count("SELECT count(*) FROM orders WHERE state = 'cancelled'"));
        fmt::print("  {:<44}{:>8}\n", "decided by people", decisions_);
        auto found =
            judge(make_carts(plan_->carts, plan_->seed), collect(db_, provider_, parcels_));
        found.insert(found.begin(), {"kills survived", static_cast<std::int64_t>(kills_),
                                     static_cast<std::int64_t>(plan_->kills)});
        const bool is_good = print(found) == 0;
        fmt::print("{}\n", is_good ? "Everything agrees." : "Not everything agrees.");
        std::fflush(stdout);
        return is_good;
    }

    style how_;
    const run_folder* files_;
    const run_plan* plan_;
    store db_;
    sinew::sqlite::log log_;
    payment_provider provider_;
    carrier parcels_;
    store::journal_type journal_;
    sinew::splitmix64 random_;
    std::vector<service> services_{};
    std::size_t kills_ = 0;
    std::int64_t decisions_ = 0;
};

}  // namespace

bool run_all(style how, const run_folder& files, const run_plan& plan) {
    return supervisor(how, files, plan).run();
}

bool show(const run_folder& files, const std::string& number) {
    store db(files.shop(), {.create = false});
    const auto found = db.journal(journal_name).find("checkout", number, in(5s));
    if (!found) {
        fmt::print(stderr, "there is no saga of order {}\n", number);
        return false;
    }
    payment_provider provider(files.provider());
    carrier parcels(files.carrier());
    const auto saga = make_checkout<store::transaction_type>(provider, parcels);
    fmt::print("{}\n{}\n", sinew::describe(*found), sinew::to_mermaid(saga.definition(), *found));
    return true;
}

}  // namespace checkout
