// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The rules of a spool as a machine: what is taken in, what may be published next, and which keys
/// are held. It holds numbers, never events; a spool keeps it beside its file.
///
/// | an entry | may be claimed |
/// | --- | --- |
/// | the first of its key that waits, due | yes; then those behind it that are due, in order |
/// | behind one that is put off | no |
/// | behind one that is parked with `following::park` | no: it counts as held |
/// | behind one that is parked with `pass` | yes |
///
/// **Ages.** `age_max` looks at the first of each lane, unless it is put off, from when it came to
/// be first without anything of its own key in the way: what is let go late is not late for the
/// sink. Letting go tells no time, so such an age begins with the next call that does.
///
/// **Invariants.** Each lane (a key, or one entry without a key) that has something to claim or to
/// wait for is in exactly one of `ready_` and `resting_`, by its first entry; those of `ready_` are
/// in `ages_` too.
/// **Bounds.** A fixed size per entry, whatever its key: keys are kept as seeded digests.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// Which entries a spool has, and what may be done with them.
class spool_index {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    spool_index(const spool_options& options, hash_seed seed) : options_(options), seed_(seed) {
        check(options_);
    }

    [[nodiscard]] const spool_options& options() const noexcept { return options_; }

    /// Why an event cannot be taken in, or nothing.
    [[nodiscard]] std::optional<failure> refusal(const event_view& e, steady_time now) {
        begin_ages(now);
        if (const auto defect = find_defect(e)) {
            return failure{failure_class::permanent, std::string(defect->reason),
                           std::string(defect->detail), std::nullopt};
        }
        if (const auto size = e.size_bytes(); size > options_.event_bytes_max) {
            return failure{failure_class::permanent, "payload_too_large",
                           "the event has " + std::to_string(size) +
                               " bytes, and the spool takes " +
                               std::to_string(options_.event_bytes_max) +
                               " at most; make it smaller, or raise event_bytes_max",
                           std::nullopt};
        }
        if (entries_.size() >= options_.entries_max) {
            return full("spool_full_count", "the spool holds " + std::to_string(entries_.size()) +
                                                " events; see entries_max");
        }
        if (const std::size_t more = spool_weight(e);
            more > options_.bytes_max || bytes_ > options_.bytes_max - more) {
            return full("spool_full_bytes",
                        "the spool holds " + std::to_string(bytes_) + " bytes; see bytes_max");
        }
        if (!ages_.empty() && later(ages_.begin()->since, options_.age_max) < now) {
            return full("spool_too_old",
                        "an event in the spool has waited for the sink for longer than age_max");
        }
        return std::nullopt;
    }

    /// Notes an entry that was stored. Its number has not been there yet.
    void add(std::int64_t number, std::string_view key, std::size_t weight, steady_time since) {
        add(number, key, weight, since, spool_state::waiting, following::pass);
    }
    void add(std::int64_t number, std::string_view key, std::size_t weight, steady_time since,
             spool_state state, following what_follows) {
        const lane_name name = name_of(key, number);
        entries_.emplace(number, entry{name, weight, since, state, what_follows});
        bytes_ += weight;
        change(name, [&](lane& in) { enter(in, number, state, what_follows); });
        parked_ += state == spool_state::parked ? 1U : 0U;
    }

    /// Notes an entry that is there when the spool is opened. Its age is that of its last failure,
    /// if it had one: until then the wait was its own.
    void load(const spool_entry& one, moment now) {
        const bool failed = one.last_failure && one.last_failure->at > one.added;
        const duration age = wall_between(failed ? one.last_failure->at : one.added, now.wall);
        add(one.number, one.what.partitionkey, spool_weight(one.what.view()),
            later(now.steady, age < duration::zero() ? duration::zero() : -age), one.state,
            one.following);
    }

    [[nodiscard]] bool holds(std::string_view key) const {
        return !key.empty() && lanes_.count(name_of(key, 0)) != 0;
    }
    [[nodiscard]] bool has(std::int64_t number) const { return entries_.count(number) != 0; }
    [[nodiscard]] bool is_in(std::int64_t number, spool_state state) const {
        const auto at = entries_.find(number);
        return at != entries_.end() && at->second.state == state;
    }
    [[nodiscard]] bool has_waiting() const noexcept { return waiting() != 0; }

