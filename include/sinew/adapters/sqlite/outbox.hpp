// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in an SQLite file; models `outbox` and `waking_outbox`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds, with any
/// number of processes on one file. The file has one writer at a time, so
/// events are numbered in the order of the commits, and none commits late.
/// Reading takes no lock and sees what is committed, also while the store's own
/// transaction is open.
///
/// **On failure.** The errors of `errors.hpp`. Calls that write, and are not
/// given a transaction, throw `unavailable_error` while one of the store is
/// open. A write under a lease whose commit the operating system reported an
/// error for answers `unknown`.
/// **Bounds.** A claim costs what it shows, a look at each parked entry that
/// holds its key, and one at each entry behind one that is put off; not at what
/// waits behind a parked one (`outbox_behind.hpp`). A claim that still meets
/// many of these moves a bite of them away afterwards, in a transaction that is
/// left out while somebody else writes. `lag` looks at each entry that waits.
/// `wait_for_added` is told by stores of its own process, and looks for others
/// every `look_interval`. One thread at a time for a store and all that was made
/// of it: a relay on a thread of its own has a store of its own.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/outbox_behind.hpp>
#include <sinew/adapters/sqlite/outbox_boxes.hpp>
#include <sinew/adapters/sqlite/outbox_claim.hpp>
#include <sinew/adapters/sqlite/outbox_marks.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sinew::sqlite {

class store;

using sinew::outbox_options;

class outbox {
public:
    /// How often `wait_for_added` looks for what other processes added.
    static constexpr duration look_interval = std::chrono::milliseconds(5);

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;

    std::uint64_t add(transaction& tx, const event_view& e, wall_time now) {
        check_own(tx);
        check_addable(e, options_);
        try {
            return insert(e, now);
        } catch (...) {
            // The number of the key may be counted already: alone it would be a hole.
            tx.undo_all();
            throw;
        }
    }

    /// Adds several events, with one write for the number of each key; answers the number of each.
    /// If one is refused, none is added.
    std::vector<std::uint64_t> add(transaction& tx, std::span<const event_view> events,
                                   wall_time now) {
        check_own(tx);
        for (const auto& one : events) {
            check_addable(one, options_);
        }
        try {
            return insert_all(events, now);
        } catch (...) {
            tx.undo_all();
            throw;
        }
    }

    [[nodiscard]] shard_id shards() const noexcept { return options_.shards; }

    [[nodiscard]] shard_lease holder(shard_id shard, steady_time until = never) const {
        check_shard(shard);
        const detail::outbox_reading from(*session_, until);
        return read_lease(from.db(), from.sql().holder, shard).lease;
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until = never) {
        if (owner.empty()) {
            throw usage_error("whoever takes a shard needs a name");
        }
        check_shard(seen.shard);
        auto tx = begin("taking a shard", until);
        if (use(writes().take).bind(owner, box_->stream(seen.shard), seen.epoch, seen.beat).run() ==
            0) {
            return std::nullopt;
        }
        finish(tx);
        return shard_lease{seen.shard, seen.epoch + 1, 0, std::string(owner)};
    }

