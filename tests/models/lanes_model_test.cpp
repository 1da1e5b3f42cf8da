// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/lanes.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

namespace {

using sinew::lanes;
using sinew::slot_id;
using sinew::steady_time;
using state = sinew::lanes::state;

/// The rules of the lanes, with a map of deques and a search for everything.
struct model {
    struct event {
        slot_id slot = 0;
        state what = state::queued;
        std::optional<steady_time> due;
    };
    struct lane {
        std::deque<event> events;
        bool rewound = false;
        std::uint64_t ticket = 0;  ///< of its wait
    };

    std::map<std::uint64_t, lane> all;
    std::deque<std::uint64_t> line;
    std::uint64_t tickets = 0;
    std::uint64_t alone = 1'000'000;

    static event* first_queued(lane& one) {
        for (auto& e : one.events) {
            if (e.what == state::queued) {
                return &e;
            }
        }
        return nullptr;
    }

    static bool is_busy(const lane& one) {
        return std::any_of(one.events.begin(), one.events.end(),
                           [](const event& e) { return e.what == state::running; });
    }

    [[nodiscard]] bool in_line(std::uint64_t number) const {
        return std::find(line.begin(), line.end(), number) != line.end();
    }

    std::pair<std::uint64_t, event*> find(slot_id slot) {
        for (auto& [number, one] : all) {
            for (auto& e : one.events) {
                if (e.slot == slot) {
                    return {number, &e};
                }
            }
        }
        return {0, nullptr};
    }

    [[nodiscard]] bool waits(lane& one) {
        const auto* next = first_queued(one);
        return !is_busy(one) && next != nullptr && next->due;
    }

    /// A lane that can run stands in the line, and keeps its place there; any other does not.
    void refresh(std::uint64_t number) {
        lane& one = all[number];
        const bool ready = !is_busy(one) && first_queued(one) != nullptr && !waits(one);
        if (ready && !in_line(number)) {
            line.push_back(number);
        }
        if (!ready && in_line(number)) {
            line.erase(std::find(line.begin(), line.end(), number));
        }
        if (one.events.empty()) {
            all.erase(number);
        }
    }

    void push(slot_id slot, std::optional<std::uint64_t> number) {
        const std::uint64_t at = number ? *number : alone++;
        all[at].events.push_back({slot, state::queued, std::nullopt});
        refresh(at);
    }

    std::vector<std::pair<steady_time, std::pair<std::uint64_t, std::uint64_t>>> waiting() {
        std::vector<std::pair<steady_time, std::pair<std::uint64_t, std::uint64_t>>> found;
        for (auto& [number, one] : all) {
            if (waits(one)) {
                found.push_back({*first_queued(one)->due, {one.ticket, number}});
            }
        }
        std::sort(found.begin(), found.end());
        return found;
    }

    std::optional<slot_id> take(steady_time now) {
        for (const auto& [due, who] : waiting()) {
            if (due <= now) {
                first_queued(all[who.second])->due = std::nullopt;
                refresh(who.second);
            }
        }
        if (line.empty()) {
            return std::nullopt;
        }
        lane& one = all[line.front()];
        line.pop_front();
        event* next = first_queued(one);
        next->what = state::running;
        one.rewound = false;
        return next->slot;
    }

    void ran(slot_id slot) {
        const auto [number, e] = find(slot);
        if (e != nullptr && e->what == state::running) {
            e->what = all[number].rewound ? state::queued : state::provisional;
            begin_wait(number);
        }
    }

    void retry_at(slot_id slot, steady_time due) {
        const auto [number, e] = find(slot);
        if (e != nullptr && e->what == state::running) {
            e->what = state::queued;
            e->due = due;
            begin_wait(number);
        }
    }

    void begin_wait(std::uint64_t number) {
        all[number].ticket = ++tickets;
        refresh(number);
    }

    void finish(slot_id slot) {
        const auto [number, e] = find(slot);
        if (e == nullptr) {
            return;
        }
        lane& one = all[number];
        const bool was_running = e->what == state::running;
        const bool was_first = e == first_queued(one);
        one.events.erase(std::find_if(one.events.begin(), one.events.end(),
                                      [slot](const event& x) { return x.slot == slot; }));
        if (was_running || was_first) {
            begin_wait(number);
        } else {
            refresh(number);
        }
    }

    void rewind(slot_id slot) {
        const auto [number, e] = find(slot);
        if (e == nullptr || e->what == state::queued) {
            return;
        }
        lane& one = all[number];
        if (e->what == state::running) {
            e->what = state::queued;
            begin_wait(number);
            return;
        }
        bool after = false;
        for (auto& x : one.events) {
            after = after || x.slot == slot;
            if (after && x.what == state::provisional) {
                x.what = state::queued;
            }
        }
        one.rewound = is_busy(one);
        refresh(number);
    }

