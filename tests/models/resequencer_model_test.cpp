// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/resequencer.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sinew::digest;
using sinew::key_progress;
using sinew::resequencer;
using sinew::resequencer_options;
using sinew::sequence_gap;
using sinew::slot_id;
using sinew::standing;
using sinew::steady_time;
using verdict = sinew::resequencer::verdict;
using due_kind = sinew::resequencer::due_kind;

using numbers = std::vector<std::uint64_t>;

digest key_of(std::uint64_t number) { return {number, number}; }

/// The rules of the resequencer, over maps, with a search for everything.
struct model {
    struct key_state {
        key_progress progress;
        std::map<std::uint64_t, slot_id> held;
        std::size_t outstanding = 0;
        steady_time deadline{};
        steady_time look_at{};
        bool looked = false;
        bool by_count = false;
        std::uint64_t waits_since = 0;  ///< a ticket
        std::uint64_t used = 0;         ///< a ticket
    };

    resequencer_options options;
    bool has_store = false;
    std::map<digest, key_state> keys;
    std::deque<resequencer::release> freed;
    std::uint64_t tickets = 0;
    steady_time latest = steady_time::min();

    [[nodiscard]] std::size_t held() const {
        std::size_t all = 0;
        for (const auto& [key, one] : keys) {
            all += one.held.size();
        }
        return all;
    }

    [[nodiscard]] bool is_idle(const digest& key) const {
        const auto& one = keys.at(key);
        return one.held.empty() && one.outstanding == 0 &&
               std::none_of(freed.begin(), freed.end(),
                            [&key](const auto& r) { return r.key == key; });
    }

    [[nodiscard]] std::optional<digest> oldest_idle() const {
        std::optional<digest> oldest;
        for (const auto& [key, one] : keys) {
            if (is_idle(key) && (!oldest || one.used < keys.at(*oldest).used)) {
                oldest = key;
            }
        }
        return oldest;
    }

    [[nodiscard]] bool can_open() const { return keys.size() < options.keys_max || oldest_idle(); }

    void open(const digest& key, const key_progress& progress) {
        if (keys.size() >= options.keys_max) {
            keys.erase(*oldest_idle());
        }
        keys[key].progress = progress;
        keys[key].used = ++tickets;
    }

    [[nodiscard]] steady_time alarm(const key_state& one) const {
        return has_store && !one.looked ? one.look_at : one.deadline;
    }

    [[nodiscard]] std::optional<steady_time> next_deadline() const {
        std::optional<steady_time> first;
        for (const auto& [key, one] : keys) {
            if (!one.held.empty() && (!first || alarm(one) < *first)) {
                first = alarm(one);
            }
        }
        return first;
    }

    void wait(key_state& one, steady_time now) {
        one.deadline = now + options.gap_timeout;
        one.look_at = std::min(now + options.look_again, one.deadline);
        one.looked = one.by_count = false;
        one.waits_since = ++tickets;
        apply_limits(one, now);
    }

    void apply_limits(key_state& one, steady_time now) {
        const auto make_due = [now](key_state& late) {
            if (late.deadline > now) {
                late.deadline = late.look_at = now;
                late.by_count = true;
            }
        };
        if (one.held.size() >= options.held_per_key_max) {
            make_due(one);
        }
        if (held() >= options.held_max) {
            key_state* longest = nullptr;
            for (auto& [key, other] : keys) {
                if (!other.held.empty() &&
                    (longest == nullptr || other.waits_since < longest->waits_since)) {
                    longest = &other;
                }
            }
            make_due(*longest);
        }
    }

    /// Everything that the key has reached comes free.
    bool collect(const digest& key) {
        auto& one = keys[key];
        bool any = false;
        while (!one.held.empty() && one.held.begin()->first <= one.progress.next()) {
            const auto [sequence, slot] = *one.held.begin();
            one.held.erase(one.held.begin());
            const standing how = one.progress.stand(sequence);
            if (how == standing::expected) {
                one.progress.advance_past(sequence);
                ++one.outstanding;
            }
            freed.push_back({slot, key, sequence, 0, how});
            any = true;
        }
        return any;
    }

