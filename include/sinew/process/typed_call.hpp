// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One callable of a step, with the types that it is called with: how it is called, what it
/// returns, and what becomes of that.
///
/// | it returns or throws | the attempt |
/// | --- | --- |
/// | nothing, `outcome::done`, `outcome::skip` | done, with no result |
/// | a value | done, with what the codec makes of it |
/// | a command | sent |
/// | `outcome::retry`, `reject`, `failed` | failed, with that class |
/// | an exception | failed, as the step's rules or core/classify.hpp say |
///
/// A result that can't be kept, because its codec throws or it is too large, is a failure that
/// leaves a doubt where the callable acted outside of a transaction: what it did, it did.

#include <sinew/core/classify.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/codec.hpp>
#include <sinew/process/command.hpp>
#include <sinew/process/step.hpp>
#include <sinew/process/step_view.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::detail {

/// What is wrong with a callable of a step.
enum class call_mistake : std::uint8_t {
    none,
    not_callable,
    no_codec,
    command_without_reply,
    command_in_transaction,
    reply_without_command,
    reply_not_callable,
    reply_sends,
};

template <class F, class At, class Tx>
concept joins_with = requires(F& f, At& at, Tx& tx) { f(at, tx); };

template <class F, class At>
concept is_called_alone = requires(F& f, At& at) { f(at); };

template <class H, class At>
concept takes_reply = requires(H& h, At& at, std::string_view data) { h(at, data); };

/// What a callable returns.
template <class F, class At, class Tx>
consteval auto returned_by() {
    if constexpr (joins_with<F, At, Tx>) {
        return type_is<std::remove_cvref_t<decltype(std::declval<F&>()(std::declval<At&>(),
                                                                       std::declval<Tx&>()))>>{};
    } else if constexpr (is_called_alone<F, At>) {
        return type_is<std::remove_cvref_t<decltype(std::declval<F&>()(std::declval<At&>()))>>{};
    } else {
        return type_is<void>{};
    }
}

/// How the reply to a command is taken, and what that returns.
template <class Reply, class At>
struct reply_call : type_is<void> {
    static constexpr bool is_there = false;
    static constexpr bool is_callable = true;
};
template <class H, class At>
struct reply_call<reply_part<H>, At> : type_is<void> {
    static constexpr bool is_there = true;
    static constexpr bool is_callable = false;
};
template <class H, class At>
    requires takes_reply<H, At>
struct reply_call<reply_part<H>, At> : type_is<std::remove_cvref_t<decltype(std::declval<H&>()(
                                           std::declval<At&>(), std::string_view()))>> {
    static constexpr bool is_there = true;
    static constexpr bool is_callable = true;
};

/// A callable of a step (a `callable_part`), called with `At` and, if it takes it, with `Tx`.
template <class Part, class At, class Tx>
class typed_call {
    using function = typename Part::function;
    using returned = typename decltype(returned_by<function, At, Tx>())::type;
    using reply = reply_call<typename Part::reply_type, At>;

public:
    /// Whether its effects are decided together with the record.
    static constexpr bool joins = joins_with<function, At, Tx>;
    static constexpr bool sends = std::is_same_v<returned, command>;

private:
    using kept = typename std::conditional_t<sends, reply, type_is<returned>>::type;
    static constexpr bool has_no_result = std::is_void_v<kept> || std::is_same_v<kept, outcome>;

    static consteval call_mistake find_mistake() {
        if (!joins && !is_called_alone<function, At>) {
            return call_mistake::not_callable;
        }
        if (sends != reply::is_there) {
            return sends ? call_mistake::command_without_reply
                         : call_mistake::reply_without_command;
        }
        if (sends && joins) {
            return call_mistake::command_in_transaction;
        }
        if (!reply::is_callable) {
            return call_mistake::reply_not_callable;
        }
        if (sends && std::is_same_v<kept, command>) {
            return call_mistake::reply_sends;
        }
        if constexpr (!has_no_result) {
            return recordable<kept> ? call_mistake::none : call_mistake::no_codec;
        }
        return call_mistake::none;
    }

public:
    static constexpr call_mistake mistake = find_mistake();

    /// What later steps read; void if there is nothing.
    using result_type = std::conditional_t<has_no_result, void, kept>;

    /// Makes an attempt. `tx` is there if it joins.
    template <class Input>
    [[nodiscard]] static attempt_result attempt(Part& part, const attempt_info& info, Tx* tx) {
        if (joins != (tx != nullptr)) {
            throw usage_error(
                "process: whether an attempt is made in a transaction is up to "
                "joins_transaction");
        }
        progress how_far = progress::not_called;
        try {
            const Input input = decode_kept<Input>(info.instance.input, "input_undecodable", [&] {
                std::string text("the input of ");
                text.append(info.instance.type).append(" ");
                return text.append(info.instance.id);
            });
            At at(input, info);
            return make(part, at, info, tx, how_far);
        } catch (...) {
            failure why = classify_current_exception(part.rules);
            const bool leaves_doubt = is_left_in_doubt(info, how_far, why.kind);
            return attempt_result::failed(std::move(why), leaves_doubt);
        }
    }

private:
    enum class progress : std::uint8_t { not_called, called, returned };

    static bool is_left_in_doubt(const attempt_info& info, progress how_far, failure_class kind) {
        if (joins) {
            return false;  // it is undone
        }
        // The command went out. Only who took its reply can say that it had no effect.
        const bool is_refused = how_far == progress::called && kind == failure_class::permanent;
        return how_far == progress::returned || (sends && info.reply && !is_refused);
    }

    static attempt_result make(Part& part, At& at, const attempt_info& info, Tx* tx,
                               progress& how_far) {
        how_far = progress::called;
        if constexpr (sends) {
            if (!info.reply) {
                event out = completed(part.call(at), info);
                return attempt_result::sent(std::move(out), part.reply.options.within);
            }
            return take([&] { return part.reply.handler(at, *info.reply); }, info, how_far);
        } else if constexpr (joins) {
            return take([&] { return part.call(at, *tx); }, info, how_far);
        } else {
            return take([&] { return part.call(at); }, info, how_far);
        }
    }

    /// Calls, and keeps what is returned.
    template <class Call>
    static attempt_result take(Call call, const attempt_info& info, progress& how_far) {
        if constexpr (std::is_void_v<kept>) {
            call();
            return attempt_result::done();
        } else if constexpr (std::is_same_v<kept, outcome>) {
            outcome answer = call();
            if (answer.is_done() || answer.verdict() == verdict::skip) {
                return attempt_result::done();
            }
            const bool leaves_doubt = is_left_in_doubt(info, how_far, answer.why().kind);
            return attempt_result::failed(std::move(answer).why(), leaves_doubt);
        } else {
            const kept value = call();
            how_far = progress::returned;
            std::string bytes = codec<kept>::encode(value);
            if (bytes.size() > info.result_bytes_max) {
                throw permanent_error("payload_too_large", too_large(info, bytes.size()));
            }
            return attempt_result::done(std::move(bytes));
        }
    }

    [[nodiscard]] static std::string too_large(const attempt_info& info, std::size_t size) {
        std::string_view step;
        for (const auto& one : info.match.steps) {
            step = one.in_code == info.step ? std::string_view(one.name) : step;
        }
        std::string text("the result of ");
        text.append(described(info, step)).append(" has ").append(std::to_string(size));
        text.append(" bytes, and the journal takes ").append(std::to_string(info.result_bytes_max));
        return text.append(" at most; keep it elsewhere and return its name");
    }
};

}  // namespace sinew::detail
