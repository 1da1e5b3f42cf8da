// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The queue in memory behind a receiver that can make one mistake at a time.

#include "conformance/environments.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace sinew::test {

enum class queue_mistake {
    none,
    ignores_the_limit,
    waits_too_long,
    reuses_its_buffer,
    drops_headers,
    hides_defects,
    takes_no_lease,
    leases_never_end,
    forgets_acknowledgements,
    a_second_acknowledgement_hits_another,
    believes_late_acknowledgements,
    gives_back_never,
    gives_back_at_once,
    extends_nothing,
    extends_what_has_ended,
};

struct faulty_queue {
    using mistake = queue_mistake;
    struct message {
        memory::queue::message inner;
        std::shared_ptr<event> what;
        bool hides = false;
        bool acknowledged = false;

        [[nodiscard]] event_view view() const { return what ? what->view() : inner.view(); }
        [[nodiscard]] std::uint32_t deliveries() const { return inner.deliveries(); }
        [[nodiscard]] std::optional<defect> broken() const {
            return hides ? std::nullopt : inner.broken();
        }
    };

    mistake wrong = mistake::none;
    virtual_time time{};
    memory::queue inner{};
    std::shared_ptr<event> buffer = std::make_shared<event>();

    template <class Listener>
    void receive(poll_limits limits, steady_time, Listener& listener) {
        if (wrong == mistake::waits_too_long) {
            time.pass(std::chrono::hours(1));
        }
        if (wrong == mistake::ignores_the_limit) {
            limits.events = 100;
        }
        struct ear {
            faulty_queue* self;
            Listener* to;
            void message(memory::queue::message&& m) { self->hand_over(std::move(m), *to); }
        } between{this, &listener};
        inner.receive(limits, never, between);
    }

    commit_result acknowledge(message& m, steady_time) {
        if (wrong == mistake::forgets_acknowledgements) {
            return commit_result::committed;
        }
        if (wrong == mistake::a_second_acknowledgement_hits_another &&
            std::exchange(m.acknowledged, true)) {
            // Whatever is next in the queue.
            struct ear {
                std::optional<memory::queue::message> got;
                void message(memory::queue::message&& one) { got.emplace(std::move(one)); }
            } next;
            inner.receive({1, SIZE_MAX}, never, next);
            return next.got ? inner.acknowledge(*next.got) : commit_result::committed;
        }
        const auto result = inner.acknowledge(m.inner);
        return wrong == mistake::believes_late_acknowledgements ? commit_result::committed : result;
    }
    void give_back(message& m, duration delay) {
        if (wrong != mistake::gives_back_never) {
            inner.give_back(m.inner,
                            wrong == mistake::gives_back_at_once ? duration::zero() : delay);
        }
    }
    bool extend(message& m, duration by, steady_time) {
        if (wrong == mistake::extends_nothing) {
            return true;
        }
        return inner.extend(m.inner, by) || wrong == mistake::extends_what_has_ended;
    }

    template <class Listener>
    void hand_over(memory::queue::message&& m, Listener& to) {
        std::shared_ptr<event> what;
        if (wrong == mistake::drops_headers) {
            what = std::make_shared<event>(to_event(m.view()));
            what->headers.clear();
        } else if (wrong == mistake::reuses_its_buffer) {
            *buffer = to_event(m.view());
            what = buffer;
        } else if (wrong == mistake::takes_no_lease) {
            inner.give_back(m, duration::zero());
        } else if (wrong == mistake::leases_never_end) {
            static_cast<void>(inner.extend(m, std::chrono::hours(10'000)));
        }
        to.message({std::move(m), std::move(what), wrong == mistake::hides_defects});
    }
};

struct faulty_queue_environment {
    std::unique_ptr<faulty_queue> queue = std::make_unique<faulty_queue>();

    explicit faulty_queue_environment(queue_mistake wrong) {
        queue->wrong = wrong;
        queue->inner.tick(now());
    }
    [[nodiscard]] faulty_queue& open() const { return *queue; }
    void publish(const event_view& e) const { static_cast<void>(queue->inner.publish(e)); }
    void publish_broken(bytes_view raw) const { queue->inner.publish_broken(raw, "bad"); }
    [[nodiscard]] duration lease() const { return memory::queue_options().lease; }
    [[nodiscard]] steady_time now() const { return queue->time.now(); }
    void pass(duration span) const {
        queue->time.pass(span);
        queue->inner.tick(now());
    }
    void crash() {}
};

}  // namespace sinew::test
