// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A process that can die: what stands between a consumer and the outside.
///
/// A port under test asks its process before it does anything, and the process asks the tape.
///
/// **Crashes.** A driver catches whatever a handler throws, so a crash can't be an exception alone.
/// When the tape says so, the process is dead at once: the call throws `process_died` (or, where it
/// must not throw, answers that it does not know), and so does each later call, without effect. So
/// nothing that still runs on the way out, destructors included, touches the outside.
/// **Invariants.** Once `is_alive()` is false it stays so.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/fault.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a dead process throws. Only the world may catch it for good.
struct process_died {};

/// What a process is made of.
class process_body {
public:
    virtual ~process_body() = default;
    /// Does what is to be done now, and says when it wants to be called again.
    virtual steady_time step(moment now) = 0;
};

class world;

/// One life of a process: what its ports ask before they do anything.
class process {
public:
    using factory = std::function<std::unique_ptr<process_body>(process&)>;

    process(world& home, std::size_t slot, std::string_view name) noexcept
        : home_(home), name_(name), slot_(slot) {}
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] bool is_alive() const noexcept { return alive_; }
    [[nodiscard]] world& home() const noexcept { return home_; }

    /// Dies here and now. What an event does that kills the process.
    [[noreturn]] void die(std::string_view why) {
        end(why);
        throw process_died{};
    }

    /// Throws if the process is dead: what is done through it must have no effect.
    void must_live() {
        if (!alive_) {
            count_call_after_death();
            throw process_died{};
        }
    }

    /// A call to the outside, ended as the tape says. `apply` does it. When no answer arrives,
    /// `no_answer` says what the caller gets, or throws.
    template <class Apply, class NoAnswer>
    std::invoke_result_t<Apply&> call(std::string_view label, fault_set allowed, Apply apply,
                                      NoAnswer no_answer) {
        must_live();
        return perform(choose(label, allowed), label, std::move(apply), std::move(no_answer));
    }

    /// The same, where a lost answer looks like a dependency that is down.
    template <class Apply>
    std::invoke_result_t<Apply&> call(std::string_view label, fault_set allowed, Apply apply) {
        using result = std::invoke_result_t<Apply&>;
        return call(label, allowed, std::move(apply), [label]() -> result {
            throw unavailable_error("no_answer", "no answer to " + std::string(label));
        });
    }

    /// The same, for a call that must not throw: where it would, `instead` is the answer.
    template <class Apply, class Result = std::invoke_result_t<Apply&>>
    Result call_quietly(std::string_view label, fault_set allowed, Apply apply, Result refused,
                        Result unknown) noexcept {
        try {
            return call(label, allowed, std::move(apply), [unknown] { return unknown; });
        } catch (const unavailable_error&) {
            return refused;
        } catch (...) {
            return unknown;
        }
    }

    /// A point in the user's own code, such as a handler: it can fail, hang, and die.
    void pass_through(std::string_view label,
                      fault_set allowed = {fault::refused, fault::failed, fault::crash_before,
                                           fault::delayed, fault::zombie});

    /// Which fault the tape has for a call.
    fault choose(std::string_view label, fault_set allowed);

    /// Lets a call end in the way that was chosen for it.
    template <class Apply, class NoAnswer>
    std::invoke_result_t<Apply&> perform(fault how, std::string_view label, Apply apply,
                                         NoAnswer no_answer);

    /// Something that the group takes away from a process which is dead or stands still.
    void on_kick(const void* who, std::function<void()> kick) {
        memberships_.push_back({who, std::move(kick)});
    }
    void forget_kick(const void* who) {
        std::erase_if(memberships_, [who](const membership& one) { return one.who == who; });
    }
    void kick() {
        for (std::size_t i = 0; i < memberships_.size(); ++i) {
            memberships_[i].kick();
        }
    }

    /// Writes a line to the history.
    template <class... Parts>
    void note(const Parts&... parts);

private:
    friend class world;

    struct membership {
        const void* who;
        std::function<void()> kick;
    };

    static constexpr unsigned calls_after_death_max = 100'000;

    void end(std::string_view why);

    void count_call_after_death() {
        // A loop that swallows every exception would never give control back to the world.
        if (++calls_after_death_ > calls_after_death_max) {
            std::terminate();
        }
    }

    world& home_;
    std::string name_;
    std::vector<membership> memberships_;
    std::unique_ptr<process_body> body_;
    steady_time wake_{};
    std::size_t slot_;
    unsigned calls_after_death_ = 0;
    bool alive_ = true;
    bool stands_still_ = false;
};

}  // namespace sinew::testing
