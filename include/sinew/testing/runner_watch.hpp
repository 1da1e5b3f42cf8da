// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Watches one life of a runner: what it asks of its journal, and whether it may.
///
/// **What it knows.** The seats and claims that the runner was told of, with the time at which it
/// sent what was answered. What it does is held against that: a runner that was paused, and does
/// not know it yet, has done nothing wrong.

#include <sinew/core/journal.hpp>
#include <sinew/testing/faulty_journal.hpp>
#include <sinew/testing/process_laws.hpp>
#include <sinew/testing/world.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a runner has to keep to. The names are those of its options.
struct runner_bounds {
    duration lease = std::chrono::seconds(30);
    std::size_t claims_max = SIZE_MAX;
    std::size_t purge_max = SIZE_MAX;
    duration call_timeout = std::chrono::seconds(5);
    duration retention = duration::zero();
};

/// What all runners of a world share: what was recorded, and who held what when.
struct runner_ledger {
    process_record facts{};

    struct tenure {
        std::string owner{};
        epoch_number epoch = 0;
        duration lease{};
        steady_time good_until{};  ///< if nobody renews it
    };
    std::vector<tenure> seats{};

    struct claimed_instance {
        std::int64_t number = 0;
        std::string type{};
        std::string id{};
        epoch_number epoch = 0;
        shard_id seat = 0;
        epoch_number seat_epoch = 0;
        bool has_ended = false;
    };
    std::vector<claimed_instance> claims{};

    /// Is told of each record that comes into effect.
    std::function<void(const claimed_instance&, const step_record&)> on_record{};

    [[nodiscard]] claimed_instance* find(std::int64_t number) noexcept {
        for (auto& one : claims) {
            if (one.number == number) {
                return &one;
            }
        }
        return nullptr;
    }
};

/// One life of a runner.
class runner_watch : public journal_witness {
public:
    runner_watch(process& owner, runner_ledger& all) : owner_(owner), all_(all) {
        seats_.resize(all_.seats.size());
    }

    runner_bounds bounds{};

    /// A step of the runner begins, with that reading of the clock.
    void steps(moment now) noexcept { step_began_ = now; }

    void asks(std::string_view call, steady_time until) override {
        found().check(law::waits_end, until <= later(now(), bounds.call_timeout), [&] {
            return std::string(call) + " may wait for longer than " +
                   std::to_string(bounds.call_timeout.count() / 1'000'000) + " ms";
        });
        found().check(law::waits_end, until > now(), [&] {
            return std::string(call) + " is asked though its time is over already";
        });
    }

    void took(const shard_lease& seen, const shard_lease& lease) override {
        auto& before = all_.seats[lease.shard];
        const bool may =
            seen.owner.empty() || seen.owner == lease.owner || before.good_until <= now();
        found().check(law::fences, may, [&] {
            return lease.owner + " takes seat " + std::to_string(lease.shard) + " while " +
                   seen.owner + " sits on it";
        });
        before = {lease.owner, lease.epoch, bounds.lease, later(now(), bounds.lease)};
    }
    void released(const shard_lease& lease) override { all_.seats[lease.shard] = {}; }
    void renewed(const shard_lease& lease) override {
        auto& one = all_.seats[lease.shard];
        one.good_until = later(now(), one.lease);
    }
    void holds(const shard_lease& lease, steady_time sent) override {
        seats_[lease.shard] = {lease.epoch, later(sent, bounds.lease)};
    }
    void holds_no_more(const shard_lease& lease) override {
        if (seats_[lease.shard].epoch == lease.epoch) {
            seats_[lease.shard] = {};
        }
    }

    void claimed(const shard_lease& lease, std::size_t limit,
                 const std::vector<journal_entry>& entries) override {
        check_bound(found(), "the number of instances asked for", limit, bounds.claims_max);
        check_bound(found(), "the number of instances claimed", entries.size(), limit);
        for (const auto& one : entries) {
            take(lease, one.what);
        }
    }
    void has(const journal_entry& one) override {
        std::erase_if(claims_, [&](const auto& had) { return had.number == one.what.number; });
        claims_.push_back(claim_of(one.what));
    }
    void was_told(const journal_write& one, fenced_result how) override {
        // Whoever writes in a transaction may still have to roll it back.
        if (how == fenced_result::stale) {
            std::erase(claims_, one.claim);
        }
    }

