// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the order service share: orders, a shop in a folder of its own, what is in it.

#include <order_service/audit_facts.hpp>
#include <order_service/inventory.hpp>
#include <order_service/order_desk.hpp>
#include <order_service/tables.hpp>
#include <order_service/transport.hpp>

#include <shared/scratch_folder.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sinew::test {

inline shop::order order_of(std::string number, std::vector<shop::order_line> lines,
                            std::string customer = "Ada") {
    return {std::move(number), std::move(customer), std::move(lines)};
}

inline steady_time soon() { return later(machine_clock::now().steady, std::chrono::seconds(30)); }

/// Tables and topics of one shop.
struct small_shop {
    example::scratch_folder folder;
    sqlite::log log = shop::open_topics(folder / "topics.db", "test");
    sqlite::store db{folder / "shop.db", {.synchronous = sqlite::synchronous::normal}};

    small_shop() { shop::make_tables(db); }

    [[nodiscard]] std::int64_t number(const std::string& sql) {
        return std::get<0>(db.connection().query_one<std::int64_t>(sql).value());
    }
    [[nodiscard]] std::string text(const std::string& sql) {
        return std::get<0>(db.connection().query_one<std::string>(sql).value());
    }
    void place(const shop::order& one) {
        static_cast<void>(shop::order_desk(db).place(one, soon()));
    }
    /// Publishes what stands in an outbox.
    void relay(const std::string& topic) {
        auto to = log.producer(topic);
        sinew::relay carry(db.outbox(topic), to, {.owner = "test"});
        drain(carry, soon());
        carry.shut_down(machine_clock::now(), soon());
    }
    /// Everything from the order to the notification.
    void carry_on() {
        relay(shop::orders_topic);
        {
            auto inventory = shop::make_inventory(log, db);
            drain(inventory, soon());
        }
        relay(shop::stock_topic);
        auto notifications = shop::make_notifications(log, db);
        drain(notifications, soon());
    }
    [[nodiscard]] shop::facts facts() { return shop::collect(db, log, soon()); }
};

}  // namespace sinew::test
