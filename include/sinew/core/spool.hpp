// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a spool: a durable place on this machine, in which events wait while the broker is
/// down.
///
/// A spool belongs to one sink and has one owner at a time. It has three sides: publishers put
/// (`publish/spooled.hpp`), a drainer claims, publishes and removes (`publish/drainer.hpp`), and
/// people look at what was parked (`spool_desk`).
///
/// | state | becomes | by |
/// | --- | --- | --- |
/// | waiting | removed, waiting (put off), parked | the drainer |
/// | parked | waiting, removed | people |
///
/// **Guarantees.** What was stored leaves the spool in three ways only: the sink accepted it,
/// somebody gave it up, or the file was damaged by something else; then the damaged file is kept,
/// and counted.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// Somebody else has the spool open.
class spool_in_use_error : public unavailable_error {
public:
    explicit spool_in_use_error(const std::string& detail)
        : unavailable_error("spool_in_use", detail) {}
};

/// Options of a spool, the same for every adapter. At a limit `put` refuses, with the reason named.
struct spool_options {
    /// The most entries, parked ones included: `spool_full_count`.
    std::size_t entries_max = 100'000;
    /// The most bytes of all entries together, as `spool_weight` counts them: `spool_full_bytes`.
    std::uint64_t bytes_max = std::uint64_t{256} << 20U;
    /// How long an event may have waited for the sink: `spool_too_old`. Of each key the first that
    /// waits counts, from when it could go: when it was put, or when what it waited behind was out
    /// of its way, or when somebody let it try again. An entry that is parked, or was put off for a
    /// failure of its own, does not count, nor what waits behind it: one key must not close the
    /// spool to all others.
    duration age_max = std::chrono::hours(24);
    /// The largest event: `payload_too_large`.
    std::size_t event_bytes_max = std::size_t{8} << 20U;
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const spool_options& options) {
    const auto above_zero = [](bool good, const char* name) {
        if (!good) {
            throw usage_error(std::string("spool: option ") + name + " has to be above 0");
        }
    };
    above_zero(options.entries_max > 0, "entries_max");
    above_zero(options.bytes_max > 0, "bytes_max");
    above_zero(options.age_max > duration::zero(), "age_max");
    above_zero(options.event_bytes_max > 0, "event_bytes_max");
}

/// What an event weighs in a spool: its bytes, and something for what is kept beside them.
[[nodiscard]] inline std::size_t spool_weight(const event_view& e) {
    return e.size_bytes() + 16 * e.headers.size() + 128;
}

/// Behind which number a spool goes on when it is opened: that of its last entry, or the time in
/// microseconds, which is higher as a rule. So a number that somebody saw does not name another
/// entry after the spool was emptied and opened again.
[[nodiscard]] constexpr std::int64_t spool_numbers_from(std::int64_t last, wall_time now) noexcept {
    const std::int64_t stamp = now.time_since_epoch().count();
    return stamp > last ? stamp : last;
}

/// Where an entry stands.
enum class spool_state : std::uint8_t {
    waiting,  ///< to be published
    parked,   ///< refused for good: for somebody to decide
};

[[nodiscard]] constexpr std::string_view to_string(spool_state s) noexcept {
    return s == spool_state::waiting ? "waiting" : "parked";
}

/// An entry in its spool. Each change raises `version`.
struct spool_entry {
    std::int64_t number = 0;  ///< rises with each `put`
    std::uint64_t version = 1;
    spool_state state = spool_state::waiting;
    sinew::following following = sinew::following::pass;  ///< where it is parked
    event what{};                                         ///< as it was put
    wall_time added{};
    std::uint32_t attempts = 0;  ///< those that failed and count; only grows
    std::optional<failure_note> last_failure{};

    friend bool operator==(const spool_entry&, const spool_entry&) = default;
};

/// How putting an event ended.
class [[nodiscard]] spool_result {
public:
    enum class end : std::uint8_t {
        stored,   ///< it is there, durably
        refused,  ///< it is not there; `why` says which limit was reached, or what is broken
        unknown,  ///< it may be there; until that is known its key counts as held
    };

    /// `first`: there was nothing in the spool to be published.
    static spool_result stored(bool first) noexcept { return {end::stored, {}, first}; }
    static spool_result refused(failure why) noexcept {
        return {end::refused, std::move(why), false};
    }
    static spool_result unknown(failure why) noexcept {
        return {end::unknown, std::move(why), false};
    }

    [[nodiscard]] end how() const noexcept { return how_; }
    [[nodiscard]] bool is_stored() const noexcept { return how_ == end::stored; }
    [[nodiscard]] bool is_first() const noexcept { return first_; }
    [[nodiscard]] const failure& why() const noexcept { return why_; }

private:
    spool_result(end how, failure why, bool first) noexcept
        : why_(std::move(why)), how_(how), first_(first) {}

    failure why_;
    end how_;
    bool first_;
};

/// How a change of entries ended.
enum class [[nodiscard]] spool_change : std::uint8_t {
    done,     ///< it is done, durably
    unknown,  ///< it may be done, and nothing in between; doing it again is harmless
};

[[nodiscard]] constexpr std::string_view to_string(spool_change c) noexcept {
    return c == spool_change::done ? "done" : "unknown";
}

