// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One attempt at one step: what a runner tells a process of it, and what it is answered.
///
/// A runner keeps instances, claims and waits; a process knows what its steps do. Between them
/// stands `process_type`, which is all that a runner knows of a process.
///
/// **Guarantees.** Everything here is a value, or a view of the runner's that holds for one call.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/step_attempts.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

/// What a runner needs to know of a step in a phase.
struct step_options {
    step_retry_options retry{};
    /// How long one attempt may take; nothing: as the runner says for all.
    std::optional<duration> timeout{};
};

/// What a runner tells a process of one attempt. Valid for the call.
struct attempt_info {
    const process_instance& instance;        ///< with its input
    std::span<const step_record> history{};  ///< all records, with those of this run
    const definition_match& match;
    std::size_t step = 0;  ///< its place in the code: `process_definition::steps`
    step_phase phase = step_phase::act;
    std::uint32_t attempt = 1;
    moment now{};
    steady_time until = never;  ///< when this call has to be over
    /// See process/step_key.hpp. Equal on every attempt.
    std::string_view key{};
    std::string_view key_of_act{};  ///< of the same step; equal to `key` in the act
    bool is_in_doubt = false;       ///< an attempt before may have had its effect
    /// The reply to the command that this step sent, if it is there. The attempt is then to take
    /// the reply, outside of a transaction, and sends nothing.
    std::optional<std::string_view> reply{};
    std::size_t result_bytes_max = SIZE_MAX;  ///< `journal_options::result_bytes_max`
};

/// How an attempt ended.
enum class attempt_end : std::uint8_t {
    done,    ///< with a result
    failed,  ///< with a failure
    sent,    ///< it sends a command, and waits for the reply
};

[[nodiscard]] constexpr std::string_view to_string(attempt_end e) noexcept {
    switch (e) {
        case attempt_end::done: return "done";
        case attempt_end::failed: return "failed";
        case attempt_end::sent: return "sent";
    }
    return "invalid";
}

/// What came of an attempt.
class [[nodiscard]] attempt_result {
public:
    /// It is done, and this is what is recorded of it.
    static attempt_result done(std::string result = {}) {
        attempt_result out(attempt_end::done);
        out.bytes_ = std::move(result);
        return out;
    }

    /// It failed. `leaves_doubt`: its effect happened, or may have, whatever the class of the
    /// failure; the step's progress is then in doubt.
    static attempt_result failed(failure why, bool leaves_doubt = false) {
        attempt_result out(attempt_end::failed);
        out.leaves_doubt_ = leaves_doubt || why.kind == failure_class::unknown;
        out.why_ = std::move(why);
        return out;
    }

    /// The command is to be added to the outbox, in the transaction in which the wait for its reply
    /// is written: at most for `within`.
    static attempt_result sent(event command, duration within) {
        attempt_result out(attempt_end::sent);
        out.command_.emplace(std::move(command));
        out.within_ = within;
        return out;
    }

    [[nodiscard]] attempt_end end() const noexcept { return end_; }
    [[nodiscard]] bool is_done() const noexcept { return end_ == attempt_end::done; }

    /// Done: the result as the codec made it.
    [[nodiscard]] const std::string& bytes() const& noexcept { return bytes_; }
    [[nodiscard]] std::string&& bytes() && noexcept { return std::move(bytes_); }
    /// Failed: why.
    [[nodiscard]] const failure& why() const& noexcept { return why_; }
    [[nodiscard]] failure&& why() && noexcept { return std::move(why_); }
    /// Failed: whether its effect may be there all the same.
    [[nodiscard]] bool leaves_doubt() const noexcept { return leaves_doubt_; }
    /// Sent: the command, complete but for its time.
    [[nodiscard]] const event& command() const& noexcept { return *command_; }
    [[nodiscard]] event&& command() && noexcept { return *std::move(command_); }
    [[nodiscard]] duration within() const noexcept { return within_; }

private:
    explicit attempt_result(attempt_end end) noexcept : end_(end) {}

    std::string bytes_{};
    failure why_{};
    std::optional<event> command_{};
    duration within_{};
    attempt_end end_;
    bool leaves_doubt_ = false;
};

/// A `process_type` knows what the steps of a process do, for a runner whose store has transactions
/// of the type `Tx`.
///
/// 1. `definition()` is the list of steps; what it views outlives every process. The others are
///    told steps by their place in it.
/// 2. `joins_transaction(step, phase)` is whether the attempt is made with `attempt(at, tx)`, whose
///    effects are decided together with the record. Otherwise it is made with `attempt(at)`, and so
///    is the one that takes a reply.
/// 3. `sends(step, phase)` is whether an attempt ends with `sent`. A step that sends does not join.
/// 4. `attempt` never throws what a callable threw: that is classified, and answered as `failed`.
///    Whoever goes on with `tx` finds out whether it is still good.
/// 5. After `failed`, `attempt(at, tx)` may have left some of its effects in `tx`: that part is to
///    be undone.
/// 6. Undo is only asked for where there is one: for compensable steps.
///
/// **Models.** `bound_process`, which is what `steps` and `saga` make: see `bind_process`.
template <class P, class Tx>
concept process_type = requires(P& p, const P& known, const attempt_info& at, Tx& tx,
                                std::size_t step, step_phase phase) {
    { known.definition() } -> std::convertible_to<const process_definition&>;
    { known.joins_transaction(step, phase) } -> std::same_as<bool>;
    { known.sends(step, phase) } -> std::same_as<bool>;
    { known.options(step, phase) } -> std::convertible_to<const step_options&>;
    { known.policy() } -> std::same_as<compensation_policy>;
    { p.attempt(at, tx) } -> std::same_as<attempt_result>;
    { p.attempt(at) } -> std::same_as<attempt_result>;
};

/// The process for transactions of the type `Tx`, as a runner keeps it. What `steps` and `saga`
/// make is a description, whose results have no types before it is known what transactions their
/// callables get; anything else that is a `process_type` already stays as it is.
template <class Tx, class P>
[[nodiscard]] constexpr auto bind_process(P process) {
    if constexpr (requires { typename P::template bound_type<Tx>; }) {
        return typename P::template bound_type<Tx>(std::move(process));
    } else {
        constexpr bool is_process = process_type<P, Tx>;
        static_assert(is_process,
                      "sinew: a runner takes processes, which are made by sinew::steps or "
                      "sinew::saga");
        return process;
    }
}

}  // namespace sinew
