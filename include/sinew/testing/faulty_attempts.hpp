// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An attempt log whose calls end as the tape says: refused, applied without an answer, or with the
/// process dying before or after.
///
/// **Not covered, on purpose.** Time passing and zombies: an attempt log decides nothing on time,
/// and who stands still here might as well stand still at the call after it.

#include <sinew/core/attempts.hpp>
#include <sinew/testing/world.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace sinew::testing {

/// An attempt log that is reached through a process.
template <attempt_log Inner>
class faulty_attempts {
public:
    /// `inner` is a handle, and is copied.
    faulty_attempts(process& owner, Inner inner) : owner_(&owner), inner_(std::move(inner)) {}

    [[nodiscard]] bool opened(std::string_view consumer, std::string_view topic,
                              partition_id partition) {
        return owner_->call("attempts opened", ends,
                            [&] { return inner_.opened(consumer, topic, partition); });
    }
    void closed(std::string_view consumer, std::string_view topic, partition_id partition) {
        owner_->call("attempts closed", ends, [&] { inner_.closed(consumer, topic, partition); });
    }
    [[nodiscard]] std::uint32_t begun(std::string_view consumer, std::string_view topic,
                                      position where, wall_time now) {
        return owner_->call("attempts begun", ends, [&] {
            owner_->home().stir();
            return inner_.begun(consumer, topic, where, now);
        });
    }
    void ended(std::string_view consumer, std::string_view topic, position where) {
        owner_->call("attempts ended", ends, [&] { inner_.ended(consumer, topic, where); });
    }

private:
    static constexpr fault_set ends = {fault::refused, fault::reply_lost, fault::crash_before,
                                       fault::crash_after};

    process* owner_;
    Inner inner_;
};

}  // namespace sinew::testing
