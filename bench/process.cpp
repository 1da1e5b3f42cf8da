// SPDX-License-Identifier: BSL-1.0
//
// What a step of long work costs, beside a plain INSERT per step, which is its own transaction,
// into a table with the same columns in the same database.
//
//   ./dev bench process
//
// An item is a step. A process has eight steps, each of which makes a result of 16 bytes. What is
// measured is the work of a runner on instances that were started before: claims, steps, ends. A
// runner with one instance at a time takes it through all of its steps, each with a commit of its
// own, before it begins the next; it may have claimed others before their turn (`ahead_max`).
//
// | case | first side | second side |
// | --- | --- | --- |
// | ENGINE/sequential | an INSERT per step | a runner with one instance at a time |
// | ENGINE/joined | BEGIN, an effect, an INSERT, COMMIT per step | the same, with steps that join the transaction |
// | ENGINE/concurrent | a runner with one instance at a time | a runner with 64 at a time: the goal is 5 times as many |
// | ENGINE/concurrent_joined | as concurrent | as concurrent, with steps that join the transaction |
// | ENGINE/nosync | as sequential, but a commit waits for no disk | as sequential |

#include "plain_sqlite.hpp"
#include "ratio.hpp"
#include "raw_postgres.hpp"
#include "raw_sqlite.hpp"

#include "support/postgres_server.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace sinew;

constexpr std::size_t steps_of_one = 8;
const std::string result_of_step(16, 'r');
const std::string input(64, 'i');

/// How the sides of a case are set up.
struct variant {
    std::string name{};
    double goal = 0;
    std::size_t instances = 0;  ///< of a round
    bool joins = false;
    bool is_concurrent = false;
    bool is_durable = true;
};

/// A table of what the library keeps of a step, written by hand.
class plain_sqlite_steps {
public:
    plain_sqlite_steps(const std::string& file, bool is_durable, bool joins)
        : db_(file, is_durable), joins_(joins) {
        db_.run(
            "CREATE TABLE IF NOT EXISTS plain_steps(instance INTEGER NOT NULL, place INTEGER NOT "
            "NULL, step TEXT NOT NULL, phase INTEGER NOT NULL, kind INTEGER NOT NULL, attempts "
            "INTEGER NOT NULL, begun INTEGER NOT NULL, at INTEGER NOT NULL, result BLOB, PRIMARY "
            "KEY(instance, place)) STRICT, WITHOUT ROWID");
        db_.run("CREATE TABLE IF NOT EXISTS plain_effects(key INTEGER PRIMARY KEY, value BLOB)");
        insert_ = db_.prepare("INSERT INTO plain_steps VALUES (?, ?, ?, 0, 0, 1, ?, ?, ?)");
        effect_ = db_.prepare("INSERT INTO plain_effects(value) VALUES (?)");
        begin_ = db_.prepare("BEGIN IMMEDIATE");
        commit_ = db_.prepare("COMMIT");
    }

    void write(std::int64_t instance, std::int64_t place) {
        if (joins_) {
            bench::step(begin_);
            bind_text(effect_, 1, result_of_step);
            bench::step(effect_);
        }
        const std::int64_t now = machine_clock::now().wall.time_since_epoch().count();
        sqlite3_bind_int64(insert_.get(), 1, instance);
        sqlite3_bind_int64(insert_.get(), 2, place);
        sqlite3_bind_text(insert_.get(), 3, "step-a", 6, SQLITE_STATIC);
        sqlite3_bind_int64(insert_.get(), 4, now);
        sqlite3_bind_int64(insert_.get(), 5, now);
        bind_text(insert_, 6, result_of_step);
        bench::step(insert_);
        if (joins_) {
            bench::step(commit_);
        }
    }

private:
    static void bind_text(const bench::prepared& to, int at, const std::string& text) {
        sqlite3_bind_blob64(to.get(), at, text.data(), text.size(), SQLITE_STATIC);
    }

    bench::raw_sqlite db_;
    bench::prepared insert_;
    bench::prepared effect_;
    bench::prepared begin_;
    bench::prepared commit_;
    bool joins_;
};

class plain_postgres_steps {
public:
    plain_postgres_steps(const std::string& conninfo, const std::string& schema, bool joins)
        : line_(conninfo), joins_(joins) {
        line_.run(
            "CREATE SCHEMA " + schema + "; CREATE TABLE " + schema +
            ".steps(instance bigint NOT NULL, place bigint NOT NULL, step text NOT NULL, phase "
            "smallint NOT NULL, kind smallint NOT NULL, attempts bigint NOT NULL, begun bigint "
            "NOT NULL, at bigint NOT NULL, result bytea, PRIMARY KEY(instance, place)); CREATE "
            "TABLE " +
            schema + ".effects(key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value bytea)");
        line_.prepare("insert", "INSERT INTO " + schema +
                                    ".steps VALUES ($1::bigint, $2::bigint, $3::text, 0, 0, 1, "
                                    "$4::bigint, $4::bigint, $5::bytea)");
        line_.prepare("effect", "INSERT INTO " + schema + ".effects(value) VALUES ($1::bytea)");
    }

