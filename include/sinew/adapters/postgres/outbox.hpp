// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in PostgreSQL; models `outbox`, `multi_shard_outbox` and `waking_outbox`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds, with any number of processes on
/// one database. Where they leave something open: the first event of a key in a transaction takes
/// the key's row for writing, so another transaction that adds to the key waits for the end of this
/// one, up to `lock_timeout`, and is then refused as `serialization_failure`. The numbers of
/// entries rise in the order of the key's events; entries of different keys are shown in about the
/// order in which their transactions committed. A write under a lease holds the lease until it is
/// committed: whoever takes the shard waits for that.
///
/// What one transaction adds to a shard at one time lies in one row (`outbox_bundles.hpp`), until
/// something befalls an entry that does not befall the others; what is large, or alone, has a row
/// of its own.
///
/// What relays and people do are transactions of their own, under read committed.
///
/// **On failure.** The errors of `errors.hpp`. All but `add` throw `unavailable_error` while a
/// transaction of the store is open: a relay has a store of its own, or goes on when that has
/// ended.
/// **On crash.** As the concepts say; a lease stays as it is, and other relays take it over.
/// **Bounds.** A copy is a handle on the same outbox; store, outboxes and transactions are used by
/// one thread at a time. Events wait for the commit in memory, up to 1,000 or 4 MiB, and those of a
/// nested part until it is kept. An event has 512 MiB at most, whatever the options say. `claim`
/// looks at each entry of the shard that is held back, `lag` at each that waits or is parked.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/outbox_rows.hpp>
#include <sinew/adapters/postgres/outgoing.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <algorithm>
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

namespace sinew::postgres {

class store;

using sinew::outbox_options;

class outbox {
public:
    /// How large an event may be, whatever the options say.
    static constexpr std::size_t event_bytes_limit = std::size_t{512} << 20U;

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;

    std::uint64_t add(transaction& tx, const event_view& e, wall_time now) {
        check(tx);
        check_addable(e, options_);
        const std::uint64_t sequence =
            e.partitionkey.empty() ? 0 : tx.next_number(box(), e.partitionkey);
        keep(e, shard_of(e, options_.shards), sequence, now);
        tx.write_if_many();
        return sequence;
    }

    /// Adds several events, with one round trip for all keys that are new in the transaction;
    /// answers the number of each. If one is refused, none is added.
    std::vector<std::uint64_t> add(transaction& tx, std::span<const event_view> events,
                                   wall_time now) {
        check(tx);
        std::vector<std::string_view> keys;
        keys.reserve(events.size());
        for (const auto& one : events) {
            check_addable(one, options_);
            if (!one.partitionkey.empty()) {
                keys.push_back(one.partitionkey);
            }
        }
        tx.take_numbers(box(), std::move(keys));
        std::vector<std::uint64_t> numbers(events.size(), 0);
        for (std::size_t i = 0; i < events.size(); ++i) {
            const auto& one = events[i];
            numbers[i] = one.partitionkey.empty() ? 0 : tx.next_number(box(), one.partitionkey);
            keep(one, shard_of(one, options_.shards), numbers[i], now);
        }
        tx.write_if_many();
        return numbers;
    }

    [[nodiscard]] shard_id shards() const noexcept { return options_.shards; }

    [[nodiscard]] shard_lease holder(shard_id shard, steady_time until = never) const {
        return leases().holder(shard, until);
    }
    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until = never) {
        return leases().take(seen, owner, until);
    }
    fenced_result renew(const shard_lease& lease, steady_time until = never) {
        return leases().renew(lease, until);
    }
    fenced_result release(const shard_lease& lease, steady_time until = never) {
        return leases().release(lease, until);
    }

