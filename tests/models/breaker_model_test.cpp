// SPDX-License-Identifier: BSL-1.0
//
// The breaker against a model that keeps every call in a list and counts.
#include "support/test.hpp"

#include <sinew/core/breaker.hpp>

#include <deque>
#include <optional>
#include <utility>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr breaker_options options{.failure_ratio = 0.5,
                                  .calls_min = 6,
                                  .window = 10s,
                                  .in_a_row = 4,
                                  .open_for = 2s,
                                  .open_max = 9s,
                                  .jitter = 0.2,
                                  .probe_timeout = 3s};

struct model {
    struct call {
        std::int64_t part;
        bool good;
    };

    breaker_state state = breaker_state::closed;
    int life = 1;  ///< which calls have a say
    std::vector<call> calls{};
    steady_time until{};
    int opened = 0;
    bool probing = false;

    static std::int64_t part(steady_time at) { return at.time_since_epoch() / 1s; }

    void become(breaker_state to) {
        state = to;
        ++life;
        calls.clear();
        probing = false;
    }
    void open(steady_time at, double random) {
        duration length = options.open_for;
        for (int i = 0; i < opened; ++i) {
            length = std::min<duration>(length * 2, options.open_max);
        }
        ++opened;
        become(breaker_state::open);
        until = at + duration(static_cast<std::int64_t>(static_cast<double>(length.count()) *
                                                        (1 + options.jitter * (2 * random - 1))));
    }
    std::optional<int> admit(steady_time now, double random) {
        if (state == breaker_state::half_open && probing && now >= until) {
            open(until, random);
        }
        if (state == breaker_state::closed) {
            return life;
        }
        if (state == breaker_state::open && now >= until) {
            become(breaker_state::half_open);
        }
        if (state == breaker_state::open || probing) {
            return std::nullopt;
        }
        probing = true;
        until = now + options.probe_timeout;
        return ++life;
    }
    void end(int of, bool good, steady_time now, double random) {
        if (of != life) {
            return;
        }
        if (state == breaker_state::half_open) {
            if (!good) {
                open(now, random);
            } else if (now < until) {
                opened = 0;
                become(breaker_state::closed);
            }
            return;
        }
        calls.push_back({part(now), good});
        int all = 0;
        int bad = 0;
        for (const auto& one : calls) {
            if (one.part > part(now) - 10) {
                ++all;
                bad += one.good ? 0 : 1;
            }
        }
        int row = 0;
        for (auto at = calls.rbegin(); at != calls.rend() && !at->good; ++at) {
            ++row;
        }
        if (!good && (row >= 4 || (all >= 6 && 2 * bad >= all))) {
            open(now, random);
        }
    }
    void give_up(int of) {
        if (of == life && state == breaker_state::half_open) {
            probing = false;
        }
    }
};

}  // namespace

TEST_CASE("breaker: it does what a list of all calls says") {
    test::prop("after any history",
               [](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps) {
                   breaker real(options);
                   model should;
                   steady_time now{100s};
                   std::deque<std::pair<breaker::permit, int>> out;
                   bool was_open = false;
                   for (const auto& [what, how] : steps) {
                       const double random = how / 256.0;
                       if (what % 8 < 3) {
                           auto permit = real.admit(now, random);
                           const auto life = should.admit(now, random);
                           RC_ASSERT(permit.has_value() == life.has_value());
                           if (permit) {
                               out.emplace_back(*std::move(permit), *life);
                           }
                       } else if (what % 8 == 3) {
                           now += how * 40ms;
                       } else if (!out.empty()) {
                           auto one = std::move(out.front());
                           out.pop_front();
                           if (what % 8 == 7 && how % 4 == 0) {
                               should.give_up(one.second);
                           } else {
                               const bool good = what % 8 == 4;
                               good ? one.first.succeeded(now) : one.first.failed(now, random);
                               should.end(one.second, good, now, random);
                           }
                       }
                       RC_ASSERT(real.is_consistent());
                       RC_ASSERT(real.state() == should.state);
                       was_open = was_open || real.state() == breaker_state::open;
                       if (real.state() == breaker_state::open) {
                           RC_ASSERT(real.admits_at() == should.until);
                       }
                   }
                   RC_CLASSIFY(was_open, "opened");
               });
}
