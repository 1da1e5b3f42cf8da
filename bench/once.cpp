// SPDX-License-Identifier: BSL-1.0
//
// What `once` costs on SQLite: a whole pipeline whose handler writes one row for each event, beside
// a plain loop that writes the same rows in the same journal mode.
//
//   ./dev bench once
//
// The last part of a case's name is the batch: the events of one transaction. By hand that is
// BEGIN, and for each event an INSERT into the inbox and, if the event is new, one into the
// service's own table, then COMMIT; the events lie in a vector. The library reads them from the
// in-memory log, through `dead_letter(db's own) | retry() | once(db) | handle(tx)`, and commits
// offsets there. The log has one partition, so that both sides write the same rows in the same
// order; `by_offset` and `partitions` have four.
//
// | case | by hand | the library |
// | --- | --- | --- |
// | by_id | rows of consumer, source, id and time, as the library's | `once` by id |
// | by_sequence | a row for each key: the number of its last event | `in_sequence`, `once` by sequence |
// | by_offset | a row for each partition: the last offset | `once` by offset |
// | park | as by_id | as by_id, and no event overtakes a dead letter of its key |
// | id_alone | an inbox of nothing but ids | `once` by id |
// | nosync | as by_id, but a commit waits for no disk | as by_id |
// | partitions | as nosync | as nosync, from a log of four partitions |

#include "orders.hpp"
#include "plain_sqlite.hpp"
#include "ratio.hpp"
#include "raw_sqlite.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/sinew.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sinew;

constexpr double goal = 0.85;
constexpr std::size_t keys = 100;
constexpr std::size_t batches[] = {1, 64, 512};
constexpr const char* effects_table =
    "CREATE TABLE IF NOT EXISTS effects(number INTEGER PRIMARY KEY, customer BLOB, bytes INTEGER, "
    "document BLOB) STRICT";
constexpr const char* insert_effect =
    "INSERT INTO effects(customer, bytes, document) VALUES (?, ?, ?)";

/// How an event is recognised that comes twice; `id_alone` is a table of the loop by hand.
enum class by : std::uint8_t { id, id_alone, sequence, offset };

struct variant {
    std::string name{};
    by how = by::id;
    double goal = 0;
    bool parks = false;
    bool is_durable = true;
    std::uint32_t partitions = 1;
};

