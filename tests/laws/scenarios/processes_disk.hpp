// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which the journal of long work and the rows of its steps are in an SQLite file on a
/// simulated disk. A bank stands on another computer: what it did is not lost with the power here,
/// so what is recorded of a step has to be safe before the next one acts.

#include "laws/scenarios/sqlite_file.hpp"

#include <sinew/adapters/sqlite/journal.hpp>
#include <sinew/process/runner.hpp>
#include <sinew/testing/process_laws.hpp>
#include <sinew/testing/scripted_process.hpp>

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

/// The world: a bank elsewhere, and a computer with a disk, on which a shop starts instances and a
/// runner takes them through their steps, each with a connection of its own.
class journal_disk_world {
public:
    journal_disk_world(trial& run, const simulated_disk& disk, const sqlite_shape& shape,
                       shared_script script)
        : shape_(shape),
          script_(std::move(script)),
          world_(run, {}),
          computer_(disk, shape.disk_faults) {}

    /// A disk with the tables of all that is needed, made without faults.
    [[nodiscard]] static simulated_disk made(const sqlite_shape& shape) {
        computer maker(simulated_disk(shape.disk));
        {
            const sqlite_disk disk(maker);
            open_database make(disk, shape);
            static_cast<void>(book_of(make));
        }
        maker.lose_power({});
        return maker.disk();
    }

    /// A step is refused, and has done nothing.
    void fail(std::string_view step) { failing_ = step; }