    void write(std::int64_t instance, std::int64_t place) {
        if (joins_) {
            line_.run("BEGIN");
            static_cast<void>(line_.ask("effect", {result_of_step}, PGRES_COMMAND_OK));
        }
        const std::int64_t now = machine_clock::now().wall.time_since_epoch().count();
        static_cast<void>(line_.ask("insert",
                                    {bench::binary(instance), bench::binary(place), "step-a",
                                     bench::binary(now), result_of_step},
                                    PGRES_COMMAND_OK));
        if (joins_) {
            line_.run("COMMIT");
        }
    }

private:
    bench::raw_postgres line_;
    bool joins_;
};

/// A step that acts outside of the transaction, at no cost.
template <name Step>
auto plain_step() {
    return sinew::step<Step>([](const step_view<std::string>&) { return result_of_step; });
}
/// A step with an effect in the transaction.
template <name Step, class Tx>
auto joined_step() {
    return sinew::step<Step>([](const step_view<std::string>&, Tx& tx) {
        tx.execute("INSERT INTO bench_effects(value) VALUES ($1)", result_of_step);
        return result_of_step;
    });
}

template <class Tx>
auto plain_process() {
    return steps<"bench", std::string>(plain_step<"step-a">(), plain_step<"step-b">(),
                                       plain_step<"step-c">(), plain_step<"step-d">(),
                                       plain_step<"step-e">(), plain_step<"step-f">(),
                                       plain_step<"step-g">(), plain_step<"step-h">());
}
template <class Tx>
auto joined_process() {
    return steps<"bench", std::string>(joined_step<"step-a", Tx>(), joined_step<"step-b", Tx>(),
                                       joined_step<"step-c", Tx>(), joined_step<"step-d", Tx>(),
                                       joined_step<"step-e", Tx>(), joined_step<"step-f", Tx>(),
                                       joined_step<"step-g", Tx>(), joined_step<"step-h", Tx>());
}

/// A runner that takes instances through all of their steps.
template <class Store, class Process>
class library {
    using transaction = typename Store::transaction_type;

public:
    library(Store service, Store running, Process process, std::size_t at_once)
        : service_(std::move(service)),
          running_(std::move(running)),
          journal_(service_.journal("bench")),
          runner_(running_, running_.journal("bench"),
                  runner_options{.owner = "bench", .instances_max = at_once}, process),
          process_(std::move(process)) {
        runner_.measure_with([] { return steady_time(std::chrono::steady_clock::now()); });
    }

    void start(std::size_t instances) {
        const moment now = machine_clock::now();
        auto tx = service_.begin();
        for (std::size_t i = 0; i < instances; ++i) {
            static_cast<void>(
                sinew::start(journal_, tx, process_, std::to_string(started_++), input, now.wall));
        }
        if (tx.commit() != commit_result::committed) {
            throw std::runtime_error("a transaction did not commit");
        }
    }

    void run() {
        const steady_time until = later(machine_clock::now().steady, std::chrono::seconds(60));
        while (runner_.counts().completed < started_) {
            const moment now = machine_clock::now();
            runner_.step(now);
            if (now.steady >= until || runner_.counts().parked != 0) {
                throw std::runtime_error("the runner did not complete all: " + why_not());
            }
        }
        if (runner_.counts().steps_done != started_ * steps_of_one) {
            throw std::runtime_error("a step was recorded twice, or not");
        }
    }

