// SPDX-License-Identifier: BSL-1.0
//
// What the outbox and the relay cost: events are added in the transactions of a service, and a
// relay publishes them to a sink that only counts; beside a plain INSERT and SELECT/DELETE loop of
// the same rows in the same database.
//
//   ./dev bench publish
//
// The last part of a case's name is the batch: the events of one transaction, and of one claim of
// the relay. Both sides have a connection that adds and one that publishes, with the same settings.
//
// | case | by hand | the library |
// | --- | --- | --- |
// | ENGINE/delete | published rows are deleted | `keep_published` off |
// | ENGINE/keep | marked, and found by a partial index | `keep_published` on, the default |
// | ENGINE/keep_vs_delete | deleted | `keep_published` on |
// | ENGINE/keys:N | as delete, with events of N keys (0: without a key) instead of 100 | as delete |
// | ENGINE/nosync | as delete, but a commit waits for no disk | as delete |
// | postgres/transaction | as delete, but adds between BEGIN and COMMIT, as a service does that writes rows of its own with it | as delete |
// | postgres/singly | as delete | events are added one by one, instead of a batch in one call |
// | postgres/quiet | as delete | commits do not notify the relays |

#include "orders.hpp"
#include "plain_postgres.hpp"
#include "plain_sqlite.hpp"
#include "ratio.hpp"

#include "support/postgres_server.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/relay.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using bench::adding;
using bench::null_sink;
using bench::settling;

constexpr double goal = 0.8;
constexpr std::size_t usual_keys = 100;
constexpr std::size_t batches[] = {1, 64, 512};

/// A kind of case.
struct variant {
    std::string name{};
    bool only_postgres = false;
    settling by_hand = settling::deletes;
    bool keeps = false;
    std::size_t keys = usual_keys;
    bool is_durable = true;
    adding adds = adding::in_one_statement;
    bool notifies = true;
    bool adds_singly = false;
};

/// Enough for a round to last some tenths of a second, and for each shard to fill batches.
constexpr std::size_t events_of(std::size_t batch) {
    return batch == 1 ? 512 : batch < 512 ? 4'096 : 8'192;
}

/// The outbox of a store, and its relay on a connection of its own.
template <class Store>
class library {
    using box = decltype(std::declval<Store&>().outbox("orders", outbox_options{}));

public:
    library(Store service, Store relaying, const variant& v, std::size_t batch)
        : service_(std::move(service)),
          relaying_(std::move(relaying)),
          box_(service_.outbox("orders", {.keep_published = v.keeps})),
          relay_(relaying_.outbox("orders", {.keep_published = v.keeps}), sink_,
                 {.owner = "bench", .batch_max = batch}),
          adds_singly_(v.adds_singly) {
        relay_.measure_with([] { return steady_time(std::chrono::steady_clock::now()); });
    }

    /// One transaction; all events in one call, if the outbox has one for that.
    void add(std::span<const event> events, wall_time now) {
        auto tx = service_.begin();
        if constexpr (requires(std::span<const event_view> all) { box_.add(tx, all, now); }) {
            if (!adds_singly_ && events.size() > 1) {
                views_.clear();
                for (const auto& e : events) {
                    views_.push_back(e.view());
                }
                box_.add(tx, std::span<const event_view>(views_), now);
                events = {};
            }
        }
        for (const auto& e : events) {
            box_.add(tx, e.view(), now);
        }
        if (tx.commit() != commit_result::committed) {
            throw std::runtime_error("a transaction did not commit");
        }
    }

    void relay(std::size_t events) {
        const std::uint64_t end = sink_.count + events;
        const steady_time until = later(machine_clock::now().steady, std::chrono::seconds(60));
        while (sink_.count < end || !relay_.is_idle()) {
            // It may wait, as within `run`: it is told of what was added, and need not poll.
            const moment now = machine_clock::now();
            relay_.step(now, sink_.count < end ? until : steady_time::min());
            if (now.steady >= until) {
                throw std::runtime_error("the relay did not publish all within a minute");
            }
        }
        if (sink_.count != end) {
            throw std::runtime_error("the relay published something twice");
        }
    }