    void settle(const digest& key, steady_time now, bool anew) {
        anew = collect(key) || anew;
        if (anew && !keys[key].held.empty()) {
            wait(keys[key], now);
        }
    }

    verdict offer(const digest& key, std::uint64_t sequence, slot_id slot, steady_time now) {
        latest = now;
        if (!keys.contains(key)) {
            if (!can_open()) {
                return verdict::full;
            }
            if (has_store) {
                return verdict::look_up;
            }
            open(key, key_progress(options.first));
        }
        auto& one = keys[key];
        one.used = ++tickets;
        const std::uint64_t next = one.progress.next();
        if (sequence == UINT64_MAX || (sequence > next && sequence - next > options.jump_max)) {
            return verdict::too_far;
        }
        switch (one.progress.stand(sequence)) {
            case standing::expected:
                one.progress.advance_past(sequence);
                ++one.outstanding;
                settle(key, now, false);
                return verdict::deliver;
            case standing::applied: return verdict::duplicate;
            case standing::late: return verdict::late;
            case standing::uncertain: return verdict::uncertain;
            case standing::ahead: break;
        }
        if (one.held.contains(sequence)) {
            return verdict::duplicate;
        }
        if (one.held.size() >= options.held_per_key_max + resequencer::held_reserve ||
            held() >= options.held_max + resequencer::held_reserve) {
            return verdict::full;
        }
        one.held[sequence] = slot;
        one.held.size() == 1 ? wait(one, now) : apply_limits(one, now);
        return verdict::hold;
    }

    void learn(const digest& key, const key_progress& in_store, steady_time now) {
        latest = now;
        if (!keys.contains(key)) {
            if (can_open()) {
                open(key, in_store.is_known() ? in_store : key_progress(options.first));
            }
            return;
        }
        auto& one = keys[key];
        one.used = ++tickets;
        if (in_store.next() > one.progress.next()) {
            one.progress = in_store;
            settle(key, now, false);
        }
        one.looked = one.looked || one.deadline <= now;
        plan_look(one, now);
    }

    void plan_look(key_state& one, steady_time now) const {
        one.look_at = now + options.look_again;
        if (now < one.deadline) {
            one.look_at = std::min(one.look_at, one.deadline);
        }
    }

    std::optional<sequence_gap> give_up(const digest& key, steady_time now) {
        latest = now;
        if (!keys.contains(key) || keys[key].held.empty() || keys[key].deadline > now ||
            (has_store && !keys[key].looked)) {
            return std::nullopt;
        }
        auto& one = keys[key];
        const auto [sequence, slot] = *one.held.begin();
        const sequence_gap gap{one.progress.next(), sequence - 1};
        one.held.erase(one.held.begin());
        one.progress.advance_past(sequence);
        ++one.outstanding;
        freed.push_back({slot, key, sequence, gap.first, standing::expected});
        settle(key, now, true);
        return gap;
    }

    void less_outstanding(const digest& key) {
        auto& one = keys[key];
        one.outstanding -= one.outstanding > 0 ? 1U : 0U;
        if (is_idle(key)) {
            one.used = ++tickets;
        }
    }

    /// In these tests gaps are never merged, so a gap that was jumped is always taken back.
    void lower(const digest& key, std::uint64_t sequence) {
        auto& one = keys[key];
        if (one.progress.next() <= sequence) {
            return;
        }
        std::uint64_t next = sequence;
        std::vector<sequence_gap> kept;
        for (const auto& gap : one.progress.gaps()) {
            if (gap.last + 1 == sequence) {
                next = gap.first;
            } else if (gap.first < sequence) {
                kept.push_back({gap.first, std::min(gap.last, sequence - 1)});
            }
        }
        one.progress = key_progress(next, kept, false);
        if (!one.held.empty()) {
            wait(one, latest);
        }
    }

