// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A place in a consumer group that is kept in the file, shared by all processes that read it.
///
/// A member is believed to live until its lease ends, and renews the lease well before. Whoever
/// finds that another's lease has ended gives its partitions away. No harm comes of a member that
/// was only slow: its epochs have ended, so it can commit nothing.
///
/// **Guarantees.** Leases are read on the steady clock, which all processes of a machine share (an
/// SQLite file in WAL mode belongs to one machine), so a jump of the system clock changes nothing.
/// A lease that was written before the machine was started again counts as ended.
///
/// **Bounds.** Every change is one short transaction. It waits for the lock only as long as it is
/// told to, so that a member never stands in the way of the store whose transaction is open on the
/// same thread.

#include <sinew/adapters/sqlite/balance.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/holdings.hpp>
#include <sinew/adapters/sqlite/producer.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/topics.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

struct membership_statements {
    explicit membership_statements(const naming& named)
        : generation(named("SELECT generation FROM ~groups WHERE number = ?")),
          rows(named("SELECT partition, instance, epoch, through, revoke_end FROM ~assignments "
                     "WHERE grp = ? ORDER BY partition")),
          renew(named("UPDATE ~members SET lease_end = ? "
                      "WHERE grp = ? AND name = ? AND instance = ?")),
          commit(named("UPDATE ~assignments SET through = max(through, ?) "
                       "WHERE grp = ? AND partition = ? AND instance = ? AND epoch = ?")) {}

    prepared generation;
    prepared rows;
    prepared renew;
    prepared commit;
};

class membership {
public:
    membership(connection& db, const log_setup& setup, const topic_row& topic,
               std::string_view group, std::string name)
        : db_(&db),
          setup_(&setup),
          topic_(topic),
          name_(std::move(name)),
          sql_(setup.named),
          is_named_(!name_.empty()) {
        if (group.empty()) {
            throw usage_error("sqlite: the name of the group is empty");
        }
        std::random_device random;
        instance_ = static_cast<member_number>(static_cast<std::uint64_t>(random()) << 31U |
                                               (random() & 0x7fffffffU));
        if (!is_named_) {
            name_ = "member-" + std::to_string(instance_);
        }
        const auto find = setup.named("SELECT number FROM ~groups WHERE topic = ? AND name = ?");
        auto found = db.query_one<std::int64_t>(find, topic.number, group);
        if (!found) {
            db.execute(setup.named("INSERT INTO ~groups(topic, name, generation) VALUES (?, ?, 0) "
                                   "ON CONFLICT DO NOTHING"),
                       topic.number, group);
            found = db.query_one<std::int64_t>(find, topic.number, group);
        }
        group_ = std::get<0>(found.value());
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] member_number instance() const noexcept { return instance_; }
    [[nodiscard]] bool has_joined() const noexcept { return joined_; }
    [[nodiscard]] steady_time renew_at() const noexcept { return renew_at_; }
    [[nodiscard]] steady_time now() const { return setup_->options.now().steady; }

    /// The number that rises with each change of the group.
    [[nodiscard]] std::int64_t generation() {
        statement run(db_->handle(), sql_.generation);
        run.bind(group_).step();
        return run.column<std::int64_t>(0);
    }

    [[nodiscard]] std::vector<assignment_row> rows() {
        std::vector<assignment_row> all;
        statement run(db_->handle(), sql_.rows);
        run.bind(group_);
        while (run.step()) {
            assignment_row row;
            row.partition = run.column<partition_id>(0);
            row.member = run.column<std::optional<member_number>>(1);
            row.epoch = run.column<epoch_number>(2);
            row.through = run.column<log_offset>(3);
            if (const auto end = run.column<std::optional<std::int64_t>>(4)) {
                row.revoke_end = steady_time(duration(*end));
            }
            all.push_back(std::move(row));
        }
        return all;
    }

    /// Joins or renews, frees what was given back, removes who is dead, and shares out anew.
    ///
    /// **On failure.** Throws `permanent_error` (`member_replaced`) if another has joined under
    /// this name since, and what the file throws.
    void attend(steady_time until, const std::vector<given_back>& back) {
        log_transaction tx(*db_, until);
        const steady_time at = now();
        const auto predecessor = enter(at);
        auto all = rows();
        add_missing(all);
        for (auto& row : all) {
            if (predecessor && row.member == *predecessor) {
                take_over(row);
            }
            for (const auto& one : back) {
                if (one.partition == row.partition && one.epoch == row.epoch &&
                    row.member == instance_) {
                    row.free();
                }
            }
        }
        balance(living(at), all, at, setup_->options.revoke_timeout);
        write(all);
        tx.commit();
        joined_ = true;
        renew_at_ = later(at, setup_->options.lease / 3);
    }

