// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Long work as a list of named steps: `steps`, which only goes forward, and `saga`, which goes
/// back when it can't go on.
///
/// ```cpp
/// auto checkout = sinew::saga<"checkout", order>(
///     sinew::step<"reserve">(reserve).undo(release),
///     sinew::step<"charge">(charge).undo(refund),
///     sinew::pivot<"ship">(ship),
///     sinew::step<"email">(email).always());
/// ```
///
/// The type of `Input`, the names of steps and their order are looked at while compiling; so are
/// the callables and the results that they read, once it is known with which store's transactions
/// they are called: where a runner takes the process.
///
/// **Guarantees.** What does not compile has no way back where it needs one, or two things under
/// one name. See process/definition_rules.hpp.

// First what says what is wrong with a step: a compiler prints the whole way to a message.
#include <sinew/process/step_view.hpp>

#include <sinew/core/name.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/bound_process.hpp>
#include <sinew/process/codec.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/definition_rules.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/step.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// A part of a list that is neither a step nor one that was removed.
template <class Part>
struct part_traits {
    static constexpr bool is_step = false;
    static constexpr bool is_removed = false;
    static constexpr bool says_how_back = true;
    static constexpr bool only_forward = true;
};
template <name Removed>
struct part_traits<removed_step<Removed>> : part_traits<void> {
    static constexpr bool is_removed = true;
};
template <name Step, step_role Role, class Act, class Undo, class Changes>
struct part_traits<step_part<Step, Role, Act, Undo, Changes>> {
    static constexpr bool is_step = true;
    static constexpr bool is_removed = false;
    static constexpr bool says_how_back = Role != step_role::unsaid;
    static constexpr bool only_forward = Role == step_role::unsaid;
};

[[nodiscard]] constexpr step_kind kind_of(step_role role) noexcept {
    return role == step_role::compensable ? step_kind::compensable
           : role == step_role::pivot     ? step_kind::pivot
                                          : step_kind::retriable;
}

/// The list of steps as the machines know it, in static storage.
template <name Type, class... Parts>
struct definition_lists {
    static constexpr std::size_t count =
        (std::size_t{0} + ... + std::size_t{part_traits<Parts>::is_step});
    static constexpr std::size_t removed_count =
        (std::size_t{0} + ... + std::size_t{part_traits<Parts>::is_removed});

    // One more of each, so that there is an array where there is nothing.
    step_definition steps[count + 1]{};
    std::string_view removed[removed_count + 1]{};

    static consteval definition_lists make() {
        definition_lists out;
        std::size_t at = 0;
        std::size_t removed_at = 0;
        (out.template add<Parts>(at, removed_at), ...);
        return out;
    }

private:
    template <class Part>
    consteval void add([[maybe_unused]] std::size_t& at, [[maybe_unused]] std::size_t& removed_at) {
        if constexpr (part_traits<Part>::is_step) {
            steps[at++] = {Part::label.view(), kind_of(Part::role), Part::changes::is_added,
                           Part::changes::former};
        } else if constexpr (part_traits<Part>::is_removed) {
            removed[removed_at++] = Part::label.view();
        }
    }
};

/// Says what is wrong with a list of steps: the sentences of `to_string(definition_mistake)`.
template <definition_mistake Mistake>
consteval bool refuse_mistake() {
    using enum definition_mistake;
    constexpr auto is = [](definition_mistake other) { return Mistake == other; };
    static_assert(!is(no_steps), "sinew: a process has at least one step");
    static_assert(!is(same_name_twice),
                  "sinew: two steps have the same name; a name is the step's identity in the "
                  "store, so give one of them another");
    static_assert(!is(compensable_behind_pivot),
                  "sinew: a step that can be undone stands behind the pivot, where there is no way "
                  "back; move it before the pivot, or make it retriable (.always)");
    static_assert(!is(compensable_behind_retriable),
                  "sinew: a step that can be undone stands behind a retriable one (.always), which "
                  "can't be; move it before all retriable steps");
    static_assert(!is(pivot_behind_retriable),
                  "sinew: the pivot stands behind a retriable step (.always), which can't be "
                  "undone if the pivot fails; move the pivot before all retriable steps");
    static_assert(!is(two_pivots),
                  "sinew: there are two pivots; if the second failed there would be no way back, "
                  "so make all but one compensable (.undo) or retriable (.always)");
    static_assert(!is(removed_but_there),
                  "sinew: a step is declared as removed and is in the list; take one of them away");
    static_assert(!is(former_name_of_another),
                  "sinew: two steps have the same former name, or one is renamed from itself");
    return true;
}

}  // namespace detail