    bool drop(slot_id slot) {
        for (auto& [key, one] : keys) {
            for (const auto& [sequence, its_slot] : one.held) {
                if (its_slot == slot) {
                    one.held.erase(sequence);
                    one.used = is_idle(key) ? ++tickets : one.used;
                    return true;
                }
            }
        }
        for (std::size_t i = 0; i < freed.size(); ++i) {
            if (freed[i].slot == slot) {
                const auto gone = freed[i];
                freed.erase(freed.begin() + static_cast<std::ptrdiff_t>(i));
                if (gone.verdict == standing::expected) {
                    less_outstanding(gone.key);
                    lower(gone.key, gone.sequence);
                } else if (is_idle(gone.key)) {
                    keys[gone.key].used = ++tickets;
                }
                return true;
            }
        }
        return false;
    }

    void put_back(const digest& key, std::uint64_t sequence, slot_id slot,
                  const key_progress& in_store, steady_time now) {
        latest = now;
        auto& one = keys[key];
        --one.outstanding;
        const std::uint64_t before = one.progress.next();
        if (in_store.is_known()) {
            one.progress = in_store;
        } else if (has_store) {
            one.progress = key_progress(options.first);
        }
        if (one.held.contains(sequence)) {
            freed.push_back({slot, key, sequence, 0, standing::applied});
        } else {
            one.held[sequence] = slot;
        }
        settle(key, now, one.progress.next() < before || one.held.size() == 1);
        if (!one.held.empty()) {
            apply_limits(one, now);
        }
    }

    std::optional<resequencer::release> next_release() {
        if (freed.empty()) {
            return std::nullopt;
        }
        const auto one = freed.front();
        freed.pop_front();
        if (is_idle(one.key)) {
            keys[one.key].used = ++tickets;
        }
        return one;
    }
};

bool same(const resequencer::release& a, const resequencer::release& b) {
    return a.slot == b.slot && a.key == b.key && a.sequence == b.sequence &&
           a.gap_from == b.gap_from && a.verdict == b.verdict;
}

using command = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t, std::uint8_t>;

/// Drives the machine and the model side by side, as a driver would.
class pair {
public:
    pair(resequencer_options options, bool has_store)
        : order_(options, has_store), has_store_(has_store) {
        naive_.options = options;
        naive_.has_store = has_store;
        for (slot_id slot = 200; slot > 0; --slot) {
            free_.push_back(slot - 1);
        }
    }

    void run(const command& c) {
        const auto [kind, a, b, d] = c;
        const digest key = key_of(b % 5);
        switch (kind % 16) {
            case 10: now_ += std::chrono::seconds(a % 4); break;
            case 11: next_due(); break;
            case 12: settle(a, d); break;
            case 13: take_away(a, d); break;
            case 14: put_back(a); break;
            case 15: look_into_store(key, a); break;
            default: offer(key, a, d); break;
        }
        // Mostly what came free is fetched at once, as a driver does.
        if (d % 8 != 7) {
            fetch();
        }
        compare();
    }

private:
    struct outstanding {
        digest key;
        std::uint64_t sequence = 0;
        slot_id slot = 0;
    };

    void offer(const digest& key, std::uint8_t a, std::uint8_t d) {
        if (free_.empty()) {
            return;
        }
        const auto progress = order_.progress(key);
        const std::uint64_t next = progress.has_value() ? progress->next() : 1;
        const std::uint64_t back = next > 5 ? next - 5 : 1;
        std::uint64_t sequence = a % 3 == 0 ? next : back + a % 16;
        sequence = a == 255 ? UINT64_MAX : a == 254 ? next + 20 + d : sequence;
        const slot_id slot = free_.back();
        auto answer = order_.offer(key, sequence, slot, now_);
        RC_ASSERT(answer == naive_.offer(key, sequence, slot, now_));
        if (answer == verdict::look_up) {
            learn(key, in_store_[key]);
            answer = order_.offer(key, sequence, slot, now_);
            RC_ASSERT(answer == naive_.offer(key, sequence, slot, now_));
            RC_ASSERT(answer != verdict::look_up);
        }
        if (answer == verdict::deliver) {
            out_.push_back({key, sequence, slot});
        }
        if (answer == verdict::deliver || answer == verdict::hold) {
            free_.pop_back();
        }
        if (answer == verdict::hold) {
            held_.push_back(slot);
        }
    }

