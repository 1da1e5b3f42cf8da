// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which effects, memory and dead letters are in an SQLite file on a simulated disk.
/// The log stands on another computer: what was committed to it is not lost with the power here, so
/// whatever the store forgets after that is lost.

#include "laws/scenarios/common.hpp"
#include "laws/scenarios/sqlite_file.hpp"

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/testing/sqlite_disk.hpp>

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::laws {

class sqlite_world;

/// What a consumer is made of, in one life of its process.
class sqlite_ports {
public:
    using source_type = faulty_source<memory::member>;

    sqlite_ports(process& owner, sqlite_world& world);

    process& self;
    sqlite_world& home;
    sqlite_disk disk;
    std::optional<open_database> data{};

    [[nodiscard]] source_type source();
    [[nodiscard]] sqlite::store& store() noexcept { return data->store(); }

    /// Applies the event in the transaction.
    outcome apply(const event_view& e, sqlite::transaction& tx,
                  fault_set ends = {fault::failed, fault::crash_before, fault::zombie}) {
        self.note("applies", e.id, "to", e.partitionkey);
        tx.execute("INSERT INTO effects(key, id) VALUES (?, ?)", e.partitionkey, e.id);
        self.pass_through("handler", ends);
        return outcome::done();
    }
};

/// The world: a log elsewhere, and a computer with a disk.
class sqlite_world {
public:
    sqlite_world(trial& run, const simulated_disk& disk, sqlite_shape shape)
        : shape_(shape), world_(run, {.faults = shape.faults}), computer_(disk, shape.disk_faults) {
        log_.create_topic("t", {.partitions = shape.partitions});
        judged_.resize(shape.partitions, -1);
    }

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] computer& machine() noexcept { return computer_; }
    [[nodiscard]] const record& facts() const noexcept { return facts_; }

    void produce(const event& e, fate expected = fate::applied, partition_id partition = 0) {
        facts_.produced.push_back({e, log_.append("t", partition, e.view()), expected});
    }

    template <class Make>
    void consume(std::string_view name, Make make) {
        world_.add(name, [this, make](process& self) mutable {
            return std::make_unique<body<Make>>(self, *this, make);
        });
    }

    /// Runs until all is committed to the log. Then the power fails, and what is left is judged.
    void run() {
        world_.settled_when([this] { return has_settled(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(20s);
        }
        lose_power_at_the_end();
        read_what_is_safe();
        if (settled) {
            check_final(found(), facts_, {"g", "t"});
        }
        found().check(law::no_escape, world_.escaped() == 0, "a step threw");
        for (const auto& key : facts_.applied) {
            for (const auto& id : key.ids) {
                world_.note("end", key.key, "has", id);
            }
        }
        for (const auto& one : facts_.letters) {
            world_.note("end", one.letter.original.id, "is a dead letter:", one.letter.reason);
        }
    }

private:
    friend class sqlite_ports;

    template <class Make>
    class body : public process_body {
    public:
        body(process& self, sqlite_world& home, Make& make)
            : ports_(self, home), consumer_(make(ports_)) {}

        steady_time step(moment now) override {
            auto& home = ports_.home;
            home.log_.tick(now.steady);
            consumer_.step(now);
            const auto counts = consumer_.counts();
            home.found().check(law::ledger, counts.balances(), "the counts do not balance");
            const auto poll = later(home.world_.now().steady, 5s);
            const auto wake = consumer_.next_deadline();
            return poll < wake ? poll : wake;
        }

    private:
        sqlite_ports ports_;
        decltype(std::declval<Make&>()(std::declval<sqlite_ports&>())) consumer_;
    };

    [[nodiscard]] bool has_settled() {
        for (partition_id i = 0; i < shape_.partitions; ++i) {
            if (log_.committed("t", "g", i) + 1 < log_.end("t", i)) {
                return false;
            }
        }
        return true;
    }

    void check_whole(open_database& data) {
        const std::string damage = data.damage();
        found().check(law::file_whole, damage.empty(), damage);
    }

    /// What the store would hold if the power failed now and took all along that is not safe. Read
    /// from a copy of the disk, so that nobody notices.
    void read_what_is_safe() {
        if (read_at_ == computer_.disk().made_safe()) {
            return;
        }
        read_at_ = computer_.disk().made_safe();
        computer copy(computer_.disk().after_the_worst());
        const sqlite_disk look(copy);
        try {
            open_database data(look, {});
            check_whole(data);
            facts_.applied.clear();
            data.store().connection().for_each<std::string_view, std::string_view>(
                "SELECT key, id FROM effects ORDER BY n",
                [&](std::string_view key, std::string_view id) { facts_.apply(key, id); });
            facts_.letters = data.store().dead_letters().find({}, 0, SIZE_MAX);
        } catch (const error& e) {
            found().check(law::file_whole, false, e.what());
        }
    }

    /// What is committed to the log has to be safe by then, however the power fails.
    void judge_commit(partition_id partition, log_offset through) {
        auto& judged = judged_[partition];
        read_what_is_safe();
        check_no_commit_ahead(found(), facts_, partition, judged + 1, through);
        check_no_commit_back(found(), partition, judged, through);
        judged = through > judged ? through : judged;
    }

    void lose_power_at_the_end() {
        const auto losses = computer_.disk().losses();
        computer_.lose_power(losses[world_.run().choices.choose(
            static_cast<unsigned>(losses.size()), "what the last loss of power takes along")]);
    }

    sqlite_shape shape_;
    memory::log log_;
    world world_;
    computer computer_;
    record facts_;
    std::uint64_t read_at_ = UINT64_MAX;
    std::vector<log_offset> judged_;
};

inline sqlite_ports::sqlite_ports(process& owner, sqlite_world& world)
    : self(owner), home(world), disk(owner, world.computer_) {
    try {
        data.emplace(disk, world.shape_);
        if (world.world_.starts(owner.name()) > 1) {
            world.check_whole(*data);
        }
    } catch (const unavailable_error& e) {
        world.found().check(law::file_whole, e.reason() != "corrupt", e.what());
        self.die("it cannot open its database");
    }
}

inline sqlite_ports::source_type sqlite_ports::source() {
    auto member = home.log_.join("t", "g");
    const auto id = member.id();
    auto& world = home;
    return {self, std::move(member),
            group_hooks{[&world, id] { world.log_.kick(id); },
                        [&world] { world.log_.rebalance("t", "g"); }},
            source_hooks{{}, [&world](partition_id partition, epoch_number, log_offset through) {
                             world.judge_commit(partition, through);
                         }}};
}

/// A consumer with everything in one file.
[[nodiscard]] inline auto in_one_file(sqlite_ports& p, std::string_view rejected = {}) {
    return subscribe(p.source(), subscription()) |
           dead_letter(p.store().dead_letters(), letters_at_rest()) | retry(patient_retry()) |
           once(p.store(), {.batch_max = 2}) |
           handle([&p, rejected](const event_view& e, sqlite::transaction& tx) {
               return e.id == rejected ? outcome::reject("bad", "it will never work")
                                       : p.apply(e, tx);
           });
}

/// Three events of one key; the second is a dead letter.
inline void three_on_disk(trial& t, const simulated_disk& disk, const sqlite_shape& shape) {
    sqlite_world w(t, disk, shape);
    w.produce(make_event("a", "a1"));
    w.produce(make_full_event("a", "a2"), fate::dead_lettered);
    w.produce(make_event("a", "a3"));
    w.consume("worker", [](sqlite_ports& p) { return in_one_file(p, "a2"); });
    w.run();
}

/// As the adapter opens its files: with a write-ahead log.
inline void sqlite_wal(trial& t) {
    static const sqlite_shape shape;
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// The same, written back into the file after each commit.
inline void sqlite_checkpoints(trial& t) {
    static const sqlite_shape shape{.pragmas = "PRAGMA wal_autocheckpoint = 1"};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// A connection of the service's own, with a rollback journal. Not with syncs that fail, and a
/// death without a loss of power soon after: see `sqlite_journal_with_all_faults`.
inline constexpr sqlite_shape journal_shape{
    .wal = false,
    .pragmas = "PRAGMA synchronous = EXTRA",
    .disk_faults = {fault::disk_full, fault::lost_writes, fault::torn_tail}};

inline void sqlite_journal(trial& t) {
    static const simulated_disk disk = made_disk(journal_shape);
    three_on_disk(t, disk, journal_shape);
}

/// A file that is made in the first life, with all that can go wrong meanwhile.
inline void sqlite_new_file(trial& t) {
    sqlite_world w(t, simulated_disk({.forgets_failed_syncs = false}), {});
    w.produce(make_event("a", "a1"));
    w.consume("worker", [](sqlite_ports& p) { return in_one_file(p); });
    w.run();
}

/// Two processes of one computer with one file: locks between them, and one power supply.
inline void sqlite_two_processes(trial& t) {
    static const sqlite_shape shape{.partitions = 2};
    static const simulated_disk disk = made_disk(shape);
    sqlite_world w(t, disk, shape);
    w.produce(make_event("a", "a1"), fate::applied, 0);
    w.produce(make_event("b", "b1"), fate::applied, 1);
    w.consume("one", [](sqlite_ports& p) { return in_one_file(p); });
    w.consume("two", [](sqlite_ports& p) { return in_one_file(p); });
    w.run();
}

/// The disk is full for a while, for longer than there are attempts: that never counts.
inline void sqlite_full_disk(trial& t) {
    static const sqlite_shape shape{
        .disk_faults = {fault::lost_writes, fault::torn_tail, fault::crash_after}};
    static const simulated_disk disk = made_disk(shape);
    sqlite_world w(t, disk, shape);
    w.produce(make_event("a", "a1"));
    w.produce(make_event("b", "b1"));
    const auto give = [&w](std::uint64_t bytes) {
        auto options = w.machine().disk().options();
        options.capacity = bytes;
        w.machine().disk().set_options(options);
    };
    give(disk.used() + 60'000);
    w.time().at(5s, [give] { give(UINT64_MAX); });
    unsigned tries = 0;
    w.consume("worker", [&tries](sqlite_ports& p) {
        auto few = patient_retry();
        few.max_attempts = 4;
        return subscribe(p.source(), subscription()) |
               dead_letter(p.store().dead_letters(), letters_at_rest()) | retry(few) |
               once(p.store(), {.batch_max = 1}) |
               handle([&p, &tries](const event_view& e, sqlite::transaction& tx) {
                   ++tries;
                   tx.execute("INSERT INTO effects(key, id) VALUES ('filler', zeroblob(40000))");
                   tx.execute("DELETE FROM effects WHERE key = 'filler'");
                   return p.apply(e, tx, {fault::crash_before, fault::zombie});
               });
    });
    w.run();
    w.found().sometimes("a disk was full for more tries than there are attempts", tries > 6);
}

// What follows promises less than the laws ask for, and is found out.

/// A commit does not wait for the disk.
inline void sqlite_synchronous_off(trial& t) {
    static const sqlite_shape shape{.pragmas = "PRAGMA synchronous = OFF"};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// A commit does not wait for the write-ahead log.
inline void sqlite_synchronous_normal(trial& t) {
    static const sqlite_shape shape{.pragmas = "PRAGMA synchronous = NORMAL"};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// The removal of a rollback journal is the commit, and with FULL nobody syncs it.
inline void sqlite_journal_full(trial& t) {
    static const sqlite_shape shape{.wal = false,
                                    .pragmas = "PRAGMA synchronous = FULL",
                                    .disk_faults = journal_shape.disk_faults};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// With EXTRA somebody does, but where that fails, or the process dies before it, the commit can be
/// read all the same, and is taken for done.
inline void sqlite_journal_with_all_faults(trial& t) {
    static const sqlite_shape shape{.wal = false, .pragmas = journal_shape.pragmas};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

/// The disk forgets what it could not sync, and says at the next sync that all is well.
inline void sqlite_forgotten_syncs(trial& t) {
    static const sqlite_shape shape{.disk = {.forgets_failed_syncs = true}};
    static const simulated_disk disk = made_disk(shape);
    three_on_disk(t, disk, shape);
}

}  // namespace sinew::laws
