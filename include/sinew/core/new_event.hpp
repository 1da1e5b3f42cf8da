// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a new event gets before it is published: an id, a time, and where it comes from.
///
/// **Guarantees.** What an event brings is kept; only what it lacks is set. Time and randomness are
/// passed in, so the same call gives the same event.

#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/timestamp.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace sinew {

/// An id that no other event has, as text of 36 characters: 48 bits of time in milliseconds, by
/// which ids sort roughly, and 74 random bits.
///
/// **Source.** RFC 9562, section 5.7 (UUID version 7).
template <random_source G>
[[nodiscard]] std::string new_event_id(wall_time now, G& random) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto millis = static_cast<std::uint64_t>(now.time_since_epoch().count() / 1000);
    const std::uint64_t words[] = {
        millis << 16U | 0x7000U | (random() & 0x0fffU),
        (random() & 0x3fffffffffffffffULL) | 0x8000000000000000ULL,
    };
    std::string out;
    out.reserve(36);
    for (unsigned i = 0; i < 32; ++i) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            out += '-';
        }
        out += digits[words[i / 16] >> (60U - 4U * (i % 16)) & 0xfU];
    }
    return out;
}

/// An event with an id and a time, set where it has none. It looks at the rest, and copies nothing
/// of it.
class completed_event {
public:
    template <random_source G>
    completed_event(const event_view& e, wall_time now, G& random) : rest_(e) {
        if (e.id.empty()) {
            id_ = new_event_id(now, random);
        }
        if (e.time.empty()) {
            time_ = format_time(now);
        }
    }

    /// Valid as long as this object and what it was made of.
    [[nodiscard]] event_view view() const noexcept {
        event_view out = rest_;
        out.id = id_.empty() ? out.id : std::string_view(id_);
        out.time = time_.empty() ? out.time : std::string_view(time_);
        return out;
    }

private:
    event_view rest_;
    std::string id_;
    std::string time_;
};

/// The event as an effect of another one: it belongs to the same conversation (`correlationid`; the
/// id of the cause, where that has none), was caused by it (`causationid`), and is part of the same
/// trace (`traceparent`). Valid as long as both events.
[[nodiscard]] inline event_view caused_by(event_view e, const event_view& cause) noexcept {
    if (e.correlationid.empty()) {
        e.correlationid = cause.correlationid.empty() ? cause.id : cause.correlationid;
    }
    if (e.causationid.empty()) {
        e.causationid = cause.id;
    }
    if (e.traceparent.empty()) {
        e.traceparent = cause.traceparent;
    }
    return e;
}

/// Adds an event to an outbox, with an id and a time where it has none; answers its number within
/// its key.
///
/// **Example.** `sinew::add_new(box, tx, caused_by({.id = {}, .source = "/orders", .type =
/// "order.placed", .partitionkey = customer}, cause), now, random);`
template <class O, class Tx, random_source G>
std::uint64_t add_new(O& box, Tx& tx, const event_view& e, wall_time now, G& random) {
    return box.add(tx, completed_event(e, now, random).view(), now);
}

}  // namespace sinew
