// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/log.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace sqlite = sinew::sqlite;
using sinew::commit_result;
using sinew::epoch_number;
using sinew::log_offset;
using sinew::partition_id;
using sinew::test::no_waiting;

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
    checked_member(sqlite::log& in, ledger& all, const std::string& name)
        : log(&in), book(&all), real(in.join("t", "g", {.member = name})) {}

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
    void message(sqlite::message&& m) {
        auto& mine = shares.at(m.where().partition);
        RC_ASSERT(m.epoch() == mine.epoch);
        RC_ASSERT(m.epoch() == book->highest_epoch[m.where().partition]);
        RC_ASSERT(!mine.revoked);
        RC_ASSERT(!mine.paused);
        RC_ASSERT(!mine.is_over);
        RC_ASSERT(m.where().offset == mine.last + 1);
        mine.last = m.where().offset;
        book->delivered[m.where().partition].insert(mine.last);
    }

    void poll(sinew::poll_limits limits) {
        try {
            real.poll(limits, no_waiting, *this);
        } catch (const sinew::permanent_error&) {
            RC_ASSERT(has_namesake);
            RC_ASSERT(shares.empty());
            is_replaced = true;
        }
    }

    void commit(partition_id partition) {
        const auto found = shares.find(partition);
        if (found == shares.end() || found->second.last < 0) {
            return;
        }
        auto& mine = found->second;
        const auto before = log->committed("t", "g", partition);
        try {
            if (real.commit(partition, mine.epoch, mine.last, no_waiting) ==
                commit_result::committed) {
                RC_ASSERT(mine.epoch == book->highest_epoch[partition]);
                RC_ASSERT(log->committed("t", "g", partition) == mine.last);
                return;
            }
            mine.is_over = true;
        } catch (const sqlite::busy_error&) {
        }
        RC_ASSERT(log->committed("t", "g", partition) == before);
    }

    void release(partition_id partition) {
        if (const auto found = shares.find(partition); found != shares.end()) {
            const auto epoch = found->second.epoch;
            shares.erase(found);
            real.release(partition, epoch);
            RC_ASSERT(real.commit(partition, epoch, 0, no_waiting) == commit_result::aborted);
        }
    }

    void toggle(partition_id partition) {
        if (const auto mine = shares.find(partition); mine != shares.end()) {
            mine->second.paused = !mine->second.paused;
            mine->second.paused ? real.pause(partition) : real.resume(partition);
        }
    }

    sqlite::log* log;
    ledger* book;
    sqlite::member real;
    std::map<partition_id, share> shares{};
    bool has_namesake = false;
    bool is_replaced = false;
};

/// A group of three names, whose members come, go, fall silent and are replaced.
struct world {
    world()
        : log(folder.file(), {.topic = {partitions},
                              .lease = 10s,
                              .revoke_timeout = 15s,
                              .synchronous = sqlite::synchronous::normal,
                              .now = [this] { return now; }}),
          blocker(folder.file()) {
        log.create_topic("t", {.partitions = partitions});
    }

    void join(std::size_t which) {
        auto& slot = members[which];
        const bool has_namesake = std::exchange(joined_before[which], true);
        if (slot) {
            // The process is dead, so to say, and does not know it.
            slot->has_namesake = true;
            zombies.push_back(std::move(slot));
        }
        slot = std::make_unique<checked_member>(log, book, "node-" + std::to_string(which));
        slot->has_namesake = has_namesake;
    }

    void do_one(std::uint8_t what, std::uint8_t which) {
        const auto partition = static_cast<partition_id>(which / 4 % partitions);
        const std::size_t slot = which % members.size();
        switch (what % 12) {
            case 0:
            case 1:
            case 2:
                if (!is_locked()) {
                    log.append("t", partition, sinew::test::make_event("e").view());
                }
                return;
            case 3: now.steady += 2s; return;
            case 4: blocker.execute_script(is_locked() ? "ROLLBACK" : "BEGIN IMMEDIATE"); return;
            case 5:
                if (!zombies.empty()) {
                    auto& zombie = *zombies[which % zombies.size()];
                    which % 2 == 0 ? zombie.poll({3, 1000}) : zombie.commit(partition);
                }
                return;
            default: break;
        }
        if (members[slot] && members[slot]->is_replaced) {
            zombies.push_back(std::move(members[slot]));
        }
        if (!members[slot]) {
            if (!is_locked()) {
                join(slot);
            }
            return;
        }
        auto& member = *members[slot];
        switch (what % 12) {
            case 6: which > 200 && !is_locked() ? join(slot) : member.poll({}); break;
            case 7: which > 200 && !is_locked() ? members[slot].reset() : member.poll({}); break;
            case 8: member.release(partition); break;
            case 9: member.commit(partition); break;
            case 10: member.toggle(partition); break;
            default: member.poll({.events = which % 5U, .bytes = 1000}); break;
        }
    }

    [[nodiscard]] bool is_locked() const { return blocker.is_in_transaction(); }

    /// All members answer what they are told, until nothing happens any more.
    void settle() {
        if (is_locked()) {
            blocker.execute_script("ROLLBACK");
        }
        zombies.clear();
        now.steady += 11s;  // a member that fell silent is missed now
        for (std::size_t i = 0; i < members.size(); ++i) {
            if (members[i]) {
                members[i]->poll({});
                if (members[i]->is_replaced) {
                    members[i].reset();
                    join(i);
                }
            }
        }
        for (int round = 0; round < 12; ++round) {
            now.steady += 2s;
            for (auto& one : members) {
                if (!one) {
                    continue;
                }
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

    sinew::moment now = sinew::machine_clock::now();
    sinew::test::temp_folder folder;
    sqlite::log log;
    sqlite::connection blocker;
    ledger book;
    std::vector<std::unique_ptr<checked_member>> members{3};
    std::vector<std::unique_ptr<checked_member>> zombies;
    bool joined_before[3]{};
};

}  // namespace

TEST_CASE("sqlite::log model: whatever happens to a group, its promises hold") {
    sinew::test::prop(
        "one holder, rising epochs, no record passed over, an even share at the end", [] {
            const auto tape = *rc::gen::scale(
                4, rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, std::uint8_t>>>());
            world w;
            for (const auto& [what, which] : tape) {
                w.do_one(what, which);
            }
            if (w.is_locked()) {
                w.blocker.execute_script("ROLLBACK");
            }
            if (!w.members[0]) {
                w.join(0);
            }
            w.settle();

            std::size_t present = 0;
            for (const auto& one : w.members) {
                present += one ? 1U : 0U;
            }
            for (auto& one : w.members) {
                if (!one) {
                    continue;
                }
                const auto has = one->shares.size();
                RC_ASSERT((has == partitions / present ||
                           (partitions % present != 0 && has == partitions / present + 1)));
                for (auto& [partition, mine] : one->shares) {
                    RC_ASSERT(!mine.is_over);
                    RC_ASSERT(!mine.revoked);
                    mine.paused = false;
                    one->real.resume(partition);
                }
                for (int i = 0; i < 10; ++i) {
                    one->poll({1000, 1U << 20U});
                }
            }
            for (partition_id p = 0; p < partitions; ++p) {
                RC_ASSERT(w.book.delivered[p].size() ==
                          static_cast<std::size_t>(w.log.end("t", p)));
            }
            RC_CLASSIFY(tape.size() > 40, "long tapes");
        });
}
