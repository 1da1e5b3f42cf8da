// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/offset_tracker.hpp>

#include <map>
#include <vector>

namespace {

using sinew::epoch_number;
using sinew::log_offset;
using sinew::offset_tracker;
using sinew::steady_time;

/// What a tracker knows, with nothing forgotten and nothing computed ahead.
struct model {
    struct record {
        bool finished = false;
        steady_time delivered{};
    };

    std::size_t window_max = 0;
    std::map<log_offset, record> records;
    epoch_number epoch = 0;
    bool running = false;
    std::optional<log_offset> start;
    std::optional<log_offset> committed;

    void begin(epoch_number new_epoch, std::optional<log_offset> from) {
        records.clear();
        epoch = new_epoch;
        running = true;
        start = committed = from;
    }

    void stop() {
        records.clear();
        running = false;
        start = committed = std::nullopt;
    }

    [[nodiscard]] std::optional<log_offset> watermark() const {
        std::optional<log_offset> mark = start;
        for (const auto& [offset, one] : records) {
            if (!one.finished) {
                break;
            }
            mark = offset;
        }
        return mark;
    }

    [[nodiscard]] std::size_t window() const {
        std::size_t above = 0;
        for (const auto& [offset, one] : records) {
            above += !watermark() || offset > *watermark() ? 1U : 0U;
        }
        return above;
    }

    [[nodiscard]] offset_tracker::delivery deliver(log_offset offset, epoch_number e,
                                                   steady_time now) {
        const bool above =
            records.empty() ? !start || offset > *start : offset > records.rbegin()->first;
        if (!running || e != epoch || !above) {
            return offset_tracker::delivery::seen;
        }
        if (window() == window_max) {
            return offset_tracker::delivery::full;
        }
        records[offset] = {false, now};
        return offset_tracker::delivery::tracked;
    }

    [[nodiscard]] bool finish(log_offset offset, epoch_number e) {
        const auto found = records.find(offset);
        if (!running || e != epoch || found == records.end() || found->second.finished) {
            return false;
        }
        found->second.finished = true;
        return true;
    }

    [[nodiscard]] bool is_finished(log_offset offset) const {
        const auto found = records.find(offset);
        return (watermark() && offset <= *watermark()) ||
               (found != records.end() && found->second.finished);
    }

    [[nodiscard]] std::optional<log_offset> committable() const {
        const auto mark = watermark();
        return mark && (!committed || *mark > *committed) ? mark : std::nullopt;
    }

    void commit(log_offset through, epoch_number e) {
        const auto mark = watermark();
        if (running && e == epoch && mark && through <= *mark &&
            (!committed || through > *committed)) {
            committed = through;
        }
    }

    [[nodiscard]] std::size_t unfinished() const {
        std::size_t open = 0;
        for (const auto& [offset, one] : records) {
            open += one.finished ? 0U : 1U;
        }
        return open;
    }

    [[nodiscard]] std::optional<steady_time> oldest() const {
        for (const auto& [offset, one] : records) {
            if (!one.finished) {
                return one.delivered;
            }
        }
        return std::nullopt;
    }
};

/// A command is four small numbers; 0 is the unremarkable choice, so that failures shrink well.
using command = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t, std::uint8_t>;

/// Runs the commands on both, and compares each answer.
void compare(std::size_t window_max, const std::vector<command>& commands) {
    offset_tracker tracker(window_max);
    model naive;
    naive.window_max = window_max;
    tracker.start(1);
    naive.begin(1, std::nullopt);
    epoch_number epoch = 1;
    log_offset highest = 0;
    steady_time now{};
    for (const auto& [kind, a, b, c] : commands) {
        now += std::chrono::seconds(c % 3);
        const epoch_number asked = b % 16 == 15 ? epoch - 1 : epoch;
        const log_offset somewhere = highest - a % 16;
        switch (kind % 12) {
            case 0:
            case 1:
            case 2:
            case 3: {
                const log_offset offset = a % 16 == 15 ? somewhere : highest + 1 + a % 4;
                const auto answer = tracker.deliver(offset, asked, now);
                RC_ASSERT(answer == naive.deliver(offset, asked, now));
                highest = answer == offset_tracker::delivery::tracked ? offset : highest;
                break;
            }
            case 9:
                tracker.committed(somewhere, asked);
                naive.commit(somewhere, asked);
                break;
            case 10:
                if (const auto through = tracker.committable()) {
                    tracker.committed(*through, asked);
                    naive.commit(*through, asked);
                }
                break;
            case 11:
                if (a % 4 == 3) {
                    tracker.stop();
                    naive.stop();
                } else if (a % 4 == 2) {
                    ++epoch;
                    const std::optional<log_offset> from =
                        b % 2 == 1 ? std::optional(somewhere) : std::nullopt;
                    tracker.start(epoch, from);
                    naive.begin(epoch, from);
                    highest = somewhere;
                }
                break;
            default:
                RC_ASSERT(tracker.finish(somewhere, asked) == naive.finish(somewhere, asked));
                break;
        }
        RC_ASSERT(tracker.check_invariants());
        RC_ASSERT(tracker.committable() == naive.committable());
        RC_ASSERT(tracker.window() == naive.window());
        RC_ASSERT(tracker.unfinished() == naive.unfinished());
        RC_ASSERT(tracker.full() == (naive.window() == window_max));
        RC_ASSERT(tracker.idle() == (naive.unfinished() == 0));
        RC_ASSERT(tracker.oldest_unfinished() == naive.oldest());
        RC_ASSERT(tracker.epoch() == naive.epoch);
        for (log_offset offset = highest - 20; offset < highest + 3; ++offset) {
            RC_ASSERT(tracker.is_finished(offset) == naive.is_finished(offset));
        }
    }
}

}  // namespace

TEST_CASE("offset tracker: it answers as a map of all records would") {
    sinew::test::prop("with any window", [] {
        const auto window_max = *rc::gen::inRange<std::size_t>(1, 20);
        const auto commands = *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<command>>());
        compare(window_max, commands);
    });
}

TEST_CASE("offset tracker: whatever the order of finishing, the watermark never runs ahead") {
    sinew::test::prop("and reaches the end when all are finished", [] {
        const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 1'000));
        std::vector<log_offset> offsets;
        log_offset last = 0;
        for (const int step : steps) {
            last += step % 7 == 0 ? step : 1;
            offsets.push_back(last);
        }
        offset_tracker tracker(offsets.size() + 1);
        tracker.start(1);
        for (const log_offset offset : offsets) {
            RC_ASSERT(tracker.deliver(offset, 1, {}) == offset_tracker::delivery::tracked);
        }
        std::vector<log_offset> open = offsets;
        while (!open.empty()) {
            const auto pick = *rc::gen::inRange<std::size_t>(0, open.size());
            RC_ASSERT(tracker.finish(open[pick], 1));
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
            const auto through = tracker.committable();
            RC_ASSERT((open.empty() || !through || *through < open.front()));
        }
        if (!offsets.empty()) {
            RC_ASSERT(tracker.committable() == offsets.back());
        }
    });
}
