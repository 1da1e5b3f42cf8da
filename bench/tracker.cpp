// SPDX-License-Identifier: BSL-1.0
//
// What it costs to know how far a partition can be committed, while its records finish in any
// order: the offset tracker, beside what is written by hand for it.
//
// A round delivers N records and then finishes all of them, and asks after each how far can be
// committed. N records are in flight at once.
//
// | case | by hand |
// | --- | --- |
// | tracker/ORDER/set | `std::set` of the unfinished offsets; the first one is the limit |
// | tracker/ORDER/bitmap | a ring of bits by offset, and its first unfinished bit |
// | tracker/in_flight/N | `std::set`, N from 1 to a million, in random order |
//
// Orders: as delivered; at random; in blocks of 64 that finish at random, each in its order. The
// bitmap does less: it takes offsets to have no holes, and knows neither epochs, nor what was
// finished twice, nor since when the oldest waits; it is there to show the distance.
//
//   ./dev bench tracker

#include "ratio.hpp"

#include <sinew/consume/offset_tracker.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace sinew;

constexpr std::size_t usual = 65'536;

enum class order { as_delivered, at_random, in_blocks };

/// The offsets from 0 in the order in which they finish.
std::vector<log_offset> finishing(std::size_t in_flight, order how) {
    const std::size_t block = how == order::in_blocks ? 64 : 1;
    std::vector<log_offset> blocks;
    for (std::size_t i = 0; i < in_flight; i += block) {
        blocks.push_back(static_cast<log_offset>(i));
    }
    splitmix64 random(1);
    for (std::size_t i = blocks.size(); how != order::as_delivered && i > 1; --i) {
        std::swap(blocks[i - 1], blocks[random() % i]);
    }
    std::vector<log_offset> out;
    for (const log_offset first : blocks) {
        for (std::size_t i = 0; i < block && out.size() < in_flight; ++i) {
            out.push_back(first + static_cast<log_offset>(i));
        }
    }
    return out;
}

/// Everything up to `through` can be committed; -1 is nothing.
class with_set {
public:
    explicit with_set(std::size_t) {}

    void deliver(log_offset offset) {
        unfinished_.insert(unfinished_.end(), offset);
        highest_ = offset;
    }
    void finish(log_offset offset) { unfinished_.erase(offset); }
    [[nodiscard]] log_offset through() const {
        return unfinished_.empty() ? highest_ : *unfinished_.begin() - 1;
    }

private:
    std::set<log_offset> unfinished_;
    log_offset highest_ = -1;
};

class with_bitmap {
public:
    explicit with_bitmap(std::size_t in_flight)
        : words_(std::bit_ceil(in_flight / 64 + 2)), mask_(words_.size() - 1) {}

    void deliver(log_offset offset) { highest_ = offset; }

    void finish(log_offset offset) {
        const auto at = static_cast<std::uint64_t>(offset);
        words_[at / 64 & mask_] |= std::uint64_t{1} << at % 64;
        while (first_ <= highest_) {
            const auto from = static_cast<std::uint64_t>(first_);
            std::uint64_t& word = words_[from / 64 & mask_];
            const auto done = std::countr_one(word >> from % 64);
            first_ += done;
            if (static_cast<std::uint64_t>(first_) / 64 == from / 64) {
                break;
            }
            word = 0;
        }
    }
    [[nodiscard]] log_offset through() const { return first_ - 1; }

private:
    std::vector<std::uint64_t> words_;
    std::size_t mask_;
    log_offset first_ = 0;
    log_offset highest_ = -1;
};

class with_tracker {
public:
    explicit with_tracker(std::size_t in_flight) : tracker_(in_flight) { tracker_.start(1); }

    void deliver(log_offset offset) {
        if (tracker_.deliver(offset, 1, now_) != offset_tracker::delivery::tracked) {
            throw std::logic_error("a record was not tracked");
        }
    }
    void finish(log_offset offset) { static_cast<void>(tracker_.finish(offset, 1)); }
    [[nodiscard]] log_offset through() const { return tracker_.committable().value_or(-1); }

private:
    offset_tracker tracker_;
    steady_time now_{};
};

/// One side: its rounds go on in the same log.
template <class Tracker>
class subject {
public:
    subject(std::size_t in_flight, std::size_t rounds, order how)
        : tracker_(in_flight), order_(finishing(in_flight, how)), rounds_(rounds) {}

    void operator()(bench::laps& laps) {
        laps.time("", [this] {
            for (std::size_t round = 0; round < rounds_; ++round) {
                const auto in_flight = static_cast<log_offset>(order_.size());
                for (log_offset i = 0; i < in_flight; ++i) {
                    tracker_.deliver(from_ + i);
                }
                for (const log_offset i : order_) {
                    tracker_.finish(from_ + i);
                    sum_ += static_cast<std::uint64_t>(tracker_.through());
                }
                from_ += in_flight;
            }
        });
        if (tracker_.through() != from_ - 1) {
            throw std::logic_error("not everything can be committed");
        }
    }

    /// Of all answers.
    [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }

private:
    Tracker tracker_;
    std::vector<log_offset> order_;
    std::size_t rounds_;
    log_offset from_ = 0;
    std::uint64_t sum_ = 0;
};

template <class ByHand>
bench::sides sides_of(std::size_t in_flight, std::size_t rounds, order how) {
    const auto by_hand = std::make_shared<subject<ByHand>>(in_flight, rounds, how);
    const auto ours = std::make_shared<subject<with_tracker>>(in_flight, rounds, how);
    return {[by_hand](bench::laps& laps) { (*by_hand)(laps); },
            [by_hand, ours](bench::laps& laps) {
                (*ours)(laps);
                if (ours->sum() != by_hand->sum()) {
                    throw std::logic_error("the sides do not agree on what can be committed");
                }
            }};
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("tracker", argc, argv);
    const std::vector<std::pair<std::string, order>> orders = {{"in_order", order::as_delivered},
                                                               {"random", order::at_random},
                                                               {"blocks", order::in_blocks}};
    for (const auto& [name, how] : orders) {
        all.pair({.name = "tracker/" + name + "/set",
                  .items = 4 * usual,
                  .goal = 1.0,
                  .against = "std::set"},
                 [how = how] { return sides_of<with_set>(usual, 4, how); });
        all.pair({.name = "tracker/" + name + "/bitmap",
                  .items = 4 * usual,
                  .against = "a ring of bits"},
                 [how = how] { return sides_of<with_bitmap>(usual, 4, how); });
    }
    for (std::size_t in_flight = 1; in_flight <= 1'000'000; in_flight *= 10) {
        const std::size_t rounds = in_flight < 100'000 ? 100'000 / in_flight : 1;
        all.pair({.name = "tracker/in_flight/" + std::to_string(in_flight),
                  .items = in_flight * rounds,
                  .goal = 1.0,
                  .series = "tracker",
                  .x = static_cast<double>(in_flight),
                  .against = "std::set"},
                 [=] { return sides_of<with_set>(in_flight, rounds, order::at_random); });
    }
    return all.run();
}