    [[nodiscard]] std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease,
                                                                 wall_time now, claim_limits limits,
                                                                 steady_time until = never) const {
        return std::move(claim(std::span(&lease, 1), now, limits, until).front());
    }

    /// As `multi_shard_outbox` says; `leases` may not be empty.
    [[nodiscard]] std::vector<std::optional<std::vector<outbox_entry>>> claim(
        std::span<const shard_lease> leases, wall_time now, claim_limits limits,
        steady_time until = never) const {
        for (;;) {
            detail::claim_reader in(limits);
            if (limits.entries > limits.bytes / detail::small_max ||
                !claim_together(in, leases, now, limits, until)) {
                in = detail::claim_reader(limits);
                claim_one_by_one(in, leases, now, until);
            }
            if (in.to_split.empty()) {
                return std::move(in.out);
            }
            split(leases, in.to_split, until);
        }
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until = never) {
        if (numbers.size() != 1) {
            const shard_marks marks{lease, numbers};
            return mark_published(std::span(&marks, 1), now, until).front();
        }
        auto& sql = *sql_;
        return options_.keep_published
                   ? mark_alone(lease, until, sql.mark_one, sql.mark_one_and_say, numbers.front(),
                                stamp(now))
                   : mark_alone(lease, until, sql.forget_one, sql.forget_one_and_say,
                                numbers.front());
    }

    /// As `multi_shard_outbox` says.
    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time until = never) {
        auto shards = detail::array_of_numbers();
        auto epochs = detail::array_of_numbers();
        detail::marked_rows wanted;
        for (const auto& [lease, marked] : marks) {
            shards.add(std::int64_t{lease.shard});
            epochs.add(detail::number_of(lease.epoch));
            wanted.add(lease.shard, marked);
        }
        const auto ask = [&](detail::prepared& sql, const auto&... more) {
            return session_->settle(marking, until, sql, box(), shards.value(), epochs.value(),
                                    wanted.numbers.value(), wanted.shards.value(),
                                    wanted.counts.value(), wanted.firsts.value(),
                                    wanted.lasts.value(), more...);
        };
        auto& sql = *sql_;
        auto rows = options_.keep_published
                        ? ask(wanted.are_dense ? sql.mark_ranges : sql.mark_rows, stamp(now))
                        : ask(wanted.are_dense ? sql.forget_ranges : sql.forget_rows);
        if (rows && PQntuples(rows->get()) != 0 && !detail::column<bool>(rows->get(), 0, 1)) {
            rows = mark_one_by_one(marks, shards, epochs, now, until);
        }
        std::vector<fenced_result> out(marks.size(),
                                       rows ? fenced_result::stale : fenced_result::unknown);
        for (int row = 0; rows && row < PQntuples(rows->get()); ++row) {
            const auto shard = detail::number_at(rows->get(), row, 0);
            for (std::size_t i = 0; i < marks.size(); ++i) {
                out[i] = marks[i].lease.shard == shard ? fenced_result::done : out[i];
            }
        }
        return out;
    }

    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time until = never) {
        const auto waits = put_off_by(note.at, delay);
        return write_alone(lease, until, sql_->put_off, number, count_of(note),
                           bytea{encoded(note)}, stamp(waits.from), stamp(waits.due));
    }

    fenced_result park(const shard_lease& lease, std::int64_t number, const failure_note& note,
                       following what_follows, steady_time until = never) {
        return write_alone(lease, until, sql_->park, number, count_of(note), bytea{encoded(note)},
                           static_cast<std::int32_t>(what_follows));
    }

    [[nodiscard]] outbox_lag lag(steady_time until = never) const {
        const auto row = session_->settled(looking, until, sql_->lag, box());
        return {detail::column<std::uint64_t>(row.get(), 0, 0),
                detail::column<std::uint64_t>(row.get(), 0, 1), detail::time_at(row.get(), 0, 2)};
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until = never) {
        constexpr const char* what = "purging an outbox";
        const auto most = detail::limit_of(limit);
        const std::size_t gone =
            session_->remove(what, until, sql_->purge, box(), stamp(older_than), most);
        if (gone != 0 || limit == 0 || limit >= detail::bundle_entries_max) {
            return gone;
        }
        // The oldest may be more than that, in one row.
        const auto rows = session_->settle_several(what, until, [&](detail::wire& to) {
            to.queue(sql_->split_settled, detail::parameters(box(), stamp(older_than)));
            to.queue(sql_->purge, detail::parameters(box(), stamp(older_than), most));
        });
        return rows ? detail::column<std::size_t>(rows->get(), 0, 0) : 0;
    }

    /// Listens on the server (`LISTEN`), so that a commit which adds wakes this one wherever it
    /// runs. The first call on a new connection asks the server to call, takes as long as that
    /// takes, and answers true: something may have been added before.
    [[nodiscard]] bool wait_for_added(steady_time until) {
        return session_->wait_for_call(opened_->channel, until);
    }

    [[nodiscard]] std::vector<outbox_entry> parked(std::int64_t after, std::size_t limit,
                                                   steady_time until = never) const {
        return read(
            session_->settled(looking, until, sql_->parked, box(), after, detail::limit_of(limit))
                .get());
    }

    bool unpark(std::int64_t number, std::uint64_t version, steady_time until = never) {
        return PQntuples(session_
                             ->settled("a decision", until, sql_->unpark, box(), number,
                                       detail::number_of(version))
                             .get()) != 0;
    }

    bool discard(std::int64_t number, std::uint64_t version, const failure_note& note,
                 steady_time until = never) {
        return PQntuples(session_
                             ->settled("a decision", until, sql_->discard, box(), number,
                                       detail::number_of(version), stamp(note.at),
                                       bytea{encoded(note)})
                             .get()) != 0;
    }

