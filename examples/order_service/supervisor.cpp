// SPDX-License-Identifier: BSL-1.0
#include "supervisor.hpp"

#include "audit.hpp"
#include "audit_facts.hpp"
#include "inventory.hpp"
#include "transport.hpp"

#include <shared/child_process.hpp>
#include <shared/stop_signal.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/random.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace shop {

namespace {

using namespace std::chrono_literals;

/// A service: a process that is started again whenever it was killed.
struct service {
    std::string name;
    std::vector<std::string> arguments;
    example::child_process runs;
    int kills = 0;

    service(std::string called, std::vector<std::string> with)
        : name(std::move(called)), arguments(std::move(with)), runs(arguments) {}

    void kill_and_restart() {
        runs.kill();
        ++kills;
        runs = example::child_process(arguments);
    }
};

/// How far the run is.
struct progress {
    std::int64_t placed = 0;
    std::int64_t notified = 0;
    std::int64_t unpublished = 0;
};

/// One run, on one kind of store.
template <class Store>
class supervisor {
public:
    supervisor(Store& db, const place& where, const run_plan& plan, order_file orders)
        : db_(&db),
          where_(&where),
          plan_(&plan),
          orders_(std::move(orders)),
          log_(open_topics(where.topics, "audit")),
          random_(plan.seed) {}

    int run() {
        refuse_what_is_not_new();
        fill_stock();
        fmt::print("{} orders of {}, {} kills, seed {}\n", orders_.orders.size(), plan_->input,
                   plan_->kills, plan_->seed);
        std::fflush(stdout);
        start();
        const bool came_to_rest = let_it_run();
        stop();
        return report(came_to_rest);
    }

private:
    void refuse_what_is_not_new() {
        if (!read_orders(*db_).empty() || records_in(log_, orders_topic) != 0) {
            throw run_error(
                "there are orders of an earlier run; name other files, or an empty database");
        }
    }

    void fill_stock() {
        std::set<std::string> articles;
        for (const auto& one : orders_.orders) {
            for (const auto& line : one.lines) {
                articles.insert(line.stock_code);
            }
        }
        std::vector<order_line> goods;
        for (const auto& stock_code : articles) {
            goods.push_back({.stock_code = stock_code, .quantity = plan_->stock});
        }
        receive_goods(*db_, goods, sinew::machine_clock::now().steady + 10s);
    }

    [[nodiscard]] std::vector<std::string> with_place(std::vector<std::string> command) const {
        if (!where_->tables.conninfo.empty()) {
            command.insert(command.end(), {"--postgres", where_->tables.conninfo});
        } else {
            command.insert(command.end(), {"--data", where_->tables.file});
        }
        command.insert(command.end(), {"--topics", where_->topics});
        return command;
    }

    void start() {
        const double pause_ms = plan_->seconds * 1000 / static_cast<double>(orders_.orders.size());
        const std::vector<std::pair<std::string, std::vector<std::string>>> all = {
            {"order desk",
             {"place", "--input", plan_->input, "--orders", std::to_string(orders_.orders.size()),
              "--pause", std::to_string(pause_ms), "--quiet"}},
            {"relay of orders", {"relay", orders_topic}},
            {"inventory", {"inventory"}},
            {"relay of stock", {"relay", stock_topic}},
            {"notifications", {"notifications"}},
        };
        for (const auto& [name, command] : all) {
            services_.emplace_back(name, with_place(command));
        }
    }

    /// Nothing while the database is away: a server that is started again ends no run.
    [[nodiscard]] std::optional<progress> look() {
        try {
            return count_all();
        } catch (const sinew::error& why) {
            if (why.kind() == sinew::failure_class::permanent) {
                throw;
            }
            return std::nullopt;
        }
    }

    [[nodiscard]] progress count_all() {
        const auto count = [&](const char* sql) {
            return std::get<0>(db_->connection().template query_one<std::int64_t>(sql).value());
        };
        return {count("SELECT count(*) FROM orders"), count("SELECT count(*) FROM notifications"),
                count_unpublished(*db_, orders_topic) + count_unpublished(*db_, stock_topic)};
    }

    /// Kills what runs, evenly over the run, until all is done. False: nothing came on any more.
    [[nodiscard]] bool let_it_run() {
        const example::stop_signal stop;
        const auto total = static_cast<std::int64_t>(orders_.orders.size());
        std::int64_t seen = -1;
        auto seen_at = sinew::machine_clock::now().steady;
        auto away_until = sinew::steady_time::min();
        for (;;) {
            if (stop.stop_requested()) {
                throw run_error("interrupted");
            }
            const auto now = sinew::machine_clock::now().steady;
            const auto at = look();
            if (!at) {
                away_until = now + 5s;
            }
            look_after_services(now < away_until);
            if (at) {
                if (const std::int64_t sum = at->placed + at->notified - at->unpublished;
                    sum != seen) {
                    seen = sum;
                    seen_at = now;
                }
                if (kills_ < plan_->kills && is_kill_due(*at, total)) {
                    kill_one(*at);
                } else if (has_come_to_rest(*at, total)) {
                    return true;
                }
            }
            if (now - seen_at > 20s) {
                return false;
            }
            std::this_thread::sleep_for(5ms);
        }
    }

