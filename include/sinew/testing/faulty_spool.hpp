// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A spool whose calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `put` | refused, unknown (stored or not), crash before or after, delayed |
/// | `claim` that shows something | refused, delayed |
/// | `remove`, `put_off`, `park` | refused, unknown (done or not), crash before or after |
///
/// **Not covered, on purpose.** Zombies: a spool has one owner at a time, and whoever opens it
/// waits until the other is gone. `holds` and `size`, which are answered from memory. Waiting for a
/// put: it would be real waiting.

#include <sinew/core/spool.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a scenario is told of a spool's doings. Each may stay empty.
struct spool_hooks {
    std::function<void(std::string_view call, steady_time until)> asks{};
    std::function<void(claim_limits, const std::vector<spool_entry>&)> claimed{};
    std::function<void(std::span<const std::int64_t>)> removes{};  ///< in effect
    std::function<void(std::int64_t)> parked{};                    ///< in effect
};

/// A spool that is reached through a process.
template <spool Inner>
class faulty_spool {
public:
    /// `inner` has to outlive it.
    faulty_spool(process& owner, Inner& inner, spool_hooks hooks = {})
        : owner_(&owner), inner_(&inner), hooks_(std::move(hooks)) {}

    spool_result put(const event_view& e, moment now, steady_time until) {
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed};
        const auto no_answer = [] {
            return spool_result::unknown(
                {failure_class::unknown, "no_answer", "no answer to a put", std::nullopt});
        };
        asks("spool put", until);
        try {
            return owner_->call(
                "spool put", ends,
                [&] {
                    auto how = inner_->put(e, now, until);
                    owner_->note(how.is_stored() ? "spools" : "cannot spool", e.id,
                                 how.why().reason);
                    owner_->home().stir();
                    return how;
                },
                no_answer);
        } catch (const error& why) {
            return spool_result::refused(why.as_failure());
        } catch (const process_died&) {
            return no_answer();
        }
    }

    [[nodiscard]] bool holds(std::string_view key) const { return inner_->holds(key); }

    [[nodiscard]] std::vector<spool_entry> claim(steady_time now, claim_limits limits,
                                                 steady_time until) {
        owner_->must_live();
        asks("spool claim", until);
        auto shown = inner_->claim(now, limits, until);
        owner_->call("spool claim",
                     shown.empty() ? fault_set{} : fault_set{fault::refused, fault::delayed},
                     [] {});
        if (hooks_.claimed) {
            hooks_.claimed(limits, shown);
        }
        return shown;
    }

    spool_change remove(std::span<const std::int64_t> numbers, steady_time until) {
        return change("spool remove", until, [&] {
            if (hooks_.removes) {
                hooks_.removes(numbers);
            }
            owner_->note("removes", numbers.size(), "from the spool");
            return inner_->remove(numbers, until);
        });
    }
    spool_change put_off(std::int64_t number, const failure_note& note, steady_time due,
                         steady_time until) {
        return change("spool put off", until, [&] {
            owner_->note("puts off number", number);
            return inner_->put_off(number, note, due, until);
        });
    }
    spool_change park(std::int64_t number, const failure_note& note, following what_follows,
                      steady_time until) {
        return change("spool park", until, [&] {
            if (hooks_.parked) {
                hooks_.parked(number);
            }
            owner_->note("parks number", number, "behind it:", to_string(what_follows));
            return inner_->park(number, note, what_follows, until);
        });
    }

    [[nodiscard]] spool_size size() const { return inner_->size(); }

private:
    void asks(std::string_view call, steady_time until) const {
        if (hooks_.asks) {
            hooks_.asks(call, until);
        }
    }

    template <class Apply>
    spool_change change(std::string_view label, steady_time until, Apply apply) {
        constexpr fault_set ends = {fault::refused, fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after};
        asks(label, until);
        return owner_->call(
            label, ends,
            [&] {
                owner_->home().stir();
                return apply();
            },
            [] { return spool_change::unknown; });
    }

    process* owner_;
    Inner* inner_;
    spool_hooks hooks_;
};

}  // namespace sinew::testing
