// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A step of a process, as it is written down: a name, a callable, and what is said of it.
///
/// ```cpp
/// sinew::step<"charge">(charge).retry({.max_attempts = 5}).timeout(5s)
///     .undo(refund).retry({.max_attempts = 100})
/// ```
///
/// | call | says |
/// | --- | --- |
/// | `.undo(g)` | how the step is compensated |
/// | `.always()` | behind the point of no return: it is repeated until it is done |
/// | `.reply(h, {.within = 30s})` | what becomes of the reply to the command that was sent |
/// | `.retry({...})`, `.timeout(d)`, `.classify(rules)` | how attempts are made; see below |
/// | `.renamed_from<"old">()`, `.added()` | what changed; see process/definition_match.hpp |
///
/// What is said of attempts and replies holds for the callable before it: the action, or behind
/// `.undo(g)` the undo.

#include <sinew/core/classify.hpp>
#include <sinew/core/name.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/command.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// What a step says of the way back.
enum class step_role : std::uint8_t { unsaid, compensable, pivot, always };

struct no_undo {};
struct no_reply {};

template <class Handler>
struct reply_part {
    Handler handler;
    reply_options options;
};

/// A callable of a step, and how attempts at it are made.
template <class F, class Rules = default_classifier, class Reply = no_reply>
struct callable_part {
    using function = F;
    using reply_type = Reply;

    F call;
    Rules rules{};
    Reply reply{};
    step_options options{};

    template <class NewRules>
    constexpr auto with_rules(NewRules to) && {
        return callable_part<F, NewRules, Reply>{std::move(call), std::move(to), std::move(reply),
                                                 options};
    }
    template <class NewReply>
    constexpr auto with_reply(NewReply to) && {
        return callable_part<F, Rules, NewReply>{std::move(call), std::move(rules), std::move(to),
                                                 options};
    }
};

/// How a step differs from what instances were started with.
template <bool IsAdded, name... Former>
struct step_changes {
    static constexpr bool is_added = IsAdded;
    // One more, so that there is an array where there are no names.
    static constexpr std::string_view names[sizeof...(Former) + 1] = {Former.view()...};
    static constexpr std::span<const std::string_view> former{names, sizeof...(Former)};

    using added = step_changes<true, Former...>;
    template <name Old>
    using renamed_from = step_changes<IsAdded, Former..., Old>;
};

}  // namespace detail

/// A step, made by `step` or `pivot`. Each call gives a step that says one thing more.
template <name Step, detail::step_role Role, class Act, class Undo, class Changes>
class [[nodiscard]] step_part {
    static constexpr bool has_undo = !std::is_same_v<Undo, detail::no_undo>;

public:
    using act_part = Act;
    using undo_part = Undo;
    using changes = Changes;
    static constexpr auto label = Step;
    static constexpr detail::step_role role = Role;

    constexpr step_part(Act act, Undo undo) : act_(std::move(act)), undo_(std::move(undo)) {}

    /// How the step is compensated. `g` is called as the action is, and can read its result with
    /// `result_if`. It has to do no harm where the action never happened.
    template <class G>
    constexpr auto undo(G g) && {
        static_assert(Role != detail::step_role::pivot,
                      "sinew: the pivot can't be undone; make it a step");
        static_assert(Role != detail::step_role::always,
                      "sinew: a step that is always done is never undone; say .undo or .always");
        static_assert(Role != detail::step_role::compensable,
                      "sinew: a step is undone by one callable; make one of both");
        using part = detail::callable_part<G>;
        return step_part<Step, detail::step_role::compensable, Act, part, Changes>(
            std::move(act_), part{std::move(g)});
    }

    /// Behind the point of no return: the step is repeated until it is done.
    constexpr auto always() && {
        static_assert(Role != detail::step_role::pivot,
                      "sinew: the pivot can fail, and what is always done can't; make it a step");
        static_assert(Role != detail::step_role::compensable,
                      "sinew: a step that is always done is never undone; say .undo or .always");
        return step_part<Step, detail::step_role::always, Act, Undo, Changes>(std::move(act_),
                                                                              std::move(undo_));
    }