/// A process as it is written down. Made by `steps` and `saga`.
template <name Type, class Input, bool GoesBack, class... Parts>
class [[nodiscard]] process_description {
    static constexpr auto lists = detail::definition_lists<Type, Parts...>::make();
    static constexpr process_definition definition_{Type.view(),
                                                    std::span(lists.steps, lists.count),
                                                    std::span(lists.removed, lists.removed_count)};

    static constexpr bool are_steps =
        ((detail::part_traits<Parts>::is_step || detail::part_traits<Parts>::is_removed) && ...);
    static constexpr bool all_say_how = (detail::part_traits<Parts>::says_how_back && ...);
    static constexpr bool all_go_forward = (detail::part_traits<Parts>::only_forward && ...);
    static constexpr bool has_input_codec = recordable<Input>;
    static_assert(are_steps,
                  "sinew: a process is made of sinew::step, sinew::pivot and sinew::removed");
    static_assert(!GoesBack || all_say_how,
                  "sinew: a step of a saga says how it is undone (.undo), that it is the pivot, or "
                  "that it is always done (.always)");
    static_assert(GoesBack || all_go_forward,
                  "sinew: steps only goes forward, so a step of it has no .undo and no .always, "
                  "and is no pivot; write saga");
    static_assert(has_input_codec,
                  "sinew: there is no codec for the input of this process; specialise sinew::codec "
                  "for it (process/codec.hpp)");
    // Only one sentence is said of what is wrong.
    static constexpr auto mistake_ = are_steps && (GoesBack ? all_say_how : all_go_forward)
                                         ? find_mistake(definition_)
                                         : definition_mistake::none;
    static_assert(detail::refuse_mistake<mistake_>());

public:
    using input_type = Input;
    template <class Tx>
    using chain_type = detail::step_chain<Tx, Input, 0, detail::steps_before<>, Parts...>;
    template <class Tx>
    using bound_type = bound_process<Tx, process_description>;

    constexpr explicit process_description(Parts... parts) : parts_(std::move(parts)...) {}

    /// What becomes of the other compensations when one was given up; `stop`, if nothing is said.
    constexpr process_description with(compensation_policy policy) && {
        static_assert(GoesBack, "sinew: steps undoes nothing, so it has no compensation_policy");
        policy_ = policy;
        return std::move(*this);
    }

    [[nodiscard]] static constexpr const process_definition& definition() noexcept {
        return definition_;
    }
    [[nodiscard]] constexpr compensation_policy policy() const noexcept { return policy_; }

    [[nodiscard]] constexpr std::tuple<Parts...>& parts_of() noexcept { return parts_; }

private:
    std::tuple<Parts...> parts_;
    compensation_policy policy_ = compensation_policy::stop;
};

/// A process that only goes forward: each step is repeated until it is done, or people decide.
template <name Type, class Input, class... Parts>
constexpr auto steps(Parts... parts) {
    return process_description<Type, Input, false, Parts...>(std::move(parts)...);
}

/// A process that goes back when it can't go on: what was done before the pivot is undone, the last
/// first.
template <name Type, class Input, class... Parts>
constexpr auto saga(Parts... parts) {
    return process_description<Type, Input, true, Parts...>(std::move(parts)...);
}

}  // namespace sinew