    void wrote(const journal_write& one, bool /*in_transaction*/) override {
        auto* const held = all_.find(one.claim.number);
        const bool may = held != nullptr && held->epoch == one.claim.epoch && !held->has_ended;
        found().check(law::fences, may, [&] {
            return (held == nullptr ? std::string("an unknown instance") : held->id) +
                   " was written of under epoch " + std::to_string(one.claim.epoch) +
                   ", which had ended";
        });
        if (held == nullptr) {
            return;
        }
        held->has_ended = held->has_ended || one.end != claim_end::none;
        if (one.end != claim_end::none) {
            std::erase(claims_, one.claim);
        }
        const bool is_over = one.end == claim_end::completed || one.end == claim_end::compensated;
        if (auto* const facts = all_.facts.find(held->type, held->id)) {
            facts->has_ended = facts->has_ended || is_over;
        }
        const auto kept = *held;
        for (const auto& record : one.records) {
            all_.on_record(kept, record);
        }
    }
    void decided(std::int64_t number) override {
        if (auto* const held = all_.find(number)) {
            held->has_ended = true;
        }
    }
    void started(const new_instance& one, start_result) override {
        if (auto* const facts = all_.facts.find(one.type, one.id)) {
            facts->is_started = true;
        }
    }
    void purges(std::string_view /*what*/, wall_time older_than, std::size_t limit) override {
        check_bound(found(), "the number of instances purged at once", limit, bounds.purge_max);
        found().check(law::ledger, wall_between(older_than, step_began_.wall) >= bounds.retention,
                      "what has ended is purged before its time");
    }

    /// Before the runner makes an attempt at a step, which is to be over at `until`.
    void begins(const process_instance& one, std::string_view what, steady_time until) {
        const auto mine =
            std::find_if(claims_.begin(), claims_.end(),
                         [&](const instance_claim& c) { return c.number == one.number; });
        found().check(law::fences, mine != claims_.end(), [&] {
            return one.id + ": " + std::string(what) + " is tried by whoever knows of no claim";
        });
        const auto* const held = all_.find(one.number);
        const auto& seat = seats_[held == nullptr ? 0 : held->seat];
        const bool is_mine = held != nullptr && mine != claims_.end() &&
                             held->epoch == mine->epoch && seat.epoch == held->seat_epoch;
        found().check(law::fences, !is_mine || step_began_.steady < seat.good_until, [&] {
            return one.id + ": " + std::string(what) +
                   " is tried after the time of the runner's seat is over";
        });
        found().check(law::fences, !is_mine || until <= seat.good_until, [&] {
            return one.id + ": " + std::string(what) +
                   " may last for longer than the runner's seat is its own";
        });
    }
    /// Whether this life's claim on an instance is the one that counts.
    [[nodiscard]] bool has_the_claim(std::int64_t number) const {
        const auto* const held = all_.find(number);
        return held != nullptr && !held->has_ended &&
               std::find(claims_.begin(), claims_.end(), instance_claim{number, held->epoch}) !=
                   claims_.end();
    }

private:
    struct held_seat {
        epoch_number epoch = 0;
        steady_time good_until{};
    };

    void take(const shard_lease& lease, const process_instance& one) {
        auto* held = all_.find(one.number);
        if (held == nullptr) {
            all_.claims.push_back({one.number, one.type, one.id});
            held = &all_.claims.back();
            held->has_ended = true;
        }
        const auto& seat = all_.seats[held->seat];
        const bool is_free = held->has_ended || seat.epoch != held->seat_epoch;
        found().check(law::fences, is_free,
                      [&] { return one.id + " is claimed though " + seat.owner + " holds it"; });
        found().check(law::fences, one.epoch > held->epoch, [&] {
            return one.id + " is claimed with epoch " + std::to_string(one.epoch) +
                   ", and had epoch " + std::to_string(held->epoch);
        });
        found().check(law::fences, one.state == instance_state::open, [&] {
            return one.id + " is claimed, and is " + std::string(to_string(one.state));
        });
        if (auto* const facts = all_.facts.find(one.type, one.id)) {
            facts->was_silent = facts->was_silent || !held->has_ended;
        }
        held->epoch = one.epoch;
        held->seat = lease.shard;
        held->seat_epoch = lease.epoch;
        held->has_ended = false;
    }

    [[nodiscard]] findings& found() const { return owner_.home().run().found; }
    [[nodiscard]] steady_time now() const { return owner_.home().now().steady; }

    process& owner_;
    moment step_began_{};
    runner_ledger& all_;
    std::vector<held_seat> seats_{};
    std::vector<instance_claim> claims_{};
};

}  // namespace sinew::testing
