// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A member of a consumer group that reads a log in SQLite; models `source`.
///
/// **Guarantees.** Every numbered sentence of `source` holds, with any number of processes on one
/// file. A poll in steady state writes nothing: the lease is renewed after a third of it, and the
/// group's rows are read only after something in the file has changed.
///
/// **On failure.** What `errors.hpp` names, all of it unavailable; and `permanent_error`
/// (`member_replaced`) once another process has joined under the same member name.
/// **On crash.** Its partitions are given away when its lease ends; at once, if a process joins
/// under the same member name.
/// **Bounds.** It has a connection of its own and holds no lock between calls. A poll does not wait
/// for a lock beyond a few milliseconds: what it could not write then, it writes at the next one.
/// One thread at a time.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/holdings.hpp>
#include <sinew/adapters/sqlite/membership.hpp>
#include <sinew/adapters/sqlite/message.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/topics.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::sqlite {

namespace detail {

/// The state of a member, at one address for all its life.
struct member_state {
    member_state(std::shared_ptr<const log_setup> the_setup, std::string_view topic_name,
                 std::string_view group_name, const std::string& name)
        : setup(std::move(the_setup)),
          db(setup->file, setup->connecting()),
          topic(prepare(db, *setup, topic_name)),
          group(db, *setup, topic, group_name, name),
          read(setup->named(
              "SELECT place, " + std::string(event_column_names) +
              " FROM ~records WHERE place > ? AND place <= ? ORDER BY place LIMIT ?")) {}

    [[nodiscard]] static topic_row prepare(connection& db, const log_setup& setup,
                                           std::string_view topic_name) {
        ensure_schema(db, setup.named, log_schema);
        return make_topic(db, setup.named, topic_name, setup.options.topic);
    }

    std::shared_ptr<const log_setup> setup;
    connection db;
    topic_row topic;
    membership group;
    prepared read;
    prepared data_version{"PRAGMA data_version"};
    std::shared_ptr<record_pool> pool = std::make_shared<record_pool>();
    holdings held;
    std::vector<message> batch;
    std::int64_t file_version = -1;  ///< rises when another connection has written
    std::int64_t generation = -1;    ///< of the group, as `held` reflects it
    std::size_t turn = 0;            ///< the partition that is read first
    std::optional<permanent_error> replaced;
};

}  // namespace detail

class member {
public:
    using message = sqlite::message;