    /// The numbers of what may be published, in that order. Changes nothing but ages.
    [[nodiscard]] std::vector<std::int64_t> claim(steady_time now, claim_limits limits) {
        begin_ages(now);
        std::vector<std::int64_t> out;
        std::set<std::int64_t> next;
        for (auto at = dues_.begin(); at != dues_.end() && at->due <= now; ++at) {
            next.insert(at->head);
        }
        std::size_t bytes = 0;
        auto fresh = ready_.begin();
        while (out.size() < limits.entries && bytes < limits.bytes) {
            const bool none_fresh = fresh == ready_.end();
            if (none_fresh && next.empty()) {
                break;
            }
            const bool take_fresh = !none_fresh && (next.empty() || *fresh < *next.begin());
            const std::int64_t number = take_fresh ? *fresh++ : *next.begin();
            if (!take_fresh) {
                next.erase(next.begin());
            }
            const entry& one = entries_.at(number);
            out.push_back(number);
            bytes += one.weight;
            const lane& in = lanes_.at(one.in);
            const auto follower = in.waiting.upper_bound(number);
            if (follower != in.waiting.end() && !in.is_held(*follower) &&
                !(in.is_off(*follower) && in.off_until > now)) {
                next.insert(*follower);
            }
        }
        return out;
    }

    /// Forgets an entry.
    void remove(std::int64_t number) {
        const auto at = entries_.find(number);
        if (at == entries_.end()) {
            return;
        }
        const entry one = at->second;
        release(one.in, [&](lane& in) { in.leave(number); });
        entries_.erase(at);
        bytes_ -= one.weight;
        parked_ -= one.state == spool_state::parked ? 1U : 0U;
    }

    /// Holds back an entry that waits, until `due`.
    void put_off(std::int64_t number, steady_time due) {
        if (is_in(number, spool_state::waiting)) {
            change(entries_.at(number).in, [&](lane& in) {
                in.off_number = number;
                in.off_until = due;
            });
        }
    }

    void park(std::int64_t number, following what_follows) {
        if (is_in(number, spool_state::waiting)) {
            move(number, spool_state::parked, what_follows);
            ++parked_;
        }
    }
    void unpark(std::int64_t number) {
        if (is_in(number, spool_state::parked)) {
            move(number, spool_state::waiting, following::pass);
            --parked_;
        }
    }

    /// The parked entries with a number above `after`, by number.
    [[nodiscard]] std::vector<std::int64_t> parked(std::int64_t after, std::size_t limit) const {
        std::vector<std::int64_t> out;
        for (auto at = entries_.upper_bound(after); at != entries_.end() && out.size() < limit;
             ++at) {
            if (at->second.state == spool_state::parked) {
                out.push_back(at->first);
            }
        }
        return out;
    }

    [[nodiscard]] spool_size size() const {
        return {.waiting = waiting(),
                .held = held_,
                .parked = parked_,
                .bytes = bytes_,
                .damaged = 0,
                .oldest = oldest_since()};
    }

private:
    /// A key's digest; without a key, the entry's number.
    struct lane_name {
        digest key{};
        std::int64_t number = 0;

        friend auto operator<=>(const lane_name&, const lane_name&) = default;
    };

    struct entry {
        lane_name in;
        std::size_t weight;
        steady_time since;
        spool_state state;
        sinew::following following;
    };

    /// The entries of one key. Those that were parked with `pass` are no part of it.
    struct lane {
        std::set<std::int64_t> waiting{};
        std::set<std::int64_t> parked{};
        std::size_t held = 0;
        std::int64_t off_number = INT64_MIN;
        steady_time off_until{};
        steady_time since = steady_time::min();  ///< no age is counted from before

        [[nodiscard]] bool is_held(std::int64_t number) const {
            return !parked.empty() && *parked.begin() < number;
        }
        [[nodiscard]] bool is_off(std::int64_t number) const { return number == off_number; }
        /// The entry that decides when the lane goes on.
        [[nodiscard]] std::optional<std::int64_t> head() const {
            if (waiting.empty() || is_held(*waiting.begin())) {
                return std::nullopt;
            }
            return *waiting.begin();
        }
        void leave(std::int64_t number) {
            held -= waiting.erase(number) != 0 && is_held(number) ? 1U : 0U;
            if (parked.erase(number) != 0) {
                count_held();
            }
            if (is_off(number)) {
                off_number = INT64_MIN;
            }
        }
        void count_held() {
            held = 0;
            if (!parked.empty()) {
                for (auto at = waiting.upper_bound(*parked.begin()); at != waiting.end(); ++at) {
                    ++held;
                }
            }
        }
    };