    [[nodiscard]] std::size_t count(std::optional<state> what) const {
        std::size_t found = 0;
        for (const auto& [number, one] : all) {
            for (const auto& e : one.events) {
                found += !what || e.what == *what ? 1U : 0U;
            }
        }
        return found;
    }
};

using command = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;

std::vector<std::vector<std::pair<slot_id, state>>> content(model& naive) {
    std::vector<std::vector<std::pair<slot_id, state>>> all;
    for (const auto& [number, one] : naive.all) {
        auto& lane = all.emplace_back();
        for (const auto& e : one.events) {
            lane.emplace_back(e.slot, e.what);
        }
    }
    return all;
}

void compare(std::size_t slots_max, const std::vector<command>& commands) {
    lanes queue(slots_max);
    model naive;
    steady_time now{};
    for (const auto& [kind, a, b] : commands) {
        const slot_id slot = a % static_cast<slot_id>(slots_max);
        switch (kind % 10) {
            case 0:
            case 1:
            case 2: {
                if (queue.contains(slot)) {
                    break;
                }
                const std::optional<std::uint64_t> lane =
                    b % 8 == 7 ? std::nullopt : std::optional<std::uint64_t>(b % 4);
                queue.push(slot, lane);
                naive.push(slot, lane);
                break;
            }
            case 3:
            case 4: RC_ASSERT(queue.take(now) == naive.take(now)); break;
            case 5:
                queue.ran(slot);
                naive.ran(slot);
                break;
            case 6:
                queue.finish(slot);
                naive.finish(slot);
                break;
            case 7: {
                const auto due = b == 255 ? sinew::never : now + std::chrono::seconds(b % 5);
                queue.retry_at(slot, due);
                naive.retry_at(slot, due);
                break;
            }
            case 8:
                queue.rewind(slot);
                naive.rewind(slot);
                break;
            case 9: now += std::chrono::seconds(b % 4); break;
            default: break;
        }
        RC_ASSERT(queue.check_invariants());
        const auto waiting = naive.waiting();
        RC_ASSERT(queue.waiting_lanes() == waiting.size());
        RC_ASSERT(queue.next_due() ==
                  (waiting.empty() ? std::nullopt : std::optional(waiting.front().first)));
        RC_ASSERT((queue.has_ready(now) ==
                   (!naive.line.empty() || (!waiting.empty() && waiting.front().first <= now))));
        RC_ASSERT(queue.size() == naive.count(std::nullopt));
        RC_ASSERT(queue.running() == naive.count(state::running));
        RC_ASSERT(queue.open_lanes() == naive.all.size());
        for (slot_id one = 0; one < slots_max; ++one) {
            const auto* e = naive.find(one).second;
            RC_ASSERT(queue.contains(one) == (e != nullptr));
            RC_ASSERT(queue.state_of(one) ==
                      (e == nullptr ? std::nullopt : std::optional(e->what)));
        }
        std::vector<std::pair<slot_id, state>> all;
        queue.for_each([&all](slot_id one, state what) { all.emplace_back(one, what); });
        for (const auto& lane : content(naive)) {
            RC_ASSERT(std::search(all.begin(), all.end(), lane.begin(), lane.end()) != all.end());
        }
        RC_ASSERT(all.size() == queue.size());
    }
}

}  // namespace

TEST_CASE("lanes: they answer as a map of queues would") {
    sinew::test::prop("for any commands", [] {
        const auto slots_max = *rc::gen::inRange<std::size_t>(1, 17);
        const auto commands = *rc::gen::scale(5.0, rc::gen::arbitrary<std::vector<command>>());
        compare(slots_max, commands);
    });
}

TEST_CASE("lanes: through any failures, each lane finishes its events in the order of arrival") {
    sinew::test::prop("and all of them", [](const std::vector<std::uint8_t>& tape) {
        constexpr std::size_t events = 40;
        lanes queue(events);
        for (slot_id slot = 0; slot < events; ++slot) {
            queue.push(slot, slot % 5);
        }
        std::map<std::uint64_t, slot_id> last;
        std::vector<slot_id> provisional;
        std::size_t choice = 0;
        steady_time now{};
        const auto commit = [&] {
            for (const slot_id slot : provisional) {
                const auto before = last.find(slot % 5);
                RC_ASSERT((before == last.end() || before->second < slot));
                last[slot % 5] = slot;
                queue.finish(slot);
            }
            provisional.clear();
        };
        while (queue.size() != 0) {
            const auto slot = queue.take(now);
            if (!slot) {
                commit();
                now = queue.next_due().value_or(now);
                continue;
            }
            const std::uint8_t way = choice < tape.size() ? tape[choice++] : 0;
            switch (way % 4) {
                case 1: queue.retry_at(*slot, now + std::chrono::seconds(way)); break;
                case 2: {
                    queue.ran(*slot);
                    provisional.push_back(*slot);
                    const std::vector<slot_id> undone = std::exchange(provisional, {});
                    for (const slot_id one : undone) {
                        queue.rewind(one);
                    }
                    break;
                }
                case 3:
                    queue.ran(*slot);
                    provisional.push_back(*slot);
                    commit();
                    break;
                default:
                    queue.ran(*slot);
                    provisional.push_back(*slot);
                    break;
            }
            RC_ASSERT(queue.check_invariants());
        }
        RC_ASSERT(last.size() == std::size_t{5});
    });
}
