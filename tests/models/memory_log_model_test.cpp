// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/log.hpp>

#include "adapters/memory_test_parts.hpp"
#include "support/test.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace memory = sinew::memory;
using sinew::commit_result;
using sinew::epoch_number;
using sinew::log_offset;
using sinew::partition_id;

namespace {

constexpr partition_id partitions = 4;

/// What a member was told of a partition that is its own.
struct share {
    epoch_number epoch = 0;
    bool revoked = false;
    bool paused = false;
    bool is_over = false;  ///< a commit was refused
    log_offset last = -1;  ///< delivered
};

/// Everything that was ever seen, by all members.
struct ledger {
    std::map<partition_id, epoch_number> highest_epoch{};
    std::map<partition_id, std::set<log_offset>> delivered{};
};

/// A member that checks each thing it hears.
struct checked_member {
    checked_member(memory::log& in, ledger& all) : log(&in), book(&all), real(in.join("t", "g")) {}

    void assigned(sinew::assignment a) {
        RC_ASSERT(shares.count(a.partition) == 0U);
        RC_ASSERT(a.epoch > book->highest_epoch[a.partition]);
        book->highest_epoch[a.partition] = a.epoch;
        shares[a.partition] = {.epoch = a.epoch, .last = log->committed("t", "g", a.partition)};
    }
    void revoked(sinew::revocation r) {
        RC_ASSERT(shares.at(r.partition).epoch == r.epoch);
        RC_ASSERT(!shares.at(r.partition).revoked);
        shares.at(r.partition).revoked = true;
    }
    void lost(sinew::assignment a) {
        RC_ASSERT(shares.at(a.partition).epoch == a.epoch);
        shares.erase(a.partition);
    }
    void message(memory::message&& m) {
        auto& mine = shares.at(m.where().partition);
        RC_ASSERT(m.epoch() == mine.epoch);
        RC_ASSERT(!mine.revoked);
        RC_ASSERT(!mine.paused);
        RC_ASSERT(!mine.is_over);
        RC_ASSERT(m.where().offset > mine.last);
        // Nothing that the log holds lies between this one and the one before.
        log->visit("t", m.where().partition, [&](sinew::position where, const auto&) {
            RC_ASSERT((where.offset <= mine.last || where.offset >= m.where().offset));
        });
        mine.last = m.where().offset;
        book->delivered[m.where().partition].insert(mine.last);
    }

    void poll(sinew::poll_limits limits) { real.poll(limits, sinew::never, *this); }

    void commit(partition_id partition, log_offset through) {
        if (const auto found = shares.find(partition); found != shares.end()) {
            const auto before = log->committed("t", "g", partition);
            const auto answer = real.commit(partition, found->second.epoch, through, sinew::never);
            if (answer == commit_result::committed) {
                RC_ASSERT(!is_zombie);
                RC_ASSERT(log->owner("t", "g", partition) == real.id());
                RC_ASSERT(log->committed("t", "g", partition) == through);
            } else {  // it ended without our knowing, and we will hear of it
                RC_ASSERT(log->committed("t", "g", partition) == before);
                found->second.is_over = true;
            }
        }
    }

    void release(partition_id partition) {
        if (const auto found = shares.find(partition); found != shares.end()) {
            const auto epoch = found->second.epoch;
            shares.erase(found);
            real.release(partition, epoch);
        }
    }

    memory::log* log;
    ledger* book;
    memory::member real;
    std::map<partition_id, share> shares{};
    bool is_zombie = false;
};

void do_one(memory::log& log, std::vector<std::optional<checked_member>>& members, ledger& book,
            sinew::steady_time& now, std::uint8_t what, std::uint8_t which) {
    auto& slot = members[which % members.size()];
    const auto partition = static_cast<partition_id>(which / 4 % partitions);
    switch (what % 13) {
        case 0:
        case 1:
        case 2: log.append("t", partition, sinew::test::in_memory::make_event("e").view()); return;
        case 3: log.produce_hole("t", partition); return;
        case 4: log.rebalance("t", "g"); return;
        case 5:
            now += 4s;
            log.tick(now);
            return;
        default: break;
    }
    if (!slot) {
        slot.emplace(log, book);
        return;
    }
    switch (what % 13) {
        case 6: slot.reset(); break;
        case 7:
            log.kick(slot->real.id());
            slot->is_zombie = true;
            break;
        case 8: log.expire(slot->real.id()); break;
        case 9: slot->release(partition); break;
        case 10:
            if (const auto mine = slot->shares.find(partition); mine != slot->shares.end()) {
                slot->commit(partition, mine->second.last);
            }
            break;
        case 11:
            if (const auto mine = slot->shares.find(partition); mine != slot->shares.end()) {
                mine->second.paused = !mine->second.paused;
                mine->second.paused ? slot->real.pause(partition) : slot->real.resume(partition);
            }
            break;
        default:
            slot->is_zombie = false;
            slot->poll({.events = which % 5U, .bytes = 1000});
            break;
    }
}

/// All members answer what they are told, until nothing happens any more.
void settle(std::vector<std::optional<checked_member>>& members) {
    for (int round = 0; round < 20; ++round) {
        for (auto& one : members) {
            if (!one) {
                continue;
            }
            one->is_zombie = false;
            one->poll({});
            for (partition_id p = 0; p < partitions; ++p) {
                const auto mine = one->shares.find(p);
                if (mine != one->shares.end() && mine->second.revoked) {
                    one->release(p);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("memory::log model: whatever happens to a group, its promises hold") {
    sinew::test::prop(
        "one holder, rising epochs, no record passed over, an even share at the end", [] {
            const auto tape = *rc::gen::scale(
                4, rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, std::uint8_t>>>());
            memory::log log({.topic = {.partitions = partitions}, .revoke_timeout = 10s});
            log.create_topic("t", {.partitions = partitions});
            ledger book;
            std::vector<std::optional<checked_member>> members(3);
            sinew::steady_time now{};
            log.tick(now);
            for (const auto& [what, which] : tape) {
                do_one(log, members, book, now, what, which);
            }
            if (!members[0]) {
                members[0].emplace(log, book);
            }
            settle(members);

            std::size_t present = 0;
            for (const auto& one : members) {
                present += one ? 1U : 0U;
            }
            for (auto& one : members) {
                if (one) {
                    const auto has = one->shares.size();
                    RC_ASSERT((has == partitions / present ||
                               (partitions % present != 0 && has == partitions / present + 1)));
                    for (auto& [partition, mine] : one->shares) {
                        RC_ASSERT(log.owner("t", "g", partition) == one->real.id());
                        RC_ASSERT(!mine.is_over);
                        mine.paused = false;
                        one->real.resume(partition);
                    }
                    one->poll(sinew::test::in_memory::everything);
                }
            }
            for (partition_id p = 0; p < partitions; ++p) {
                log.visit("t", p, [&](sinew::position where, const auto&) {
                    RC_ASSERT(book.delivered[p].count(where.offset) == 1U);
                });
            }
            RC_CLASSIFY(tape.size() > 40, "long tapes");
        });
}