    void learn(const digest& key, const key_progress& progress) {
        order_.learn(key, progress, now_);
        naive_.learn(key, progress, now_);
    }

    /// What is due is any of the keys whose time is the earliest.
    void next_due() {
        const auto due = order_.next_due(now_);
        naive_.latest = now_;
        const auto first = naive_.next_deadline();
        RC_ASSERT((due.has_value() == (first && *first <= now_)));
        if (!due) {
            return;
        }
        auto& one = naive_.keys.at(due->key);
        RC_ASSERT(naive_.alarm(one) == *first);
        RC_ASSERT(due->by_count == one.by_count);
        RC_ASSERT(std::any_of(one.held.begin(), one.held.end(),
                              [&](const auto& h) { return h.second == due->slot; }));
        const bool look = has_store_ && !one.looked;
        RC_ASSERT((due->what == due_kind::look_again) == look);
        if (look) {
            naive_.plan_look(one, now_);
            if (due->slot % 4 != 3) {  // else the store does not answer
                learn(due->key, in_store_[due->key]);
            }
            return;
        }
        const auto gap = order_.give_up(due->key, now_);
        RC_ASSERT(gap);
        RC_ASSERT(gap == naive_.give_up(due->key, now_));
    }

    void settle(std::uint8_t a, std::uint8_t d) {
        if (out_.empty()) {
            return;
        }
        const outstanding one = take_out(a);
        if (d % 2 == 0 && in_store_[one.key].next() <= one.sequence) {
            in_store_[one.key].advance_past(one.sequence);
        }
        order_.settled(one.key);
        naive_.less_outstanding(one.key);
        free_.push_back(one.slot);
    }

    void take_away(std::uint8_t a, std::uint8_t d) {
        if (d % 2 == 0 && !out_.empty()) {
            const outstanding one = take_out(a);
            order_.retreat(one.key, one.sequence);
            naive_.less_outstanding(one.key);
            naive_.lower(one.key, one.sequence);
            free_.push_back(one.slot);
        } else if (!held_.empty()) {
            const std::size_t which = a % held_.size();
            RC_ASSERT(order_.drop(held_[which]));
            RC_ASSERT(naive_.drop(held_[which]));
            RC_ASSERT(!order_.drop(held_[which]));
            free_.push_back(held_[which]);
            held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
        }
    }

    void put_back(std::uint8_t a) {
        if (!out_.empty()) {
            const outstanding one = take_out(a);
            order_.put_back(one.key, one.sequence, one.slot, in_store_[one.key], now_);
            naive_.put_back(one.key, one.sequence, one.slot, in_store_[one.key], now_);
            held_.push_back(one.slot);
        }
    }

    /// Another consumer has applied something, and this one hears of it, asked or not.
    void look_into_store(const digest& key, std::uint8_t a) {
        auto& progress = in_store_[key];
        if (!progress.is_known()) {
            progress = key_progress(1);
        }
        if (progress.gaps().size() < 4) {
            progress.advance_past(progress.next() + a % 4);
        }
        if (a % 2 == 0) {
            learn(key, progress);
        }
        RC_ASSERT(order_.give_up(key, now_) == naive_.give_up(key, now_));
    }

    void fetch() {
        while (true) {
            const auto one = order_.next_release();
            const auto expected = naive_.next_release();
            RC_ASSERT(one.has_value() == expected.has_value());
            if (!one) {
                return;
            }
            RC_ASSERT(same(*one, *expected));
            held_.erase(std::find(held_.begin(), held_.end(), one->slot));
            if (one->verdict == standing::expected) {
                out_.push_back({one->key, one->sequence, one->slot});
            } else {
                free_.push_back(one->slot);
            }
        }
    }

