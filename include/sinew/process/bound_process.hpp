// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A process as a runner keeps it: its steps, with the types of their results, for one type of
/// transaction.
///
/// **Guarantees.** Models `process_type`. Which callable is meant by a place in the list of steps
/// is found by walking along them: no table, no allocation.

#include <sinew/core/error.hpp>
#include <sinew/core/name.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/step.hpp>
#include <sinew/process/step_view.hpp>
#include <sinew/process/typed_call.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// Steps that stand before others, each an `earlier_step`.
template <class... Earlier>
struct steps_before {};

/// The first step of a list that is mistaken. `refuse` says why, and the compiler names the step
/// beside it.
template <name Step, call_mistake Mistake>
struct mistaken_step {
    static constexpr bool is_none = false;
    using mistaken = mistaken_step;

    static consteval bool refuse() {
        using enum call_mistake;
        constexpr auto is = [](call_mistake other) { return Mistake == other; };
        static_assert(!is(not_callable),
                      "sinew: a step is called with (at), or with (at, tx), where tx is the "
                      "transaction of the runner's store");
        static_assert(
            !is(no_codec),
            "sinew: there is no codec for what this step returns; specialise sinew::codec "
            "for it (process/codec.hpp), or return nothing");
        static_assert(
            !is(command_without_reply),
            "sinew: a step that sends a command says what becomes of its reply, and when it "
            "is late: .reply(h, {.within = 30s})");
        static_assert(!is(command_in_transaction),
                      "sinew: a step that sends a command is called with (at); what it would write "
                      "itself belongs to a step of its own");
        static_assert(
            !is(reply_without_command),
            "sinew: only a step that sends a command gets a reply: return sinew::send(...), "
            "or take .reply away");
        static_assert(!is(reply_not_callable),
                      "sinew: what takes a reply is called with (at, std::string_view data)");
        static_assert(!is(reply_sends),
                      "sinew: a reply is not answered with a command; send it in the next step");
        return true;
    }
};
struct no_mistake {
    static constexpr bool is_none = true;
    static consteval bool refuse() { return true; }
};

/// How the undo of a step is called, if it has one.
template <class Undo, class At, class Tx>
struct undo_call : type_is<typed_call<Undo, At, Tx>> {
    static constexpr bool is_there = true;
    static constexpr bool sends = typed_call<Undo, At, Tx>::sends;
    static constexpr call_mistake mistake = typed_call<Undo, At, Tx>::mistake;
};
template <class At, class Tx>
struct undo_call<no_undo, At, Tx> : type_is<void> {
    static constexpr bool is_there = false;
    static constexpr bool sends = false;
    static constexpr call_mistake mistake = call_mistake::none;
};

/// The steps from one on, of which the first is part `At` of a tuple. `visit` hands the callable at
/// a place, and the type of its call, to `visitor`.
template <class Tx, class Input, std::size_t At, class Before, class... Parts>
struct step_chain {  // there are none any more
    static constexpr bool sends = false;
    using mistaken = no_mistake;

    template <class Tuple>
    constexpr explicit step_chain(Tuple&) noexcept {}

    template <class Result, class Self, class Visitor>
    [[noreturn]] static Result visit(Self&, std::size_t, step_phase, Visitor&) {
        throw usage_error("process: it has no such step");
    }
};

/// Nobody takes a step that was removed.
template <class Tx, class Input, std::size_t At, class Before, name Removed, class... Rest>
struct step_chain<Tx, Input, At, Before, removed_step<Removed>, Rest...>
    : step_chain<Tx, Input, At + 1, Before, Rest...> {
    using step_chain<Tx, Input, At + 1, Before, Rest...>::step_chain;
};

template <class Tx, class Input, std::size_t At, class... Earlier, name Step, step_role Role,
          class Act, class Undo, class Changes, class... Rest>
