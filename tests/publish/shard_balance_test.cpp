// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/random.hpp>
#include <sinew/publish/shard_balance.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start(1h);
constexpr duration length = 30s;

shard_lease lease_of(shard_id shard, std::string owner, epoch_number epoch = 1) {
    return {shard, epoch, 0, std::move(owner)};
}

/// A balance that has seen the leases; those of `me` count as held.
shard_balance after_seeing(const std::vector<std::string>& owners) {
    shard_balance one("me", length, static_cast<shard_id>(owners.size()));
    for (shard_id i = 0; i < owners.size(); ++i) {
        if (owners[i] == "me") {
            one.holds(lease_of(i, "me"), start);
        } else {
            one.saw(lease_of(i, owners[i]), start);
        }
    }
    return one;
}

/// Leases in a store, and relays that know nothing of each other but them.
class relays {
public:
    relays(std::size_t count, shard_id shards, std::uint64_t seed) : random_(seed) {
        for (shard_id i = 0; i < shards; ++i) {
            leases_.push_back({.shard = i});
        }
        for (std::size_t i = 0; i < count; ++i) {
            join();
        }
    }

    void join() {
        all_.push_back({shard_balance("relay-" + std::to_string(all_.size()), length,
                                      static_cast<shard_id>(leases_.size())),
                        {},
                        true});
    }
    void kill(std::size_t which) { all_[which % all_.size()].lives = false; }

    /// All look and act once, in an order by chance; between one's look and its acts others may
    /// act.
    void round() {
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            order.push_back(i);
            order.push_back(i);
        }
        for (std::size_t i = order.size(); i > 1; --i) {
            std::swap(order[i - 1], order[random_() % i]);
        }
        for (const auto which : order) {
            auto& one = all_[which];
            if (one.lives && !one.moves) {
                renew(one);
                look(one);
                one.moves = one.balance.plan();
            } else if (one.lives) {
                act(one);
                one.moves.reset();
            }
        }
        now_ += 10s;
    }

    [[nodiscard]] std::vector<std::size_t> shares() const {
        std::vector<std::size_t> out;
        for (const auto& one : all_) {
            if (one.lives) {
                out.push_back(0);
                for (const auto& lease : leases_) {
                    out.back() += lease.owner == one.balance.owner() ? 1U : 0U;
                }
            }
        }
        return out;
    }

    [[nodiscard]] const std::vector<shard_lease>& leases() const { return leases_; }
    [[nodiscard]] std::uint64_t moves() const { return moves_; }
    [[nodiscard]] std::size_t living() const { return shares().size(); }

private:
    struct relay {
        shard_balance balance;
        std::optional<shard_moves> moves{};
        bool lives = true;
    };

    void renew(relay& one) {
        for (auto& lease : leases_) {
            if (!one.balance.is_held(lease.shard)) {
                continue;
            }
            if (lease.epoch == one.balance.lease(lease.shard).epoch && !lease.owner.empty()) {
                ++lease.beat;
                one.balance.holds(lease, now_);
            } else {
                one.balance.lost(lease.shard);
            }
        }
    }
    void look(relay& one) {
        for (const auto& lease : leases_) {
            if (!one.balance.is_held(lease.shard)) {
                one.balance.saw(lease, now_);
            }
        }
    }
    void act(relay& one) {
        for (const auto& wanted : one.moves->take) {
            auto& lease = leases_[wanted.seen.shard];
            if (lease == wanted.seen) {
                lease = {lease.shard, lease.epoch + 1, 0, one.balance.owner()};
                one.balance.holds(lease, now_);
                ++moves_;
            }
        }
        for (const auto shard : one.moves->release) {
            auto& lease = leases_[shard];
            if (lease.epoch == one.balance.lease(shard).epoch) {
                lease.owner.clear();
                ++moves_;
            }
            one.balance.lost(shard);
        }
    }

    splitmix64 random_;
    std::vector<shard_lease> leases_;
    std::vector<relay> all_;
    steady_time now_ = start;
    std::uint64_t moves_ = 0;
};

/// Whether the shares differ by at most one and all shards are held by who lives.
bool is_fair(const relays& all) {
    std::size_t least = SIZE_MAX;
    std::size_t most = 0;
    std::size_t sum = 0;
    for (const auto share : all.shares()) {
        least = share < least ? share : least;
        most = share > most ? share : most;
        sum += share;
    }
    return sum == all.leases().size() && most - least <= 1;
}

/// Lets them look until they should be at rest, and says whether they are.
bool comes_to_rest(relays& all) {
    for (int i = 0; i < 25; ++i) {
        all.round();
    }
    const auto before = all.moves();
    for (int i = 0; i < 10; ++i) {
        all.round();
    }
    return is_fair(all) && before == all.moves();
}

}  // namespace

TEST_CASE("who is alone takes all that is free") {
    const auto moves = after_seeing({"", "", "", ""}).plan();
    REQUIRE(moves.take.size() == 4);
    REQUIRE(moves.release.empty());
    REQUIRE_FALSE(moves.settled);
    for (const auto& one : moves.take) {
        REQUIRE(one.reason == take_reason::free);
    }
}

TEST_CASE("who is alone and holds all changes nothing") {
    const auto moves = after_seeing({"me", "me", "me"}).plan();
    REQUIRE(moves.take.empty());
    REQUIRE(moves.release.empty());
    REQUIRE(moves.settled);
}

