// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the suite for outboxes needs of an environment, and the steps that its scenarios are made
/// of.
///
/// | member | means | |
/// | --- | --- | --- |
/// | `open()` | a store on the environment's data; the data outlives it | required |
/// | `outbox_of(store&)` | the outbox to which that store's transactions add | required |
/// | `crash()` | the process dies: `open` shows what a new one would find | optional |
/// | `lose_reply()` | the next write to the outbox gets no answer | optional |
///
/// All stores of an environment have the same outbox. One with several shards shows more than one
/// with a single shard.

#include <sinew/core/outbox.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/store_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew {

// Beside their types, so that whoever shows a value finds them.

[[nodiscard]] inline std::string show(fenced_result r) { return std::string(to_string(r)); }
[[nodiscard]] inline std::string show(const failure_note& note) {
    return testing::conformance::show(note.reason) + " (" +
           testing::conformance::show(note.detail) + ")";
}
[[nodiscard]] inline std::string show(const shard_lease& lease) {
    return "shard " + std::to_string(lease.shard) + ", epoch " + std::to_string(lease.epoch) +
           ", beat " + std::to_string(lease.beat) + ", owner " +
           testing::conformance::show(lease.owner);
}
[[nodiscard]] inline std::string show(const outbox_lag& lag) {
    std::string out =
        std::to_string(lag.waiting) + " waiting, " + std::to_string(lag.parked) + " parked";
    return lag.oldest
               ? out + ", the oldest of " + std::to_string(lag.oldest->time_since_epoch().count())
               : out;
}

}  // namespace sinew

namespace sinew::testing::conformance {

/// What the adapter promises beyond `outbox`.
struct outbox_features {
    bool connections = false;  ///< several stores can be open on the same data at a time
    bool nested = false;       ///< `nestable_transaction`
};

template <class Env>
using outbox_of_t =
    std::remove_cvref_t<decltype(std::declval<Env&>().outbox_of(std::declval<store_of<Env>&>()))>;

template <class Env>
concept outbox_environment = requires(Env& env) {
    { env.open() } -> store;
} && outbox<outbox_of_t<Env>, store_of<Env>>;

namespace detail {

using texts = std::vector<std::string>;

inline constexpr claim_limits all_entries{.entries = 100'000, .bytes = 1'000'000'000};

[[nodiscard]] inline texts ids_of(const std::vector<outbox_entry>& entries) {
    texts out;
    for (const auto& one : entries) {
        out.push_back(one.what.id);
    }
    return out;
}

/// One process: a service with its store, and a relay that holds all shards.
template <class Env>
class outbox_scene {
public:
    outbox_scene(const check& c, Env& env)
        : c_(&c), env_(&env), s(env.open()), box(env.outbox_of(s)), now(wall_of(env)) {}

    /// Adds events in one transaction; answers the number of the last.
    std::uint64_t add(const std::vector<event>& events) {
        std::uint64_t last = 0;
        auto tx = begin(*env_, s);
        for (const auto& one : events) {
            last = box.add(tx, one.view(), now);
        }
        commit(*c_, tx);
        return last;
    }
    std::uint64_t add(std::string id, std::string key = {}) {
        return add({plain_event(std::move(id), std::move(key))});
    }

    /// The leases of all shards, taken at the first call.
    const std::vector<shard_lease>& leases() {
        while (leases_.size() < box.shards()) {
            leases_.push_back(take(static_cast<shard_id>(leases_.size()), "relay"));
        }
        return leases_;
    }
    shard_lease take(shard_id shard, std::string_view owner) {
        auto taken = box.take(box.holder(shard, until()), owner, until());
        c_->that(taken.has_value(), "a shard whose lease was just looked at to be given",
                 "nothing");
        return *taken;
    }
    const shard_lease& lease_of(const outbox_entry& entry) {
        return leases().at(shard_of(entry.what.view(), box.shards()));
    }

    /// What can be claimed of all shards.
    [[nodiscard]] std::vector<outbox_entry> claim() {
        std::vector<outbox_entry> out;
        for (const auto& lease : leases()) {
            auto some = box.claim(lease, now, all_entries, until());
            c_->that(some.has_value(), "a claim under a lease that has not ended to be answered",
                     "nothing, as for one that has ended");
            for (auto& one : *some) {
                out.push_back(std::move(one));
            }
        }
        return out;
    }
    [[nodiscard]] texts ids() { return ids_of(claim()); }
    /// The same of one key.
    [[nodiscard]] texts ids(std::string_view key) {
        texts out;
        for (const auto& one : claim()) {
            if (one.what.partitionkey == key) {
                out.push_back(one.what.id);
            }
        }
        return out;
    }
    /// The entry of an event that can be claimed.
    [[nodiscard]] outbox_entry entry(std::string_view id) {
        for (auto& one : claim()) {
            if (one.what.id == id) {
                return std::move(one);
            }
        }
        c_->fail("the entry " + show(id) + " to be shown", "it was not");
    }
    [[nodiscard]] outbox_entry parked_entry(std::string_view id) {
        for (auto& one : box.parked(0, 1000, until())) {
            if (one.what.id == id) {
                return std::move(one);
            }
        }
        c_->fail("the parked entry " + show(id) + " to be listed", "it was not");
    }

    void done(fenced_result result, std::string_view of) const {
        c_->equal(result, fenced_result::done, of);
    }
    void publish(std::string_view id) {
        const auto found = entry(id);
        done(box.mark_published(lease_of(found), {&found.number, 1}, now, until()),
             "the answer of mark_published");
    }
    void put_off(std::string_view id, duration delay) {
        const auto found = entry(id);
        done(box.put_off(lease_of(found), found.number, note("put off"), delay, until()),
             "the answer of put_off");
    }
    void park(std::string_view id, following what_follows) {
        const auto found = entry(id);
        done(box.park(lease_of(found), found.number, note("parked"), what_follows, until()),
             "the answer of park");
    }
    [[nodiscard]] failure_note note(std::string reason) const {
        return {now, failure_class::transient, 1, std::move(reason), "a detail"};
    }

    [[nodiscard]] steady_time until() const { return soon(*env_); }

private:
    const check* c_;
    Env* env_;
    std::vector<shard_lease> leases_{};

public:
    // The outbox ends before its store does.
    store_of<Env> s;
    outbox_of_t<Env> box;
    wall_time now;  ///< moved by scenarios
};

}  // namespace detail

}  // namespace sinew::testing::conformance
