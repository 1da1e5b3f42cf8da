// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in an SQLite file; models `outbox`, `multi_shard_outbox` and `waking_outbox`.
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
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/outbox_adding.hpp>
#include <sinew/adapters/sqlite/outbox_behind.hpp>
#include <sinew/adapters/sqlite/outbox_boxes.hpp>
#include <sinew/adapters/sqlite/outbox_bundles.hpp>
#include <sinew/adapters/sqlite/outbox_claim.hpp>
#include <sinew/adapters/sqlite/outbox_marks.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/own_writes.hpp>
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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
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
            return detail::outbox_adding(*session_, box_, now).one(e);
        } catch (...) {
            // The number of the key may be counted already: alone it would be a hole.
            tx.undo_all();
            throw;
        }
    }

    /// Adds several events, with one write for the number of each key and one row for many of them;
    /// answers the number of each. If one is refused, none is added.
    std::vector<std::uint64_t> add(transaction& tx, std::span<const event_view> events,
                                   wall_time now) {
        check_own(tx);
        for (const auto& one : events) {
            check_addable(one, options_);
        }
        try {
            return detail::outbox_adding(*session_, box_, now).all(events);
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
        if (use(writes().leases.take)
                .bind(owner, box_->stream(seen.shard), seen.epoch, seen.beat)
                .run() == 0) {
            return std::nullopt;
        }
        finish(tx);
        return shard_lease{seen.shard, seen.epoch + 1, 0, std::string(owner)};
    }

    fenced_result renew(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until, [&] {
            use(writes().leases.renew).bind(box_->stream(lease.shard)).run();
        });
    }

    fenced_result release(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until, [&] {
            use(writes().leases.release).bind(box_->stream(lease.shard)).run();
        });
    }

    [[nodiscard]] std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease,
                                                                 wall_time now, claim_limits limits,
                                                                 steady_time until = never) const {
        auto out = look(lease, now, limits, detail::outbox_reading(*session_, until), true);
        if (out.makes_way) {
            make_way(lease);
        }
        return std::move(out.shown);
    }

    /// As `multi_shard_outbox` says.
    [[nodiscard]] std::vector<std::optional<std::vector<outbox_entry>>> claim(
        std::span<const shard_lease> leases, wall_time now, claim_limits limits,
        steady_time until = never) const {
        std::vector<std::optional<std::vector<outbox_entry>>> out;
        out.reserve(leases.size());
        std::vector<const shard_lease*> in_the_way;
        {
            const detail::outbox_reading from(*session_, until);
            detail::statement snapshot(from.db(), from.sql().snapshot);
            snapshot.step();
            look_at_all(leases, now, limits, from, out, in_the_way);
        }
        for (const auto* lease : in_the_way) {
            make_way(*lease);
        }
        return out;
    }

    /// As `multi_shard_outbox` says.
    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time until = never) {
        std::vector<fenced_result> out(marks.size(), fenced_result::stale);
        for (const auto& one : marks) {
            check_shard(one.lease.shard);
        }
        auto tx = begin("an outbox", until);
        bool any = false;
        for (std::size_t i = 0; i < marks.size(); ++i) {
            const auto& [lease, numbers] = marks[i];
            if (write_held(lease, [&] { mark(lease.shard, numbers, now); })) {
                out[i] = fenced_result::done;
                any = true;
            }
        }
        if (any && end(tx) == commit_result::unknown) {
            for (auto& one : out) {
                one = one == fenced_result::done ? fenced_result::unknown : one;
            }
        }
        return out;
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until = never) {
        return write_under(lease, until, [&] { mark(lease.shard, numbers, now); });
    }

    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time until = never) {
        return write_under(lease, until, [&] {
            if (detail::is_outbox_number(number)) {
                unpack(box_->place(lease.shard, number));
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
                unpack(box_->place(lease.shard, number));
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
        const auto gone =
            use(writes().purge).bind(box_->number, older_than, detail::at_most(limit)).run();
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
                 detail::at_most(limit));
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
        check_opening(name, options_);
        box_ = open_box(name);
        check_shards(name, box_->shards, options_.shards);
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

    // -- Claiming

    struct claimed {
        std::optional<std::vector<outbox_entry>> shown{};
        std::size_t bytes = 0;
        bool is_cut = false;     ///< a limit was reached
        bool makes_way = false;  ///< much of what lies there could not be shown
    };
    [[nodiscard]] claimed look(const shard_lease& lease, wall_time now, claim_limits limits,
                               const detail::outbox_reading& from, bool splits) const {
        check_shard(lease.shard);
        // All of it is one look at the file, which lasts as long as this statement runs.
        detail::statement held_by(from.db(), from.sql().holder);
        const auto held = lease_in(held_by, lease.shard);
        claimed out;
        if (!detail::is_held(held.lease, lease)) {
            return out;
        }
        const std::int64_t first = box_->place(lease.shard, 0);
        const std::int64_t last = box_->place(lease.shard, detail::numbers_max);
        detail::statement rows(from.db(), from.sql().waiting);
        detail::statement bundles(from.db(), from.sql().bundles);
        const bool has_row = rows.bind(first, last).step();
        const bool has_bundle = bundles.bind(first, last).step();
        out.shown.emplace();
        if (has_row || has_bundle) {
            detail::outbox_claim going(
                detail::read_held_keys(from.db(), from.sql().holds, *box_, lease.shard), now,
                limits, splits);
            out.shown = going.take(rows, has_row, bundles, has_bundle);
            out.bytes = going.bytes();
            out.is_cut = going.is_cut();
            out.makes_way = held.unswept != 0 && going.passed() > detail::passed_max;
        }
        return out;
    }
    /// Each lease has what those before it left.
    void look_at_all(std::span<const shard_lease> leases, wall_time now, claim_limits left,
                     const detail::outbox_reading& from,
                     std::vector<std::optional<std::vector<outbox_entry>>>& out,
                     std::vector<const shard_lease*>& in_the_way) const {
        bool any = false;
        for (const auto& lease : leases) {
            auto one = look(lease, now, left, from, !any);
            if (one.makes_way) {
                in_the_way.push_back(&lease);
            }
            const std::size_t size = one.shown ? one.shown->size() : 0;
            if (one.is_cut && size == 0 && any) {
                return;  // the next claim begins here
            }
            any = any || size != 0;
            left.entries -= size;
            left.bytes -= one.bytes < left.bytes ? one.bytes : left.bytes;
            out.push_back(std::move(one.shown));
            if (one.is_cut || left.entries == 0 || left.bytes == 0) {
                return;
            }
        }
    }
    /// Moves what the claim had to pass out of its way, if nobody writes just now.
    void make_way(const shard_lease& lease) const {
        if (session_->is_open) {
            return;
        }
        try {
            auto tx = begin("moving what waits in an outbox", machine_clock::now().steady);
            const auto held = read_held_lease(lease.shard);
            if (detail::is_held(held.lease, lease) && held.unswept != 0) {
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
    /// What the statement finds; it stays at its row.
    [[nodiscard]] lease_row lease_in(detail::statement& sql, shard_id shard) const {
        if (!sql.bind(box_->stream(shard)).step()) {
            detail::refuse_damaged("a lease of an outbox");
        }
        return {detail::read_lease(sql, shard), sql.column<std::int64_t>(3), sql.column<bool>(4)};
    }
    [[nodiscard]] lease_row read_lease(sqlite3* db, detail::prepared& holder,
                                       shard_id shard) const {
        detail::statement sql(db, holder);
        return lease_in(sql, shard);
    }
    [[nodiscard]] lease_row read_held_lease(shard_id shard) const {
        return read_lease(session_->db.handle(), session_->outbox->reads.holder, shard);
    }
    [[nodiscard]] detail::outbox_behind held_back(shard_id shard) const {
        return {*session_, *box_, shard};
    }

    template <class F>
    fenced_result write_under(const shard_lease& lease, steady_time until, F write) {
        check_shard(lease.shard);
        auto tx = begin("an outbox", until);
        if (!write_held(lease, write)) {
            return fenced_result::stale;
        }
        return end(tx) == commit_result::committed ? fenced_result::done : fenced_result::unknown;
    }

    /// Writes in a shard, if the lease has not ended. Within the transaction, so nobody changes the
    /// lease in between.
    template <class F>
    bool write_held(const shard_lease& lease, F write) {
        const auto held = read_held_lease(lease.shard);
        if (!detail::is_held(held.lease, lease)) {
            return false;
        }
        write();
        if (held.has_freed) {
            held_back(lease.shard).move_freed();
        }
        return true;
    }
    void mark(shard_id shard, std::span<const std::int64_t> numbers, wall_time now) const {
        detail::outbox_marks(*session_, *box_, options_.keep_published).mark(shard, numbers, now);
    }
    void unpack(std::int64_t place) const {
        detail::outbox_bundles(*session_, *box_).unpack_at(place);
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
        return detail::own_writes::begin(session_, what, until);
    }
    commit_result end(transaction& tx) const { return detail::own_writes::end(*session_, tx); }
    void finish(transaction& tx) const { detail::own_writes::finish(*session_, tx); }

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

    std::shared_ptr<detail::session> session_;
    outbox_options options_;
    std::shared_ptr<detail::box_state> box_;
    std::uint64_t seen_raised_ = 0;
    std::int64_t seen_version_ = 0;
};

}  // namespace sinew::sqlite