    void compare() {
        RC_ASSERT(order_.check_invariants());
        RC_ASSERT(order_.held() == naive_.held());
        RC_ASSERT(order_.keys() == naive_.keys.size());
        RC_ASSERT(order_.next_deadline() == naive_.next_deadline());
        for (std::uint64_t number = 0; number < 5; ++number) {
            const auto progress = order_.progress(key_of(number));
            const auto found = naive_.keys.find(key_of(number));
            RC_ASSERT((progress.has_value()) == (found != naive_.keys.end()));
            if (progress.has_value()) {
                RC_ASSERT((*progress == found->second.progress));
                RC_ASSERT(!progress->has_merged_gaps());
            }
        }
    }

    outstanding take_out(std::uint8_t a) {
        const auto which = out_.begin() + static_cast<std::ptrdiff_t>(a % out_.size());
        const outstanding one = *which;
        out_.erase(which);
        return one;
    }

    resequencer order_;
    model naive_;
    bool has_store_;
    std::map<digest, key_progress> in_store_;
    std::vector<slot_id> free_;
    std::vector<slot_id> held_;  ///< or came free and is not fetched yet
    std::vector<outstanding> out_;
    steady_time now_{};
};

/// One event on its way to a resequencer.
struct sent {
    std::uint64_t key = 0;
    std::uint64_t sequence = 0;
};

/// A number of events of a few keys, some lost, some twice, in any order.
std::vector<sent> any_traffic(bool with_losses) {
    const auto per_key = *rc::gen::inRange<std::uint64_t>(1, 40);
    std::vector<sent> all;
    for (std::uint64_t key = 0; key < 3; ++key) {
        for (std::uint64_t sequence = 1; sequence <= per_key; ++sequence) {
            const int fate = *rc::gen::inRange(0, 10);
            if (fate == 1 && with_losses) {
                continue;
            }
            all.push_back({key, sequence});
            if (fate == 2) {
                all.push_back({key, sequence});
            }
        }
    }
    for (std::size_t i = all.size(); i > 1; --i) {
        std::swap(all[i - 1], all[*rc::gen::inRange<std::size_t>(0, i)]);
    }
    return all;
}

}  // namespace

TEST_CASE("resequencer: it answers as a map of maps would") {
    const auto compare = [](bool has_store) {
        resequencer_options options{.gap_timeout = 6s, .look_again = 2s, .jump_max = 30};
        options.held_per_key_max = *rc::gen::inRange<std::size_t>(1, 8);
        options.held_max = *rc::gen::inRange<std::size_t>(1, 12);
        options.keys_max = *rc::gen::inRange<std::size_t>(1, 6);
        const auto commands = *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<command>>());
        pair both(options, has_store);
        for (const auto& one : commands) {
            both.run(one);
        }
    };
    sinew::test::prop("without a store", [&compare] { compare(false); });
    sinew::test::prop("with a store", [&compare] { compare(true); });
}

