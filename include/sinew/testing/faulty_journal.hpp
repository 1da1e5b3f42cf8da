// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A journal whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `start`, `reply`, `cancel`, `write` in a transaction | refused; no room, if it is the first write there |
/// | `claim` that shows something | refused, done without an answer, crash after, delayed, zombie |
/// | `write` of several | refused, no answer (done or not), crash before or after, delayed, zombie |
/// | `take` of a seat | refused, done without an answer, crash after, zombie |
/// | `renew` | refused, unknown (done or not), delayed, zombie |
/// | `release` | refused, unknown (done or not), crash after |
/// | `purge`, `purge_replies` | refused, done without an answer, crash after |
/// | `holder` | refused |
/// | `find`, `stuck`, `counts` | refused |
/// | `decide` | refused, done without an answer |
///
/// A runner looks, renews, claims and purges again and again. As with outboxes (faulty_outbox.hpp),
/// it is asked about these only if something happened in the world since the last such call, or if
/// there is something to be seen.
///
/// **Not covered, on purpose.** A crash between two calls of one transaction: nothing of it is seen
/// outside, so it is the crash before `commit`. Waiting for what is started would be real waiting:
/// a world wakes its runners itself (`waking_book`).

#include <sinew/core/journal.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// Is told what a process asks of a journal, and what is in effect, answered or not. One of its own
/// for each life of a process.
class journal_witness {
public:
    journal_witness() = default;
    journal_witness(const journal_witness&) = delete;
    journal_witness& operator=(const journal_witness&) = delete;
    virtual ~journal_witness() = default;

    /// Before each call that has a deadline.
    virtual void asks(std::string_view /*call*/, steady_time /*until*/) {}

    // In effect.
    virtual void took(const shard_lease& /*seen*/, const shard_lease& /*now*/) {}
    virtual void renewed(const shard_lease&) {}
    virtual void released(const shard_lease&) {}
    virtual void claimed(const shard_lease&, std::size_t /*limit*/,
                         const std::vector<journal_entry>&) {}
    /// A write was done; one in a transaction is told of when that has committed.
    virtual void wrote(const journal_write&, bool /*in_transaction*/) {}
    virtual void decided(std::int64_t /*number*/) {}
    virtual void started(const new_instance&, start_result) {}
    virtual void purges(std::string_view /*what*/, wall_time /*older_than*/,
                        std::size_t /*limit*/) {}

    // Answered.
    virtual void holds(const shard_lease&, steady_time /*sent*/) {}
    virtual void holds_no_more(const shard_lease&) {}
    virtual void has(const journal_entry&) {}
    /// How a write was answered; of one in a transaction, before it commits.
    virtual void was_told(const journal_write&, fenced_result) {}
};

/// A journal that is reached through a process.
template <lease_keeper Inner>
class faulty_journal {
public:
    /// `inner` is a handle, and is moved in. The witness outlives it.
    faulty_journal(process& owner, Inner inner, journal_witness& witness)
        : owner_(&owner), inner_(std::move(inner)), witness_(&witness) {}

    template <store Store>
    [[nodiscard]] bool shares(const faulty_store<Store>& other) const {
        return inner_.shares(other.inner());
    }
    [[nodiscard]] const journal_options& options() const { return inner_.options(); }

    template <transaction Tx>
    start_result start(faulty_transaction<Tx>& tx, const new_instance& one, wall_time now) {
        return owner_->call("journal start", {fault::refused}, [&] {
            const auto how = tx.write_with([&](Tx& real) { return inner_.start(real, one, now); });
            const kept_start kept{std::string(one.type), std::string(one.id),
                                  std::vector<step_entry>(one.steps.begin(), one.steps.end()),
                                  std::string(one.input)};
            tx.when_committed([this_witness = witness_, kept, how] {
                this_witness->started({kept.type, kept.id, kept.steps, kept.input}, how);
            });
            return how;
        });
    }
    template <transaction Tx>
    reply_result reply(faulty_transaction<Tx>& tx, const process_reply& one, wall_time now) {
        return owner_->call("journal reply", {fault::refused}, [&] {
            return tx.write_with([&](Tx& real) { return inner_.reply(real, one, now); });
        });
    }
    template <transaction Tx>
    bool cancel(faulty_transaction<Tx>& tx, std::string_view type, std::string_view id,
                const failure_note& note) {
        return owner_->call("journal cancel", {fault::refused}, [&] {
            return tx.write_with([&](Tx& real) { return inner_.cancel(real, type, id, note); });
        });
    }