/// How much is in a spool.
struct spool_size {
    std::uint64_t waiting = 0;            ///< entries to be published, put off included
    std::uint64_t held = 0;               ///< entries that wait behind a parked one
    std::uint64_t parked = 0;             ///< entries for somebody to decide
    std::uint64_t bytes = 0;              ///< of all of these
    std::uint64_t damaged = 0;            ///< files that were damaged, and are set aside
    std::optional<steady_time> oldest{};  ///< when the first of `waiting` was put

    [[nodiscard]] std::uint64_t entries() const noexcept { return waiting + held + parked; }
    /// How long the oldest has waited.
    [[nodiscard]] duration age(steady_time now) const noexcept {
        return oldest && *oldest < now ? now - *oldest : duration::zero();
    }

    friend bool operator==(const spool_size&, const spool_size&) = default;
};

/// A `spool` keeps events until a sink has accepted them.
///
/// **Syntax.** `put(event, now, until)`; `holds(key)`; `claim(now, limits, until)`;
/// `remove(numbers, until)`; `put_off(number, note, due, until)`; `park(number, note, following,
/// until)`; `size()`.
///
/// **Semantics.**
/// 1. After `stored` the event is there as it was put, bit for bit, also after a crash.
/// 2. After `refused` it is not there, and never will be, unless it is put again.
/// 3. At a limit of `spool_options` `put` refuses with that limit's reason: `spool_full_count`,
///    `spool_full_bytes`, `spool_too_old` (all of class unavailable), or `payload_too_large`
///    (permanent). An event that has a defect is refused with the reason of the defect.
/// 4. `holds(key)` is whether an entry of that key waits, is held, or is parked with
///    `following::park`; no key at all is never held.
/// 5. `claim` shows entries that wait and are due, and changes nothing. Of each key it shows them
///    in the order in which they were put, none left out, from the first that waits. It stops
///    before one that is put off, and behind one that is parked with `following::park`; it goes
///    past one that is parked with `pass`.
/// 6. A key that is held back holds back nothing else, and an entry without a key holds back
///    nothing.
/// 7. It shows at most `limits.entries`, and none more once `limits.bytes` were shown; what was put
///    first comes first.
/// 8. After `remove` answered done the entries are never shown again, also after a crash.
/// 9. `put_off` keeps the note, adds one to the entry's attempts if the note's kind counts
///    (`counts_as_attempt`), and holds the entry back until `due`; a restart ends the wait.
/// 10. `park` keeps the note and counts it likewise, and holds the entry back until people decide.
/// 11. The three changes leave alone an entry that does not wait, and answer done all the same.
/// 12. `size()` is how much is there.
/// 13. While it is open nobody else can open it: they get a `spool_in_use_error`.
///
/// **On failure.** `put` answers and throws nothing but `std::bad_alloc`. The others throw
/// `unavailable_error`, and have changed nothing.
/// **On crash.** What was stored and not removed is shown again. A damaged file is set aside, and
/// what can be read of it is kept, in order.
/// **Bounds.** By the options. A note's detail is kept up to `dead_letter_record::detail_max`
/// bytes.
/// **Models.** `memory::spool`, `sqlite::spool`.
template <class S>
concept spool = requires(S& s, const event_view& e, moment now, std::string_view key,
                         claim_limits limits, std::span<const std::int64_t> numbers,
                         std::int64_t number, const failure_note& note, steady_time until) {
    { s.put(e, now, until) } -> std::same_as<spool_result>;
    { s.holds(key) } -> std::same_as<bool>;
    { s.claim(until, limits, until) } -> std::same_as<std::vector<spool_entry>>;
    { s.remove(numbers, until) } -> std::same_as<spool_change>;
    { s.put_off(number, note, until, until) } -> std::same_as<spool_change>;
    { s.park(number, note, following::pass, until) } -> std::same_as<spool_change>;
    { s.size() } -> std::same_as<spool_size>;
};

/// A `waking_spool` tells a drainer that something was put, so that it need not look all the time.
///
/// 1. `wait_for_put(until)` answers true as soon as something was stored since the last call, and
///    false once it is `until`. It may answer true without such a cause.
///
/// **Models.** `sqlite::spool`; `memory::spool`, which never waits.
template <class S>
concept waking_spool = spool<S> && requires(S& s, steady_time until) {
    { s.wait_for_put(until) } -> std::same_as<bool>;
};

/// A `spool_desk` lets people decide on parked entries. Who decides names the version that they
/// saw.
///
/// 1. `parked(after, limit, until)` lists the parked entries with a number above `after`, by
///    number, at most so many.
/// 2. `unpark(number, version, until)` lets a parked entry wait again, due at once, if its version
///    is still the one given, and answers whether it did. Its place in its key, its attempts and
///    its last failure stay.
/// 3. `discard(number, version, until)` gives a parked entry up, if its version is still the one
///    given, and answers whether it did. What waited behind it goes on.
///
/// **On failure.** Each throws `unavailable_error` if the spool cannot be reached.
template <class S>
concept spool_desk = requires(S& s, std::int64_t number, std::uint64_t version, std::size_t limit,
                              steady_time until) {
    { s.parked(number, limit, until) } -> std::same_as<std::vector<spool_entry>>;
    { s.unpark(number, version, until) } -> std::same_as<bool>;
    { s.discard(number, version, until) } -> std::same_as<bool>;
};

}  // namespace sinew