    /// Between rounds.
    void tidy() {
        while (journal_.purge(wall_time::max(), 1'000, never) != 0) {
        }
    }

private:
    /// What keeps an instance from going on.
    [[nodiscard]] std::string why_not() {
        const auto all = journal_.stuck(wall_time::max(), 0, 1, never);
        if (all.empty()) {
            return "none is left, and fewer have ended than were started";
        }
        const auto& one = all.front();
        const auto why = [&]() -> std::string {
            if (one.why) {
                return one.why->reason + ": " + one.why->detail;
            }
            return one.progress && one.progress->last_failure
                       ? one.progress->last_failure->reason + ": " +
                             one.progress->last_failure->detail
                       : std::string("no failure");
        };
        return "instance " + one.id + " is " + std::string(to_string(one.state)) + " with " + why();
    }

    using runner_type =
        decltype(sinew::runner(std::declval<Store&>(), std::declval<Store&>().journal(""),
                               runner_options{}, std::declval<Process>()));

    Store service_;
    Store running_;
    typename Store::journal_type journal_;
    runner_type runner_;
    Process process_;
    std::uint64_t started_ = 0;
};

template <class Library>
bench::side side_of(std::shared_ptr<Library> ours, std::size_t instances) {
    return [=](bench::laps& laps) {
        ours->start(instances);
        laps.time("steps", [&] { ours->run(); });
        ours->tidy();
    };
}

template <class Plain>
bench::side by_hand(std::shared_ptr<Plain> plain, std::size_t instances) {
    return [=, next = std::int64_t{0}](bench::laps& laps) mutable {
        laps.time("steps", [&] {
            for (std::size_t i = 0; i < instances; ++i, ++next) {
                for (std::size_t place = 0; place < steps_of_one; ++place) {
                    plain->write(next, static_cast<std::int64_t>(place));
                }
            }
        });
    };
}

/// The library's side, with so many instances at a time. `open` makes a store; `effects` is the
/// type of the key in the table of effects, which numbers them.
template <class Open>
bench::side ours(const variant& v, std::size_t at_once, const std::string& effects, Open open) {
    using store_type = decltype(open());
    using transaction = typename store_type::transaction_type;
    open().connection().execute_script("CREATE TABLE IF NOT EXISTS bench_effects(key " + effects +
                                       " PRIMARY KEY, value text)");
    const auto with = [&](auto process) {
        using made = library<store_type, decltype(process)>;
        return side_of(std::make_shared<made>(open(), open(), std::move(process), at_once),
                       v.instances);
    };
    return v.joins ? with(joined_process<transaction>()) : with(plain_process<transaction>());
}

bench::sides on_sqlite(const variant& v) {
    static bench::scratch_folder folder;
    static int number = 0;
    const auto opener = [&](const char* side) {
        const std::string file = folder.file((side + std::to_string(number)).c_str());
        return [file, v] {
            return sqlite::store(file, {.synchronous = v.is_durable ? sqlite::synchronous::full
                                                                    : sqlite::synchronous::normal});
        };
    };
    ++number;
    bench::side second = ours(v, v.is_concurrent ? 64 : 1, "INTEGER", opener("ours-"));
    if (v.is_concurrent) {
        return {ours(v, 1, "INTEGER", opener("sequential-")), second};
    }
    const std::string file = folder.file(("by_hand-" + std::to_string(number)).c_str());
    return {by_hand(std::make_shared<plain_sqlite_steps>(file, v.is_durable, v.joins), v.instances),
            second};
}

test::postgres_server& server(bool is_durable) {
    const auto options = [](bool fsync) {
        return test::postgres_server_options{
            .fsync = fsync,
            .settings = {"shared_buffers=256MB", "max_wal_size=4GB", "checkpoint_timeout=1h"}};
    };
    static test::postgres_server durable(options(true));
    if (is_durable) {
        return durable;
    }
    static test::postgres_server other(options(false));
    return other;
}

bench::sides on_postgres(const variant& v) {
    static int number = 0;
    const std::string conninfo = server(v.is_durable).conninfo();
    const std::string name = std::to_string(++number);
    const auto opener = [&](const std::string& schema) {
        return [conninfo, schema] { return postgres::store(conninfo, {.schema = schema}); };
    };
    const std::string effects = "bigint GENERATED ALWAYS AS IDENTITY";
    bench::side second = ours(v, v.is_concurrent ? 64 : 1, effects, opener("ours_" + name));
    if (v.is_concurrent) {
        return {ours(v, 1, effects, opener("sequential_" + name)), second};
    }
    return {by_hand(std::make_shared<plain_postgres_steps>(conninfo, "by_hand_" + name, v.joins),
                    v.instances),
            second};
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("process", argc, argv);
    const variant variants[] = {
        {.name = "sequential", .goal = 0.8, .instances = 64},
        {.name = "joined", .instances = 64, .joins = true},
        {.name = "concurrent", .goal = 5, .instances = 128, .is_concurrent = true},
        {.name = "concurrent_joined", .instances = 128, .joins = true, .is_concurrent = true},
        {.name = "nosync", .instances = 256, .is_durable = false},
    };
    for (const auto& v : variants) {
        for (const std::string engine : {"sqlite", "postgres"}) {
            all.pair({.name = engine + "/" + v.name,
                      .items = v.instances * steps_of_one,
                      .goal = v.goal},
                     [=] { return engine == "sqlite" ? on_sqlite(v) : on_postgres(v); });
        }
    }
    return all.run();
}
