// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A queue source that sends an acknowledgement and takes silence for an answer: it never learns
/// that the lease had ended.

#include "conformance/environments.hpp"

namespace sinew::test::broken {

class queue_without_answers : public memory::queue {
public:
    // The mistake: the server's answer is not waited for.
    commit_result acknowledge(message& m, steady_time until) {
        static_cast<void>(memory::queue::acknowledge(m, until));
        return commit_result::committed;
    }
};

struct believes_late_acknowledgements : virtual_time {
    queue_without_answers queue;

    believes_late_acknowledgements() { queue.tick(now()); }
    queue_without_answers& open() { return queue; }
    void publish(const event_view& e) { static_cast<void>(queue.publish(e)); }
    duration lease() const { return memory::queue_options().lease; }
    void pass(duration span) {
        virtual_time::pass(span);
        queue.tick(now());
    }
};

}  // namespace sinew::test::broken
