// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which a service's rows and its outbox are in an SQLite file on a simulated disk.
/// The topic stands on another computer: what was published is not lost with the power here, so it
/// has to be safe before it is published.

#include "laws/scenarios/sqlite_file.hpp"

#include <sinew/adapters/memory/log.hpp>
#include <sinew/publish/relay.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/scripted_topic.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::laws {

/// The world: a topic elsewhere, and a computer with a disk, on which a service writes and a relay
/// publishes, each with a connection of its own.
class outbox_disk_world {
public:
    using topic_type = scripted_topic<memory::producer>;

    outbox_disk_world(trial& run, const simulated_disk& disk, const sqlite_shape& shape,
                      world_options options = {})
        : shape_(shape),
          world_(run, options),
          computer_(disk, shape.disk_faults),
          topic_(world_, log_.producer("orders"), [this](const event_view& e) { take_in(e); }) {}

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] topic_type& topic() noexcept { return topic_; }

    /// A disk with the tables of all that is needed, made without faults.
    [[nodiscard]] static simulated_disk made(const sqlite_shape& shape) {
        computer maker(simulated_disk(shape.disk));
        {
            const sqlite_disk disk(maker);
            open_database make(disk, shape);
            static_cast<void>(make.store().outbox("orders", {.shards = 1}));
        }
        maker.lose_power({});
        return maker.disk();
    }

    /// A transaction of the service: these events of that key, and a row for each.
    void write(std::string_view key, std::vector<std::string> ids) {
        std::uint64_t sequence = 0;
        for (const auto& one : facts_.committed) {
            sequence += one.what.partitionkey == key ? 1 : 0;
        }
        std::vector<event> adds;
        for (auto& id : ids) {
            adds.push_back({.id = id,
                            .source = "/s",
                            .type = "t",
                            .data = id,
                            .partitionkey = std::string(key)});
            facts_.committed.push_back({adds.back()});
            facts_.committed.back().what.sequence = std::to_string(++sequence);
        }
        list_.push_back(std::move(adds));
    }

    void run() {
        world_.add("service",
                   [this](process& self) { return std::make_unique<service>(self, *this); });
        world_.add("relay",
                   [this](process& self) { return std::make_unique<relayer>(self, *this); });
        world_.settled_when([this] { return next_ == list_.size() && rests_; });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(20s);
        }
        judge(settled);
    }

