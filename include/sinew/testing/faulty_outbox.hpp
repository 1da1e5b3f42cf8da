// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `add` in a transaction | refused; no room, if it is the first write there |
/// | `claim` that shows something | refused, delayed, zombie |
/// | the three writes | refused, unknown (done or not), crash before or after, delayed, zombie |
/// | `take` | refused, done without an answer, crash after, zombie |
/// | `renew` | refused, unknown (done or not), delayed, zombie |
/// | `release` | refused, unknown (done or not), crash after |
/// | `purge` | refused, done without an answer, crash after |
/// | `holder`, `lag` | refused |
///
/// A relay looks, renews and purges again and again. It is asked about `holder`, `renew`, `purge` and
/// `lag` only if something happened in the world since the last such call, and about `claim` only if
/// there is something to be seen: else there would be more choices and no more histories.
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

/// Is told what a process asks of an outbox, what is in effect, answered or not, and what the process
/// knows of it. One of its own for each life of a process.
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
    faulty_outbox(process& owner, Inner inner, outbox_witness& witness)
        : owner_(&owner), inner_(std::move(inner)), witness_(&witness) {}

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
        return owner_->call("outbox holder", if_stirred(seen_.holder, {fault::refused}),
                            [&] { return inner_.holder(shard, until); });
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until) {
        witness_->asks("outbox take", until);
        const auto sent = owner_->home().now().steady;
        constexpr fault_set ends = {fault::refused, fault::reply_lost, fault::crash_after,
                                    fault::zombie};
        auto taken = owner_->call("outbox take", ends, [&] {
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
        const auto how = under(lease, "outbox renew", ends, [&] {
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
        return under(
            lease, "outbox release",
            {fault::refused, fault::request_lost, fault::reply_lost, fault::crash_after}, [&] {
                const auto how = inner_.release(lease, until);
                owner_->note("releases shard", lease.shard, "epoch", lease.epoch, to_string(how));
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
        auto shown = inner_.claim(lease, now, limits, until);
        const bool any = shown && !shown->empty();
        owner_->call("outbox claim",
                     any ? fault_set{fault::refused, fault::delayed, fault::zombie} : fault_set{},
                     [] {});
        if (shown) {
            for (const auto& one : *shown) {
                owner_->note("claims", one.what.id);
            }
            witness_->claimed(lease, limits, *shown);
        } else {
            witness_->holds_no_more(lease);
        }
        return shown;
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until) {
        witness_->asks("outbox mark", until);
        return under(lease, "outbox mark", write_ends, [&] {
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
        return under(lease, "outbox put off", write_ends, [&] {
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
        return under(lease, "outbox park", write_ends, [&] {
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
        return owner_->call("outbox lag", if_stirred(seen_.lag, {fault::refused}),
                            [&] { return inner_.lag(until); });
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until) {
        witness_->asks("outbox purge", until);
        const auto ends =
            if_stirred(seen_.purge, {fault::refused, fault::reply_lost, fault::crash_after});
        return owner_->call("outbox purge", ends, [&] {
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
    outbox_witness* witness_;
    last_seen seen_{};
};

}  // namespace sinew::testing
