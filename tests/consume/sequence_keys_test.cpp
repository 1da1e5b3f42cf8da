// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/sequence_keys.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace {

using sinew::digest;
using sinew::detail::sequence_keys;

/// Few homes, so that keys get into each other's way; the first one looks like a free cell.
digest key_of(std::uint32_t number) { return {number, number % 3}; }

/// The keys with the time at which each was used, and a search for everything.
struct model {
    struct one {
        std::uint64_t next = 0;
        std::uint64_t used = 0;  ///< 0: it is not idle
    };
    std::map<digest, one> keys;
    std::uint64_t time = 0;

    [[nodiscard]] std::optional<digest> oldest_idle() const {
        std::optional<digest> oldest;
        for (const auto& [key, at] : keys) {
            if (at.used != 0 && (!oldest || at.used < keys.at(*oldest).used)) {
                oldest = key;
            }
        }
        return oldest;
    }
};

void compare(sequence_keys& keys, const model& naive) {
    RC_ASSERT(keys.check_invariants());
    RC_ASSERT(keys.size() == naive.keys.size());
    for (const auto& [key, at] : naive.keys) {
        const auto* found = keys.find(key);
        RC_ASSERT(found != nullptr);
        RC_ASSERT(found->next == at.next);
        RC_ASSERT(found->is_idle() == (at.used != 0));
    }
}

void run(std::uint32_t last_stamp) {
    const auto keys_max = *rc::gen::inRange<std::uint32_t>(1, 40);
    sequence_keys keys(keys_max, last_stamp);
    model naive;
    const auto commands =
        *rc::gen::scale(6.0, rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, int>>>());
    for (const auto& [which, kind] : commands) {
        const digest key = key_of(which % (keys_max + 5));
        auto* found = keys.find(key);
        RC_ASSERT((found != nullptr) == naive.keys.contains(key));
        if (found == nullptr) {
            if (keys.is_full()) {
                const auto* oldest = keys.oldest_idle();
                const auto expected = naive.oldest_idle();
                RC_ASSERT((oldest != nullptr) == expected.has_value());
                if (oldest == nullptr) {
                    continue;
                }
                RC_ASSERT(oldest->key == *expected);
                keys.close(*oldest);
                naive.keys.erase(*expected);
            }
            RC_ASSERT(keys.open(key, which + 1U).key == key);
            naive.keys[key] = {which + 1U, ++naive.time};
        } else if (kind % 2 == 0) {
            keys.set_idle(*found);
            naive.keys[key].used = ++naive.time;
        } else {
            keys.set_busy(*found);
            naive.keys[key].used = 0;
        }
        compare(keys, naive);
    }
}

}  // namespace

TEST_CASE("sequence keys: the least recently used of those that are idle gives way") {
    sinew::test::prop("as a search through all of them finds it", [] { run(0); });
    sinew::test::prop("also when stamps begin anew", [] { run(UINT32_MAX - 20); });
}

TEST_CASE("sequence keys: many keys give way in the order of their use") {
    constexpr std::uint32_t keys_max = 5'000;
    const auto key = [](std::uint32_t n) { return digest{n, n * 0x9e3779b97f4a7c15ULL}; };
    sequence_keys keys(keys_max);
    for (std::uint32_t n = 0; n < keys_max; ++n) {
        keys.open(key(n), 1);
    }
    for (std::uint32_t n = 0; n < keys_max; n += 2) {
        keys.set_idle(*keys.find(key(n)));  // the even ones are used once more
    }
    for (std::uint32_t n = 0; n < keys_max; ++n) {
        const std::uint32_t expected = n < keys_max / 2 ? 2 * n + 1 : 2 * n - keys_max;
        auto* oldest = keys.oldest_idle();
        REQUIRE(oldest != nullptr);
        REQUIRE(oldest->key == key(expected));
        keys.close(*oldest);
    }
    REQUIRE(keys.oldest_idle() == nullptr);
    REQUIRE(keys.size() == 0);
    REQUIRE(keys.check_invariants());
}