private:
    friend class store;

    static constexpr const char* looking = "looking into an outbox";
    static constexpr const char* marking = "marking what was published";

    outbox(std::shared_ptr<detail::session> session, const std::string& name,
           const outbox_options& options)
        : session_(std::move(session)), options_(options) {
        check_opening(name, options_);
        options_.event_bytes_max = std::min(options_.event_bytes_max, event_bytes_limit);
        open(name);
        check_shards(name, opened_->shards, options_.shards);
    }

    /// Finds the outbox, or makes it. What was found once is not looked for again.
    void open(const std::string& name) {
        auto& s = *session_;
        if (const auto known = s.boxes.find(name); known != s.boxes.end()) {
            opened_ = known->second;
            sql_ = s.outboxes;
            return;
        }
        constexpr const char* what = "an outbox";
        s.check_idle(what);
        s.require(detail::outbox_schema);
        if (!s.outboxes) {
            s.outboxes = std::make_shared<detail::outbox_statements>(s.named);
            s.adding = std::make_unique<detail::adding_statements>(s.named);
        }
        sql_ = s.outboxes;
        auto row = s.settled(what, never, sql_->open, bytea{name});
        if (PQntuples(row.get()) == 0) {
            static_cast<void>(s.settled(what, never, sql_->make, bytea{name},
                                        static_cast<std::int32_t>(options_.shards)));
            row = s.settled(what, never, sql_->open, bytea{name});
        }
        opened_ = std::make_shared<const detail::opened_box>(detail::opened_box{
            detail::column<detail::box_id>(row.get(), 0, 0),
            detail::column<shard_id>(row.get(), 0, 1), detail::channel_of(s.named.schema(), name)});
        s.boxes.emplace(name, opened_);
    }

    void check(const transaction& tx) const {
        if (tx.session_ != session_) {
            throw usage_error("the transaction belongs to another store than the outbox");
        }
        tx.check();
    }

    /// Leaves the event to the commit.
    void keep(const event_view& e, shard_id shard, std::uint64_t sequence, wall_time now) const {
        auto& added = session_->added;
        const std::string number =
            sequence == 0 ? std::string(e.sequence) : std::to_string(sequence);
        added.add(box(), shard, e, number, now);
        if (session_->options.notify && !added.channels.contains(opened_->channel)) {
            added.channels.insert(opened_->channel);
        }
    }

    [[nodiscard]] detail::lease_rows leases() const noexcept {
        return {*session_, sql_->leases, box(), options_.shards};
    }

    /// A write to one entry under a lease. One that lies in a bundle is given a row of its own
    /// first.
    template <class... Args>
    fenced_result write_alone(const shard_lease& lease, steady_time until, detail::prepared& sql,
                              std::int64_t number, const Args&... args) const {
        constexpr const char* what = "a write under a lease";
        const detail::parameters values(box(), detail::number_of(lease.shard),
                                        detail::number_of(lease.epoch), number, args...);
        auto rows = session_->settle(what, until, sql, box(), detail::number_of(lease.shard),
                                     detail::number_of(lease.epoch), number, args...);
        if (rows && PQntuples(rows->get()) != 0 && detail::number_at(rows->get(), 0, 0) == 0) {
            auto shards = detail::array_of_numbers();
            auto epochs = detail::array_of_numbers();
            auto bundles = detail::array_of_numbers();
            shards.add(std::int64_t{lease.shard});
            epochs.add(detail::number_of(lease.epoch));
            bundles.add(detail::bundle_of(number));
            rows = session_->settle_several(what, until, [&](detail::wire& to) {
                to.queue(sql_->split, detail::parameters(box(), shards.value(), epochs.value(),
                                                         bundles.value(), shards.value()));
                to.queue(sql, values);
            });
        }
        return !rows                         ? fenced_result::unknown
               : PQntuples(rows->get()) != 0 ? fenced_result::done
                                             : fenced_result::stale;
    }

    /// Marks one entry: as a rule it is there, has a row of its own, and the lease holds.
    template <class... Args>
    fenced_result mark_alone(const shard_lease& lease, steady_time until, detail::prepared& sql,
                             detail::prepared& and_say, std::int64_t number,
                             const Args&... args) const {
        const auto changed =
            session_->settle_count(marking, until, sql, box(), detail::number_of(lease.shard),
                                   detail::number_of(lease.epoch), number, args...);
        return !changed        ? fenced_result::unknown
               : *changed != 0 ? fenced_result::done
                               : write_alone(lease, until, and_say, number, args...);
    }

    /// Marks entries that may lie in bundles of which others are not marked.
    [[nodiscard]] std::optional<detail::result> mark_one_by_one(std::span<const shard_marks> marks,
                                                                const detail::array_writer& shards,
                                                                const detail::array_writer& epochs,
                                                                wall_time now,
                                                                steady_time until) const {
        auto numbers = detail::array_of_numbers();
        auto shard_of_each = detail::array_of_numbers();
        auto bundles = detail::array_of_numbers();
        auto shard_of_bundle = detail::array_of_numbers();
        for (const auto& [lease, marked] : marks) {
            for (std::size_t i = 0; i < marked.size(); ++i) {
                const auto bundle = detail::bundle_of(marked[i]);
                if (i == 0 || bundle != detail::bundle_of(marked[i - 1])) {
                    bundles.add(bundle);
                    shard_of_bundle.add(std::int64_t{lease.shard});
                }
                numbers.add(marked[i]);
                shard_of_each.add(std::int64_t{lease.shard});
            }
        }
        return session_->settle_several(marking, until, [&](detail::wire& to) {
            to.queue(sql_->split, detail::parameters(box(), shards.value(), epochs.value(),
                                                     bundles.value(), shard_of_bundle.value()));
            if (options_.keep_published) {
                to.queue(sql_->mark_listed,
                         detail::parameters(box(), shards.value(), epochs.value(), numbers.value(),
                                            shard_of_each.value(), stamp(now)));
            } else {
                to.queue(sql_->forget_listed,
                         detail::parameters(box(), shards.value(), epochs.value(), numbers.value(),
                                            shard_of_each.value()));
            }
        });
    }

    /// Gives each entry of some bundles a row of its own.
    void split(std::span<const shard_lease> leases, std::span<const detail::row_of_lease> bundles,
               steady_time until) const {
        auto shards = detail::array_of_numbers();
        auto epochs = detail::array_of_numbers();
        auto numbers = detail::array_of_numbers();
        auto shard_of_each = detail::array_of_numbers();
        for (const auto& lease : leases) {
            shards.add(std::int64_t{lease.shard});
            epochs.add(detail::number_of(lease.epoch));
        }
        for (const auto& one : bundles) {
            numbers.add(one.number);
            shard_of_each.add(std::int64_t{leases[one.lease].shard});
        }
        static_cast<void>(session_->settled(looking, until, sql_->split, box(), shards.value(),
                                            epochs.value(), numbers.value(),
                                            shard_of_each.value()));
    }

    /// Answers false if the shards have to be looked at one by one.
    [[nodiscard]] bool claim_together(detail::claim_reader& in, std::span<const shard_lease> leases,
                                      wall_time now, claim_limits limits, steady_time until) const {
        auto shards = detail::array_of_numbers();
        auto epochs = detail::array_of_numbers();
        for (const auto& lease : leases) {
            shards.add(std::int64_t{lease.shard});
            epochs.add(detail::number_of(lease.epoch));
        }
        auto& pace = opened_->pace;
        std::size_t most = 0;
        const auto ask = [&](detail::prepared& sql, const auto&... more) {
            most = pace.rows_for(limits.entries);
            in = detail::claim_reader(limits);
            return session_->settled(looking, until, sql, box(), shards.value(), epochs.value(),
                                     more..., detail::limit_of(most));
        };
        const auto ask_first = [&] {
            most = pace.rows_for(limits.entries);
            return session_->settled(looking, until, sql_->claim.plain_one, box(),
                                     detail::number_of(leases.front().shard),
                                     detail::number_of(leases.front().epoch),
                                     detail::limit_of(most));
        };
        const auto is_enough = [&](const detail::result& rows) {
            return pace.counted(in, static_cast<std::size_t>(PQntuples(rows.get())), most,
                                limits.entries);
        };
        if (pace.is_behind()) {
            // One entry of the first shard is all that a claim of one shows; if there is none, the
            // others are asked below.
            const bool is_one = leases.size() == 1 || limits.entries == 1;
            const auto rows = is_one ? ask_first() : ask(sql_->claim.plain);
            const bool was_all = detail::reads_plainly(in, rows.get(), most) && is_enough(rows);
            pace.tried(was_all);
            if (was_all) {
                return true;
            }
        }
        for (;;) {
            const auto rows = ask(sql_->claim.some, stamp(now));
            if (!detail::reads_some(in, rows.get(), leases.size(), most)) {
                return false;
            }
            if (is_enough(rows)) {
                pace.saw(in.is_cut() || static_cast<std::size_t>(PQntuples(rows.get())) >= most);
                return true;
            }
        }
    }

    void claim_one_by_one(detail::claim_reader& in, std::span<const shard_lease> leases,
                          wall_time now, steady_time until) const {
        using detail::claimed_row;
        for (std::size_t i = 0; i < leases.size(); ++i) {
            const auto left = in.left();
            const auto rows = session_->settled(
                looking, until, sql_->claim.large, box(), detail::number_of(leases[i].shard),
                detail::number_of(leases[i].epoch), stamp(now), detail::limit_of(left.entries),
                detail::limit_of(left.bytes));
            in.out.emplace_back();
            for (int row = 0; row < PQntuples(rows.get()) && !in.is_cut(); ++row) {
                const auto kind = claimed_row::kind_of(rows.get(), row);
                if (kind == claimed_row::kind::held) {
                    in.hold_back(claimed_row::held_of(rows.get(), row));
                    continue;
                }
                if (!in.out.back()) {
                    in.out.back().emplace();
                }
                if (kind == claimed_row::kind::entry) {
                    in.take(rows.get(), row, i);
                }
            }
            if (in.is_cut() || in.left().entries == 0 || in.left().bytes == 0) {
                return;
            }
        }
    }

    [[nodiscard]] static std::vector<outbox_entry> read(const PGresult* from) {
        std::vector<outbox_entry> out;
        out.reserve(static_cast<std::size_t>(PQntuples(from)));
        for (int row = 0; row < PQntuples(from); ++row) {
            out.push_back(detail::read_outbox_entry(from, row));
        }
        const auto by_number = [](const outbox_entry& a, const outbox_entry& b) {
            return a.number < b.number;
        };
        if (!std::is_sorted(out.begin(), out.end(), by_number)) {
            std::sort(out.begin(), out.end(), by_number);
        }
        return out;
    }

    [[nodiscard]] detail::box_id box() const noexcept { return opened_->box; }
    [[nodiscard]] static std::int64_t stamp(wall_time at) noexcept {
        return at.time_since_epoch().count();
    }
    /// How much a failure adds to the attempts.
    [[nodiscard]] static std::int32_t count_of(const failure_note& note) noexcept {
        return counts_as_attempt(note.kind) ? 1 : 0;
    }
    [[nodiscard]] static std::string encoded(const failure_note& note) {
        return detail::encode(std::vector<failure_note>{kept_note(note)});
    }

    std::shared_ptr<detail::session> session_;
    outbox_options options_;
    std::shared_ptr<detail::outbox_statements> sql_;
    std::shared_ptr<const detail::opened_box> opened_;
};

}  // namespace sinew::postgres