    void run(std::vector<std::string> ids, instance_state expected) {
        ids_ = std::move(ids);
        world_.add("shop",
                   [this](process& self) { return std::make_unique<shop_body>(self, *this); });
        world_.add("runner",
                   [this](process& self) { return std::make_unique<runner_body>(self, *this); });
        world_.settled_when([this] { return next_ == ids_.size() && have_ended(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(20s);
        }
        judge(settled, expected);
    }

private:
    /// What the bank did under a key.
    struct served {
        std::string key{};
        bool in_force = false;
        bool is_undone = false;
    };

    [[nodiscard]] static sqlite::journal book_of(open_database& data) {
        return data.store().journal("processes", {.seats = 2});
    }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }

    class shop_body : public process_body {
    public:
        shop_body(process& self, journal_disk_world& home)
            : home_(home), disk_(self, home.computer_) {
            home.open(self, disk_, data_);
            book_.emplace(book_of(*data_));
        }

        steady_time step(moment now) override {
            if (home_.next_ == home_.ids_.size()) {
                return never;
            }
            try {
                const auto& id = home_.ids_[home_.next_];
                const auto steps = entries_of(home_.script_->definition());
                auto tx = data_->store().begin(later(now.steady, 5s));
                static_cast<void>(
                    book_->start(tx, {home_.script_->script().type, id, steps, "input"}, now.wall));
                home_.world_.stir();
                if (tx.commit() == commit_result::committed) {
                    ++home_.next_;
                }
            } catch (const error&) {
                // Something is down: the next step tries again.
            }
            return later(home_.world_.now().steady, 200ms);
        }

    private:
        journal_disk_world& home_;
        sqlite_disk disk_;
        std::optional<open_database> data_;
        std::optional<sqlite::journal> book_;
    };

    /// What the steps of one life of the runner do.
    class steps_of_life {
    public:
        steps_of_life(process& self, journal_disk_world& home) : self_(self), home_(home) {}

        std::optional<failure> begins(const attempt_info& at, std::string_view step) {
            self_.must_live();
            self_.note("tries to", to_string(at.phase), step, "of", at.instance.id);
            home_.check_safe(at, step);
            if (at.phase == step_phase::act && step == home_.failing_) {
                return failure{failure_class::permanent, "refused", "as the scenario says",
                               std::nullopt};
            }
            return std::nullopt;
        }
        void joins(const attempt_info& at, std::string_view step, sqlite::transaction& tx) {
            if (at.phase == step_phase::act) {
                tx.execute("INSERT INTO effects(key, id) VALUES (?, ?)",
                           std::string_view(at.instance.id), step);
            } else {
                tx.execute("DELETE FROM effects WHERE key = ? AND id = ?",
                           std::string_view(at.instance.id), step);
            }
        }
        std::optional<failure> calls(const attempt_info& at, std::string_view /*step*/) {
            const auto no_answer = []() -> std::optional<failure> {
                return failure{failure_class::unknown, "no_answer", "the bank did not answer",
                               std::nullopt};
            };
            return self_.call(
                "bank",
                {fault::request_lost, fault::reply_lost, fault::crash_before, fault::crash_after},
                [&]() -> std::optional<failure> {
                    home_.serve(at);
                    home_.world_.stir();
                    return std::nullopt;
                },
                no_answer);
        }
        std::optional<failure> replied(const attempt_info&, std::string_view) {
            return std::nullopt;
        }
        [[nodiscard]] std::string result_of(const attempt_info& at, std::string_view step) const {
            return scripted_result(at.instance.id, step, at.phase);
        }

    private:
        process& self_;
        journal_disk_world& home_;
    };

    class runner_body : public process_body {
    public:
        runner_body(process& self, journal_disk_world& home)
            : disk_(self, home.computer_), steps_(self, home) {
            home.open(self, disk_, data_);
            runner_.emplace(data_->store(), book_of(*data_),
                            runner_options{.owner = "runner",
                                           .instances_max = 4,
                                           .batch_max = 4,
                                           .attempt_timeout = 5s,
                                           .cap = 1s,
                                           .lease = 8s,
                                           .heartbeat = 3s,
                                           .look_interval = 2s,
                                           .poll_interval = 1s,
                                           .purge_interval = 1h,
                                           .seed = 7},
                            process_type(steps_, home.script_));
        }

        steady_time step(moment now) override {
            runner_->step(now);
            return runner_->next_deadline();
        }

    private:
        using process_type = scripted_process<steps_of_life>;
        using runner_type =
            runner<sqlite::store, sqlite::journal, no_outbox, null_runner_observer, process_type>;

        sqlite_disk disk_;
        std::optional<open_database> data_;
        steps_of_life steps_;
        std::optional<runner_type> runner_;
    };

    void open(process& self, const sqlite_disk& disk, std::optional<open_database>& to) {
        try {
            to.emplace(disk, shape_);
        } catch (const unavailable_error& e) {
            found().check(law::file_whole, e.reason() != "corrupt", e.what());
            self.die("it cannot open its database");
        }
    }

    /// The bank does what it is asked once, and never after it was undone.
    void serve(const attempt_info& at) {
        const std::string key(at.key_of_act);
        auto it = std::find_if(bank_.begin(), bank_.end(),
                               [&](const served& one) { return one.key == key; });
        if (it == bank_.end()) {
            it = bank_.insert(bank_.end(), served{key});
        }
        if (at.phase == step_phase::undo) {
            it->in_force = false;
            it->is_undone = true;
        } else {
            it->in_force = !it->is_undone;
        }
    }
    [[nodiscard]] bool is_in_force(std::string_view key) const {
        return std::any_of(bank_.begin(), bank_.end(),
                           [&](const served& one) { return one.key == key && one.in_force; });
    }

    /// An attempt begins: whatever the runner knows to be recorded has to be safe by now, however
    /// the power fails; and this step is not among it.
    void check_safe(const attempt_info& at, std::string_view step) {
        read_what_is_safe();
        const auto* const is = safe(at.instance.id);
        const std::size_t kept = is == nullptr ? 0 : is->history.size();
        bool is_safe = kept >= at.history.size();
        for (std::size_t i = 0; is_safe && i < at.history.size(); ++i) {
            is_safe = is->history[i].where == at.history[i].where &&
                      is->history[i].kind == at.history[i].kind;
        }
        found().check(law::no_commit_ahead, is_safe, [&] {
            return std::string(step) + " of " + at.instance.id +
                   " is tried, and what is recorded before it is not safe";
        });
        const bool is_over =
            is != nullptr && find_record(is->history, {std::string(step), at.phase}) != nullptr;
        found().check(law::never_again, !is_over, [&] {
            return std::string(step) + " of " + at.instance.id +
                   " is tried again, and has a record";
        });
    }

    /// What the file would hold if the power failed now and took all along that is not safe. Read
    /// from a copy of the disk, so that nobody notices.
    void read_what_is_safe() {
        if (std::exchange(read_at_, computer_.disk().made_safe()) == computer_.disk().made_safe()) {
            return;
        }
        safe_.clear();
        rows_.clear();
        computer copy(computer_.disk().after_the_worst());
        const sqlite_disk look(copy);
        try {
            open_database data(look, {});
            const auto damage = data.damage();
            found().check(law::file_whole, damage.empty(), damage);
            auto book = book_of(data);
            for (const auto& id : ids_) {
                if (auto one = book.find(script_->script().type, id, never)) {
                    safe_.push_back(std::move(*one));
                }
            }
            data.store().connection().for_each<std::string_view, std::string_view>(
                "SELECT key, id FROM effects ORDER BY n",
                [&](std::string_view key, std::string_view id) {
                    rows_.push_back(std::string(key) + " " + std::string(id));
                });
        } catch (const error& e) {
            found().check(law::file_whole, false, e.what());
        }
    }
    [[nodiscard]] const journal_entry* safe(std::string_view id) const {
        for (const auto& one : safe_) {
            if (one.what.id == id) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] bool have_ended() {
        read_what_is_safe();
        return std::all_of(ids_.begin(), ids_.end(), [&](const std::string& id) {
            const auto* const is = safe(id);
            return is != nullptr && is->what.state != instance_state::open;
        });
    }

    /// The power fails once more, and what is left is judged.
    void judge(bool settled, instance_state expected) {
        const auto losses = computer_.disk().losses();
        computer_.lose_power(losses[world_.run().choices.choose(
            static_cast<unsigned>(losses.size()), "what the last loss of power takes along")]);
        read_at_ = UINT64_MAX;
        read_what_is_safe();
        for (const auto& id : ids_) {
            const auto* const is = safe(id);
            found().check(law::nothing_lost, is != nullptr || !settled,
                          [&] { return id + " was started, and is gone"; });
            if (is != nullptr && settled) {
                found().check(law::as_without_faults, is->what.state == expected,
                              [&] { return id + " is " + std::string(to_string(is->what.state)); });
                check_effects(*is);
            }
        }
        found().check(law::no_escape, world_.escaped() == 0, "a step threw");
    }
    void check_effects(const journal_entry& is) {
        for (const auto& step : script_->script().steps) {
            const bool joins = step.act == acting::in_transaction;
            const std::string row = is.what.id + " " + std::string(step.name);
            const auto times =
                joins ? std::count(rows_.begin(), rows_.end(), row)
                : is_in_force(make_step_key(is.what.type, is.what.id, step.name, step_phase::act))
                    ? 1
                    : 0;
            found().check(law::nothing_twice, times <= 1, [&] { return row + " happened twice"; });
            const bool is_done = is.what.state == instance_state::completed;
            found().check(law::whole_way, (times == 1) == is_done,
                          [&] { return row + (is_done ? " did not happen" : " is not undone"); });
            world_.note("end", row, times);
        }
    }

    sqlite_shape shape_;
    shared_script script_;
    std::string failing_{};
    std::vector<std::string> ids_{};
    std::size_t next_ = 0;
    std::vector<served> bank_{};
    std::vector<journal_entry> safe_{};
    std::vector<std::string> rows_{};
    std::uint64_t read_at_ = UINT64_MAX;
    world world_;
    computer computer_;
};

/// A sale whose rows are in the file, and whose money is at the bank.
[[nodiscard]] inline shared_script sale_on_disk() {
    return write_process(
        {.type = "sale",
         .steps = {{"reserve", step_kind::compensable, acting::in_transaction,
                    acting::in_transaction},
                   {"charge", step_kind::compensable},
                   {"ship", step_kind::pivot, acting::in_transaction},
                   {"email", step_kind::retriable}},
         .options = {.retry = {.max_attempts = 50, .base = 200ms, .cap = 1s, .max_starts = 50}}});
}

/// As the adapter opens its files: with a write-ahead log. One goes all the way.
inline void sqlite_saga_completes(trial& t) {
    static const sqlite_shape shape;
    static const simulated_disk disk = journal_disk_world::made(shape);
    journal_disk_world w(t, disk, shape, sale_on_disk());
    w.run({"1", "2"}, instance_state::completed);
}

/// One goes all the way back.
inline void sqlite_saga_goes_back(trial& t) {
    static const sqlite_shape shape;
    static const simulated_disk disk = journal_disk_world::made(shape);
    journal_disk_world w(t, disk, shape, sale_on_disk());
    w.fail("ship");
    w.run({"1"}, instance_state::compensated);
}

/// With a rollback journal, on a connection of the service's own.
inline void sqlite_saga_journal(trial& t) {
    static const sqlite_shape shape{
        .wal = false,
        .pragmas = "PRAGMA synchronous = EXTRA",
        .disk_faults = {fault::disk_full, fault::lost_writes, fault::torn_tail}};
    static const simulated_disk disk = journal_disk_world::made(shape);
    journal_disk_world w(t, disk, shape, sale_on_disk());
    w.run({"1"}, instance_state::completed);
}

/// A commit does not wait for the disk: it promises less than the laws ask for, and is found out.
inline void sqlite_saga_synchronous_off(trial& t) {
    static const sqlite_shape shape{.pragmas = "PRAGMA synchronous = OFF"};
    static const simulated_disk disk = journal_disk_world::made(shape);
    journal_disk_world w(t, disk, shape, sale_on_disk());
    w.run({"1"}, instance_state::completed);
}

}  // namespace sinew::laws
