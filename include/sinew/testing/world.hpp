// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A virtual world: time that moves when it is told to, and processes that can die.
///
/// A process is whatever a factory makes: a consumer with its own connections, usually. The world
/// steps the processes in turn, moves time to the next moment at which one has something to do, and
/// starts again what has died. All that a process does to the outside goes through its `process`.
///
/// **Crashes.** As soon as control is back from a process that died, the world destroys it, and
/// starts a new one after a while.
///
/// **Zombies.** A process can be made to stand still in the middle of a call: its memberships are
/// taken away, a successor is started and runs until there is nothing left to do, and then the old
/// one goes on where it stood.
///
/// **Guarantees.** The same tape gives the same run, event for event.
/// **Bounds.** A run ends after `steps_max` steps at the latest.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/fault.hpp>
#include <sinew/testing/process.hpp>
#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// How a world behaves.
struct world_options {
    fault_set faults = fault_set::all();                 ///< which ones the tape can choose
    duration restart_after = duration(1'000'000'000);    ///< from a death to the next life
    duration delay = duration(5'000'000'000);            ///< how long `delayed` takes
    duration still_max = duration(60'000'000'000);       ///< how long a zombie stands still at most
    duration clock_jump = duration(86'400'000'000'000);  ///< how far the system clock is set
    unsigned steps_max = 2'000;                          ///< steps of one run
    bool choose_turns = false;  ///< whether the tape chooses among processes that are due together
};

/// The world.
class world {
public:
    explicit world(trial& run, world_options options = {}) : run_(run), options_(options) {
        now_.steady = steady_time(duration(1'000'000'000));
        now_.wall = wall_time(std::chrono::microseconds(1'700'000'000'000'000));
    }
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world() {
        // Nothing is graceful at the end of the world: what is left in it has no more effect, and
        // nobody is told, because what a scenario keeps beside its world may be gone.
        for (auto& one : living_) {
            one->alive_ = false;
            one->memberships_.clear();
        }
        while (!living_.empty()) {
            bury(living_.size() - 1);
        }
    }

    [[nodiscard]] moment now() const noexcept { return now_; }
    [[nodiscard]] trial& run() const noexcept { return run_; }
    [[nodiscard]] const world_options& options() const noexcept { return options_; }

    /// A process, started at the beginning or `after` a while, and again whenever it has died.
    void add(std::string_view name, process::factory make, duration after = duration::zero()) {
        slots_.push_back({std::string(name), std::move(make), 0, 0});
        at(after, [this, index = slots_.size() - 1] { start(index); });
    }

    /// Something that happens on its own, `after` a while.
    void at(duration after, std::function<void()> what) {
        script_.push_back({now_.steady + after, scripted_++, std::move(what)});
    }

    /// When there is nothing left to do. Asked after each step.
    void settled_when(std::function<bool()> settled) { settled_ = std::move(settled); }

    /// Runs until it has settled. Answers whether it did within `steps_max` steps.
    bool run_until_settled() { return go_on(never, true); }
    /// Runs on for a while, settled or not, to see whether something happens late.
    bool run_for(duration span) { return go_on(now_.steady + span, false); }

    /// Asks the tape which fault happens, out of those that are allowed here and in this world.
    fault choose(std::string_view who, std::string_view label, fault_set allowed) {
        allowed = allowed & options_.faults;
        if (allowed.has(fault::zombie) && has_zombie()) {
            allowed = allowed.without({fault::zombie});
        }
        run_.found.offer(allowed);
        const fault chosen = allowed.nth(run_.choices.choose(allowed.size() + 1, label));
        if (chosen != fault::none) {
            run_.found.happened[static_cast<std::size_t>(chosen)] += 1;
            run_.choices.name_last(to_string(chosen));
            note(who, label, "meets:", to_string(chosen));
        }
        return chosen;
    }

    /// Time passes.
    void pass(duration span) { set_time(now_.steady + span); }
    /// Time passes, up to a time. Answers whether that was the whole span.
    bool pass_until(duration span, steady_time until) {
        const steady_time end = later(now_.steady, span);
        set_time(end < until ? end : until);
        return end <= until;
    }
    /// A process that waits has something to do now.
    void wake(process& one) noexcept {
        one.wake_ = one.wake_ < now_.steady ? one.wake_ : now_.steady;
    }
    /// The system clock is set; the steady one does not notice.
    void jump_clock(duration by) {
        now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(by);
        note("world", "the system clock jumps by", by.count() / 1'000'000, "ms");
    }

    /// Something happened that can't be idling: a source whose world stands still has no new faults
    /// to offer.
    void stir() noexcept { ++stirs_; }
    [[nodiscard]] std::uint64_t stirs() const noexcept { return stirs_; }

    /// How often the process of that name was started, and how many steps were made.
    [[nodiscard]] unsigned starts(std::string_view name) const noexcept {
        for (const auto& one : slots_) {
            if (one.name == name) {
                return one.starts;
            }
        }
        return 0;
    }
    [[nodiscard]] unsigned steps() const noexcept { return steps_; }
    /// Exceptions that left a step of a living process. Each ended that life.
    [[nodiscard]] unsigned escaped() const noexcept { return escaped_; }

    template <class... Parts>
    void note(std::string_view who, const Parts&... parts) {
        run_.trace.add(now_.steady, who, parts...);
    }

private:
    friend class process;

    struct slot {
        std::string name;
        process::factory make;
        unsigned starts;
        unsigned lives;  ///< how many live now: two while one is a zombie
    };
    struct scripted {
        steady_time at;
        std::uint64_t number;
        std::function<void()> what;
    };

    void set_time(steady_time to) {
        if (to > now_.steady) {
            now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(to - now_.steady);
            now_.steady = to;
        }
    }

    void start(std::size_t index) {
        slots_[index].starts += 1;
        slots_[index].lives += 1;
        stir();
        living_.push_back(std::make_unique<process>(*this, index, slots_[index].name));
        auto& one = *living_.back();
        one.note("starts");
        one.wake_ = now_.steady;
        guarded(one, [&] { one.body_ = slots_[index].make(one); });
    }

    /// Runs code of a process, and knows how it ended.
    template <class Code>
    void guarded(process& one, Code code) {
        try {
            code();
        } catch (const process_died&) {
        } catch (const std::exception& what) {
            if (one.alive_) {
                ++escaped_;
                one.note("threw out of its step:", std::string_view(what.what()));
                one.end("an exception left it");
            }
        }
    }

    /// Destroys a dead process, and starts it anew after a while if nobody else took its place.
    void bury(std::size_t index) {
        auto gone = std::move(living_[index]);
        living_.erase(living_.begin() + static_cast<std::ptrdiff_t>(index));
        const auto index_of_slot = gone->slot_;
        gone->body_.reset();
        gone->kick();
        slots_[index_of_slot].lives -= 1;
        if (slots_[index_of_slot].lives == 0) {
            at(options_.restart_after, [this, index_of_slot] {
                if (slots_[index_of_slot].lives == 0) {
                    start(index_of_slot);
                }
            });
        }
    }

    void bury_the_dead() {
        for (std::size_t i = 0; i < living_.size();) {
            if (!living_[i]->alive_ && !living_[i]->stands_still_) {
                bury(i);
                i = 0;
            } else {
                ++i;
            }
        }
    }

    /// The scripted event that comes next.
    [[nodiscard]] std::size_t next_scripted() const noexcept {
        std::size_t best = script_.size();
        for (std::size_t i = 0; i < script_.size(); ++i) {
            if (best == script_.size() || script_[i].at < script_[best].at ||
                (script_[i].at == script_[best].at && script_[i].number < script_[best].number)) {
                best = i;
            }
        }
        return best;
    }

    /// The process whose turn it is: the one that wants to run first, in turns among equals.
    [[nodiscard]] process* next_process() {
        process* best = nullptr;
        unsigned equals = 0;
        for (std::size_t i = 0; i < living_.size(); ++i) {
            auto& one = *living_[(turn_ + i) % living_.size()];
            if (one.stands_still_) {
                continue;
            }
            const auto wake = one.wake_ < now_.steady ? now_.steady : one.wake_;
            if (best == nullptr || wake < due(*best)) {
                best = &one;
                equals = 1;
            } else if (wake == due(*best)) {
                ++equals;
            }
        }
        if (options_.choose_turns && equals > 1) {
            for (unsigned skip = run_.choices.choose(equals, "whose turn it is"); skip != 0;
                 --skip) {
                best = next_equal(*best);
            }
        }
        return best;
    }

    [[nodiscard]] steady_time due(const process& one) const noexcept {
        return one.wake_ < now_.steady ? now_.steady : one.wake_;
    }

    [[nodiscard]] process* next_equal(const process& after) noexcept {
        std::size_t at = 0;
        while (living_[at].get() != &after) {
            ++at;
        }
        for (std::size_t i = 1; i <= living_.size(); ++i) {
            auto& one = *living_[(at + i) % living_.size()];
            if (!one.stands_still_ && due(one) == due(after)) {
                return &one;
            }
        }
        return living_[at].get();
    }

    void step(process& one) {
        one.wake_ = never;
        guarded(one, [&] { one.wake_ = one.body_->step(now_); });
        // Whoever comes after this one in the list is next among equals.
        for (std::size_t i = 0; i < living_.size(); ++i) {
            if (living_[i].get() == &one) {
                turn_ = i + 1;
            }
        }
    }

    bool go_on(steady_time until, bool until_settled) {
        for (;;) {
            bury_the_dead();
            if (until_settled && script_.empty() && settled_ && settled_()) {
                return true;
            }
            if (steps_ >= options_.steps_max) {
                return false;
            }
            const std::size_t event = next_scripted();
            process* const one = next_process();
            const auto event_at = event < script_.size() ? script_[event].at : never;
            const auto process_at = one != nullptr ? due(*one) : never;
            const auto next = event_at <= process_at ? event_at : process_at;
            if (next == never || next > until) {
                set_time(until == never ? now_.steady : until);
                return !until_settled;
            }
            ++steps_;
            set_time(next);
            if (event_at <= process_at) {
                auto what = std::move(script_[event].what);
                script_.erase(script_.begin() + static_cast<std::ptrdiff_t>(event));
                stir();
                what();
            } else {
                step(*one);
            }
        }
    }

    /// `one` stands still while a successor takes over.
    void stand_still(process& one) {
        one.note("stands still");
        one.stands_still_ = true;
        one.kick();
        start(one.slot_);
        const auto until = now_.steady + options_.still_max;
        while (now_.steady < until && steps_ < options_.steps_max && !(settled_ && settled_())) {
            if (!go_on_once(until)) {
                break;
            }
        }
        one.stands_still_ = false;
        one.note("goes on");
    }

    /// One step of whoever is next, up to a time. False if there is nothing to do until then.
    bool go_on_once(steady_time until) {
        const auto had = steps_;
        const auto limit = options_.steps_max;
        options_.steps_max = had + 1;
        go_on(until, false);
        options_.steps_max = limit;
        return steps_ != had;
    }

    [[nodiscard]] bool has_zombie() const noexcept {
        for (const auto& one : living_) {
            if (one->stands_still_) {
                return true;
            }
        }
        return false;
    }

    trial& run_;
    world_options options_;
    moment now_;
    std::vector<slot> slots_;
    std::vector<std::unique_ptr<process>> living_;
    std::vector<scripted> script_;
    std::function<bool()> settled_;
    std::uint64_t stirs_ = 0;
    std::uint64_t scripted_ = 0;
    std::size_t turn_ = 0;
    unsigned steps_ = 0;
    unsigned escaped_ = 0;
};

template <class... Parts>
void process::note(const Parts&... parts) {
    home_.note(name_, parts...);
}

inline void process::pass_through(std::string_view label, fault_set allowed) {
    call(label, allowed, [] {});
}

inline void process::end(std::string_view why) {
    note("dies:", why);
    home_.stir();
    alive_ = false;
}

inline fault process::choose(std::string_view label, fault_set allowed) {
    return home_.choose(name_, label, allowed);
}

template <class Apply, class NoAnswer>
std::invoke_result_t<Apply&> process::perform(fault how, std::string_view label, Apply apply,
                                              NoAnswer no_answer) {
    using result = std::invoke_result_t<Apply&>;
    const auto apply_then = [&](auto then) -> result {
        if constexpr (std::is_void_v<result>) {
            apply();
            return then();
        } else {
            static_cast<void>(apply());
            return then();
        }
    };
    switch (how) {
        case fault::refused:
            throw unavailable_error("refused", std::string(label) + " was refused");
        case fault::failed: throw transient_error("failed", std::string(label) + " failed");
        case fault::request_lost: return no_answer();
        case fault::reply_lost: return apply_then(no_answer);
        case fault::crash_before: die(label);
        case fault::crash_after: return apply_then([&]() -> result { die(label); });
        case fault::delayed: home_.pass(home_.options_.delay); break;
        case fault::zombie:
            home_.stand_still(*this);
            must_live();  // the power may have failed meanwhile
            break;
        case fault::clock_jump: home_.jump_clock(-home_.options_.clock_jump); break;
        case fault::clock_leap: home_.jump_clock(home_.options_.clock_jump); break;
        default: break;
    }
    return apply();
}

}  // namespace sinew::testing