    /// Renews the lease alone; false if this member is not in the group any more.
    bool renew(steady_time until) {
        const connection::deadline wait(*db_, until);
        const steady_time at = now();
        const auto found = statement(db_->handle(), sql_.renew)
                               .bind(lease_end(at), group_, name_, instance_)
                               .run();
        renew_at_ = found == 0 ? at : later(at, setup_->options.lease / 3);
        return found != 0;
    }

    /// Notes how far a partition is finished; false if its epoch has ended.
    bool commit(partition_id partition, epoch_number epoch, log_offset through, steady_time until) {
        const connection::deadline wait(*db_, until);
        return statement(db_->handle(), sql_.commit)
                   .bind(through, group_, partition, instance_, epoch)
                   .run() != 0;
    }

    /// Gives everything back and is gone.
    void leave(steady_time until) {
        log_transaction tx(*db_, until);
        const auto gone = db_->execute(
            setup_->named("DELETE FROM ~members WHERE grp = ? AND name = ? AND instance = ?"),
            group_, name_, instance_);
        if (gone != 0) {
            const steady_time at = now();
            auto all = rows();
            balance(living(at), all, at, setup_->options.revoke_timeout);
            write(all);
        }
        tx.commit();
        joined_ = false;
    }

private:
    [[nodiscard]] std::int64_t lease_end(steady_time at) const noexcept {
        return later(at, setup_->options.lease).time_since_epoch().count();
    }

    /// Sees to it that this member is in the group. The namesake whose place it took, if any.
    [[nodiscard]] std::optional<member_number> enter(steady_time at) {
        const auto there = db_->query_one<member_number>(
            setup_->named("SELECT instance FROM ~members WHERE grp = ? AND name = ?"), group_,
            name_);
        const bool is_other = there && std::get<0>(*there) != instance_;
        if (is_other && joined_) {
            throw permanent_error("member_replaced",
                                  "sqlite: another member has joined the group as '" + name_ +
                                      "'; of two processes with one member name the later one "
                                      "goes on");
        }
        db_->execute(setup_->named("INSERT INTO ~members(grp, name, named, instance, lease, "
                                   "lease_end) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                                   "instance = excluded.instance, lease = excluded.lease, "
                                   "lease_end = excluded.lease_end"),
                     group_, name_, is_named_, instance_, setup_->options.lease.count(),
                     lease_end(at));
        return is_other ? std::optional(std::get<0>(*there)) : std::nullopt;
    }

    /// The predecessor is shut out by the epoch. What it had to give back is free.
    void take_over(assignment_row& row) const {
        if (row.revoke_end) {
            row.free();
            return;
        }
        row.member = instance_;
        ++row.epoch;
        row.changed = true;
    }

    /// Who lives. The dead are removed, but for those with a name of their own: who holds the name
    /// is remembered, so that a former holder that wakes up late stays shut out.
    [[nodiscard]] std::vector<member_number> living(steady_time at) {
        const std::int64_t now_count = at.time_since_epoch().count();
        db_->execute(setup_->named("DELETE FROM ~members WHERE grp = ? AND NOT named AND "
                                   "(lease_end <= ? OR lease_end - lease > ?)"),
                     group_, now_count, now_count);
        std::vector<member_number> all;
        db_->for_each<member_number>(
            setup_->named("SELECT instance FROM ~members WHERE grp = ? AND lease_end > ? AND "
                          "lease_end - lease <= ? ORDER BY name"),
            [&](member_number one) { all.push_back(one); }, group_, now_count, now_count);
        return all;
    }

    void add_missing(std::vector<assignment_row>& all) {
        while (all.size() < topic_.partitions) {
            assignment_row row;
            row.partition = static_cast<partition_id>(all.size());
            db_->execute(setup_->named("INSERT INTO ~assignments(grp, partition, epoch, through) "
                                       "VALUES (?, ?, 0, -1)"),
                         group_, row.partition);
            all.push_back(std::move(row));
        }
    }

    /// Writes the rows that changed, and raises the generation if there are any.
    void write(const std::vector<assignment_row>& all) {
        bool changed = false;
        for (const auto& row : all) {
            if (!row.changed) {
                continue;
            }
            std::optional<std::int64_t> end;
            if (row.revoke_end) {
                end = row.revoke_end->time_since_epoch().count();
            }
            db_->execute(setup_->named("UPDATE ~assignments SET instance = ?, epoch = ?, "
                                       "revoke_end = ? WHERE grp = ? AND partition = ?"),
                         row.member, row.epoch, end, group_, row.partition);
            changed = true;
        }
        if (changed) {
            db_->execute(setup_->named("UPDATE ~groups SET generation = generation + 1 "
                                       "WHERE number = ?"),
                         group_);
        }
    }

    connection* db_;
    const log_setup* setup_;
    topic_row topic_;
    std::string name_;
    membership_statements sql_;
    std::int64_t group_ = 0;
    member_number instance_ = 0;
    steady_time renew_at_ = steady_time::min();
    bool is_named_ = false;
    bool joined_ = false;
};

}  // namespace sinew::sqlite::detail
