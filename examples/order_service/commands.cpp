// SPDX-License-Identifier: BSL-1.0
#include "commands.hpp"

#include "audit.hpp"
#include "audit_facts.hpp"
#include "inventory.hpp"
#include "notifications.hpp"
#include "order_desk.hpp"
#include "transport.hpp"

#include <shared/stop_signal.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <thread>

namespace shop {

namespace {

using namespace std::chrono_literals;

[[nodiscard]] int code_of(sinew::run_end end) noexcept {
    return end == sinew::run_end::stopped ? all_well : not_well;
}

/// How many rows there are.
template <class Store>
[[nodiscard]] std::int64_t count(Store& db, const std::string& from) {
    const auto row =
        db.connection().template query_one<std::int64_t>("SELECT count(*) FROM " + from);
    return std::get<0>(row.value());
}

template <class Store>
void show_outbox(Store& db, const std::string& name) {
    const auto lag = db.outbox(name).lag(sinew::never);
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(
        lag.age(sinew::machine_clock::now().wall));
    fmt::print("outbox {:<20}{:>8} waiting, {} parked, the oldest for {} ms\n", name, lag.waiting,
               lag.parked, age.count());
}

}  // namespace

int receive(const place& where, const std::vector<order_line>& goods) {
    return with_store(where.tables, [&](auto& db) {
        receive_goods(db, goods, sinew::machine_clock::now().steady + 10s);
        return all_well;
    });
}

int place_orders(const place& where, const std::vector<order>& all, const placing_options& how) {
    const example::stop_signal stop;
    return with_store(where.tables, [&](auto& db) {
        order_desk desk(db);
        std::size_t placed = 0;
        std::size_t done = 0;
        for (const auto& one : all) {
            if (stop.stop_requested()) {
                break;
            }
            const bool is_new =
                desk.place(one, sinew::machine_clock::now().steady + 10s) == placing::placed;
            placed += is_new ? 1 : 0;
            ++done;
            std::this_thread::sleep_for(is_new ? how.pause : 0s);
        }
        if (!how.quiet) {
            fmt::print("{} orders placed; {} were there\n", placed, done - placed);
        }
        return done == all.size() ? all_well : not_well;
    });
}

// [services]
int run_relay(const place& where, const std::string& topic, const std::string& name) {
    const example::stop_signal stop;
    return with_store(where.tables, [&](auto& db) {
        const auto log = open_topics(where.topics);
        return code_of(relay_to(topic, db, log, name, stop));
    });
}

int run_inventory(const place& where, const std::string& name) {
    const example::stop_signal stop;
    return with_store(where.tables, [&](auto& db) {
        auto log = open_topics(where.topics, name);
        auto inventory = make_inventory(log, db);
        static_assert(inventory.guarantee() == sinew::guarantee::effectively_once);
        return code_of(sinew::run(inventory, stop));
    });
}

int run_notifications(const place& where, const std::string& name) {
    const example::stop_signal stop;
    return with_store(where.tables, [&](auto& db) {
        auto log = open_topics(where.topics, name);
        auto notifications = make_notifications(log, db);
        static_assert(notifications.guarantee() == sinew::guarantee::effectively_once);
        return code_of(sinew::run(notifications, stop));
    });
}
// [/services]

int show_status(const place& where) {
    return with_store(where.tables, [](auto& db) {
        fmt::print("orders placed              {:>8}\n", count(db, "orders"));
        show_outbox(db, orders_topic);
        fmt::print("orders decided             {:>8}, {} rejected\n", count(db, "decisions"),
                   count(db, "decisions WHERE missing <> ''"));
        show_outbox(db, stock_topic);
        fmt::print("notifications              {:>8}\n", count(db, "notifications"));
        fmt::print("dead letters               {:>8}\n", count_dead_letters(db));
        return all_well;
    });
}

int audit(const place& where) {
    return with_store(where.tables, [&](auto& db) {
        const auto log = open_topics(where.topics, "audit");
        const facts all = collect(db, log, sinew::machine_clock::now().steady + 30s);
        return print("audit", judge(all)) == 0 ? all_well : not_well;
    });
}

}  // namespace shop