    [[nodiscard]] shard_id shards() const { return inner_.shards(); }

    [[nodiscard]] shard_lease holder(shard_id seat, steady_time until) {
        witness_->asks("journal holder", until);
        return owner_->call("journal holder", if_stirred(seen_.holder, {fault::refused}),
                            [&] { return inner_.holder(seat, until); });
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until) {
        witness_->asks("journal take", until);
        const auto sent = owner_->home().now().steady;
        constexpr fault_set ends = {fault::refused, fault::reply_lost, fault::crash_after,
                                    fault::zombie};
        auto taken = owner_->call("journal take", ends, [&] {
            auto lease = inner_.take(seen, owner, until);
            if (lease) {
                owner_->home().stir();
                owner_->note("takes seat", lease->shard, "epoch", lease->epoch);
                witness_->took(seen, *lease);
            }
            return lease;
        });
        if (taken) {
            witness_->holds(*taken, sent);
        }
        return taken;
    }

    fenced_result renew(const shard_lease& lease, steady_time until) {
        witness_->asks("journal renew", until);
        const auto sent = owner_->home().now().steady;
        const auto ends =
            if_stirred(seen_.renew, {fault::refused, fault::request_lost, fault::reply_lost,
                                     fault::delayed, fault::zombie});
        const auto how = under(lease, "journal renew", ends, [&] {
            const auto done = inner_.renew(lease, until);
            if (done == fenced_result::done) {
                witness_->renewed(lease);
            }
            return done;
        });
        if (how == fenced_result::done) {
            witness_->holds(lease, sent);
        }
        return how;
    }

    fenced_result release(const shard_lease& lease, steady_time until) {
        witness_->asks("journal release", until);
        witness_->holds_no_more(lease);
        return under(
            lease, "journal release",
            {fault::refused, fault::request_lost, fault::reply_lost, fault::crash_after}, [&] {
                const auto how = inner_.release(lease, until);
                owner_->note("releases seat", lease.shard, "epoch", lease.epoch, to_string(how));
                if (how == fenced_result::done) {
                    owner_->home().stir();
                    witness_->released(lease);
                }
                return how;
            });
    }

    [[nodiscard]] std::optional<std::vector<journal_entry>> claim(
        const shard_lease& lease, std::span<const std::string_view> types, wall_time now,
        std::size_t limit, steady_time until) {
        owner_->must_live();
        witness_->asks("journal claim", until);
        // A refusal that hides something is one; whether there is something is only known by
        // asking.
        const auto look = [&] {
            auto shown = inner_.claim(lease, types, now, limit, until);
            if (shown && !shown->empty()) {
                owner_->home().stir();
                for (const auto& one : *shown) {
                    owner_->note("claims", one.what.id, "epoch", one.what.epoch, "unsettled",
                                 one.unsettled);
                }
                witness_->claimed(lease, limit, *shown);
            }
            return shown;
        };
        const bool was_stirred =
            std::exchange(seen_.claim, owner_->home().stirs()) != owner_->home().stirs();
        const fault_set before = was_stirred ? fault_set{fault::refused} : fault_set{};
        auto shown = owner_->call("journal claim", before, look);
        if (!shown) {
            witness_->holds_no_more(lease);
            return shown;
        }
        if (!shown->empty()) {
            // The claim is in effect: what can go wrong now is what becomes of its answer.
            owner_->call("journal claim's answer",
                         {fault::reply_lost, fault::crash_after, fault::delayed, fault::zombie},
                         [] {});
        }
        for (const auto& one : *shown) {
            witness_->has(one);
        }
        return shown;
    }

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until) {
        witness_->asks("journal write", until);
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed,
                                    fault::zombie};
        auto out = owner_->call("journal write", ends, [&] {
            auto how = inner_.write(writes, now, until);
            owner_->home().stir();
            for (std::size_t i = 0; i < writes.size(); ++i) {
                tell(writes[i], how[i].how);
                if (how[i].how == fenced_result::done) {
                    witness_->wrote(writes[i], false);
                }
            }
            return how;
        });
        for (std::size_t i = 0; i < writes.size() && i < out.size(); ++i) {
            witness_->was_told(writes[i], out[i].how);
        }
        return out;
    }

    template <transaction Tx>
    write_result write(faulty_transaction<Tx>& tx, const journal_write& one, wall_time now) {
        const auto out = owner_->call("journal write in a transaction", {fault::refused}, [&] {
            const auto how = tx.write_with([&](Tx& real) { return inner_.write(real, one, now); });
            tell(one, how.how);
            if (how.how == fenced_result::done) {
                tx.when_committed([to = witness_, one] { to->wrote(one, true); });
            }
            return how;
        });
        witness_->was_told(one, out.how);
        return out;
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until) {
        witness_->asks("journal purge", until);
        return purged("journal purge", seen_.purge, older_than, limit,
                      [&] { return inner_.purge(older_than, limit, until); });
    }
    std::size_t purge_replies(wall_time older_than, std::size_t limit, steady_time until) {
        witness_->asks("journal purge replies", until);
        return purged("journal purge replies", seen_.purge_replies, older_than, limit,
                      [&] { return inner_.purge_replies(older_than, limit, until); });
    }

    [[nodiscard]] std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                                    steady_time until) {
        witness_->asks("journal find", until);
        return owner_->call("journal find", {fault::refused},
                            [&] { return inner_.find(type, id, until); });
    }
    [[nodiscard]] std::vector<process_instance> stuck(wall_time older_than, std::int64_t after,
                                                      std::size_t limit, steady_time until) {
        witness_->asks("journal stuck", until);
        return owner_->call("journal stuck", {fault::refused},
                            [&] { return inner_.stuck(older_than, after, limit, until); });
    }
    bool decide(std::int64_t number, epoch_number epoch, const desk_decision& decision,
                wall_time now, steady_time until) {
        witness_->asks("journal decide", until);
        return owner_->call("journal decide", {fault::refused, fault::reply_lost}, [&] {
            const bool done = inner_.decide(number, epoch, decision, now, until);
            if (done) {
                owner_->home().stir();
                witness_->decided(number);
            }
            return done;
        });
    }
    [[nodiscard]] journal_counts counts(steady_time until) {
        witness_->asks("journal counts", until);
        return owner_->call("journal counts", if_stirred(seen_.counts, {fault::refused}),
                            [&] { return inner_.counts(until); });
    }