    member(member&&) noexcept = default;
    member& operator=(member&& other) noexcept {
        if (this != &other) {
            leave();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    member(const member&) = delete;
    member& operator=(const member&) = delete;
    ~member() { leave(); }

    /// The member's name in its group.
    [[nodiscard]] const std::string& name() const noexcept { return state_->group.name(); }

    /// Tells what happened to the group, then delivers from the member's partitions in turn. Waits
    /// until there is either, or until `until`.
    ///
    /// **On failure.** A message at which the listener throws is delivered again.
    /// **Bounds.** With `limits.events` or `limits.bytes` 0 nothing is delivered. The listener may
    /// call `commit`, `release`, `pause` and `resume`.
    template <class Listener>
        requires source_listener<Listener, message>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        auto& s = *state_;
        // The caller's clock may be a virtual one; waiting takes place in real time.
        const steady_time start = s.group.now();
        const steady_time end = until <= start || until == never
                                    ? until
                                    : later(machine_clock::now().steady, until - start);
        duration step = step_min;
        for (;;) {
            const bool in_time = machine_clock::now().steady < end && until > start;
            attend(in_time ? later(machine_clock::now().steady, patience) : no_waiting);
            const bool told = tell(listener);
            if (s.replaced) {
                throw permanent_error(*s.replaced);
            }
            if (deliver(limits, listener) || told || !in_time) {
                return;
            }
            const duration left = end - machine_clock::now().steady;
            std::this_thread::sleep_for(step < left ? step : left);
            step = step * 2 < step_max ? step * 2 : step_max;
        }
    }

    /// **On failure.** Throws `busy_error` if the file is locked until `until`. Answers unknown if
    /// the operating system reports an error.
    commit_result commit(partition_id partition, epoch_number epoch, log_offset through,
                         steady_time until) {
        auto& s = *state_;
        if (s.held.find(partition, epoch) == nullptr) {
            return commit_result::aborted;
        }
        try {
            if (!s.group.commit(partition, epoch, through, until)) {
                s.generation = -1;
                return commit_result::aborted;
            }
        } catch (const io_error&) {
            return commit_result::unknown;
        }
        if (s.group.now() >= s.group.renew_at()) {
            // Nobody holds the lock now, so this is a good moment.
            try {
                static_cast<void>(s.group.renew(no_waiting));
            } catch (const error&) {
                // The next poll tries again.
            }
        }
        return commit_result::committed;
    }

    /// Gives a partition back, revoked or not. Alone in its group, a member gets it again.
    ///
    /// **On failure.** Throws nothing: if the file cannot be written, the next polls try again.
    void release(partition_id partition, epoch_number epoch) {
        if (state_->held.give_back(partition, epoch)) {
            try {
                attend_group(no_waiting);
            } catch (const error&) {
                state_->generation = -1;
            }
        }
    }

    void pause(partition_id partition) noexcept { set_paused(partition, true); }
    void resume(partition_id partition) noexcept { set_paused(partition, false); }

private:
    friend class log;

    static constexpr steady_time no_waiting = steady_time::min();
    /// How long a poll that may wait waits for a lock.
    static constexpr duration patience = std::chrono::milliseconds(10);
    static constexpr duration step_min = std::chrono::microseconds(250);
    static constexpr duration step_max = std::chrono::milliseconds(8);
    /// How many records are read at once.
    static constexpr std::size_t batch_max = 256;

    member(std::shared_ptr<const detail::log_setup> setup, std::string_view topic,
           std::string_view group, const std::string& name)
        : state_(std::make_unique<detail::member_state>(std::move(setup), topic, group, name)) {}

    void set_paused(partition_id partition, bool paused) noexcept {
        if (auto* found = state_->held.find(partition)) {
            found->paused = paused;
        }
    }

    void attend_group(steady_time until) {
        auto& s = *state_;
        s.group.attend(until, s.held.back());
        s.held.written_down();
        s.generation = -1;
    }

    /// Keeps the membership, and finds out what has changed.
    void attend(steady_time until) {
        auto& s = *state_;
        const steady_time now = s.group.now();
        s.held.give_up_overdue(now);
        if (now >= s.group.renew_at() || !s.held.back().empty()) {
            try {
                attend_group(until);
            } catch (const busy_error&) {
                // Somebody is writing; the next poll tries again.
            } catch (const permanent_error& e) {
                s.held.lose_all();
                s.replaced = e;
            }
        }
        if (!s.replaced && look_for_changes()) {
            const std::int64_t generation = s.group.generation();
            if (generation != s.generation) {
                s.generation = generation;
                s.held.compare(s.group.rows(), s.group.instance());
            }
        }
    }

    /// Whether the file is another than at the last look.
    [[nodiscard]] bool look_for_changes() {
        auto& s = *state_;
        detail::statement run(s.db.handle(), s.data_version);
        run.step();
        const auto version = run.column<std::int64_t>(0);
        if (version == s.file_version && s.generation != -1) {
            return false;
        }
        s.file_version = version;
        s.held.look_again();
        return true;
    }

    /// Tells the news; whether there were any. The listener may call this member.
    template <class Listener>
    bool tell(Listener& listener) {
        bool any = false;
        while (const auto one = state_->held.next_news()) {
            any = true;
            if (const auto* given = std::get_if<assignment>(&*one)) {
                listener.assigned(*given);
            } else if (const auto* taken = std::get_if<revocation>(&*one)) {
                listener.revoked(*taken);
            } else {
                listener.lost(std::get<detail::lost_notice>(*one).what);
            }
        }
        return any;
    }

    /// Delivers what there is; whether there was anything.
    template <class Listener>
    bool deliver(poll_limits limits, Listener& listener) {
        auto& s = *state_;
        if (limits.bytes == 0) {
            return false;
        }
        bool any = false;
        std::size_t bytes = 0;
        const std::size_t count = s.held.size();
        for (std::size_t i = 0; i < count && limits.events > 0 && bytes < limits.bytes; ++i) {
            if (s.turn + i >= s.held.size() * 2) {
                break;  // the listener gave partitions back
            }
            auto& from = s.held[(s.turn + i) % s.held.size()];
            if (!from.delivers() || from.at_end) {
                continue;
            }
            const std::size_t others = count - i;
            const std::size_t share =
                limits.events / others + (limits.events % others == 0 ? 0 : 1);
            bytes += fetch(from, share < batch_max ? share : batch_max, limits.bytes - bytes);
            limits.events -= s.batch.size();
            any = any || !s.batch.empty();
            hand_over(listener);
        }
        s.turn = s.held.size() == 0 ? 0 : (s.turn + 1) % s.held.size();
        return any;
    }

    /// Reads records behind the cursor into the batch; answers their bytes.
    std::size_t fetch(detail::holding& from, std::size_t events, std::size_t bytes_max) {
        auto& s = *state_;
        s.batch.clear();
        const std::int64_t stream = s.topic.stream(from.partition);
        const std::int64_t first = detail::first_place(stream);
        std::size_t bytes = 0;
        detail::statement run(s.db.handle(), s.read);
        run.bind(first + from.cursor, detail::last_place(stream), events);
        while (bytes < bytes_max) {
            if (!run.step()) {
                from.at_end = s.batch.size() < events;
                break;
            }
            message one(s.pool);
            one.record_->read(run, 1);
            one.record_->where = {from.partition, run.column<std::int64_t>(0) - first};
            one.record_->epoch = from.epoch;
            bytes += one.record_->size_bytes();
            s.batch.push_back(std::move(one));
        }
        return bytes;
    }

    /// Hands the batch to the listener, for as long as the partition is ours and not paused. The
    /// cursor goes past what was taken.
    template <class Listener>
    void hand_over(Listener& listener) {
        auto& s = *state_;
        for (auto& one : s.batch) {
            const position where = one.where();
            const epoch_number epoch = one.epoch();
            auto* from = s.held.find(where.partition, epoch);
            if (from == nullptr) {
                break;
            }
            if (!from->delivers()) {
                from->at_end = false;
                break;
            }
            const log_offset before = std::exchange(from->cursor, where.offset);
            try {
                listener.message(std::move(one));
            } catch (...) {
                from = s.held.find(where.partition, epoch);
                if (from != nullptr) {
                    from->cursor = before;
                    from->at_end = false;
                }
                s.batch.clear();
                throw;
            }
        }
        s.batch.clear();
    }

    void leave() noexcept {
        if (!state_ || !state_->group.has_joined()) {
            return;
        }
        try {
            state_->group.leave(later(machine_clock::now().steady, patience * 20));
        } catch (...) {
            // The lease runs out.
        }
    }

    std::unique_ptr<detail::member_state> state_;
};

}  // namespace sinew::sqlite
