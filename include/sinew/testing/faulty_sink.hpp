// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink whose publishes end as the tape says: accepted, refused, without an answer (with the event
/// there or not), late, by a zombie, or with the process dying before or after.
///
/// A dead process's publish has no effect and answers `unknown`: a sink throws nothing.

#include <sinew/core/sink.hpp>
#include <sinew/testing/world.hpp>

namespace sinew::testing {

/// A sink that is reached through a process.
template <sink Inner>
class faulty_sink {
public:
    /// Both have to outlive this.
    faulty_sink(process& owner, Inner& inner) noexcept : owner_(&owner), inner_(&inner) {}

    publish_result publish(const event_view& e, steady_time until) {
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed,
                                    fault::zombie};
        const auto no_answer = [] {
            return publish_result::unknown(
                {failure_class::unknown, "no_answer", "no answer to a publish", std::nullopt});
        };
        try {
            return owner_->call(
                "publish", ends,
                [&] {
                    owner_->home().stir();
                    return inner_->publish(e, until);
                },
                no_answer);
        } catch (const error& why) {
            return publish_result::refused(why.as_failure());
        } catch (const process_died&) {
            return no_answer();
        }
    }

private:
    process* owner_;
    Inner* inner_;
};

}  // namespace sinew::testing
