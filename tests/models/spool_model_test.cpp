// SPDX-License-Identifier: BSL-1.0
//
// The index of a spool against the list that the suite for spools compares with.
#include "support/test.hpp"

#include <sinew/core/spool_index.hpp>
#include <sinew/testing/conformance/spool_histories.hpp>

#include <string>
#include <tuple>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;
using sinew::testing::conformance::detail::listed_spool;

namespace {

using step = std::tuple<std::uint8_t, std::uint8_t>;

struct both {
    spool_index index{{}, {1, 2}};
    listed_spool list{};
    steady_time now{1h};
    std::int64_t last = 0;

    listed_spool::entry* pick(std::uint8_t by, spool_state state) {
        std::vector<listed_spool::entry*> found;
        for (auto& one : list.entries) {
            if (one.state == state) {
                found.push_back(&one);
            }
        }
        return found.empty() ? nullptr : found[by % found.size()];
    }

    void act(step s) {
        const auto [what, by] = s;
        auto* waits = pick(by, spool_state::waiting);
        auto* parked = pick(by, spool_state::parked);
        switch (what % 8) {
            case 0:
            case 1:
            case 2: {
                const std::string key = by % 4 == 0 ? "" : "k" + std::to_string(by % 4);
                index.add(++last, key, 100, now);
                list.entries.push_back({last, std::to_string(last), key});
                return;
            }
            case 3: now += by * 100ms; return;
            case 4:
                if (waits != nullptr) {
                    index.remove(waits->number);
                    erase(waits->number);
                }
                return;
            case 5: put_off(by); return;
            case 6:
                if (waits != nullptr) {
                    waits->state = spool_state::parked;
                    waits->following = by % 2 == 0 ? following::park : following::pass;
                    waits->due = steady_time::min();
                    index.park(waits->number, waits->following);
                }
                return;
            default:
                if (parked != nullptr && by % 3 != 0) {
                    parked->state = spool_state::waiting;
                    index.unpark(parked->number);
                } else if (parked != nullptr) {
                    index.remove(parked->number);
                    erase(parked->number);
                }
        }
    }

    /// As a drainer does: an entry that is shown first of its key.
    void put_off(std::uint8_t by) {
        const auto shown = index.claim(now, {1000, SIZE_MAX / 2});
        if (shown.empty()) {
            return;
        }
        const auto number = shown[by % shown.size()];
        auto& one = *std::find_if(list.entries.begin(), list.entries.end(),
                                  [&](const auto& e) { return e.number == number; });
        for (auto& other : list.entries) {
            if (!one.key.empty() && other.key == one.key) {
                other.due = steady_time::min();
            }
        }
        one.due = now + by * 200ms;
        index.put_off(number, one.due);
    }

    void erase(std::int64_t number) {
        std::erase_if(list.entries, [&](const auto& e) { return e.number == number; });
    }

    void compare() {
        std::vector<std::string> shown;
        for (const auto number : index.claim(now, {1000, SIZE_MAX / 2})) {
            shown.push_back(std::to_string(number) + "/0");
        }
        RC_ASSERT(shown == list.claim(now));
        std::uint64_t held = 0;
        std::uint64_t parked = 0;
        for (const auto& one : list.entries) {
            const bool is_parked = one.state == spool_state::parked;
            parked += is_parked ? 1U : 0U;
            held += !is_parked && list.is_behind_parked(one) ? 1U : 0U;
        }
        const auto size = index.size();
        RC_ASSERT(size.held == held);
        RC_ASSERT(size.parked == parked);
        RC_ASSERT(size.entries() == list.entries.size());
        RC_ASSERT(size.bytes == 100 * list.entries.size());
        RC_ASSERT(size.oldest.has_value() == (size.waiting != 0));
        for (const char* key : {"k1", "k2", "k3", "k4"}) {
            RC_ASSERT(index.holds(key) == list.holds(key));
        }
    }
};

}  // namespace

TEST_CASE("spool index: it does what a list of all entries says") {
    test::prop("after any history", [](const std::vector<step>& steps) {
        both b;
        for (const auto& one : steps) {
            b.act(one);
            b.compare();
        }
    });
}
