// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Reading what the audit judges: all tables, and all topics from their beginning.

#include "audit.hpp"
#include "inventory.hpp"
#include "notifications.hpp"
#include "order_events.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

/// How much stands in a topic.
[[nodiscard]] inline std::size_t records_in(const sinew::sqlite::log& log,
                                            const std::string& topic) {
    std::size_t count = 0;
    for (sinew::partition_id one = 0; one < log.partitions(topic); ++one) {
        count += static_cast<std::size_t>(log.end(topic, one) - log.begin(topic, one));
    }
    return count;
}

/// All records of a topic: a consumer group of its own reads it from the beginning, and commits
/// nothing, so that it can be read again.
[[nodiscard]] inline std::vector<topic_record> read_topic(const sinew::sqlite::log& log,
                                                          const std::string& topic,
                                                          sinew::steady_time until) {
    std::vector<topic_record> all;
    auto reader =
        sinew::subscribe(
            log, {.topic = topic, .group = "audit", .commit_interval = std::chrono::hours(24)}) |
        sinew::halt() |                  // what if one cannot be read? stop
        sinew::idempotent_by_nature() |  // copies are what it looks for
        sinew::handle([&](const sinew::event_view& e) {
            all.push_back({.id = std::string(e.id),
                           .key = std::string(e.partitionkey),
                           .sequence = std::string(e.sequence),
                           .type = std::string(e.type),
                           .data = std::string(e.text()),
                           .correlationid = std::string(e.correlationid),
                           .causationid = std::string(e.causationid)});
        });
    const std::size_t records = records_in(log, topic);
    while (all.size() < records && sinew::machine_clock::now().steady < until) {
        reader.step(sinew::machine_clock::now(), until);
    }
    return all;
}

template <class Store>
[[nodiscard]] std::map<std::string, order> read_orders(Store& db) {
    std::map<std::string, order> all;
    db.connection().template for_each<std::string, std::string>(
        "SELECT number, customer FROM orders",
        [&](const std::string& number, const std::string& customer) {
            all[number] = {.number = number, .customer = customer};
        });
    db.connection().template for_each<std::string, std::string, std::int64_t, std::int64_t>(
        "SELECT order_number, stock_code, quantity, price_pence FROM order_lines "
        "ORDER BY order_number, line",
        [&](const std::string& number, const std::string& stock_code, std::int64_t quantity,
            std::int64_t price_pence) {
            all[number].lines.push_back({stock_code, quantity, price_pence});
        });
    return all;
}

template <class Store>
[[nodiscard]] std::map<std::string, stock_row> read_stock(Store& db) {
    std::map<std::string, stock_row> all;
    db.connection().template for_each<std::string, std::int64_t, std::int64_t>(
        "SELECT stock_code, received, reserved FROM stock",
        [&](const std::string& stock_code, std::int64_t received, std::int64_t reserved) {
            all[stock_code] = {received, reserved};
        });
    return all;
}

/// Entries of an outbox that a relay has still to publish, or could not.
template <class Store>
[[nodiscard]] std::int64_t count_unpublished(Store& db, const std::string& outbox,
                                             sinew::steady_time until = sinew::never) {
    const auto lag = db.outbox(outbox).lag(until);
    return static_cast<std::int64_t>(lag.waiting + lag.parked);
}

/// Dead letters that somebody has to look at.
template <class Store>
[[nodiscard]] std::int64_t count_dead_letters(Store& db) {
    std::int64_t count = 0;
    for (const char* group : {inventory_group, notifications_group}) {
        for (const auto& one : db.dead_letters().counts({.consumer = group})) {
            const bool is_open = one.state != sinew::dead_letter_state::resolved &&
                                 one.state != sinew::dead_letter_state::discarded;
            count += is_open ? static_cast<std::int64_t>(one.entries) : 0;
        }
    }
    return count;
}

/// Reads everything, once it has come to rest.
template <class Store>
[[nodiscard]] facts collect(Store& db, const sinew::sqlite::log& log, sinew::steady_time until) {
    facts all{.orders = read_orders(db), .stock = read_stock(db)};
    db.connection().template for_each<std::string, std::string>(
        "SELECT order_number, missing FROM decisions",
        [&](const std::string& number, const std::string& missing) {
            all.decisions.push_back({number, missing});
        });
    db.connection().template for_each<std::string, std::string, std::string>(
        "SELECT order_number, customer, message FROM notifications",
        [&](const std::string& number, const std::string& customer, const std::string& message) {
            all.notifications.push_back({number, customer, message});
        });
    all.orders_topic = read_topic(log, orders_topic, until);
    all.stock_topic = read_topic(log, stock_topic, until);
    all.unpublished = count_unpublished(db, orders_topic) + count_unpublished(db, stock_topic);
    all.dead_letters = count_dead_letters(db);
    return all;
}

}  // namespace shop