    struct wait {
        steady_time since;
        std::int64_t head;

        friend auto operator<=>(const wait&, const wait&) = default;
    };

    struct rest {
        steady_time due;
        std::int64_t head;

        friend auto operator<=>(const rest&, const rest&) = default;
    };

    [[nodiscard]] static failure full(std::string_view reason, std::string_view detail) {
        return {failure_class::unavailable, std::string(reason), std::string(detail), std::nullopt};
    }

    [[nodiscard]] lane_name name_of(std::string_view key, std::int64_t number) const {
        return key.empty() ? lane_name{{}, number} : lane_name{digest_of(seed_, key), INT64_MIN};
    }

    [[nodiscard]] std::uint64_t waiting() const noexcept {
        return entries_.size() - parked_ - held_;
    }

    [[nodiscard]] std::optional<steady_time> oldest_since() const {
        if (ready_.empty() && resting_.empty()) {
            return std::nullopt;
        }
        std::int64_t first = ready_.empty() ? INT64_MAX : *ready_.begin();
        if (!resting_.empty() && *resting_.begin() < first) {
            first = *resting_.begin();
        }
        return entries_.at(first).since;
    }

    static void enter(lane& in, std::int64_t number, spool_state state, following what_follows) {
        if (state == spool_state::waiting) {
            in.waiting.insert(number);
            in.held += in.is_held(number) ? 1U : 0U;
        } else if (what_follows == following::park) {
            in.parked.insert(number);
            in.count_held();
        }
    }

    void move(std::int64_t number, spool_state to, following what_follows) {
        entry& one = entries_.at(number);
        release(one.in, [&](lane& in) {
            in.leave(number);
            enter(in, number, to, what_follows);
        });
        one.state = to;
        one.following = what_follows;
    }

    /// Changes a lane, and what depends on its head.
    template <class F>
    void change(const lane_name& name, F f) {
        lane& in = lanes_[name];
        if (const auto head = in.head()) {
            if (ready_.erase(*head) != 0) {
                ages_.erase({since_of(in, *head), *head});
            }
            if (resting_.erase(*head) != 0) {
                dues_.erase({in.off_until, *head});
            }
        }
        held_ -= in.held;
        f(in);
        held_ += in.held;
        if (const auto head = in.head()) {
            if (in.is_off(*head)) {
                resting_.insert(*head);
                dues_.insert({in.off_until, *head});
            } else {
                ready_.insert(*head);
                ages_.insert({since_of(in, *head), *head});
            }
        }
        if (in.waiting.empty() && in.parked.empty()) {
            lanes_.erase(name);
        }
    }

    /// Changes a lane by taking something out of the way: if another entry waits for nothing but
    /// the sink afterwards, its age begins.
    template <class F>
    void release(const lane_name& name, F f) {
        const auto before = ready_in(name);
        change(name, f);
        const auto after = ready_in(name);
        if (after && (!before || *after < *before)) {
            let_go_.insert(name);
            change(name, [this](lane& in) { in.since = now_; });
        }
    }
    [[nodiscard]] std::optional<std::int64_t> ready_in(const lane_name& name) const {
        const auto at = lanes_.find(name);
        const auto head = at == lanes_.end() ? std::nullopt : at->second.head();
        return head && at->second.is_off(*head) ? std::nullopt : head;
    }
    void begin_ages(steady_time now) {
        now_ = now;
        for (const auto& name : let_go_) {
            if (lanes_.count(name) != 0) {
                change(name, [now](lane& in) { in.since = now; });
            }
        }
        let_go_.clear();
    }
    [[nodiscard]] steady_time since_of(const lane& in, std::int64_t number) const {
        const steady_time added = entries_.at(number).since;
        return added < in.since ? in.since : added;
    }

    spool_options options_;
    hash_seed seed_;
    std::map<std::int64_t, entry> entries_;
    std::map<lane_name, lane> lanes_;
    std::set<std::int64_t> ready_;    ///< first entries that are due
    std::set<std::int64_t> resting_;  ///< first entries that are put off
    std::set<wait> ages_;
    std::set<rest> dues_;
    std::set<lane_name> let_go_;  ///< whose age begins when the time is told
    steady_time now_ = steady_time::min();
    std::uint64_t bytes_ = 0;
    std::uint64_t held_ = 0;
    std::uint64_t parked_ = 0;
};

}  // namespace sinew
