// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `add` in a transaction | refused; no room, if it is the first write there |
/// | `claim` that shows something | refused, delayed, zombie |
/// | the three writes, `mark_published` of several shards too | refused, unknown (done or not), crash before or after, delayed, zombie |
/// | `take` | refused, done without an answer, crash after, zombie |
/// | `renew` | refused, unknown (done or not), delayed, zombie |
/// | `release` | refused, unknown (done or not), crash after |
/// | `purge` | refused, done without an answer, crash after |
/// | `holder`, `lag` | refused |
///
/// A relay looks, renews and purges again and again. It is asked about `holder`, `renew`, `purge`
/// and `lag` only if something happened in the world since the last such call, and about `claim`
/// only if there is something to be seen: else there would be more choices and no more histories.
///
/// Each call that has a deadline takes as long as was said when this was made, and is in effect at
/// the end of that time. One that has less time is given up when its time is over, and was not
/// done.
///
/// **Not covered, on purpose.** A crash at a `claim`, which changes nothing: it is the crash at the
/// call after it. What people do (`parked`, `unpark`, `discard`) is called on the outbox itself. An
/// outbox that wakes its relays is not one here: waiting would be real waiting.

#include <sinew/core/outbox.hpp>
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

/// Is told what a process asks of an outbox, what is in effect, answered or not, and what the
/// process knows of it. One of its own for each life of a process.
class outbox_witness {
public:
    outbox_witness() = default;
    outbox_witness(const outbox_witness&) = delete;
    outbox_witness& operator=(const outbox_witness&) = delete;
    virtual ~outbox_witness() = default;

    /// Before each call that has a deadline.
    virtual void asks(std::string_view /*call*/, steady_time /*until*/) {}

    // In effect.
    virtual void added(const event&, std::uint64_t /*sequence*/) {}  ///< its transaction committed
    virtual void took(const shard_lease& /*seen*/, const shard_lease& /*now*/) {}
    virtual void renewed(const shard_lease&) {}
    virtual void released(const shard_lease&) {}
    virtual void marked(const shard_lease&, std::span<const std::int64_t>) {}
    virtual void parked(const shard_lease&, std::int64_t, const failure_note&) {}
    virtual void purges(wall_time /*older_than*/, std::size_t /*limit*/) {}

    // Answered.
    virtual void holds(const shard_lease&, steady_time /*sent*/) {}
    virtual void holds_no_more(const shard_lease&) {}
    virtual void claimed(const shard_lease&, claim_limits, const std::vector<outbox_entry>&) {}
};

/// An outbox that is reached through a process.
template <outbox_queue Inner>
class faulty_outbox {
public:
    /// `inner` is a handle, and is moved in. The witness outlives it.
    faulty_outbox(process& owner, Inner inner, outbox_witness& witness, duration takes = {})
        : owner_(&owner), inner_(std::move(inner)), witness_(&witness), takes_(takes) {}

    template <store Store>
    [[nodiscard]] bool shares(const faulty_store<Store>& other) const {
        return inner_.shares(other.inner());
    }

    template <transaction Tx>
    std::uint64_t add(faulty_transaction<Tx>& tx, const event_view& e, wall_time now) {
        return owner_->call("outbox add", {fault::refused}, [&] {
            const auto sequence = tx.write_with([&](Tx& real) { return inner_.add(real, e, now); });
            tx.when_committed(
                [to = witness_, kept = to_event(e), sequence] { to->added(kept, sequence); });
            return sequence;
        });
    }

    [[nodiscard]] shard_id shards() const { return inner_.shards(); }

