// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the consumer share: a bench with a log, a store and a time that goes on only
/// when it is told to, an observer that writes down what it hears, and ways of stepping.

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include "support/test.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test::consuming {

using namespace std::chrono_literals;
using texts = std::vector<std::string>;

inline event order(std::string id, std::string key = {}, std::string sequence = {}) {
    return {.id = std::move(id),
            .source = "/shop",
            .type = "order.placed",
            .data = "{}",
            .partitionkey = std::move(key),
            .sequence = std::move(sequence)};
}

inline event order(std::string id, std::string key, std::uint64_t sequence) {
    return order(std::move(id), std::move(key), std::to_string(sequence));
}

/// Writes down what a consumer tells.
struct diary : null_observer {
    texts lines{};
    std::map<std::string, int> count{};
    std::vector<duration> retry_in{};

    void on_applied(const event_note& n) { add("applied", n.id); }
    void on_duplicate(const event_note& n) { add("duplicate", n.id); }
    void on_skipped(const event_note& n) { add("skipped", n.id, n.reason); }
    void on_discarded(const event_note& n) { add("discarded", n.id, n.reason); }
    void on_dead_lettered(const event_note& n) { add("dead", n.id, n.reason); }
    void on_retry(const event_note& n) {
        add("retry", n.id, n.reason);
        retry_in.push_back(*n.retry_in);
    }
    void on_unavailable(const event_note& n) { add("unavailable", n.id, n.reason); }
    void on_held(const event_note& n) { add("held", n.id); }
    void on_late(const event_note& n) { add("late", n.id); }
    void on_halted(const event_note& n) { add("halted", n.id, n.reason); }
    void on_replayed(const event_note& n) { add("replayed", n.id); }
    void on_gap(const gap_note& n) {
        add("gap", std::to_string(n.first) + "-" + std::to_string(n.last), n.reason);
    }
    void on_paused(const pause_note& n) { add("paused", n.reason); }
    void on_resumed(const pause_note& n) { add("resumed", n.reason); }
    void on_lost(const partition_note& n) { add("lost", std::to_string(n.partition)); }
    void on_revoked(const partition_note& n) { add("revoked", std::to_string(n.partition)); }

    /// What was told last under that name, and whether it was told at all.
    [[nodiscard]] bool told(std::string_view line) const {
        for (const auto& one : lines) {
            if (one == line) {
                return true;
            }
        }
        return false;
    }

private:
    void add(const char* what, std::string_view id, std::string_view reason = {}) {
        ++count[what];
        std::string line = std::string(what) + ' ' + std::string(id);
        if (!reason.empty()) {
            line += ": " + std::string(reason);
        }
        lines.push_back(std::move(line));
    }
};

/// A log with the topic `orders`, a database, and the time.
struct bench {
    memory::log log{};
    memory::database data{};
    memory::store db{data};
    memory::dead_letters letters{data};
    moment now{steady_time(1h), wall_time(400'000h)};
    std::size_t most_in_flight = 0;  ///< seen after any step

    explicit bench(std::uint32_t partitions = 1) {
        log.create_topic("orders", {.partitions = partitions});
        log.tick(now.steady);
    }

    position put(const event& e, partition_id partition = 0) {
        return log.append("orders", partition, e.view());
    }
    void put_all(const std::vector<event>& events) {
        for (const auto& one : events) {
            put(one);
        }
    }

    [[nodiscard]] static subscription_options options(subscription_options o = {}) {
        o.topic = "orders";
        o.group = "shop";
        o.seed = 7;
        return o;
    }
    /// The first stage of a pipeline that reads the topic.
    [[nodiscard]] auto from(subscription_options o = {}) { return subscribe(log, options(o)); }

    [[nodiscard]] log_offset committed(partition_id partition = 0) const {
        return log.committed("orders", "shop", partition);
    }
    [[nodiscard]] std::vector<dead_letter_entry> all_letters() const {
        return letters.find({}, 0, SIZE_MAX);
    }

    void pass(duration span) {
        now.steady += span;
        now.wall += std::chrono::duration_cast<std::chrono::microseconds>(span);
        log.tick(now.steady);
    }

    /// Steps until nothing more can be done at this time. A consumer that says that there is
    /// something to do, and then does nothing, would be a hot loop in an event loop.
    template <class... C>
    void work(C&... consumers) {
        while ((work_once(consumers) + ...) != 0) {
        }
    }

    /// Lets time go on from deadline to deadline until nothing is under way. Answers whether that
    /// came within the time given.
    template <class... C>
    bool drain(C&... consumers) {
        return drain_within(24h, consumers...);
    }
    template <class... C>
    bool drain_within(duration limit, C&... consumers) {
        const steady_time end = later(now.steady, limit);
        for (work(consumers...); !(consumers.is_idle() && ...); work(consumers...)) {
            steady_time due = never;
            ((due = consumers.next_deadline() < due ? consumers.next_deadline() : due), ...);
            if (due >= end) {
                return false;
            }
            pass(due - now.steady);
        }
        return true;
    }
    /// Lets a span of time go by, and does what is due in it when it is due.
    template <class... C>
    void work_for(duration span, C&... consumers) {
        const steady_time end = later(now.steady, span);
        for (work(consumers...);; work(consumers...)) {
            steady_time due = end;
            ((due = consumers.next_deadline() < due ? consumers.next_deadline() : due), ...);
            pass(due - now.steady);
            if (now.steady >= end) {
                work(consumers...);
                return;
            }
        }
    }

private:
    template <class C>
    int work_once(C& consumer) {
        int idle_calls = 0;
        int steps = 0;
        for (;;) {
            const bool did = consumer.step(now);
            if (consumer.counts().in_flight > most_in_flight) {
                most_in_flight = consumer.counts().in_flight;
            }
            if (!consumer.counts().balances()) {
                FAIL("the counts do not balance");
            }
            if (!did && consumer.next_deadline() > now.steady) {
                return steps;
            }
            steps += did ? 1 : 0;
            idle_calls = did ? 0 : idle_calls + 1;
            if (idle_calls > 3) {
                FAIL("a deadline that has passed, and nothing that is done about it");
            }
        }
    }
};

/// Gives a consumer back as a service does that ends in good order.
template <class C>
bool leave(bench& b, C& consumer) {
    return consumer.shut_down(b.now, later(b.now.steady, 10s));
}

inline texts reasons(const std::vector<dead_letter_entry>& entries) {
    texts out;
    for (const auto& one : entries) {
        out.push_back(one.letter.original.id + ": " + one.letter.reason);
    }
    return out;
}

}  // namespace sinew::test::consuming