private:
    class service : public process_body {
    public:
        service(process& self, outbox_disk_world& home) : home_(home), disk_(self, home.computer_) {
            home.open(self, disk_, data_);
            box_.emplace(data_->store().outbox("orders", {.shards = 1}));
        }

        steady_time step(moment now) override {
            if (home_.next_ == home_.list_.size()) {
                return never;
            }
            try {
                const auto& adds = home_.list_[home_.next_];
                auto tx = data_->store().begin(later(now.steady, 5s));
                const auto there = tx.query_one<std::int64_t>(
                    "SELECT count(*) FROM effects WHERE id = ?", std::string_view(adds[0].id));
                if (std::get<0>(there.value()) != 0) {
                    tx.rollback();
                    ++home_.next_;
                    return now.steady;
                }
                for (const auto& e : adds) {
                    tx.execute("INSERT INTO effects(key, id) VALUES (?, ?)",
                               std::string_view(e.partitionkey), std::string_view(e.id));
                    box_->add(tx, e.view(), now.wall);
                }
                home_.world_.stir();
                if (tx.commit() == commit_result::committed) {
                    home_.rests_ = false;
                    ++home_.next_;
                }
            } catch (const error&) {
                // Something is down: the next step tries again.
            }
            return later(home_.world_.now().steady, 200ms);
        }

    private:
        outbox_disk_world& home_;
        sqlite_disk disk_;
        std::optional<open_database> data_;
        std::optional<sqlite::outbox> box_;
    };

    class relayer : public process_body {
    public:
        relayer(process& self, outbox_disk_world& home)
            : home_(home), disk_(self, home.computer_), to_(self, home.topic_) {
            home.open(self, disk_, data_);
            relay_.emplace(data_->store().outbox("orders", {.shards = 1}), to_,
                           relay_options{.owner = "relay",
                                         .batch_max = 4,
                                         .max_attempts = 50,
                                         .cap = 1s,
                                         .lease = 8s,
                                         .heartbeat = 3s,
                                         .look_interval = 2s,
                                         .poll_interval = 1s,
                                         .purge_interval = 1h,
                                         .seed = 7});
        }

        steady_time step(moment now) override {
            relay_->step(now);
            home_.rests_ = relay_->is_idle() && home_.has_all();
            return relay_->next_deadline();
        }

    private:
        using sink_type = faulty_sink<topic_type>;

        outbox_disk_world& home_;
        sqlite_disk disk_;
        std::optional<open_database> data_;
        sink_type to_;
        std::optional<relay<sqlite::outbox, sink_type>> relay_;
    };

    [[nodiscard]] bool has_all() const {
        return std::all_of(facts_.committed.begin(), facts_.committed.end(),
                           [](const auto& one) { return one.arrived; });
    }

    void open(process& self, const sqlite_disk& disk, std::optional<open_database>& to) {
        try {
            to.emplace(disk, shape_);
        } catch (const unavailable_error& e) {
            found().check(law::file_whole, e.reason() != "corrupt", e.what());
            self.die("it cannot open its database");
        }
    }

    /// An event arrives: by now its transaction has to be safe, however the power fails.
    void take_in(const event_view& e) {
        world_.note("topic", "gets", e.id, "of", e.partitionkey, "number", e.sequence);
        read_what_is_safe();
        const bool safe = std::find(safe_.begin(), safe_.end(), e.id) != safe_.end();
        found().check(law::only_committed, safe, [&] {
            return std::string(e.id) + " was published, and its transaction is not safe";
        });
        arrive(found(), facts_, e);
    }

    /// What the file would hold if the power failed now and took all along that is not safe. Read
    /// from a copy of the disk, so that nobody notices.
    void read_what_is_safe() {
        if (std::exchange(read_at_, computer_.disk().made_safe()) == computer_.disk().made_safe()) {
            return;
        }
        safe_.clear();
        computer copy(computer_.disk().after_the_worst());
        const sqlite_disk look(copy);
        try {
            open_database data(look, {});
            const auto damage = data.damage();
            found().check(law::file_whole, damage.empty(), damage);
            data.store().connection().for_each<std::string_view>(
                "SELECT id FROM effects ORDER BY n",
                [&](std::string_view id) { safe_.emplace_back(id); });
        } catch (const error& e) {
            found().check(law::file_whole, false, e.what());
        }
    }

    /// The power fails once more, and what is left is judged.
    void judge(bool settled) {
        const auto losses = computer_.disk().losses();
        computer_.lose_power(losses[world_.run().choices.choose(
            static_cast<unsigned>(losses.size()), "what the last loss of power takes along")]);
        read_what_is_safe();
        check_published_in_order(found(), facts_);
        for (const auto& one : facts_.committed) {
            const auto times = std::count(safe_.begin(), safe_.end(), one.what.id);
            found().check(law::nothing_twice, times <= 1,
                          [&] { return one.what.id + " was written twice"; });
            found().check(law::nothing_lost, times != 0 || !settled,
                          [&] { return one.what.id + " was committed, and is gone"; });
        }
        if (settled) {
            check_all_published(found(), facts_);
            check_left_over();
        }
        found().check(law::no_escape, world_.escaped() == 0, "a step threw");
        if (settled) {
            check_published_as_without_faults(found(), facts_);
        }
        for (const auto& one : facts_.arrived) {
            world_.note("end", "the topic has", facts_.committed[one.which].what.id);
        }
    }
    /// What was marked as published stays so.
    void check_left_over() {
        const sqlite_disk look(computer_);
        open_database data(look, shape_);
        const auto lag = data.store().outbox("orders", {.shards = 1}).lag(never);
        found().check(law::not_again, lag.waiting == 0, [&] {
            return std::to_string(lag.waiting) +
                   " entries wait again that were marked as published";
        });
    }

    sqlite_shape shape_;
    memory::log log_;
    publishing_record facts_;
    std::vector<std::vector<event>> list_;
    std::vector<std::string> safe_;
    std::size_t next_ = 0;
    bool rests_ = false;
    std::uint64_t read_at_ = UINT64_MAX;
    world world_;
    computer computer_;
    topic_type topic_;
};

/// Two transactions of one key, and one of another.
inline void three_in_an_outbox(outbox_disk_world& w) {
    w.write("a", {"a1", "a2"});
    w.write("b", {"b1"});
    w.write("a", {"a3"});
    w.run();
}

/// As the adapter opens its files: with a write-ahead log.
inline void sqlite_outbox(trial& t) {
    static const sqlite_shape shape;
    static const simulated_disk disk = outbox_disk_world::made(shape);
    outbox_disk_world w(t, disk, shape);
    three_in_an_outbox(w);
}

/// With a rollback journal, on a connection of the service's own.
inline void sqlite_outbox_journal(trial& t) {
    static const sqlite_shape shape{
        .wal = false,
        .pragmas = "PRAGMA synchronous = EXTRA",
        .disk_faults = {fault::disk_full, fault::lost_writes, fault::torn_tail}};
    static const simulated_disk disk = outbox_disk_world::made(shape);
    outbox_disk_world w(t, disk, shape);
    three_in_an_outbox(w);
}

/// A commit does not wait for the disk: it promises less than the laws ask for, and is found out.
inline void sqlite_outbox_synchronous_off(trial& t) {
    static const sqlite_shape shape{.pragmas = "PRAGMA synchronous = OFF"};
    static const simulated_disk disk = outbox_disk_world::made(shape);
    outbox_disk_world w(t, disk, shape);
    three_in_an_outbox(w);
}

}  // namespace sinew::laws
