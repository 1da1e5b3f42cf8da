// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What writers and relays are made of in a `producer_world`, in one life of their process: handles
/// on its outbox and its topic whose calls end as the tape says, and a watch over what they do.

#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/testing/faulty_outbox.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/faulty_store.hpp>
#include <sinew/testing/relay_watch.hpp>
#include <sinew/testing/scripted_topic.hpp>
#include <sinew/testing/world.hpp>
#include <sinew/testing/world_clock.hpp>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace sinew::testing {

class producer_world;

/// What a writer is made of, in one life of its process.
class writer_ports {
public:
    using store_type = faulty_store<memory::store>;
    using transaction = store_type::transaction_type;
    using outbox_type = faulty_outbox<memory::outbox>;

    writer_ports(process& owner, producer_world& world);

    process& self;
    producer_world& home;
    relay_watch watch;
    memory::store connection;
    store_type store;
    emitter<outbox_type, world_clock> emit;
};

/// The topic as a relay reaches it, one event at a time.
class relayed_topic {
public:
    using topic = scripted_topic<memory::producer>;

    relayed_topic(process& owner, topic& to, relay_watch& watch) : watch_(&watch), to_(owner, to) {}

    publish_result publish(const event_view& e, steady_time until) {
        watch_->publishes(e, until);
        auto how = to_.publish(e, until);
        if (how.is_accepted()) {
            watch_->accepted(e);
        }
        return how;
    }

protected:
    relay_watch* watch_;
    faulty_sink<topic> to_;
};

/// The topic as a relay reaches it, in batches.
class relayed_batches : public relayed_topic {
public:
    using relayed_topic::relayed_topic;

    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        for (const auto& e : events) {
            watch_->publishes(e, until);
        }
        auto answers = to_.publish_batch(events, until);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i].is_accepted()) {
                watch_->accepted(events[i]);
            }
        }
        return answers;
    }
};

/// A handle on the outbox that tells a relay when something was added. Its world wakes the relay
/// then, so that nobody really waits.
class waking_handle : public faulty_outbox<memory::outbox> {
public:
    waking_handle(faulty_outbox<memory::outbox> box, bool& rung)
        : faulty_outbox<memory::outbox>(std::move(box)), rung_(&rung) {}

    [[nodiscard]] bool wait_for_added(steady_time /*until*/) {
        return std::exchange(*rung_, false);
    }

private:
    bool* rung_;
};

/// What a relay is made of, in one life of its process.
class relay_ports {
public:
    using outbox_type = faulty_outbox<memory::outbox>;

    relay_ports(process& owner, producer_world& world);
    relay_ports(const relay_ports&) = delete;
    relay_ports& operator=(const relay_ports&) = delete;
    ~relay_ports();

    process& self;
    producer_world& home;
    relay_watch watch;
    relayed_topic topic;
    relayed_batches batches;

    /// A handle on the outbox, and one that wakes.
    [[nodiscard]] outbox_type box();
    [[nodiscard]] waking_handle waking_box();
    /// What the relay has to keep to.
    void keeps_to(const relay_bounds& bounds) { watch.bounds = bounds; }

    /// Something was added.
    void ring() {
        rung_ = true;
        if (wakes_) {
            home_of_time().wake(self);
        }
    }
    [[nodiscard]] bool wakes() const noexcept { return wakes_; }

private:
    [[nodiscard]] world& home_of_time() const;

    bool wakes_ = false;
    bool rung_ = false;
};

}  // namespace sinew::testing
