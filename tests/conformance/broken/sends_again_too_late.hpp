// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink that has several sends in flight: one that fails is sent again, and arrives behind the
/// one that came after it.

#include "conformance/environments.hpp"

#include <optional>
#include <utility>

namespace sinew::test::broken {

class sink_with_late_retries {
public:
    explicit sink_with_late_retries(memory::producer to) : to_(std::move(to)) {}
    sink_with_late_retries(sink_with_late_retries&&) = default;
    sink_with_late_retries& operator=(sink_with_late_retries&&) = default;
    sink_with_late_retries(const sink_with_late_retries&) = delete;
    sink_with_late_retries& operator=(const sink_with_late_retries&) = delete;
    ~sink_with_late_retries() { send_again(); }

    publish_result publish(const event_view& e, steady_time until) {
        // The mistake: every tenth send fails, and is accepted before it has arrived.
        if (++sends_ % 10 == 0 && !failed_) {
            failed_ = to_event(e);
            return publish_result::accepted();
        }
        auto answer = to_.publish(e, until);
        send_again();
        return answer;
    }

private:
    void send_again() {
        if (failed_) {
            static_cast<void>(to_.publish(failed_->view(), never));
            failed_.reset();
        }
    }

    memory::producer to_;
    std::optional<event> failed_{};
    int sends_ = 0;
};

struct sends_again_too_late : memory_producer_environment {
    sink_with_late_retries open() {
        return sink_with_late_retries(memory_producer_environment::open());
    }
};

}  // namespace sinew::test::broken
