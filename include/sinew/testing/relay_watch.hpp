// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Watches one life of a relay: what it asks of its outbox and its sink, and whether it may.
///
/// **What it knows.** The leases that the relay was told of, with the time at which it sent what
/// was answered; which events it was told are published; which numbers it claimed. What it does is
/// held against that: a relay that was paused, and does not know it yet, has done nothing wrong.

#include <sinew/core/event.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/testing/faulty_outbox.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/world.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a relay has to keep to. The names are those of its options.
struct relay_bounds {
    duration lease = std::chrono::seconds(30);
    std::size_t batch_max = SIZE_MAX;
    std::size_t batch_bytes_max = SIZE_MAX;
    std::size_t purge_max = SIZE_MAX;
    duration call_timeout = std::chrono::seconds(5);
    duration publish_timeout = std::chrono::seconds(5);
    duration retention = duration::zero();

    /// Those of a relay's options.
    template <class Options>
    [[nodiscard]] static relay_bounds of(const Options& o) {
        return {o.lease,        o.batch_max,       o.batch_bytes_max, o.purge_max,
                o.call_timeout, o.publish_timeout, o.retention};
    }
};

/// What all relays of a world share: what was recorded, and who held which shard when.
struct relay_ledger {
    publishing_record facts;
    shard_id shards = 1;

    struct tenure {
        std::string owner;
        duration lease{};
        steady_time good_until{};  ///< if nobody renews it
    };
    std::vector<tenure> tenures{};  ///< by shard

    struct numbered_event {
        std::int64_t number;
        std::string id;
    };
    std::vector<numbered_event> numbers{};  ///< those that were ever claimed

    [[nodiscard]] std::string_view id_of(std::int64_t number) const noexcept {
        for (const auto& one : numbers) {
            if (one.number == number) {
                return one.id;
            }
        }
        return {};
    }
};

/// One life of a relay.
class relay_watch : public outbox_witness {
public:
    relay_watch(process& owner, relay_ledger& all) : owner_(owner), all_(all) {
        all_.tenures.resize(all_.shards);
        held_.resize(all_.shards);
    }

    relay_bounds bounds{};

    /// A step of the relay begins, with that reading of the clock.
    void steps(moment now) noexcept { step_began_ = now; }

    void asks(std::string_view call, steady_time until) override {
        check_deadline(call, until, bounds.call_timeout);
    }
    void added(const event& e, std::uint64_t sequence) override {
        commit_event(found(), all_.facts, e, sequence);
    }

    void took(const shard_lease& seen, const shard_lease& lease) override {
        auto& before = all_.tenures[lease.shard];
        const bool is_free =
            seen.owner.empty() || seen.owner == lease.owner || before.good_until <= now();
        // Who holds nothing may take one from who has several, to be seen by the others.
        const bool may = is_free || (holds_nothing() && held_by(seen.owner) > 1);
        found().check(law::fences, may, [&] {
            return lease.owner + " takes shard " + std::to_string(lease.shard) + " while " +
                   seen.owner + " holds it";
        });
        before = {lease.owner, bounds.lease, later(now(), bounds.lease)};
    }
    void released(const shard_lease& lease) override { all_.tenures[lease.shard] = {}; }
    void renewed(const shard_lease& lease) override {
        auto& one = all_.tenures[lease.shard];
        one.good_until = later(now(), one.lease);
    }
    void holds(const shard_lease& lease, steady_time sent) override {
        auto& one = held_[lease.shard];
        if (one.epoch != lease.epoch) {
            one.accepted.clear();
        }
        one.epoch = lease.epoch;
        one.good_until = later(sent, bounds.lease);
    }
    void holds_no_more(const shard_lease& lease) override {
        if (held_[lease.shard].epoch == lease.epoch) {
            held_[lease.shard] = {};
        }
    }

    void claimed(const shard_lease&, claim_limits limits,
                 const std::vector<outbox_entry>& entries) override {
        check_bound(found(), "the number of entries asked for", limits.entries, bounds.batch_max);
        check_bound(found(), "the number of bytes asked for", limits.bytes, bounds.batch_bytes_max);
        check_bound(found(), "the number of entries claimed", entries.size(), limits.entries);
        for (const auto& one : entries) {
            if (all_.id_of(one.number).empty()) {
                all_.numbers.push_back({one.number, one.what.id});
            }
        }
    }
    void marked(const shard_lease&, std::span<const std::int64_t> numbers) override {
        check_bound(found(), "the number of entries marked at once", numbers.size(),
                    bounds.batch_max);
        for (const auto number : numbers) {
            const auto id = all_.id_of(number);
            found().check(law::no_commit_ahead, all_.facts.has_arrived(id), [&] {
                return std::string(id) + " is marked as published, and has not arrived";
            });
        }
    }
    void parked(const shard_lease&, std::int64_t number, const failure_note&) override {
        check_parking(found(), all_.facts, all_.id_of(number));
    }
    void purges(wall_time older_than, std::size_t limit) override {
        check_bound(found(), "the number of entries purged at once", limit, bounds.purge_max);
        const auto kept = wall_between(older_than, step_began_.wall);
        found().check(law::ledger, kept >= bounds.retention,
                      "what was published is purged before its time");
    }

    /// Before the relay publishes an event.
    void publishes(const event_view& e, steady_time until) {
        check_deadline("publish", until, bounds.publish_timeout);
        const auto& one = held_[shard_of(e, all_.shards)];
        found().check(law::fences, now() < one.good_until, [&] {
            return std::string(e.id) + " is published without a lease on its shard";
        });
        found().check(law::fences, until <= one.good_until, [&] {
            return std::string(e.id) + " may be published after the lease on its shard is over";
        });
        const bool again =
            std::find(one.accepted.begin(), one.accepted.end(), e.id) != one.accepted.end();
        found().check(law::not_again, !again, [&] {
            return std::string(e.id) + " is published again by whoever knows that it is there";
        });
    }
    /// The relay is told that an event is there.
    void accepted(const event_view& e) {
        held_[shard_of(e, all_.shards)].accepted.emplace_back(e.id);
    }

private:
    struct held_shard {
        epoch_number epoch = 0;
        steady_time good_until{};
        std::vector<std::string> accepted{};
    };

    /// As far as this life of it knows: one before it may have had the same name.
    [[nodiscard]] bool holds_nothing() const {
        return std::all_of(held_.begin(), held_.end(),
                           [](const held_shard& one) { return one.epoch == 0; });
    }
    /// How many shards are somebody's, as far as the others can see: a time that is over shows only
    /// to who has watched it.
    [[nodiscard]] std::size_t held_by(std::string_view owner) const {
        std::size_t out = 0;
        for (const auto& one : all_.tenures) {
            out += one.owner == owner ? 1 : 0;
        }
        return out;
    }

    [[nodiscard]] findings& found() const { return owner_.home().run().found; }
    [[nodiscard]] steady_time now() const { return owner_.home().now().steady; }

    void check_deadline(std::string_view call, steady_time until, duration at_most) {
        found().check(law::waits_end, until <= later(now(), at_most), [&] {
            return std::string(call) + " may wait for longer than " +
                   std::to_string(at_most.count() / 1'000'000) + " ms";
        });
        found().check(law::waits_end, until > now(), [&] {
            return std::string(call) + " is asked though its time is over already";
        });
    }

    process& owner_;
    moment step_began_{};
    relay_ledger& all_;
    std::vector<held_shard> held_;
};

}  // namespace sinew::testing