private:
    struct kept_start {
        std::string type;
        std::string id;
        std::vector<step_entry> steps;
        std::string input;
    };

    /// What had happened in the world when each kind of call was last asked about.
    struct last_seen {
        std::uint64_t holder = UINT64_MAX;
        std::uint64_t renew = UINT64_MAX;
        std::uint64_t claim = UINT64_MAX;
        std::uint64_t purge = UINT64_MAX;
        std::uint64_t purge_replies = UINT64_MAX;
        std::uint64_t counts = UINT64_MAX;
    };

    [[nodiscard]] fault_set if_stirred(std::uint64_t& seen, fault_set ends) const {
        return std::exchange(seen, owner_->home().stirs()) != owner_->home().stirs() ? ends
                                                                                     : fault_set{};
    }

    [[nodiscard]] static std::string_view name_of(claim_end end) noexcept {
        switch (end) {
            case claim_end::none: return "none";
            case claim_end::released: return "released";
            case claim_end::parked: return "parked";
            case claim_end::completed: return "completed";
            case claim_end::compensated: return "compensated";
        }
        return "invalid";
    }

    void tell(const journal_write& one, fenced_result how) {
        for (const auto& record : one.records) {
            owner_->note("records", to_string(record.where.phase), record.where.step,
                         to_string(record.kind), to_string(how));
        }
        if (one.end != claim_end::none) {
            owner_->note("ends its claim, epoch", one.claim.epoch, name_of(one.end),
                         one.why ? std::string_view(one.why->reason) : std::string_view(),
                         to_string(how));
        }
    }

    template <class Apply>
    std::size_t purged(std::string_view label, std::uint64_t& seen, wall_time older_than,
                       std::size_t limit, Apply apply) {
        const auto ends = if_stirred(seen, {fault::refused, fault::reply_lost, fault::crash_after});
        return owner_->call(label, ends, [&] {
            witness_->purges(label, older_than, limit);
            return apply();
        });
    }

    /// A write under a lease. Whoever is told that it is stale knows that the lease has ended.
    template <class Apply>
    fenced_result under(const shard_lease& lease, std::string_view label, fault_set ends,
                        Apply apply) {
        const auto how =
            owner_->call(label, ends, std::move(apply), [] { return fenced_result::unknown; });
        if (how == fenced_result::stale) {
            witness_->holds_no_more(lease);
        }
        return how;
    }

    process* owner_;
    Inner inner_;
    journal_witness* witness_;
    last_seen seen_{};
};

}  // namespace sinew::testing
