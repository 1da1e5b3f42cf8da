// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The emitter: adds events to an outbox in the caller's own transaction, with an id, a time, and
/// the context of the event that is being handled.
///
/// ```cpp
/// sinew::emitter emit(db.outbox("orders"));
/// emit.add(tx, {.source = "/orders", .type = "order.placed", .data = sinew::as_bytes(json),
///               .partitionkey = customer}, cause);
/// ```
///
/// **Guarantees.** What the event brings is kept; only what it lacks is set. What is added is a
/// copy of its own: no event that goes out shares anything with another, or with its cause.

#include <sinew/core/event.hpp>
#include <sinew/core/new_event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <utility>

namespace sinew {

/// Adds events to one outbox. One thread at a time may call it; each writer has its own.
template <class Outbox, clock Clock = machine_clock, random_source Random = splitmix64>
class emitter {
public:
    /// `box` is a handle on the outbox; what it is a handle on has to outlive this.
    explicit emitter(Outbox box, Clock clock = {}, Random random = Random(entropy_seed()))
        : box_(std::move(box)), clock_(std::move(clock)), random_(std::move(random)) {}

    /// Adds an event; `id` and `time` are set if absent. Answers its number within its key, or 0 if
    /// it has no key.
    ///
    /// **Delivers.** The event is published if and only if `tx` commits.
    /// **On failure.** As `add` of the outbox: a `permanent_error` for an event that has a defect
    /// or is too large, and the transaction can go on.
    /// **Order.** Of one key, that of the commits, and within one transaction that of the calls.
    template <class Transaction>
    std::uint64_t add(Transaction& tx, const event_view& e) {
        return add_new(box_, tx, e, clock_.now().wall, random_);
    }

    /// Adds an event as an effect of `cause`, the event that is being handled: `correlationid`,
    /// `causationid` and `traceparent` come from there where the event itself has none.
    template <class Transaction>
    std::uint64_t add(Transaction& tx, const event_view& e, const event_view& cause) {
        return add(tx, caused_by(e, cause));
    }

    /// The same of events that own their parts. Braces make a view: this is not looked at for them.
    template <class Transaction, std::same_as<event> Event>
    std::uint64_t add(Transaction& tx, const Event& e) {
        return add(tx, e.view());
    }
    template <class Transaction, std::same_as<event> Event>
    std::uint64_t add(Transaction& tx, const Event& e, const event_view& cause) {
        return add(tx, e.view(), cause);
    }

    [[nodiscard]] Outbox& outbox() noexcept { return box_; }

private:
    Outbox box_;
    Clock clock_;
    Random random_;
};

/// A store may have several outboxes. What is made here takes anything, so that this is all the
/// compiler says.
template <store Store, clock Clock, random_source Random>
class emitter<Store, Clock, Random> {
    static constexpr bool is_outbox = sizeof(Store) == 0;
    static_assert(is_outbox,
                  "sinew: emitter takes a handle on an outbox, such as db.outbox(\"orders\"), and "
                  "not the store");

public:
    template <class... Given>
    explicit emitter(const Given&...) {}
};

}  // namespace sinew