TEST_CASE("what is free is taken up to the share, and no further") {
    const auto moves = after_seeing({"other", "other", "", "", "", ""}).plan();
    REQUIRE(moves.take.size() == 3);
}

TEST_CASE("the share that is larger by one is left to those who have less") {
    // Low is 1 and high is 2: nobody lacks anything.
    REQUIRE(after_seeing({"me", "a", ""}).plan().take.size() == 1);
    // Low is 2 and high is 3: `a` lacks one.
    REQUIRE(after_seeing({"me", "me", "a", "", ""}).plan().take.empty());
}

TEST_CASE("one's own lease from before one's death is taken at once, with its reason") {
    shard_balance one("me", length, 1);
    one.saw(lease_of(0, "me"), start);
    const auto moves = one.plan();
    REQUIRE(moves.take.size() == 1);
    REQUIRE(moves.take[0].reason == take_reason::own);
}

TEST_CASE("a lease that did not move for its length is taken, with its reason") {
    shard_balance one("me", length, 1);
    one.saw(lease_of(0, "other"), start);
    REQUIRE(one.plan().take.empty());
    REQUIRE(one.next_expiry() == start + length);
    one.saw(lease_of(0, "other"), start + length);
    const auto moves = one.plan();
    REQUIRE(moves.take.size() == 1);
    REQUIRE(moves.take[0].reason == take_reason::expired);
    REQUIRE(moves.take[0].seen == lease_of(0, "other"));
}

TEST_CASE("who has nothing takes one from who has the most, to be seen") {
    const auto moves = after_seeing({"a", "b", "b", "a", "b", "b"}).plan();
    REQUIRE(moves.take.size() == 1);
    REQUIRE(moves.take[0].seen.owner == "b");
    REQUIRE(moves.take[0].reason == take_reason::share);
}

TEST_CASE("who has nothing stands by where there is no shard for each") {
    const auto moves = after_seeing({"a", "b"}).plan();
    REQUIRE(moves.take.empty());
    REQUIRE(moves.settled);
}

TEST_CASE("who has too much releases down to its share, and no further") {
    const auto moves = after_seeing({"me", "me", "me", "me", "me", "me", "me", "other"}).plan();
    REQUIRE(moves.release.size() == 3);
    REQUIRE(moves.take.empty());
    REQUIRE_FALSE(moves.settled);
}

TEST_CASE("who has more by one releases nothing") {
    REQUIRE(after_seeing({"me", "me", "other"}).plan().release.empty());
    REQUIRE(after_seeing({"me", "me", "other"}).plan().settled);
}

TEST_CASE("a share of two more than another's is too much, also where none lacks") {
    REQUIRE(after_seeing({"me", "me", "me", "me", "a", "a", "b", "b"}).plan().release.size() == 1);
}

TEST_CASE("who has the larger share gives one up if somebody lacks, and nothing is free") {
    REQUIRE(after_seeing({"me", "me", "me", "a", "a", "a", "b"}).plan().release.size() == 1);
    REQUIRE(after_seeing({"me", "me", "me", "a", "a", "", "b"}).plan().release.empty());
}

TEST_CASE("a shard is worked on only until a lease's length after the renewal was sent") {
    shard_balance one("me", length, 2);
    REQUIRE(one.valid_until(0) == steady_time::min());
    one.holds(lease_of(0, "me"), start);
    REQUIRE(one.valid_until(0) == start + length);
    one.holds(lease_of(0, "me"), start + 7s);
    REQUIRE(one.valid_until(0) == start + 37s);
    one.lost(0);
    REQUIRE(one.valid_until(0) == steady_time::min());
    REQUIRE(one.next_expiry() == never);
}

TEST_CASE("a shard that was lost is unknown until it is looked at") {
    shard_balance one = after_seeing({"me", "me"});
    one.lost(1);
    REQUIRE(one.plan().take.empty());
    REQUIRE_FALSE(one.is_held(1));
    one.saw(lease_of(1, ""), start);
    REQUIRE(one.plan().take.size() == 1);
}

TEST_CASE("relays that start together come to shares that differ by at most one") {
    for (std::size_t count = 1; count <= 9; ++count) {
        for (shard_id shards = 1; shards <= 16; ++shards) {
            for (std::uint64_t seed = 1; seed <= 5; ++seed) {
                relays all(count, shards, seed);
                CAPTURE(count, shards, seed);
                REQUIRE(comes_to_rest(all));
            }
        }
    }
}

TEST_CASE("relays that come one after the other come to shares that differ by at most one") {
    for (shard_id shards = 1; shards <= 16; ++shards) {
        relays all(1, shards, shards);
        for (std::size_t count = 1; count <= 9; ++count) {
            CAPTURE(count, shards);
            REQUIRE(comes_to_rest(all));
            all.join();
        }
    }
}

TEST_CASE("relays share fairly, and then nothing moves, whoever comes and dies") {
    sinew::test::prop("after any coming and going they come to rest", [](std::uint64_t seed) {
        const auto count = *rc::gen::inRange<std::size_t>(1, 10);
        const auto shards = *rc::gen::inRange<shard_id>(1, 17);
        const auto changes =
            *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange<unsigned>(0, 20));
        relays all(count, shards, seed);
        for (const auto change : changes) {
            if (change < 9 && all.living() > 1) {
                all.kill(change);
            } else if (change < 12 && all.living() < 9) {
                all.join();
            }
            for (unsigned i = 0; i < change % 4; ++i) {
                all.round();
            }
        }
        RC_ASSERT(comes_to_rest(all));
    });
}