    /// Between rounds.
    void tidy() {
        const wall_time later_than_all = wall_time::max();
        while (box_.purge(later_than_all, 1'000, never) != 0) {
        }
        if constexpr (requires { service_.connection().native(); }) {
            service_.connection().execute_script("VACUUM");
        }
    }

private:
    Store service_;
    Store relaying_;
    null_sink sink_;
    box box_;
    sinew::relay<box, null_sink> relay_;
    std::vector<event_view> views_;
    bool adds_singly_;
};

/// Any outbox as a side of a pair.
template <class Outbox>
bench::side side_of(std::shared_ptr<Outbox> box, std::shared_ptr<const std::vector<event>> events,
                    std::size_t batch) {
    return [=](bench::laps& laps) {
        laps.time("add", [&] {
            bench::in_batches(*events, batch, [&](std::span<const event> part) {
                box->add(part, machine_clock::now().wall);
            });
        });
        laps.time("relay", [&] {
            if constexpr (requires { box->relay(events->size()); }) {
                box->relay(events->size());
            } else {
                null_sink sink;
                box->relay(batch, sink);
                if (sink.count != events->size()) {
                    throw std::runtime_error("the loop by hand did not publish all");
                }
            }
        });
        box->tidy();
    };
}

bench::sides on_sqlite(const variant& v, std::size_t batch) {
    static bench::scratch_folder folder;
    static int number = 0;
    const std::string name = std::to_string(++number);
    const std::string by_hand = folder.file(("by_hand-" + name).c_str());
    const std::string ours = folder.file(("ours-" + name).c_str());
    const sqlite::store_options options{.synchronous = v.is_durable ? sqlite::synchronous::full
                                                                    : sqlite::synchronous::normal};
    const auto events =
        std::make_shared<const std::vector<event>>(bench::orders(events_of(batch), v.keys));
    return {side_of(std::make_shared<bench::plain_sqlite>(by_hand, v.is_durable, v.by_hand), events,
                    batch),
            side_of(std::make_shared<library<sqlite::store>>(
                        sqlite::store(ours, options), sqlite::store(ours, options), v, batch),
                    events, batch)};
}

/// Nothing that the server does on its own falls into a round.
test::postgres_server_options server_options(bool is_durable) {
    return {.fsync = is_durable,
            .settings = {"shared_buffers=256MB", "max_wal_size=4GB", "checkpoint_timeout=1h",
                         "autovacuum=off"}};
}

test::postgres_server& server(bool is_durable) {
    static test::postgres_server durable(server_options(true));
    if (is_durable) {
        return durable;
    }
    static test::postgres_server other(server_options(false));
    return other;
}

bench::sides on_postgres(const variant& v, std::size_t batch) {
    static int number = 0;
    const std::string name = std::to_string(++number);
    const std::string conninfo = server(v.is_durable).conninfo();
    const postgres::store_options options{.schema = "ours_" + name, .notify = v.notifies};
    const auto events =
        std::make_shared<const std::vector<event>>(bench::orders(events_of(batch), v.keys));
    return {side_of(std::make_shared<bench::plain_postgres>(conninfo, "by_hand_" + name, v.by_hand,
                                                            v.adds),
                    events, batch),
            side_of(std::make_shared<library<postgres::store>>(postgres::store(conninfo, options),
                                                               postgres::store(conninfo, options),
                                                               v, batch),
                    events, batch)};
}

void register_all(bench::suite& all) {
    const variant variants[] = {
        {.name = "delete"},
        {.name = "keep", .by_hand = settling::marks, .keeps = true},
        {.name = "keep_vs_delete", .keeps = true},
        {.name = "keys:0", .keys = 0},
        {.name = "keys:10000", .keys = 10'000},
        {.name = "nosync", .is_durable = false},
        {.name = "transaction", .only_postgres = true, .adds = adding::in_a_transaction},
        {.name = "singly", .only_postgres = true, .adds_singly = true},
        {.name = "quiet", .only_postgres = true, .notifies = false},
    };
    for (const auto& v : variants) {
        for (const std::string engine : {"sqlite", "postgres"}) {
            if (engine == "sqlite" && v.only_postgres) {
                continue;
            }
            for (const std::size_t batch : batches) {
                const bool has_goal = v.is_durable && v.keys == usual_keys;
                all.pair({.name = engine + "/" + v.name + "/" + std::to_string(batch),
                          .items = events_of(batch),
                          .goal = has_goal ? goal : 0,
                          .series = engine + "/" + v.name,
                          .x = static_cast<double>(batch)},
                         [=] {
                             return engine == "sqlite" ? on_sqlite(v, batch)
                                                       : on_postgres(v, batch);
                         });
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("publish", argc, argv);
    register_all(all);
    return all.run();
}
