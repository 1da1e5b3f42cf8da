// SPDX-License-Identifier: BSL-1.0
//
// What it costs to remember the last N ids and to tell which ones have come before: the window of
// `deduplicate`, beside a queue with a hash set. Both are full, so each new id makes the oldest
// give way; one id in twenty has come before.
//
// | case | by hand | sinew |
// | --- | --- | --- |
// | window/N/std | `std::unordered_set` and a ring | `dedup_window`: announce, claim, commit |
// | window/N/boost | `boost::unordered_flat_set` and a ring | the same |
// | window/N/absl | `absl::flat_hash_set` and a ring | the same |
// | window/single/N/... | as above | claim and commit: ids are not known before their turn |
// | window/again/N/... | as above, but each id has come before | announce, claim |
// | window/adversary | `dedup_window`, random ids | ids made to collide under a seed that is not ours |
// | window/bytes/... | | allocated bytes for each remembered id |
//
// Ids are 128 random bits. By hand they are hashed with a secret, in one multiplication; sinew is
// given them as digests. An id is announced eight ids before its turn, as by a consumer that has a
// batch at hand; `prefetch` of absl was tried for that by hand, and made it slower.
//
//   ./dev bench window

#include "ratio.hpp"

#include <sinew/consume/dedup_window.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <malloc.h>

#ifdef SINEW_BENCH_HAS_ABSL
#include <absl/container/flat_hash_set.h>
#endif
#ifdef SINEW_BENCH_HAS_BOOST
#include <boost/unordered/unordered_flat_set.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

using namespace sinew;

constexpr std::size_t round_items = 400'000;
/// How many ids are announced before they come.
constexpr std::size_t ahead = 8;

/// The `n`-th id that ever comes.
digest id_of(std::uint64_t n) {
    splitmix64 bits(n * 0x632be59bd9b4e019ULL);
    return {bits(), bits()};
}

/// Ids as they come.
class traffic {
public:
    traffic(std::size_t remembered, std::size_t again_percent)
        : remembered_(remembered), again_percent_(again_percent), next_(remembered) {}

    /// The ids that fill the memory, in their order.
    template <class Memory>
    void fill(Memory& memory) const {
        for (std::uint64_t n = 0; n < remembered_; ++n) {
            memory.apply(id_of(n));
        }
    }

    const std::vector<digest>& next_round() {
        round_.clear();
        while (round_.size() < round_items) {
            // The oldest few are about to give way.
            const bool again = choice_() % 100 < again_percent_;
            round_.push_back(again ? id_of(next_ - 1 - choice_() % (remembered_ - 1))
                                   : id_of(next_++));
        }
        return round_;
    }

private:
    std::size_t remembered_;
    std::size_t again_percent_;
    std::uint64_t next_;
    splitmix64 choice_{1};
    std::vector<digest> round_;
};

struct seeded_hash {
    using is_avalanching = void;

    std::size_t operator()(const digest& id) const noexcept {
        __extension__ using wide = unsigned __int128;
        const wide product = wide{id.hi ^ k0} * (id.lo ^ k1);
        return static_cast<std::size_t>(product ^ (product >> 64U));
    }

    std::uint64_t k0 = 0x9e6c63d0876a9a62ULL;
    std::uint64_t k1 = 0xd1b54a32d192ed03ULL;
};

/// By hand.
template <class Set>
class queue_with_set {
public:
    explicit queue_with_set(std::size_t remembered) : queue_(remembered) {
        set_.reserve(remembered + 1);
    }

    /// Whether the id is new.
    bool apply(const digest& id) {
        if (!set_.insert(id).second) {
            return false;
        }
        if (full_) {
            set_.erase(queue_[next_]);
        }
        queue_[next_] = id;
        if (++next_ == queue_.size()) {
            next_ = 0;
            full_ = true;
        }
        return true;
    }

private:
    Set set_;
    std::vector<digest> queue_;
    std::size_t next_ = 0;
    bool full_ = false;
};

class window {
public:
    explicit window(std::size_t remembered) : window_({.ids_max = remembered}) {}

    void announce(const digest& id) const { window_.announce(id); }

    bool apply(const digest& id) {
        now_ += duration(1000);
        if (window_.claim(id, now_) != claim_result::fresh) {
            return false;
        }
        window_.commit(id, now_);
        return true;
    }

private:
    dedup_window window_;
    steady_time now_{};
};

struct way {
    std::size_t remembered = 0;
    std::size_t again_percent = 5;
    bool announced = true;
};

/// A memory in its steady state, and what comes to it.
template <class Memory>
struct subject {
    explicit subject(const way& how)
        : memory(how.remembered), ids(how.remembered, how.again_percent) {
        ids.fill(memory);
    }

    Memory memory;
    traffic ids;
    std::size_t fresh = 0;
};

