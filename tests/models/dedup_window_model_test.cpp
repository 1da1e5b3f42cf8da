// SPDX-License-Identifier: BSL-1.0
// The window against a model that forgets nothing and keeps a time with each id.
#include "support/test.hpp"

#include <sinew/consume/dedup_window.hpp>
#include <sinew/core/random.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

/// In a crowd all ids have their home in a small part of the table, and many share their tag.
digest id_of(std::uint64_t n, bool crowd) {
    splitmix64 bits(n);
    const digest d{bits(), bits()};
    return crowd ? digest{d.hi & 0x0fffffffffffffffULL, d.lo & 0xffffffff80000000ULL} : d;
}

/// A run of random calls. Each answer is compared with what the model allows.
class trial {
public:
    trial(dedup_options options, std::uint64_t ids, bool crowd)
        : options_(options), window_(options), ids_(ids), crowd_(crowd) {}

    void step(std::uint64_t choice) {
        splitmix64 random(choice);
        const std::uint64_t n = random() % ids_;
        switch (random() % 8) {
            case 0:
            case 1: claim(n, duration::zero()); break;
            case 2: claim(n, duration(static_cast<std::int64_t>(random() % 2'000'000'000))); break;
            case 3:
            case 4:
            case 5: commit(n); break;
            case 6: release(n); break;
            default: pass_time(random); break;
        }
        RC_ASSERT(window_.in_flight() == in_flight_.size());
        RC_ASSERT(window_.size() <= options_.ids_max);
        RC_ASSERT(window_.size() <= done_.size());
        if (started_) {
            RC_ASSERT(window_.horizon(now_) >= horizon_);
            horizon_ = window_.horizon(now_);
        }
    }

    void finish() const {
        RC_ASSERT(window_.invariants_hold());
        for (const auto& [n, at] : done_) {
            if (at >= window_.horizon(now_) && in_flight_.count(n) == 0) {
                RC_ASSERT(is_remembered(n));
            }
        }
    }

    [[nodiscard]] const dedup_window& window() const { return window_; }

private:
    /// What the next call would find, after it has forgotten its bite.
    [[nodiscard]] bool is_remembered(std::uint64_t n) const {
        auto copy = window_;
        return copy.claim(id_of(n, crowd_), now_) == claim_result::done;
    }

    void claim(std::uint64_t n, duration age) {
        start_clock();
        const auto answer = window_.claim(id_of(n, crowd_), now_, age);
        const auto found = done_.find(n);
        if (in_flight_.count(n) != 0) {
            RC_ASSERT(answer == claim_result::in_flight);
        } else if (answer == claim_result::done) {
            RC_ASSERT(found != done_.end());
        } else {
            // Not remembered: so it was never committed, or only before the horizon.
            RC_ASSERT((found == done_.end() || found->second < window_.horizon(now_)));
            if (in_flight_.size() == options_.in_flight_max) {
                RC_ASSERT(answer == claim_result::full);
                return;
            }
            const bool covered = now_ - age >= window_.horizon(now_) || age == duration::zero();
            RC_ASSERT(answer == (covered ? claim_result::fresh : claim_result::unknown));
            in_flight_.insert(n);
        }
    }

    void commit(std::uint64_t n) {
        start_clock();
        const bool was_in_flight = in_flight_.erase(n) != 0;
        const bool was_done = !was_in_flight && is_remembered(n);
        window_.commit(id_of(n, crowd_), now_);
        if (!was_done) {
            done_[n] = now_;
            RC_ASSERT(is_remembered(n));
        }
    }

    void release(std::uint64_t n) {
        window_.release(id_of(n, crowd_));
        in_flight_.erase(n);
    }

    void pass_time(splitmix64& random) {
        static constexpr std::uint64_t most[] = {1'000, 1'000'000, 50'000'000, 3'000'000'000};
        now_ += duration(static_cast<std::int64_t>(random() % most[random() % 4]));
    }

    /// The memory begins with the first call that is told the time.
    void start_clock() {
        if (!started_) {
            started_ = true;
            horizon_ = now_;
        }
    }

    dedup_options options_;
    dedup_window window_;
    std::uint64_t ids_;
    bool crowd_;
    std::map<std::uint64_t, steady_time> done_;  ///< with the time of the commit that made it so
    std::set<std::uint64_t> in_flight_;
    steady_time now_{1h};
    steady_time horizon_{};
    bool started_ = false;
};

}  // namespace

TEST_CASE("the window agrees with a model that forgets nothing") {
    sinew::test::prop("any calls, few ids and small limits",
                      [](std::vector<std::uint64_t> calls, bool crowd) {
                          const dedup_options options{
                              .ids_max = *rc::gen::inRange<std::size_t>(1, 40),
                              .age_max = 1s,
                              .in_flight_max = *rc::gen::inRange<std::size_t>(1, 8),
                          };
                          trial t(options, *rc::gen::inRange<std::uint64_t>(1, 80), crowd);
                          for (const auto call : calls) {
                              t.step(call);
                          }
                          t.finish();
                          RC_CLASSIFY(t.window().evicted_early() > 0, "with evictions");
                          RC_CLASSIFY(crowd, "in a crowd");
                      });
}

TEST_CASE("the window agrees with the model over long runs") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        splitmix64 random(seed);
        const dedup_options options{
            .ids_max = 1 + static_cast<std::size_t>(random() % 300),
            .age_max = 1s,
            .in_flight_max = 1 + static_cast<std::size_t>(random() % 50),
        };
        trial t(options, 1 + random() % 500, seed % 2 == 0);
        for (int i = 0; i < 5000; ++i) {
            t.step(random());
        }
        t.finish();
        CHECK(t.window().size() > 0);
    }
}