    fenced_result renew(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until,
                           [&] { use(writes().renew).bind(box_->stream(lease.shard)).run(); });
    }

    fenced_result release(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until,
                           [&] { use(writes().release).bind(box_->stream(lease.shard)).run(); });
    }

    [[nodiscard]] std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease,
                                                                 wall_time now, claim_limits limits,
                                                                 steady_time until = never) const {
        bool makes_way = false;
        auto out = look(lease, now, limits, until, makes_way);
        if (makes_way) {
            make_way(lease);
        }
        return out;
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until = never) {
        return write_under(lease, until, [&] {
            detail::outbox_marks(*session_, *box_, options_.keep_published)
                .mark(lease.shard, numbers, now);
        });
    }

    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time until = never) {
        return write_under(lease, until, [&] {
            if (detail::is_outbox_number(number)) {
                const auto wait = put_off_by(note.at, delay);
                const std::string kept = detail::encode_note(note);
                detail::at_either(box_->place(lease.shard, number), [&](std::int64_t at) {
                    return use(writes().put_off)
                        .bind(counts_as_attempt(note.kind), blob{kept}, wait.from, wait.due, at)
                        .run();
                });
            }
        });
    }

    fenced_result park(const shard_lease& lease, std::int64_t number, const failure_note& note,
                       following what_follows, steady_time until = never) {
        return write_under(lease, until, [&] {
            if (detail::is_outbox_number(number)) {
                const std::int64_t slot = box_->slot(number);
                const std::string kept = detail::encode_note(note);
                detail::at_either(box_->place(lease.shard, number), [&](std::int64_t at) {
                    const auto found = use(writes().park)
                                           .bind(at, slot, static_cast<std::uint8_t>(what_follows),
                                                 counts_as_attempt(note.kind), blob{kept})
                                           .run();
                    if (found != 0) {
                        use(writes().forget).bind(at, at).run();
                        held_back(lease.shard).hold(slot);
                    }
                    return found;
                });
            }
        });
    }

    [[nodiscard]] outbox_lag lag(steady_time until = never) const {
        const detail::outbox_reading from(*session_, until);
        detail::statement sql(from.db(), from.sql().lag);
        sql.bind(box_->first_place(), box_->last_place(), box_->slot(0),
                 box_->slot(detail::numbers_max), detail::behind(box_->first_place()),
                 detail::behind(box_->last_place()));
        sql.step();
        return {.waiting = sql.column<std::uint64_t>(1),
                .parked = sql.column<std::uint64_t>(0),
                .oldest = sql.column<std::optional<wall_time>>(2)};
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until = never) {
        auto tx = begin("purging an outbox", until);
        const auto gone = use(writes().purge).bind(box_->number, older_than, at_most(limit)).run();
        finish(tx);
        return static_cast<std::size_t>(gone);
    }

    [[nodiscard]] std::vector<outbox_entry> parked(std::int64_t after, std::size_t limit,
                                                   steady_time until = never) const {
        std::vector<outbox_entry> out;
        if (after >= detail::numbers_max) {
            return out;
        }
        const detail::outbox_reading from(*session_, until);
        detail::statement sql(from.db(), from.sql().parked);
        sql.bind(box_->slot(after < 0 ? 0 : after + 1), box_->slot(detail::numbers_max),
                 at_most(limit));
        while (sql.step()) {
            out.push_back(detail::read_parked(sql));
        }
        return out;
    }

    bool unpark(std::int64_t number, std::uint64_t version, steady_time until = never) {
        return decide(number, version, until,
                      [&](std::int64_t slot, std::int64_t place, const std::string& key) {
                          const std::int64_t back =
                              held_back(box_->shard_at(place)).place_again(key, place);
                          use(writes().unpark).bind(slot, version, back).run();
                      });
    }

    bool discard(std::int64_t number, std::uint64_t version, const failure_note& note,
                 steady_time until = never) {
        return decide(number, version, until,
                      [&](std::int64_t slot, std::int64_t /*place*/, const std::string& /*key*/) {
                          const std::string kept = detail::encode_note(note);
                          use(writes().discard)
                              .bind(slot, version, box_->number, number, note.at, blob{kept})
                              .run();
                      });
    }

    /// As `waking_outbox` says. What the store's own process adds is told at
    /// once; for others it looks at the file's version every `look_interval`, and
    /// answers true if the file was changed and something waits.
    [[nodiscard]] bool wait_for_added(steady_time until) {
        session_->check_idle("waiting for an outbox");
        for (;;) {
            const std::uint64_t raised = box_->signal->count();
            const std::int64_t version = file_version(until);
            const bool told = std::exchange(seen_raised_, raised) != raised;
            const bool changed = std::exchange(seen_version_, version) != version;
            if (told || (changed && has_waiting(until))) {
                return true;
            }
            const steady_time now = machine_clock::now().steady;
            if (now >= until) {
                return false;
            }
            const steady_time next = later(now, look_interval);
            box_->signal->wait(raised, next < until ? next : until);
        }
    }

