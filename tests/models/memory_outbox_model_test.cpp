// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr shard_id shards = 2;
constexpr wall_time day(std::chrono::hours(24) * 20'000);

/// An entry as one would remember it: what it is, and all that was done to it.
struct naive_entry {
    std::int64_t number = 0;
    std::string key{};
    std::uint64_t sequence = 0;  ///< 0 without a key
    outbox_state state = outbox_state::waiting;
    bool closes_key = false;  ///< where it is parked
    std::uint32_t attempts = 0;
    std::uint64_t version = 1;
    wall_time wait_from{};
    wall_time wait_until{};
    wall_time added{};
    wall_time settled{};

    [[nodiscard]] bool is_open() const {
        return state == outbox_state::waiting || state == outbox_state::parked;
    }
    [[nodiscard]] bool is_in_its_wait(wall_time now) const {
        return wait_from <= now && now < wait_until;
    }
    /// Whether later entries of the same key have to stay behind it.
    [[nodiscard]] bool is_in_the_way(wall_time now) const {
        return (state == outbox_state::waiting && is_in_its_wait(now)) ||
               (state == outbox_state::parked && closes_key);
    }
};

struct naive_transaction {
    std::map<std::string, std::uint64_t> counters_at_begin{};
    std::vector<naive_entry> added{};
};

struct naive_lease {
    epoch_number epoch = 0;
    std::uint64_t beat = 0;
    bool is_held = false;
};

/// An outbox as one would write it down: a list of entries, looked through each time.
struct naive_outbox {
    std::vector<naive_entry> entries{};
    std::map<std::string, std::uint64_t> counters{};
    naive_lease leases[shards]{};
    std::int64_t numbers = 0;

    commit_result commit(const naive_transaction& tx) {
        for (const auto& one : tx.added) {
            auto before = tx.counters_at_begin;
            if (!one.key.empty() && counters[one.key] != before[one.key]) {
                return commit_result::aborted;
            }
        }
        for (const auto& one : tx.added) {
            if (!one.key.empty()) {
                counters[one.key] = one.sequence;
            }
            entries.push_back(one);
        }
        return commit_result::committed;
    }

    [[nodiscard]] static shard_id shard(const naive_entry& one) {
        return shard_of(one.key.empty() ? std::to_string(one.number) : one.key, shards);
    }

    /// Numbers of what can be claimed, in order.
    [[nodiscard]] std::vector<std::int64_t> claimable(shard_id of, wall_time now,
                                                      std::size_t limit) const {
        std::map<std::int64_t, const naive_entry*> found;
        for (const auto& one : entries) {
            bool shown =
                one.state == outbox_state::waiting && !one.is_in_its_wait(now) && shard(one) == of;
            for (const auto& other : entries) {
                shown = shown && !(!one.key.empty() && other.key == one.key &&
                                   other.sequence < one.sequence && other.is_in_the_way(now));
            }
            if (shown) {
                found[one.number] = &one;
            }
        }
        std::vector<std::int64_t> out;
        for (const auto& [number, one] : found) {
            if (out.size() < limit) {
                out.push_back(number);
            }
        }
        return out;
    }

    [[nodiscard]] outbox_lag lag() const {
        outbox_lag out;
        for (const auto& one : entries) {
            out.waiting += one.state == outbox_state::waiting ? 1U : 0U;
            out.parked += one.state == outbox_state::parked ? 1U : 0U;
            if (one.state == outbox_state::waiting && (!out.oldest || one.added < *out.oldest)) {
                out.oldest = one.added;
            }
        }
        return out;
    }
};

/// The real one and its model, and two services and two relays at work on them.
class both {
public:
    both() {
        for (shard_id shard = 0; shard < shards; ++shard) {
            lease(shard, 0);
        }
    }

    void step(std::uint8_t what, std::uint8_t a, std::uint8_t b) {
        switch (what % 12) {
            case 0:
            case 1:
            case 2: add(a % 2, b); break;
            case 3: commit(a % 2); break;
            case 4: roll_back(a % 2); break;
            case 5: claim(a % shards, b % 5); break;
            case 6: publish(a, b); break;
            case 7: put_off_or_park(a, b); break;
            case 8: decide(a, b); break;
            case 9: lease(a % shards, b); break;
            case 10: purge(b); break;
            default: now_ += std::chrono::seconds(b % 16) - 5s; break;
        }
        RC_ASSERT(box_.lag() == model_.lag());
    }

    /// Whatever was held back is let go and published: then nothing is left, and nothing was lost.
    void drain() {
        slots_[0].tx.reset();
        slots_[1].tx.reset();
        for (const auto& one : box_.parked(0, 1000)) {
            RC_ASSERT(box_.unpark(one.number, one.version));
        }
        now_ += 1h;
        std::map<std::string, std::uint64_t> last;
        for (shard_id shard = 0; shard < shards; ++shard) {
            const auto lease = box_.take(box_.holder(shard), "last").value();
            for (;;) {
                const auto some = box_.claim(lease, now_, {.entries = 3, .bytes = 1000}).value();
                if (some.empty()) {
                    break;
                }
                for (const auto& one : some) {
                    if (!one.what.partitionkey.empty()) {
                        const auto sequence = parse_sequence(one.what.sequence).value();
                        RC_ASSERT(sequence > last[one.what.partitionkey]);
                        last[one.what.partitionkey] = sequence;
                    }
                    RC_ASSERT(box_.mark_published(lease, {&one.number, 1}, now_) ==
                              fenced_result::done);
                }
            }
        }
        RC_ASSERT(box_.lag() == outbox_lag{});
        RC_ASSERT(data_.open_transactions() == 0U);
    }

    [[nodiscard]] std::size_t entries() const { return model_.entries.size(); }

private:
    struct slot {
        explicit slot(const memory::database& data) : store(data) {}
        memory::store store;
        std::optional<memory::transaction> tx{};
        naive_transaction model{};
    };

    void add(std::size_t who, std::uint8_t b) {
        auto& at = slots_[who];
        if (!at.tx) {
            at.tx.emplace(at.store.begin());
            at.model = {.counters_at_begin = model_.counters};
        }
        const std::string key = b % 4 == 0 ? std::string() : std::string(1, "xabc"[b % 4]);
        naive_entry made{.number = ++model_.numbers, .key = key, .added = now_};
        if (!key.empty()) {
            made.sequence = at.model.counters_at_begin[key] + 1;
            for (const auto& one : at.model.added) {
                made.sequence += one.key == key ? 1U : 0U;
            }
        }
        const event e{
            .id = std::to_string(made.number), .source = "/test", .type = "t", .partitionkey = key};
        RC_ASSERT(box_.add(*at.tx, e.view(), now_) == made.sequence);
        at.model.added.push_back(made);
    }

    void commit(std::size_t who) {
        auto& at = slots_[who];
        if (at.tx) {
            RC_ASSERT(at.tx->commit() == model_.commit(at.model));
            at.tx.reset();
        }
    }
    void roll_back(std::size_t who) { slots_[who].tx.reset(); }

    /// A lease as some relay believes to have it: the latest, or one before.
    [[nodiscard]] shard_lease believed(shard_id shard, bool is_old) const {
        const epoch_number epoch = model_.leases[shard].epoch;
        return {shard, is_old && epoch > 0 ? epoch - 1 : epoch, 0, "relay"};
    }
    [[nodiscard]] bool is_good(const shard_lease& lease) const {
        const auto& held = model_.leases[lease.shard];
        return held.is_held && held.epoch == lease.epoch;
    }

    void claim(shard_id shard, std::size_t limit) {
        const auto lease = believed(shard, limit == 4);
        const auto came = box_.claim(lease, now_, {.entries = limit, .bytes = 1'000'000});
        RC_ASSERT(came.has_value() == is_good(lease));
        if (!came) {
            return;
        }
        const auto expected = model_.claimable(shard, now_, limit);
        RC_ASSERT(came->size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto& real = (*came)[i];
            const auto& one = *find(expected[i]);
            RC_ASSERT(real.number == one.number);
            RC_ASSERT(real.version == one.version);
            RC_ASSERT(real.attempts == one.attempts);
            RC_ASSERT(real.what.sequence ==
                      (one.sequence == 0 ? std::string() : std::to_string(one.sequence)));
        }
    }

    [[nodiscard]] naive_entry* find(std::int64_t number) {
        for (auto& one : model_.entries) {
            if (one.number == number) {
                return &one;
            }
        }
        return nullptr;
    }
    /// Some number: of an entry, or of one that there is not.
    [[nodiscard]] std::int64_t some_number(std::uint8_t a) const {
        return model_.numbers == 0 ? 1 : 1 + a % (model_.numbers + 1);
    }
    /// The entry, if a write under the lease may change it.
    [[nodiscard]] naive_entry* to_change(std::int64_t number, const shard_lease& lease) {
        auto* one = find(number);
        return one != nullptr && is_good(lease) && one->state == outbox_state::waiting &&
                       naive_outbox::shard(*one) == lease.shard
                   ? one
                   : nullptr;
    }
    [[nodiscard]] shard_lease lease_for(std::int64_t number, std::uint8_t b) {
        const auto* one = find(number);
        const shard_id right = one == nullptr ? 0 : naive_outbox::shard(*one);
        return believed(b % 8 == 7 ? 1 - right : right, b % 8 == 6);
    }
    [[nodiscard]] fenced_result expected(const shard_lease& lease) const {
        return is_good(lease) ? fenced_result::done : fenced_result::stale;
    }

    void publish(std::uint8_t a, std::uint8_t b) {
        const std::int64_t numbers[] = {some_number(a), some_number(b)};
        const auto lease = lease_for(numbers[0], b);
        RC_ASSERT(box_.mark_published(lease, numbers, now_) == expected(lease));
        for (const auto number : numbers) {
            if (auto* one = to_change(number, lease)) {
                one->state = outbox_state::published;
                one->settled = now_;
                ++one->version;
            }
        }
    }

    void put_off_or_park(std::uint8_t a, std::uint8_t b) {
        const auto number = some_number(a);
        const auto lease = lease_for(number, b);
        auto* one = to_change(number, lease);
        const auto kind = static_cast<failure_class>(b % 4);
        const failure_note note{now_, kind, 1, "r", "d"};
        if (one != nullptr) {
            // The broker's troubles are not the entry's.
            one->attempts += kind == failure_class::transient || kind == failure_class::permanent;
            ++one->version;
        }
        if (b < 128) {
            const auto delay = std::chrono::seconds(b % 16);
            RC_ASSERT(box_.put_off(lease, number, note, delay) == expected(lease));
            if (one != nullptr) {
                one->wait_from = now_;
                one->wait_until = now_ + delay;
            }
            return;
        }
        const bool closes = b < 192;
        RC_ASSERT(box_.park(lease, number, note, closes ? following::park : following::pass) ==
                  expected(lease));
        if (one != nullptr) {
            one->state = outbox_state::parked;
            one->closes_key = closes;
            one->wait_from = one->wait_until = {};
        }
    }

    void decide(std::uint8_t a, std::uint8_t b) {
        const auto number = some_number(a);
        auto* one = find(number);
        const std::uint64_t version = one == nullptr ? 1 : one->version - (b % 8 == 7 ? 1U : 0U);
        const bool may =
            one != nullptr && one->state == outbox_state::parked && version == one->version;
        if (b < 128) {
            RC_ASSERT(box_.unpark(number, version) == may);
        } else {
            const failure_note note{now_, failure_class::permanent, 1, "r", "d"};
            RC_ASSERT(box_.discard(number, version, note) == may);
        }
        if (may) {
            one->state = b < 128 ? outbox_state::waiting : outbox_state::discarded;
            one->settled = now_;
            ++one->version;
        }
        std::size_t parked = 0;
        for (const auto& each : model_.entries) {
            parked += each.state == outbox_state::parked ? 1U : 0U;
        }
        RC_ASSERT(box_.parked(0, 1000).size() == parked);
    }

    void lease(shard_id shard, std::uint8_t b) {
        auto& held = model_.leases[shard];
        const auto mine = believed(shard, b % 8 == 7);
        switch (b % 4) {
            case 0:
            case 1: {
                auto seen = box_.holder(shard);
                RC_ASSERT(seen.epoch == held.epoch);
                RC_ASSERT(seen.beat == held.beat);
                RC_ASSERT(seen.owner.empty() == !held.is_held);
                seen.beat += b % 8 == 5 ? 1U : 0U;
                const auto taken = box_.take(seen, "relay");
                RC_ASSERT(taken.has_value() == (seen.beat == held.beat));
                if (taken) {
                    RC_ASSERT(taken->epoch > held.epoch);
                    held = {taken->epoch, taken->beat, true};
                }
                break;
            }
            case 2:
                RC_ASSERT(box_.renew(mine) == expected(mine));
                held.beat += is_good(mine) ? 1U : 0U;
                break;
            default:
                RC_ASSERT(box_.release(mine) == expected(mine));
                held.is_held = held.is_held && !is_good(mine);
                break;
        }
    }

    void purge(std::uint8_t b) {
        const wall_time older_than = now_ - std::chrono::seconds(b % 8);
        const std::size_t limit = b % 3;
        std::size_t gone = 0;
        for (std::size_t i = 0; i < model_.entries.size() && gone < limit;) {
            const auto least = oldest_to_purge(older_than);
            if (least == model_.entries.size()) {
                break;
            }
            model_.entries.erase(model_.entries.begin() + static_cast<std::ptrdiff_t>(least));
            ++gone;
        }
        RC_ASSERT(box_.purge(older_than, limit) == gone);
    }
    /// The index of the entry with the lowest number that may be purged.
    [[nodiscard]] std::size_t oldest_to_purge(wall_time older_than) const {
        std::size_t least = model_.entries.size();
        for (std::size_t i = 0; i < model_.entries.size(); ++i) {
            const auto& one = model_.entries[i];
            if (!one.is_open() && one.settled < older_than &&
                (least == model_.entries.size() || one.number < model_.entries[least].number)) {
                least = i;
            }
        }
        return least;
    }

    memory::database data_;
    slot slots_[2]{slot(data_), slot(data_)};
    memory::outbox box_ = slots_[0].store.outbox("orders", {.shards = shards});
    naive_outbox model_;
    wall_time now_ = day;
};

}  // namespace

TEST_CASE("memory::outbox model: writers, relays and people see what a plain list would show") {
    sinew::test::prop(
        "and once all is let go, everything that was committed is published in order", [] {
            const auto tape = *rc::gen::scale(6, rc::gen::arbitrary<std::vector<std::uint8_t>>());
            both at;
            for (std::size_t i = 0; i + 2 < tape.size(); i += 3) {
                at.step(tape[i], tape[i + 1], tape[i + 2]);
            }
            RC_CLASSIFY(at.entries() > 5, "more than five entries");
            at.drain();
        });
}