struct step_chain<Tx, Input, At, steps_before<Earlier...>,
                  step_part<Step, Role, Act, Undo, Changes>, Rest...> {
private:
    using part_type = step_part<Step, Role, Act, Undo, Changes>;
    using act_call = typed_call<Act, step_context<Input, Earlier...>, Tx>;
    using own = earlier_step<Step, sizeof...(Earlier), typename act_call::result_type>;
    using undo_call = detail::undo_call<Undo, step_context<Input, Earlier..., own>, Tx>;
    static constexpr call_mistake mistake_ =
        act_call::mistake != call_mistake::none ? act_call::mistake : undo_call::mistake;
    static constexpr bool is_sound_ = mistake_ == call_mistake::none;
    // Behind a mistake nothing is looked at: it would only be called one more.
    using rest_type = typename std::conditional_t<
        is_sound_, type_is<step_chain<Tx, Input, At + 1, steps_before<Earlier..., own>, Rest...>>,
        type_is<step_chain<Tx, Input, At + 1, steps_before<>>>>::type;

public:
    static constexpr bool sends = act_call::sends || undo_call::sends || rest_type::sends;

    template <class Tuple>
    constexpr explicit step_chain(Tuple& parts)
        : part_(std::move(std::get<At>(parts))), rest_(parts) {}

    /// The first step that is mistaken, or `no_mistake`.
    using mistaken =
        typename std::conditional_t<is_sound_, rest_type, mistaken_step<Step, mistake_>>::mistaken;

    template <class Result, class Self, class Visitor>
    static Result visit(Self& self, std::size_t step, step_phase phase, Visitor& visitor) {
        if (step == 0 && phase == step_phase::act) {
            return visitor(type_is<act_call>{}, self.part_.act_of());
        }
        if constexpr (undo_call::is_there) {
            if (step == 0) {
                return visitor(type_is<typename undo_call::type>{}, self.part_.undo_of());
            }
        }
        if (step == 0) {
            throw usage_error("process: nothing undoes that step");
        }
        return rest_type::template visit<Result>(self.rest_, step - 1, phase, visitor);
    }

private:
    part_type part_;
    [[no_unique_address]] rest_type rest_;
};

}  // namespace detail

/// Made by `bind_process`. `Description` is what `steps` or `saga` made.
template <class Tx, class Description>
class bound_process {
    using chain = typename Description::template chain_type<Tx>;
    using mistaken = typename chain::mistaken;
    static_assert(mistaken::refuse());

public:
    using input_type = typename Description::input_type;
    using description_type = Description;

    /// Whether any step sends a command, and so needs an outbox.
    static constexpr bool sends_commands = chain::sends;

    constexpr explicit bound_process(Description process)
        : chain_(process.parts_of()), policy_(process.policy()) {}

    [[nodiscard]] static constexpr const process_definition& definition() noexcept {
        return Description::definition();
    }
    [[nodiscard]] bool joins_transaction(std::size_t step, step_phase phase) const {
        const auto joins = [](auto call, const auto&) { return decltype(call)::type::joins; };
        return chain::template visit<bool>(chain_, step, phase, joins);
    }
    [[nodiscard]] bool sends(std::size_t step, step_phase phase) const {
        const auto sends = [](auto call, const auto&) { return decltype(call)::type::sends; };
        return chain::template visit<bool>(chain_, step, phase, sends);
    }
    [[nodiscard]] const step_options& options(std::size_t step, step_phase phase) const {
        const auto options = [](auto, const auto& part) -> const step_options& {
            return part.options;
        };
        return chain::template visit<const step_options&>(chain_, step, phase, options);
    }
    [[nodiscard]] constexpr compensation_policy policy() const noexcept { return policy_; }

    /// Makes an attempt whose effects are decided with `tx`.
    ///
    /// **On failure.** Throws `usage_error` if that step does not join a transaction.
    attempt_result attempt(const attempt_info& at, Tx& tx) { return attempt_in(at, &tx); }
    /// Makes an attempt outside of any transaction, or takes a reply.
    ///
    /// **On failure.** Throws `usage_error` if that step joins a transaction.
    attempt_result attempt(const attempt_info& at) { return attempt_in(at, nullptr); }

private:
    attempt_result attempt_in(const attempt_info& at, Tx* tx) {
        if constexpr (mistaken::is_none) {
            const auto make = [&](auto call, auto& part) {
                return decltype(call)::type::template attempt<input_type>(part, at, tx);
            };
            return chain::template visit<attempt_result>(chain_, at.step, at.phase, make);
        }
    }

    chain chain_;
    compensation_policy policy_;
};

}  // namespace sinew