/// Enough for a round to last some tenths of a second.
constexpr std::size_t events_of(std::size_t batch) { return batch == 1 ? 512 : 8'192; }

std::vector<event> numbered_orders(std::size_t count, std::size_t of_keys) {
    std::vector<event> all = bench::orders(count, of_keys);
    std::map<std::string, std::uint64_t> last;
    for (auto& e : all) {
        e.sequence = std::to_string(++last[e.partitionkey]);
    }
    return all;
}

void fill(const bench::prepared& to, int at, std::string_view bytes) {
    sqlite3_bind_blob64(to.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC);
}
void fill(const bench::prepared& to, int at, std::int64_t number) {
    sqlite3_bind_int64(to.get(), at, number);
}

/// The loop by hand.
class plain_inbox {
public:
    plain_inbox(const std::string& file, const variant& v)
        : db_(file, v.is_durable), how_(v.how), partitions_(v.partitions) {
        db_.run(effects_table);
        switch (how_) {
            case by::id:
                db_.run(
                    "CREATE TABLE inbox(consumer TEXT NOT NULL, source BLOB NOT NULL, "
                    "id BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(consumer, source, id)) "
                    "STRICT, WITHOUT ROWID");
                seen_ = db_.prepare(
                    "INSERT INTO inbox(id, source, consumer, at) "
                    "VALUES (?, ?, 'bench', ?) ON CONFLICT DO NOTHING");
                break;
            case by::id_alone:
                db_.run("CREATE TABLE inbox(id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID");
                seen_ = db_.prepare("INSERT INTO inbox(id) VALUES (?) ON CONFLICT DO NOTHING");
                break;
            case by::sequence:
                db_.run(
                    "CREATE TABLE inbox(key BLOB PRIMARY KEY, last INTEGER NOT NULL) "
                    "STRICT, WITHOUT ROWID");
                seen_ = db_.prepare(
                    "INSERT INTO inbox(key, last) VALUES (?1, ?2) ON CONFLICT DO "
                    "UPDATE SET last = ?2 WHERE last = ?2 - 1");
                break;
            case by::offset:
                db_.run(
                    "CREATE TABLE inbox(part INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT");
                seen_ = db_.prepare(
                    "INSERT INTO inbox(part, last) VALUES (?1, ?2) ON CONFLICT DO "
                    "UPDATE SET last = ?2");
                break;
        }
        begin_ = db_.prepare("BEGIN IMMEDIATE");
        commit_ = db_.prepare("COMMIT");
        effect_ = db_.prepare(insert_effect);
    }

    void read(std::span<const event> all, std::size_t batch) {
        std::int64_t number = 0;
        bench::in_batches(all, batch, [&](std::span<const event> part) {
            const std::int64_t now = machine_clock::now().wall.time_since_epoch().count();
            bench::step(begin_);
            for (const auto& e : part) {
                ++number;
                if (how_ == by::offset || is_new(e, number, now)) {
                    fill(effect_, 1, e.partitionkey);
                    fill(effect_, 2, static_cast<std::int64_t>(e.data.size()));
                    fill(effect_, 3, e.subject);
                    bench::step(effect_);
                }
            }
            if (how_ == by::offset) {
                // One row for each partition and transaction, as the library.
                for (std::uint32_t i = 0; i < partitions_ && i < part.size(); ++i) {
                    fill(seen_, 1, static_cast<std::int64_t>(i));
                    fill(seen_, 2, number);
                    bench::step(seen_);
                }
            }
            bench::step(commit_);
        });
    }

    void tidy() {
        db_.run("DELETE FROM inbox");
        db_.run("DELETE FROM effects");
    }

private:
    bool is_new(const event& e, std::int64_t, std::int64_t now) {
        if (how_ == by::sequence) {
            fill(seen_, 1, e.partitionkey);
            fill(seen_, 2, static_cast<std::int64_t>(std::stoull(e.sequence)));
        } else {
            fill(seen_, 1, e.id);
            if (how_ == by::id) {
                fill(seen_, 2, e.source);
                fill(seen_, 3, now);
            }
        }
        bench::step(seen_);
        return sqlite3_changes(sqlite3_db_handle(seen_.get())) != 0;
    }

    bench::raw_sqlite db_;
    by how_;
    std::uint32_t partitions_;
    bench::prepared begin_;
    bench::prepared commit_;
    bench::prepared seen_;
    bench::prepared effect_;
};

moment now() { return machine_clock::now(); }

/// The pipeline.
class library {
public:
    library(const std::string& file, const variant& v, std::size_t batch,
            const std::vector<event>& events)
        : db_(file, {.synchronous =
                         v.is_durable ? sqlite::synchronous::full : sqlite::synchronous::normal}),
          how_(v.how),
          parks_(v.parks),
          batch_(batch),
          count_(events.size()),
          letters_(db_.dead_letters()) {
        db_.connection().execute_script(effects_table);
        log_.create_topic("orders", {.partitions = v.partitions});
        auto to = log_.producer("orders");
        for (const auto& e : events) {
            static_cast<void>(to.publish(e.view(), never));
        }
    }

    void read() {
        handled_ = 0;
        const subscription_options options{.topic = "orders",
                                           .group = "bench-" + std::to_string(++groups_),
                                           .step_events_max = 1024,
                                           .seed = 1};
        const auto effect = [this](const event_view& e, sqlite::transaction& tx) {
            tx.execute(insert_effect, sqlite::blob{e.partitionkey}, e.data.size(),
                       sqlite::blob{e.subject});
            ++handled_;
        };
        const once_options remembers{
            .batch_max = batch_,
            .duplicates = how_ == by::offset ? duplicates::by_offset : duplicates::automatic};
        const dead_letter_options buries{.following = parks_ ? following::park : following::pass};
        if (how_ == by::sequence) {
            auto consumer = subscribe(log_, options) | in_sequence() |
                            dead_letter(letters_, buries) | retry() | once(db_, remembers) |
                            handle(effect);
            drain(consumer);
        } else {
            auto consumer = subscribe(log_, options) | dead_letter(letters_, buries) | retry() |
                            once(db_, remembers) | handle(effect);
            drain(consumer);
        }
    }

    void tidy() {
        for (const char* table : {"sinew_inbox", "sinew_progress", "sinew_offsets", "effects"}) {
            db_.connection().execute_script(std::string("DELETE FROM ") + table);
        }
    }

private:
    template <class Consumer>
    void drain(Consumer& consumer) {
        const steady_time until = later(now().steady, std::chrono::seconds(60));
        while (consumer.counts().applied < count_) {
            consumer.step(now());
            if (now().steady >= until) {
                throw std::runtime_error("the pipeline did not read all within a minute");
            }
        }
        if (handled_ != count_) {
            throw std::runtime_error("the pipeline handled something twice");
        }
    }

    sqlite::store db_;
    memory::log log_;
    by how_;
    bool parks_;
    std::size_t batch_;
    std::size_t count_;
    sqlite::dead_letters letters_;
    std::size_t handled_ = 0;
    int groups_ = 0;
};

bench::sides both(const variant& v, std::size_t batch) {
    static bench::scratch_folder folder;
    static int number = 0;
    const std::string name = std::to_string(++number);
    const auto events =
        std::make_shared<const std::vector<event>>(numbered_orders(events_of(batch), keys));
    const auto plain = std::make_shared<plain_inbox>(folder.file(("by_hand-" + name).c_str()), v);
    const auto ours =
        std::make_shared<library>(folder.file(("ours-" + name).c_str()), v, batch, *events);
    return {[=](bench::laps& laps) {
                laps.time("read", [&] { plain->read(*events, batch); });
                plain->tidy();
            },
            [=](bench::laps& laps) {
                laps.time("read", [&] { ours->read(); });
                ours->tidy();
            }};
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("once", argc, argv);
    const variant variants[] = {
        {.name = "by_id", .goal = goal},
        {.name = "by_sequence", .how = by::sequence},
        {.name = "by_offset", .how = by::offset, .partitions = 4},
        {.name = "park", .parks = true},
        {.name = "id_alone", .how = by::id_alone},
        {.name = "nosync", .is_durable = false},
        {.name = "partitions", .is_durable = false, .partitions = 4},
    };
    for (const auto& v : variants) {
        for (const std::size_t batch : batches) {
            all.pair({.name = v.name + "/" + std::to_string(batch),
                      .items = events_of(batch),
                      .goal = v.goal,
                      .series = v.name,
                      .x = static_cast<double>(batch)},
                     [=] { return both(v, batch); });
        }
    }
    return all.run();
}