    /// The kills are spread evenly over the notifications, as they come last.
    [[nodiscard]] bool is_kill_due(const progress& at, std::int64_t total) const {
        const auto kills = static_cast<std::int64_t>(kills_ + 1);
        return at.notified * static_cast<std::int64_t>(plan_->kills + 1) >= kills * total;
    }

    /// One after the other is killed, at a moment that the seed decides. The order desk ends once
    /// it has placed everything; then it is left out.
    void kill_one(const progress& at) {
        std::this_thread::sleep_for(
            std::chrono::microseconds(static_cast<std::int64_t>(sinew::uniform(random_) * 10'000)));
        const bool desk_is_open = !services_.front().runs.ended();
        const std::size_t first = desk_is_open ? 0 : 1;
        services_[first + kills_ % (services_.size() - first)].kill_and_restart();
        ++kills_;
        amid_work_ += at.notified < at.placed ? 1 : 0;
    }

    /// Who ends by itself has said why; without its database it may, and is started again. The
    /// order desk may end once it has placed everything.
    void look_after_services(bool is_database_away) {
        for (auto& one : services_) {
            const auto end = one.runs.ended();
            if (!end || (end->is_good() && &one == &services_.front())) {
                continue;
            }
            if (!is_database_away) {
                throw run_error("the process \"" + one.name + "\" ended by itself, with " +
                                example::describe(*end) + "; what it said stands above");
            }
            one.runs = example::child_process(one.arguments);
        }
    }

    [[nodiscard]] bool has_come_to_rest(const progress& at, std::int64_t total) {
        return services_.front().runs.ended() && at.notified >= total && at.unpublished == 0 &&
               is_read_to_its_end(log_, orders_topic, inventory_group) &&
               is_read_to_its_end(log_, stock_topic, notifications_group);
    }

    void stop() {
        for (auto& one : services_) {
            one.runs.ask_to_stop();
        }
        for (auto& one : services_) {
            const auto end = one.runs.wait(sinew::machine_clock::now().steady + 15s);
            // By the signal itself: it was started a moment ago, and did not yet listen for it.
            if (!end || !(end->is_good() || end->signal == SIGTERM)) {
                throw run_error("the process \"" + one.name + "\" did not stop as it was asked");
            }
        }
    }

    int report(bool came_to_rest) {
        const facts all = collect(*db_, log_, sinew::machine_clock::now().steady + 30s);
        std::int64_t rejected = 0;
        for (const auto& one : all.decisions) {
            rejected += one.missing.empty() ? 0 : 1;
        }
        fmt::print("\n{:<38}{:>10}\n", "what it went through", "");
        for (const auto& one : services_) {
            fmt::print("  {:<36}{:>10}\n", "kills of the " + one.name, one.kills);
        }
        fmt::print("  {:<36}{:>10}\n", "of these, amid work", amid_work_);
        fmt::print("  {:<36}{:>10}\n", "published twice, applied once",
                   count_copies(all.orders_topic) + count_copies(all.stock_topic));
        fmt::print("  {:<36}{:>10}\n", "orders reserved",
                   static_cast<std::int64_t>(all.decisions.size()) - rejected);
        fmt::print("  {:<36}{:>10}\n\n", "orders rejected", rejected);

        std::vector<finding> found{
            {"kills survived", static_cast<std::int64_t>(kills_),
             static_cast<std::int64_t>(plan_->kills)},
            {"orders committed", static_cast<std::int64_t>(all.orders.size()),
             static_cast<std::int64_t>(orders_.orders.size())}};
        for (auto& one : judge(all)) {
            found.push_back(std::move(one));
        }
        const int bad = print("audit", found);
        if (!came_to_rest) {
            fmt::print("\nIt did not come to rest: nothing happened for 20 s.\n");
        }
        fmt::print("\n{}\n", bad == 0 ? "Everything agrees." : "Not everything agrees.");
        return bad == 0 && came_to_rest ? all_well : not_well;
    }

    Store* db_;
    const place* where_;
    const run_plan* plan_;
    order_file orders_;
    sinew::sqlite::log log_;
    sinew::splitmix64 random_;
    std::vector<service> services_;
    std::uint64_t kills_ = 0;
    std::int64_t amid_work_ = 0;  ///< kills that came while something was to be done
};

}  // namespace

int run_all(const place& where, const run_plan& plan) {
    order_file orders = read_order_file(plan.input);
    if (plan.orders != 0 && plan.orders < orders.orders.size()) {
        orders.orders.resize(plan.orders);
    }
    return with_store(where.tables, [&](auto& db) {
        return supervisor(db, where, plan, std::move(orders)).run();
    });
}

}  // namespace shop
