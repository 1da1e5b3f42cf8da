// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a simulated handler reaches beside its transaction, and where in its own code it can fail.
///
/// The calls of a transaction end at its commit, and the kit lets commits fail by itself. What a
/// handler does elsewhere (it sends a mail, charges a card, calls another service) is done when it
/// is done. So it says so: a call through `outside` can be refused, can be done without an answer,
/// and the process can die before or after it.
///
/// **On crash.** The call throws something that is no `std::exception`. A handler that swallows it
/// (`catch (...)`) would go on after its own death; the kit says so instead of judging what it did.
/// **Example.**
/// ```cpp
/// .handle = [](shop& s, const event_view& e, memory::transaction& tx, outside& out) {
///     out.call("charge card", [&] { s.bank.charge(e.partitionkey, e.text()); });
///     out.point("between card and books");
///     tx.put(e.partitionkey, "paid");
/// },
/// ```

#include <sinew/core/time.hpp>
#include <sinew/testing/fault.hpp>
#include <sinew/testing/world.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::testing {

/// How a call to another system can end.
inline constexpr fault_set call_ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                        fault::crash_before, fault::crash_after,  fault::delayed,
                                        fault::zombie};
/// What can happen at a point of the handler's own code.
inline constexpr fault_set point_ends = {fault::refused, fault::failed, fault::crash_before,
                                         fault::delayed, fault::zombie};

/// The world outside of the transaction, as one life of a process sees it.
class outside {
public:
    /// Without a process nothing goes wrong.
    explicit outside(process* owner = nullptr) noexcept : owner_(owner) {}

    /// Calls another system. `f` does it; what it answers is answered, if the answer arrives. A
    /// refused call and a lost answer throw `unavailable_error`.
    template <std::size_t N, std::invocable F>
    std::invoke_result_t<F&> call(const char (&what)[N], F f, fault_set ends = call_ends) {
        if (owner_ == nullptr) {
            return f();
        }
        const std::string_view label(what, N - 1);
        const auto how = choose(label, ends);
        return owner_->perform(
            how, label,
            [&] {
                owner_->note("does:", label);
                return f();
            },
            [label]() -> std::invoke_result_t<F&> {
                throw unavailable_error("no_answer", "no answer to " + std::string(label));
            });
    }

    /// A point at which the handler can fail, hang or die.
    template <std::size_t N>
    void point(const char (&where)[N], fault_set ends = point_ends) {
        if (owner_ != nullptr) {
            const std::string_view label(where, N - 1);
            owner_->perform(choose(label, ends), label, [] {}, [] {});
        }
    }

    /// The time of the simulated world.
    [[nodiscard]] moment now() const noexcept {
        return owner_ == nullptr ? moment{steady_time(duration(1)), wall_time{}}
                                 : owner_->home().now();
    }

    /// How many faults have met the event that is being handled, in this and earlier attempts.
    void count_faults_in(std::uint32_t* counter) noexcept { counter_ = counter; }

private:
    fault choose(std::string_view label, fault_set ends) {
        owner_->must_live();
        const auto how = owner_->choose(label, ends);
        if (how != fault::none && counter_ != nullptr) {
            ++*counter_;
        }
        return how;
    }

    process* owner_;
    std::uint32_t* counter_ = nullptr;
};

}  // namespace sinew::testing