TEST_CASE("resequencer: in any order, with losses and copies, every event gets its end") {
    sinew::test::prop("and what is delivered of a key rises", [] {
        const auto events = any_traffic(true);
        resequencer order({.gap_timeout = 10s, .held_per_key_max = 8, .held_max = 20}, false);
        std::vector<int> ends(events.size(), 0);
        std::map<digest, std::uint64_t> last;
        std::set<std::pair<digest, std::uint64_t>> done;
        steady_time now{};
        const auto deliver = [&](const digest& key, std::uint64_t sequence, slot_id slot) {
            RC_ASSERT(sequence > last[key]);
            last[key] = sequence;
            ++ends[slot];
            RC_ASSERT(done.emplace(key, sequence).second);
            order.settled(key);
        };
        const auto attend = [&] {
            while (const auto due = order.next_due(now)) {
                RC_ASSERT(order.give_up(due->key, now));
            }
            while (const auto one = order.next_release()) {
                RC_ASSERT(one->verdict == standing::expected);
                deliver(one->key, one->sequence, one->slot);
            }
        };
        for (slot_id slot = 0; slot < events.size(); ++slot) {
            now += std::chrono::seconds(*rc::gen::inRange(0, 3));
            const digest key = key_of(events[slot].key);
            const std::uint64_t sequence = events[slot].sequence;
            switch (order.offer(key, sequence, slot, now)) {
                case verdict::deliver: deliver(key, sequence, slot); break;
                case verdict::hold: break;
                case verdict::duplicate: ++ends[slot]; break;
                case verdict::late:
                    RC_ASSERT(!done.contains({key, sequence}));
                    ++ends[slot];
                    break;
                case verdict::uncertain: ++ends[slot]; break;
                default: RC_FAIL("no such end here");
            }
            RC_ASSERT(order.check_invariants());
            attend();
        }
        while (order.held() != 0) {
            now = order.next_deadline().value();
            attend();
        }
        for (const int end : ends) {
            RC_ASSERT(end == 1);
        }
    });
}

TEST_CASE("resequencer: one key on two partitions, held by two consumers: applied in order, once") {
    sinew::test::prop("as long as nothing is lost, nothing is late", [] {
        const auto events = any_traffic(false);
        std::map<digest, key_progress> store;
        std::vector<resequencer> group;
        for (int i = 0; i < 2; ++i) {
            group.emplace_back(resequencer_options{.gap_timeout = 3600s, .look_again = 1s}, true);
        }
        std::vector<int> ends(events.size(), 0);
        std::map<digest, numbers> applied;
        steady_time now{};

        // What a transaction does with an event whose turn it seems to be.
        const auto apply = [&](resequencer& order, const digest& key, std::uint64_t sequence,
                               slot_id slot) {
            auto& progress = store.try_emplace(key, 1).first->second;
            if (progress.stand(sequence) == standing::ahead) {
                order.put_back(key, sequence, slot, progress, now);
                return;
            }
            ++ends[slot];
            if (progress.stand(sequence) == standing::expected) {
                progress.advance_past(sequence);
                applied[key].push_back(sequence);
            }
            order.settled(key);
        };
        const auto attend = [&] {
            for (auto& order : group) {
                while (const auto due = order.next_due(now)) {
                    RC_ASSERT((due->what == due_kind::look_again));
                    order.learn(due->key, store.try_emplace(due->key, 1).first->second, now);
                }
                while (const auto one = order.next_release()) {
                    if (one->verdict == standing::expected) {
                        apply(order, one->key, one->sequence, one->slot);
                    } else {
                        RC_ASSERT(one->verdict == standing::applied);
                        ++ends[one->slot];
                    }
                }
            }
        };
        for (slot_id slot = 0; slot < events.size(); ++slot) {
            auto& order = group[*rc::gen::inRange<std::size_t>(0, 2)];
            const digest key = key_of(events[slot].key);
            const std::uint64_t sequence = events[slot].sequence;
            auto answer = order.offer(key, sequence, slot, now);
            if (answer == verdict::look_up) {
                order.learn(key, store.try_emplace(key, 1).first->second, now);
                answer = order.offer(key, sequence, slot, now);
            }
            if (answer == verdict::deliver) {
                apply(order, key, sequence, slot);
            } else if (answer == verdict::duplicate) {
                ++ends[slot];
            } else {
                RC_ASSERT((answer == verdict::hold));
            }
            RC_ASSERT(order.check_invariants());
            attend();
        }
        for (int seconds = 0; seconds < 1'000; ++seconds) {
            now += 1s;
            attend();
        }
        for (const int end : ends) {
            RC_ASSERT(end == 1);
        }
        for (const auto& [key, all] : applied) {
            for (std::size_t i = 0; i < all.size(); ++i) {
                RC_ASSERT(all[i] == i + 1);
            }
        }
    });
}