    [[nodiscard]] shard_lease holder(shard_id shard, steady_time until) {
        witness_->asks("outbox holder", until);
        return owner_->call("outbox holder", if_stirred(seen_.holder, {fault::refused}), [&] {
            take_time(until);
            return inner_.holder(shard, until);
        });
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until) {
        witness_->asks("outbox take", until);
        const auto sent = owner_->home().now().steady;
        constexpr fault_set ends = {fault::refused, fault::reply_lost, fault::crash_after,
                                    fault::zombie};
        auto taken = owner_->call("outbox take", ends, [&] {
            take_time(until);
            auto lease = inner_.take(seen, owner, until);
            if (lease) {
                owner_->home().stir();
                owner_->note("takes shard", lease->shard, "epoch", lease->epoch);
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
        witness_->asks("outbox renew", until);
        const auto sent = owner_->home().now().steady;
        const auto ends =
            if_stirred(seen_.renew, {fault::refused, fault::request_lost, fault::reply_lost,
                                     fault::delayed, fault::zombie});
        const auto how = under(lease, "outbox renew", ends, until, [&] {
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
        witness_->asks("outbox release", until);
        witness_->holds_no_more(lease);
        return under(lease, "outbox release",
                     {fault::refused, fault::request_lost, fault::reply_lost, fault::crash_after},
                     until, [&] {
                         const auto how = inner_.release(lease, until);
                         owner_->note("releases shard", lease.shard, "epoch", lease.epoch,
                                      to_string(how));
                         if (how == fenced_result::done) {
                             owner_->home().stir();
                             witness_->released(lease);
                         }
                         return how;
                     });
    }

    [[nodiscard]] std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease,
                                                                 wall_time now, claim_limits limits,
                                                                 steady_time until) {
        owner_->must_live();
        witness_->asks("outbox claim", until);
        take_time(until);
        auto shown = inner_.claim(lease, now, limits, until);
        const bool any = shown && !shown->empty();
        owner_->call("outbox claim",
                     any ? fault_set{fault::refused, fault::delayed, fault::zombie} : fault_set{},
                     [] {});
        see(lease, limits, shown);
        return shown;
    }

    /// As `multi_shard_outbox` says, if the outbox does.
    [[nodiscard]] std::vector<std::optional<std::vector<outbox_entry>>> claim(
        std::span<const shard_lease> leases, wall_time now, claim_limits limits, steady_time until)
        requires multi_shard_outbox<Inner>
    {
        owner_->must_live();
        witness_->asks("outbox claim", until);
        take_time(until);
        auto shown = inner_.claim(leases, now, limits, until);
        bool any = false;
        for (const auto& one : shown) {
            any = any || (one && !one->empty());
        }
        owner_->call("outbox claim",
                     any ? fault_set{fault::refused, fault::delayed, fault::zombie} : fault_set{},
                     [] {});
        for (std::size_t i = 0; i < shown.size(); ++i) {
            see(leases[i], limits, shown[i]);
            limits.entries -= shown[i] ? shown[i]->size() : 0;
        }
        return shown;
    }

    /// As `multi_shard_outbox` says, if the outbox does.
    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time until)
        requires multi_shard_outbox<Inner>
    {
        witness_->asks("outbox mark", until);
        const auto apply = [&] {
            take_time(until);
            auto how = inner_.mark_published(marks, now, until);
            for (std::size_t i = 0; i < how.size(); ++i) {
                owner_->note("marks", marks[i].numbers.size(), "entries:", to_string(how[i]));
                if (how[i] == fenced_result::done) {
                    owner_->home().stir();
                    witness_->marked(marks[i].lease, marks[i].numbers);
                }
            }
            return how;
        };
        auto how = owner_->call("outbox mark", write_ends, apply, [&] {
            return std::vector<fenced_result>(marks.size(), fenced_result::unknown);
        });
        for (std::size_t i = 0; i < how.size(); ++i) {
            if (how[i] == fenced_result::stale) {
                witness_->holds_no_more(marks[i].lease);
            }
        }
        return how;
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until) {
        witness_->asks("outbox mark", until);
        return under(lease, "outbox mark", write_ends, until, [&] {
            const auto how = inner_.mark_published(lease, numbers, now, until);
            owner_->note("marks", numbers.size(), "entries:", to_string(how));
            if (how == fenced_result::done) {
                owner_->home().stir();
                witness_->marked(lease, numbers);
            }
            return how;
        });
    }

    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time until) {
        witness_->asks("outbox put off", until);
        return under(lease, "outbox put off", write_ends, until, [&] {
            const auto how = inner_.put_off(lease, number, note, delay, until);
            owner_->note("puts off number", number, "for", delay.count() / 1'000'000,
                         "ms:", to_string(how));
            owner_->home().stir();
            return how;
        });
    }

    fenced_result park(const shard_lease& lease, std::int64_t number, const failure_note& note,
                       following what_follows, steady_time until) {
        witness_->asks("outbox park", until);
        return under(lease, "outbox park", write_ends, until, [&] {
            const auto how = inner_.park(lease, number, note, what_follows, until);
            owner_->note("parks number", number, "behind it:", to_string(what_follows),
                         to_string(how));
            owner_->home().stir();
            if (how == fenced_result::done) {
                witness_->parked(lease, number, note);
            }
            return how;
        });
    }

    [[nodiscard]] outbox_lag lag(steady_time until) {
        witness_->asks("outbox lag", until);
        return owner_->call("outbox lag", if_stirred(seen_.lag, {fault::refused}), [&] {
            take_time(until);
            return inner_.lag(until);
        });
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until) {
        witness_->asks("outbox purge", until);
        const auto ends =
            if_stirred(seen_.purge, {fault::refused, fault::reply_lost, fault::crash_after});
        return owner_->call("outbox purge", ends, [&] {
            take_time(until);
            witness_->purges(older_than, limit);
            const auto gone = inner_.purge(older_than, limit, until);
            if (gone != 0) {
                owner_->note("purges", gone);
            }
            return gone;
        });
    }

private:
    static constexpr fault_set write_ends = {
        fault::refused,     fault::request_lost, fault::reply_lost, fault::crash_before,
        fault::crash_after, fault::delayed,      fault::zombie};

    /// What had happened in the world when each kind of call was last asked about.
    struct last_seen {
        std::uint64_t holder = UINT64_MAX;
        std::uint64_t renew = UINT64_MAX;
        std::uint64_t lag = UINT64_MAX;
        std::uint64_t purge = UINT64_MAX;
    };

    [[nodiscard]] fault_set if_stirred(std::uint64_t& seen, fault_set ends) const {
        return std::exchange(seen, owner_->home().stirs()) != owner_->home().stirs() ? ends
                                                                                     : fault_set{};
    }

    /// A process learns what a claim of one shard brought.
    void see(const shard_lease& lease, claim_limits limits,
             const std::optional<std::vector<outbox_entry>>& shown) const {
        if (!shown) {
            witness_->holds_no_more(lease);
            return;
        }
        for (const auto& one : *shown) {
            owner_->note("claims", one.what.id);
        }
        witness_->claimed(lease, limits, *shown);
    }

    /// A write under a lease. Whoever is told that it is stale knows that the lease has ended.
    template <class Apply>
    fenced_result under(const shard_lease& lease, std::string_view label, fault_set ends,
                        steady_time until, Apply apply) {
        const auto in_time = [&] {
            take_time(until);
            return apply();
        };
        const auto how = owner_->call(label, ends, in_time, [] { return fenced_result::unknown; });
        if (how == fenced_result::stale) {
            witness_->holds_no_more(lease);
        }
        return how;
    }

    void take_time(steady_time until) const {
        if (takes_ != duration::zero() && !owner_->home().pass_until(takes_, until)) {
            throw unavailable_error("timed_out", "the outbox was too slow");
        }
    }

    process* owner_;
    Inner inner_;
    outbox_witness* witness_;
    duration takes_;
    last_seen seen_{};
};

}  // namespace sinew::testing