template <class Set>
bench::sides sides_of(const way& how) {
    const auto by_hand = std::make_shared<subject<queue_with_set<Set>>>(how);
    const auto ours = std::make_shared<subject<window>>(how);
    return {[by_hand](bench::laps& laps) {
                const auto& all = by_hand->ids.next_round();
                laps.time("", [&] {
                    for (const digest& id : all) {
                        by_hand->fresh += by_hand->memory.apply(id) ? 1U : 0U;
                    }
                });
            },
            [by_hand, ours, how](bench::laps& laps) {
                const auto& all = ours->ids.next_round();
                const std::size_t distance = how.announced ? ahead : 0;
                laps.time("", [&] {
                    for (std::size_t i = 0; i < all.size(); ++i) {
                        if (distance != 0) {
                            ours->memory.announce(all[std::min(i + distance, all.size() - 1)]);
                        }
                        ours->fresh += ours->memory.apply(all[i]) ? 1U : 0U;
                    }
                });
                if (ours->fresh != by_hand->fresh) {
                    throw std::logic_error("the sides do not agree on what is new");
                }
            }};
}

/// What malloc has handed out for each remembered id, when as many again have come and gone.
template <class Memory>
double bytes_an_id(std::size_t remembered) {
    const auto in_use = [] {
        const auto all = ::mallinfo2();
        return all.uordblks + all.hblkhd;
    };
    const std::size_t before = in_use();
    Memory memory(remembered);
    for (std::uint64_t n = 0; n < 2 * remembered; ++n) {
        memory.apply(id_of(n));
    }
    return static_cast<double>(in_use() - before) / static_cast<double>(remembered);
}

const std::vector<std::pair<std::string, std::size_t>> sizes = {
    {"1e5", 100'000}, {"1e6", 1'000'000}, {"1e7", 10'000'000}};

template <class Set>
void add_pairs(bench::suite& all, const std::string& name) {
    for (const auto& [size, remembered] : sizes) {
        const std::string which = size + "/" + name;
        all.pair({.name = "window/" + which,
                  .items = round_items,
                  .goal = 1.0,
                  .series = "window",
                  .x = static_cast<double>(remembered),
                  .against = name},
                 [n = remembered] { return sides_of<Set>({.remembered = n}); });
        all.pair({.name = "window/single/" + which, .items = round_items, .goal = 1.0},
                 [n = remembered] { return sides_of<Set>({.remembered = n, .announced = false}); });
        all.pair({.name = "window/again/" + which, .items = round_items}, [n = remembered] {
            return sides_of<Set>({.remembered = n, .again_percent = 100});
        });
        all.figure(
            {.name = "window/bytes/" + which, .unit = "bytes an id"},
            [remembered = remembered] { return bytes_an_id<queue_with_set<Set>>(remembered); });
    }
}

// What a stranger can do who knows how ids are hashed, but not our seed.

constexpr std::size_t adversary_ids = 100'000;
constexpr hash_seed known_seed{};
constexpr hash_seed secret_seed{0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL};

digest digest_of_id(hash_seed seed, std::string_view id) {
    return digest_of(seed, "consumer", "/source", id);
}

std::vector<std::string> ids_that(bool collide) {
    std::vector<std::string> out;
    for (std::uint64_t n = 0; out.size() < adversary_ids; ++n) {
        std::string id = std::to_string(1'000'000'000 + n);
        if (!collide || digest_of_id(known_seed, id).hi >> 56U == 0) {
            out.push_back(std::move(id));
        }
    }
    return out;
}

/// All of them, into a new window.
void take_in(const std::vector<std::string>& ids, hash_seed seed, bench::laps& laps) {
    window memory(adversary_ids);
    laps.time("", [&] {
        for (const auto& id : ids) {
            memory.apply(digest_of_id(seed, id));
        }
    });
}

void add_adversary(bench::suite& all) {
    all.pair({.name = "window/adversary", .items = adversary_ids, .goal = 0.95}, [] {
        const auto random = std::make_shared<std::vector<std::string>>(ids_that(false));
        const auto crafted = std::make_shared<std::vector<std::string>>(ids_that(true));
        return bench::sides{[random](bench::laps& laps) { take_in(*random, secret_seed, laps); },
                            [crafted](bench::laps& laps) { take_in(*crafted, secret_seed, laps); }};
    });
    all.figure({.name = "window/adversary/if the seed were known", .unit = "times the time"}, [] {
        const auto crafted = ids_that(true);
        bench::laps secret;
        take_in(crafted, secret_seed, secret);
        bench::laps known;
        take_in(crafted, known_seed, known);
        return known.seconds() / secret.seconds();
    });
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("window", argc, argv);
    add_pairs<std::unordered_set<digest, seeded_hash>>(all, "std");
#ifdef SINEW_BENCH_HAS_BOOST
    add_pairs<boost::unordered_flat_set<digest, seeded_hash>>(all, "boost");
#endif
#ifdef SINEW_BENCH_HAS_ABSL
    add_pairs<absl::flat_hash_set<digest, seeded_hash>>(all, "absl");
#endif
    for (const auto& [size, remembered] : sizes) {
        all.figure({.name = "window/bytes/" + size,
                    .unit = "bytes an id",
                    .at_most = 20,
                    .series = "window/bytes",
                    .x = static_cast<double>(remembered)},
                   [remembered = remembered] { return bytes_an_id<window>(remembered); });
    }
    add_adversary(all);
    return all.run();
}