private:
    friend class store;

    outbox(std::shared_ptr<detail::session> session, const std::string& name,
           const outbox_options& options)
        : session_(std::move(session)), options_(options) {
        check(options_);
        box_ = open_box(name);
        if (box_->shards != options_.shards) {
            throw usage_error("outbox: it was made with " + std::to_string(box_->shards) +
                              " shards, and is opened with " + std::to_string(options_.shards));
        }
        seen_raised_ = box_->signal->count();
        seen_version_ = file_version(never);
    }

    /// The outbox of that name, which is made if it is not there.
    [[nodiscard]] std::shared_ptr<detail::box_state> open_box(const std::string& name) {
        auto& s = *session_;
        auto& known = detail::outbox_part_of(s).boxes[name];
        if (!known) {
            auto found = detail::find_box(s, name);
            if (!found) {
                auto tx =
                    begin("making an outbox", later(machine_clock::now().steady, s.busy_timeout));
                found = detail::make_box(s, name, options_.shards);
                finish(tx);
            }
            found->signal = detail::signal_of(detail::signal_name(s, name));
            known = std::make_shared<detail::box_state>(*std::move(found));
        }
        return known;
    }

    // -- Adding

    void check_own(transaction& tx) const {
        if (tx.session_ != session_) {
            throw usage_error("the transaction belongs to another store than the outbox");
        }
        tx.check();
    }

    std::uint64_t insert(const event_view& e, wall_time now) {
        key_run run;
        if (!e.partitionkey.empty()) {
            run.count = 1;
            take_sequences(e.partitionkey, run);
        }
        insert_row(e, run.next, next_place(e, run), now);
        return run.next;
    }

    std::vector<std::uint64_t> insert_all(std::span<const event_view> events, wall_time now) {
        std::unordered_map<std::string_view, key_run> keys;
        for (const auto& one : events) {
            if (!one.partitionkey.empty()) {
                ++keys[one.partitionkey].count;
            }
        }
        for (auto& [key, run] : keys) {
            take_sequences(key, run);
        }
        struct row {
            std::int64_t place;
            std::size_t at;
        };
        std::vector<row> rows;
        std::vector<std::uint64_t> sequences;
        rows.reserve(events.size());
        sequences.reserve(events.size());
        for (const auto& one : events) {
            key_run none;
            key_run& run = one.partitionkey.empty() ? none : keys.find(one.partitionkey)->second;
            rows.push_back({next_place(one, run), rows.size()});
            sequences.push_back(one.partitionkey.empty() ? 0 : run.next++);
        }
        // Rows that lie side by side cost least one after the other.
        std::sort(rows.begin(), rows.end(),
                  [](const row& a, const row& b) { return a.place < b.place; });
        for (const auto& [place, at] : rows) {
            insert_row(events[at], sequences[at], place, now);
        }
        return sequences;
    }

    /// The events of one key in a call.
    struct key_run {
        std::uint64_t count = 0;
        std::uint64_t next = 0;  ///< the number of the next
        bool is_behind = false;
    };
    void take_sequences(std::string_view key, key_run& run) {
        if (use(writes().count).bind(run.count, box_->number, blob{key}).run() == 0) {
            use(writes().first_sequence).bind(run.count, box_->number, blob{key}).step();
            run.next = 1;
            return;
        }
        const auto kept = detail::kept();
        run.next = static_cast<std::uint64_t>(kept.number) - run.count + 1;
        run.is_behind = kept.is_behind;
    }
    [[nodiscard]] std::int64_t next_place(const event_view& e, const key_run& run) {
        const std::int64_t place =
            box_->place(shard_of(e, options_.shards), session_->outbox->next(session_->db, box_));
        return run.is_behind ? detail::behind(place) : place;
    }
    void insert_row(const event_view& e, std::uint64_t sequence, std::int64_t place,
                    wall_time now) {
        char digits[20];
        event_view numbered = e;
        if (sequence != 0) {
            const auto end = std::to_chars(digits, digits + sizeof digits, sequence).ptr;
            numbered.sequence = std::string_view(digits, static_cast<std::size_t>(end - digits));
        }
        detail::statement sql = use(writes().insert);
        sql.bind_at(1, place);
        sql.bind_at(2, now);
        detail::bind_event(sql, 3, numbered, session_->scratch);
        sql.step();
    }

    // -- Claiming

    [[nodiscard]] std::optional<std::vector<outbox_entry>> look(const shard_lease& lease,
                                                                wall_time now, claim_limits limits,
                                                                steady_time until,
                                                                bool& makes_way) const {
        check_shard(lease.shard);
        const detail::outbox_reading from(*session_, until);
        // All of it is one look at the file, which lasts as long as one of its
        // statements.
        detail::statement entries(from.db(), from.sql().waiting);
        entries.bind(box_->place(lease.shard, 0), box_->place(lease.shard, detail::numbers_max));
        const bool any = entries.step();
        const auto held = read_lease(from.db(), from.sql().holder, lease.shard);
        if (!is_held(held.lease, lease)) {
            return std::nullopt;
        }
        if (!any) {
            return std::vector<outbox_entry>();
        }
        detail::outbox_claim going(
            detail::read_held_keys(from.db(), from.sql().holds, *box_, lease.shard));
        auto out = going.take(entries, now, limits);
        makes_way = held.unswept != 0 && going.passed() > detail::passed_max;
        return out;
    }
    /// Moves what the claim had to pass out of its way, if nobody writes just now.
    void make_way(const shard_lease& lease) const {
        if (session_->is_open) {
            return;
        }
        try {
            auto tx = begin("moving what waits in an outbox", machine_clock::now().steady);
            const auto held = read_held_lease(lease.shard);
            if (is_held(held.lease, lease) && held.unswept != 0) {
                held_back(lease.shard).sweep(held.unswept);
                static_cast<void>(tx.commit());
            }
        } catch (const error&) {
            // What was claimed is right without it, and the next claim tries again.
        }
    }

    // -- Writing under a lease

    void check_shard(shard_id shard) const {
        if (shard >= options_.shards) {
            throw usage_error("the outbox has no shard of that number");
        }
    }
    struct lease_row {
        shard_lease lease;
        std::int64_t unswept;  ///< what was parked since may have entries behind it up to here
        bool has_freed;        ///< entries are to be moved back
    };
    [[nodiscard]] lease_row read_lease(sqlite3* db, detail::prepared& holder,
                                       shard_id shard) const {
        detail::statement sql(db, holder);
        if (!sql.bind(box_->stream(shard)).step()) {
            detail::refuse_damaged("a lease of an outbox");
        }
        return {{shard, sql.column<epoch_number>(0), sql.column<std::uint64_t>(1),
                 sql.column<std::string>(2)},
                sql.column<std::int64_t>(3),
                sql.column<bool>(4)};
    }
    [[nodiscard]] lease_row read_held_lease(shard_id shard) const {
        return read_lease(session_->db.handle(), session_->outbox->reads.holder, shard);
    }
    [[nodiscard]] detail::outbox_behind held_back(shard_id shard) const {
        return {*session_, *box_, shard};
    }
    [[nodiscard]] static bool is_held(const shard_lease& held, const shard_lease& lease) noexcept {
        return held.epoch == lease.epoch && !held.owner.empty();
    }

    template <class F>
    fenced_result write_under(const shard_lease& lease, steady_time until, F write) {
        check_shard(lease.shard);
        auto tx = begin("an outbox", until);
        // Within the transaction, so nobody changes the lease in between.
        const auto held = read_held_lease(lease.shard);
        if (!is_held(held.lease, lease)) {
            return fenced_result::stale;
        }
        write();
        if (held.has_freed) {
            held_back(lease.shard).move_freed();
        }
        return end(tx) == commit_result::committed ? fenced_result::done : fenced_result::unknown;
    }

    // -- Deciding

    /// Takes an entry out of those that are parked.
    template <class F>
    bool decide(std::int64_t number, std::uint64_t version, steady_time until, F move) {
        if (!detail::is_outbox_number(number)) {
            return false;
        }
        auto tx = begin("deciding on a parked entry", until);
        const std::int64_t slot = box_->slot(number);
        const auto found = find_parked(slot, version);
        if (!found) {
            return false;
        }
        const auto& [place, key, holds] = *found;
        move(slot, place, key);
        use(writes().forget_parked).bind(slot).run();
        if (holds && !key.empty()) {
            held_back(box_->shard_at(place)).free(key);
        }
        finish(tx);
        return true;
    }
    struct parked_row {
        std::int64_t place;
        std::string key;
        bool holds;
    };
    [[nodiscard]] std::optional<parked_row> find_parked(std::int64_t slot,
                                                        std::uint64_t version) const {
        detail::statement sql = use(writes().to_decide);
        if (!sql.bind(slot, version).step()) {
            return std::nullopt;
        }
        return parked_row{sql.column<std::int64_t>(0),
                          std::string(sql.column<detail::blob_or_null>(1).bytes),
                          sql.column<bool>(2)};
    }

    [[nodiscard]] transaction begin(const char* what, steady_time until) const {
        session_->check_idle(what);
        return {session_, until};
    }
    /// Throws if nothing was committed.
    commit_result end(transaction& tx) const {
        const commit_result how = tx.commit();
        if (how == commit_result::aborted) {
            throw session_->why();
        }
        return how;
    }
    /// Throws unless it is committed.
    void finish(transaction& tx) const {
        if (end(tx) == commit_result::unknown) {
            throw session_->why();
        }
    }

    // -- Waiting

    [[nodiscard]] std::int64_t file_version(steady_time until) const {
        const connection::deadline wait(session_->db, until);
        const auto version = session_->db.query_one<std::int64_t>("PRAGMA data_version");
        return version ? std::get<0>(*version) : 0;
    }
    [[nodiscard]] bool has_waiting(steady_time until) const {
        const detail::outbox_reading from(*session_, until);
        detail::statement sql(from.db(), from.sql().any);
        return sql.bind(box_->first_place(), box_->last_place()).step();
    }

    // -- Shorthands

    [[nodiscard]] detail::outbox_writes& writes() const noexcept {
        return session_->outbox->writes;
    }
    [[nodiscard]] detail::statement use(detail::prepared& sql) const {
        return detail::statement(session_->db.handle(), sql);
    }
    [[nodiscard]] static std::int64_t at_most(std::size_t limit) noexcept {
        constexpr std::size_t most = INT64_MAX;
        return static_cast<std::int64_t>(limit < most ? limit : most);
    }

    std::shared_ptr<detail::session> session_;
    outbox_options options_;
    std::shared_ptr<detail::box_state> box_;
    std::uint64_t seen_raised_ = 0;
    std::int64_t seen_version_ = 0;
};

}  // namespace sinew::sqlite