    /// What becomes of the reply to the command: `h(at, data)` returns what a step returns, but no
    /// further command. What it throws or rejects as permanent says that the command had no effect;
    /// after any other failure the same reply is looked at again.
    ///
    /// **On failure.** Throws `usage_error` that names the option.
    template <class H>
    constexpr auto reply(H h, reply_options options = {}) && {
        check(options);
        return std::move(*this).with_last([&](auto last) {
            return std::move(last).with_reply(detail::reply_part<H>{std::move(h), options});
        });
    }

    /// How often, and how soon, it is tried again.
    ///
    /// **On failure.** Throws `usage_error` that names the option.
    constexpr auto retry(step_retry_options options) && {
        check(options);
        return std::move(*this).with_last([&](auto last) {
            last.options.retry = options;
            return last;
        });
    }

    /// How long one attempt may take: `at.until`.
    ///
    /// **On failure.** Throws `usage_error`.
    constexpr auto timeout(duration most) && {
        if (most <= duration::zero()) {
            throw usage_error("step: timeout has to be above 0");
        }
        return std::move(*this).with_last([&](auto last) {
            last.options.timeout = most;
            return last;
        });
    }

    /// Which class a failure has; see core/classify.hpp.
    template <classifier Rules>
    constexpr auto classify(Rules rules) && {
        return std::move(*this).with_last(
            [&](auto last) { return std::move(last).with_rules(std::move(rules)); });
    }

    /// The step had another name in instances that are still under way.
    template <name Old>
    constexpr auto renamed_from() && {
        return std::move(*this)
            .template with_changes<typename Changes::template renamed_from<Old>>();
    }
    /// The step is not in all instances that are still under way.
    constexpr auto added() && {
        return std::move(*this).template with_changes<typename Changes::added>();
    }

    [[nodiscard]] constexpr Act& act_of() noexcept { return act_; }
    [[nodiscard]] constexpr const Act& act_of() const noexcept { return act_; }
    [[nodiscard]] constexpr Undo& undo_of() noexcept { return undo_; }
    [[nodiscard]] constexpr const Undo& undo_of() const noexcept { return undo_; }

private:
    template <class Change>
    constexpr auto with_last(Change change) && {
        if constexpr (has_undo) {
            auto undo = change(std::move(undo_));
            return step_part<Step, Role, Act, decltype(undo), Changes>(std::move(act_),
                                                                       std::move(undo));
        } else {
            auto act = change(std::move(act_));
            return step_part<Step, Role, decltype(act), Undo, Changes>(std::move(act),
                                                                       std::move(undo_));
        }
    }
    template <class NewChanges>
    constexpr auto with_changes() && {
        return step_part<Step, Role, Act, Undo, NewChanges>(std::move(act_), std::move(undo_));
    }

    Act act_;
    [[no_unique_address]] Undo undo_;
};

/// A step that instances still under way may have, and that nobody takes any more.
template <name Step>
struct removed_step {
    static constexpr auto label = Step;
};

/// A step. `f` is called with `(at)`, and then at least once; or with `(at, tx)`, and then its
/// effects are decided together with the step's record. See process/step_view.hpp for `at`.
///
/// It returns nothing; a result, for which there is a `codec`, and which later steps read with
/// `result`; an `outcome`; or a command (`send`).
template <name Step, class F>
constexpr auto step(F f) {
    using part = detail::callable_part<F>;
    return step_part<Step, detail::step_role::unsaid, part, detail::no_undo,
                     detail::step_changes<false>>(part{std::move(f)}, {});
}

/// The step of a saga behind which there is no way back. It can fail, and is not undone.
template <name Step, class F>
constexpr auto pivot(F f) {
    using part = detail::callable_part<F>;
    return step_part<Step, detail::step_role::pivot, part, detail::no_undo,
                     detail::step_changes<false>>(part{std::move(f)}, {});
}

/// Says that a step was taken out of the list, where instances may still have it.
template <name Step>
constexpr removed_step<Step> removed() {
    return {};
}

}  // namespace sinew
