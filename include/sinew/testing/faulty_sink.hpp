// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink whose publishes end as the tape says: accepted, refused, without an answer (with the
/// event there or not), late, by a zombie, or with the process dying before or after. Of a batch,
/// there is also the end at which its first half is there, and the rest has no answer.
///
/// A dead process's publish has no effect and answers `unknown`: a sink throws nothing. How a sink
/// breaks its contract is the inner one's to show: what it throws, and that it answers too little
/// of a batch, comes through.

#include <sinew/core/sink.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace sinew::testing {

/// A sink that is reached through a process.
template <sink Inner>
class faulty_sink {
public:
    /// Both have to outlive this.
    faulty_sink(process& owner, Inner& inner) noexcept : owner_(&owner), inner_(&inner) {}

    publish_result publish(const event_view& e, steady_time until) {
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

    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time until)
        requires batch_sink<Inner>
    {
        using answers = std::vector<publish_result>;
        const answers unknown(events.size(), no_answer());
        try {
            owner_->must_live();
            const auto how = owner_->choose(
                "publish batch", events.size() > 1 ? ends | fault_set{fault::partial} : ends);
            return owner_->perform(
                how, "publish batch",
                [&] {
                    owner_->home().stir();
                    const auto there = how == fault::partial ? events.size() / 2 : events.size();
                    answers out = inner_->publish_batch(events.first(there), until);
                    if (how == fault::partial) {
                        out.resize(events.size(), no_answer());
                    }
                    return out;
                },
                [&] { return unknown; });
        } catch (const error& why) {
            return answers(events.size(), publish_result::refused(why.as_failure()));
        } catch (const process_died&) {
            return unknown;
        }
    }

private:
    static constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                       fault::crash_before, fault::crash_after,  fault::delayed,
                                       fault::zombie};

    static publish_result no_answer() {
        return publish_result::unknown(
            {failure_class::unknown, "no_answer", "no answer to a publish", std::nullopt});
    }

    process* owner_;
    Inner* inner_;
};

}  // namespace sinew::testing
