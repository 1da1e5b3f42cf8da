// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The environments in which the adapters in memory are driven, and those that break things derive
/// from.

#include "conformance/fresh.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::test {

using namespace sinew::testing::conformance;

struct memory_store_environment {
    memory::database data;

    memory::store open() const { return memory::store(data); }
    void put(memory::transaction& tx, std::string_view key, std::string_view text) const {
        tx.put(key, text);
    }
    std::optional<std::string> get(memory::transaction& tx, std::string_view key) const {
        return tx.get(key);
    }
    void crash() {}  // the database is what survives
};

struct memory_log_environment : virtual_time {
    memory::log log;

    memory_log_environment() {
        log.create_topic("t", {.partitions = 2});
        log.tick(now());
    }
    memory::member join() { return log.join("t", "g"); }
    void append(partition_id p, const event_view& e) { log.append("t", p, e); }
    void append_broken(partition_id p, bytes_view raw) { log.append_broken("t", p, raw, "bad"); }
    std::uint32_t partitions() const { return 2; }
    void abandon(memory::member& m) { log.kick(m.id()); }
    duration session() const { return std::chrono::seconds(10); }
    void pass(duration span) {
        virtual_time::pass(span);
        log.tick(now());
    }
};

struct memory_producer_environment {
    memory::log log;

    memory_producer_environment() { log.create_topic("t", {.partitions = 3}); }
    memory::producer open() { return log.producer("t"); }
    std::vector<event> delivered() const {
        std::vector<event> all;
        for (partition_id p = 0; p < log.partitions("t"); ++p) {
            log.visit("t", p, [&](position, const event_view& e) { all.push_back(to_event(e)); });
        }
        return all;
    }
    void crash() {}
};

struct memory_queue_environment : virtual_time {
    memory::queue queue;

    memory_queue_environment() { queue.tick(now()); }
    memory::queue& open() { return queue; }
    void publish(const event_view& e) { static_cast<void>(queue.publish(e)); }
    void publish_broken(bytes_view raw) { queue.publish_broken(raw, "bad"); }
    duration lease() const { return memory::queue_options().lease; }
    void pass(duration span) {
        virtual_time::pass(span);
        queue.tick(now());
    }
    void crash() {}
};

struct memory_letters_environment {
    memory::store db;

    memory::dead_letters open() const { return db.dead_letters(); }
    memory::store& open_store() { return db; }
    memory::dead_letters letters_of(memory::store& s) const { return s.dead_letters(); }
    void crash() {}
};

struct memory_attempts_environment {
    memory::database data;

    memory::attempts open() const { return memory::attempts(data); }
    void crash() {}
};

}  // namespace sinew::test
