// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What of a claimed batch may be published next, and what becomes of each answer.
///
/// | answer of the sink | the entry | its key, in this batch | the sink |
/// | --- | --- | --- | --- |
/// | accepted | is marked | goes on | answers |
/// | refused, permanent | is parked | is closed | answers |
/// | refused, transient, for the last time | is parked | is closed | answers |
/// | refused, transient | is put off by backoff, and counted | is closed | answers |
/// | unknown | is put off, not counted | is closed | silent: see `port_gate` |
/// | refused, unavailable | nothing | is closed | is down |
/// | any but accepted, behind one that was not | nothing | is closed | |
///
/// A failure without a class of its own (`unknown`) in a refusal counts as transient: the broker
/// does not have the event. While a sink is down, each probe is of another key, so a sink that is
/// down for some keys alone goes on with the others. Where the key goes on behind a parked entry
/// (`following::pass`) it does so in the next claim, when the parking is written: nothing depends
/// on a write that might fail.
///
/// **Guarantees.** Of one key, nothing is published behind an entry that was not accepted. An entry
/// without a key closes nothing.
///
/// **Bounds.** Linear, and for each entry that was not accepted one comparison with each that comes
/// after it.

#include <sinew/core/backoff.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// By what a relay decides.
struct relay_rules {
    std::uint32_t max_attempts = 10;
    decorrelated_jitter backoff{};
    std::uint64_t seed = 0;
    /// A failure that asks for a longer pause (`retry_after`) than this gets this.
    duration retry_after_max = std::chrono::hours(1);
};

/// What becomes of an entry.
enum class entry_fate : std::uint8_t {
    mark,     ///< it is published
    put_off,  ///< another attempt, later
    park,     ///< for somebody to decide
    leave,    ///< as it is: it is claimed again
};

/// What the answer says of the sink.
enum class sink_sign : std::uint8_t {
    none,    ///< nothing
    up,      ///< it answers
    silent,  ///< it did not answer
    down,    ///< it says that it is unavailable
};

/// What follows from an answer.
struct relay_decision {
    entry_fate fate = entry_fate::leave;
    sink_sign sink = sink_sign::none;
    duration delay{};     ///< where it is put off
    failure_note note{};  ///< where it is put off or parked
};

/// How many attempts of an entry have failed and count, after one more.
[[nodiscard]] constexpr std::uint32_t attempts_after(const outbox_entry& entry) noexcept {
    return entry.attempts + (entry.attempts == UINT32_MAX ? 0U : 1U);
}

/// The delay before the next attempt of an entry that failed. One that got no answer is not
/// counted, so its last wait stands in for the count, and is doubled.
[[nodiscard]] inline duration delay_of(const relay_rules& rules, const outbox_entry& entry,
                                       const failure& why, bool counted) {
    splitmix64 own(rules.seed ^ static_cast<std::uint64_t>(entry.number));
    const std::uint64_t seed = own();
    duration delay = rules.backoff(attempts_after(entry), seed);
    if (!counted && entry.waits) {
        const duration last = wall_between(entry.waits->from, entry.waits->due);
        const duration cap = rules.backoff.cap;
        const duration twice = last < cap / 2 ? 2 * last : cap;
        delay = twice > delay ? twice : delay;
    }
    if (why.retry_after && *why.retry_after > delay) {
        delay = *why.retry_after < rules.retry_after_max ? *why.retry_after : rules.retry_after_max;
    }
    return delay;
}

/// What follows from an answer, where nothing of the entry's key failed before it.
[[nodiscard]] inline relay_decision decide(const relay_rules& rules, const outbox_entry& entry,
                                           const publish_result& answer, wall_time now) {
    using end = publish_result::end;
    relay_decision out;
    if (answer.is_accepted()) {
        out.fate = entry_fate::mark;
        out.sink = sink_sign::up;
        return out;
    }
    const failure& why = answer.why();
    const bool refused = answer.how() == end::refused;
    if (refused && why.kind == failure_class::unavailable) {
        out.sink = sink_sign::down;
        return out;
    }
    auto kind = why.kind;
    if (!refused) {
        kind = failure_class::unknown;
    } else if (kind == failure_class::unknown) {
        kind = failure_class::transient;
    }
    const std::uint32_t attempts = refused ? attempts_after(entry) : entry.attempts;
    const bool last =
        kind == failure_class::permanent || (refused && attempts >= rules.max_attempts);
    out.fate = last ? entry_fate::park : entry_fate::put_off;
    out.sink = refused ? sink_sign::up : sink_sign::silent;
    out.note = {now, kind, attempts, why.reason, why.detail};
    if (!last) {
        out.delay = delay_of(rules, entry, why, refused);
    }
    return out;
}

/// The entries of one claim, and how far they are.
///
/// **Invariants.** Entries are picked in their order, each at most once.
class relay_batch {
public:
    relay_batch() = default;
    explicit relay_batch(std::vector<outbox_entry> claimed) : entries_(std::move(claimed)) {}

    /// Whether nothing more can be picked.
    [[nodiscard]] bool is_over() const noexcept { return next_ == entries_.size(); }

    /// The next entries that may be published, at most `limit`, by their index.
    [[nodiscard]] std::vector<std::size_t> pick(std::size_t limit) {
        std::vector<std::size_t> out;
        for (; next_ < entries_.size() && out.size() < limit; ++next_) {
            if (!is_closed(next_)) {
                out.push_back(next_);
            }
        }
        return out;
    }

    /// The next entry that may be published, if there is one.
    [[nodiscard]] std::optional<std::size_t> pick_one() {
        while (next_ < entries_.size()) {
            const std::size_t at = next_++;
            if (!is_closed(at)) {
                return at;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] const outbox_entry& operator[](std::size_t index) const noexcept {
        return entries_[index];
    }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    /// Takes the answer for an entry that was picked. Answers of one pick are taken in its order.
    [[nodiscard]] relay_decision answer(const relay_rules& rules, std::size_t index,
                                        const publish_result& how, wall_time now) {
        relay_decision out = decide(rules, entries_[index], how, now);
        if (out.fate != entry_fate::mark) {
            if (is_closed(index)) {
                out = {};
            }
            close(index);
        }
        return out;
    }

    /// Publishes no more of it.
    void end() noexcept { next_ = entries_.size(); }

private:
    [[nodiscard]] bool is_closed(std::size_t index) const noexcept {
        if (closed_.empty()) {
            return false;
        }
        const std::string_view key = entries_[index].what.partitionkey;
        for (const auto& one : closed_) {
            if (one == key) {
                return true;
            }
        }
        return false;
    }

    void close(std::size_t index) {
        const std::string& key = entries_[index].what.partitionkey;
        if (!key.empty() && !is_closed(index)) {
            closed_.push_back(key);
        }
    }

    std::vector<outbox_entry> entries_;
    std::vector<std::string> closed_;  ///< keys
    std::size_t next_ = 0;
};

}  // namespace sinew
