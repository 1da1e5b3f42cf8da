// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the callables of a step are given: `at`.
///
/// **Guarantees.** A result is read by its step's name, which is looked up while compiling: there
/// is no name that only some runs know. It is decoded when it is first asked for, from what the
/// journal has: also in the run that made it, so a codec that loses something is seen at once.

#include <sinew/core/error.hpp>
#include <sinew/core/name.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/codec.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew {

/// What each callable of a process with this input is given. An ordinary function takes a
/// `const step_view<Input>&`; one that reads results takes `auto& at`.
///
/// That the instance was cancelled is not seen here: what is undone, is undone to its end.
template <class Input>
struct step_view {
    const Input& input;
    std::string_view type;                    ///< the name of the process
    std::string_view id;                      ///< of the instance
    std::uint32_t attempt;                    ///< 1, 2, ...
    moment now;                               ///< when the attempt began
    steady_time until;                        ///< when it has to be over
    bool is_in_doubt;                         ///< an attempt before may have had its effect
    std::string_view idempotency_key;         ///< equal on every attempt; see process/step_key.hpp
    std::string_view idempotency_key_of_act;  ///< in an undo: the key that its action used
};

namespace detail {

/// A step before, as the type of `at` knows it, and its result once that was asked for.
template <name Step, std::size_t Place, class T>
struct earlier_step {
    mutable std::optional<T> value{};
};
template <name Step, std::size_t Place>
struct earlier_step<Step, Place, void> {};

/// Finds a step by its name: what is deduced is the base class that has it.
template <name Step, std::size_t Place, class T>
const earlier_step<Step, Place, T>& earlier_named(const earlier_step<Step, Place, T>& one) {
    return one;
}

template <class At, name Step>
concept knows_step = requires(const At& at) { earlier_named<Step>(at); };

struct context_access;

}  // namespace detail

/// `at`, with the results of the steps before. Made by processes.
template <class Input, class... Earlier>
class step_context : public step_view<Input>, public Earlier... {
public:
    step_context(const Input& given, const attempt_info& info)
        : step_view<Input>{given,          info.instance.type, info.instance.id, info.attempt,
                           info.now,       info.until,         info.is_in_doubt, info.key,
                           info.key_of_act},
          Earlier{}...,
          info_(&info) {}

private:
    friend detail::context_access;
    const attempt_info* info_;
};

namespace detail {

struct context_access {
    template <class At>
    [[nodiscard]] static const attempt_info& info(const At& at) noexcept {
        return *at.info_;
    }
};

/// The step as people call it: "step charge of checkout 42".
[[nodiscard]] inline std::string described(const attempt_info& info, std::string_view step) {
    std::string out("step ");
    out.append(step).append(" of ").append(info.instance.type).append(" ");
    return out.append(info.instance.id);
}

/// What is recorded as the result of the code's step at a place; nothing if it is not done.
[[nodiscard]] inline std::optional<std::string_view> recorded_result(const attempt_info& info,
                                                                     std::size_t place) noexcept {
    for (const auto& step : info.match.steps) {
        if (step.in_code != place) {
            continue;
        }
        for (std::size_t i = info.history.size(); i-- > 0;) {
            const auto& record = info.history[i];
            if (record.where.phase != step_phase::act || record.kind != record_kind::done) {
                continue;
            }
            for (const auto& known : step.known_as) {
                if (known == record.where.step) {
                    return record.result;
                }
            }
        }
    }
    return std::nullopt;
}

/// Decodes what the journal has. Bytes that are no `T` cannot become one, so whatever the codec
/// throws is a permanent failure, which says what could not be read.
template <class T, class Described>
[[nodiscard]] T decode_kept(std::string_view bytes, const char* reason, Described described) {
    const auto refuse = [&](const char* why) {
        std::string text = described();
        text.append(" does not decode as the type that it has in the code: ").append(why);
        throw permanent_error(reason, text);
    };
    try {
        return codec<T>::decode(bytes);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& problem) {
        refuse(problem.what());
    } catch (...) {
        refuse("the codec threw something of its own");
    }
    throw permanent_error(reason, {});  // not reached
}

/// The result of a step before; null if it has none.
template <class At, name Step, std::size_t Place, class T>
[[nodiscard]] const T* find_result(const At& at, const earlier_step<Step, Place, T>& step) {
    if (!step.value) {
        const auto& info = context_access::info(at);
        const auto bytes = recorded_result(info, Place);
        if (!bytes) {
            return nullptr;
        }
        step.value.emplace(decode_kept<T>(*bytes, "result_undecodable", [&] {
            return "the result of " + described(info, Step.view());
        }));
    }
    return &*step.value;
}

template <class At, name Step>
inline constexpr bool returns_something = requires(const At& at) { earlier_named<Step>(at).value; };

template <class T>
struct type_is {
    using type = T;
};

/// Stands for a result that is not there: it is said what is wrong.
struct no_result {};

template <class At, name Step>
struct result_of : type_is<no_result> {};
template <class At, name Step>
    requires returns_something<At, Step>
struct result_of<At, Step>
    : type_is<typename decltype(earlier_named<Step>(std::declval<const At&>()).value)::value_type> {
};

/// What `result` gives a reference to. It is named, and not deduced: so compilers may look at the
/// body when they are through with the process, and print no way there.
template <class At, name Step>
using result_type = typename result_of<At, Step>::type;

}  // namespace detail

/// A step may return it in turn, about which nothing else is said.
template <>
struct codec<detail::no_result> {
    static std::string encode(const detail::no_result&) { return {}; }
    static detail::no_result decode(std::string_view) { return {}; }
};

/// The result of the step with that name, if it has one; null if it was skipped by people, or added
/// when the instance was past it. In an undo the step's own result can be read as well; it is null
/// where nobody knows whether the action happened.
///
/// **On failure.** As `result`, where the result is there.
template <name Step, class At>
[[nodiscard]] const detail::result_type<At, Step>* result_if(const At& at) {
    constexpr bool is_known = detail::knows_step<At, Step>;
    constexpr bool returns = !is_known || detail::returns_something<At, Step>;
    static_assert(is_known, "sinew: no step before this one has the name that result_if asks for");
    static_assert(returns, "sinew: the step that result_if asks for returns nothing to read");
    if constexpr (is_known && returns) {
        return detail::find_result(at, detail::earlier_named<Step>(at));
    } else {
        return nullptr;
    }
}

/// The result of the step with that name, which stands before this one.
///
/// **On failure.** Throws `permanent_error`: `result_undecodable` if it was recorded as something
/// else than the code has now, `result_missing` if there is none: see `result_if`.
/// **Example.** `carrier.order(sinew::result<"charge">(at).id)`
template <name Step, class At>
[[nodiscard]] const detail::result_type<At, Step>& result(const At& at) {
    constexpr bool is_known = detail::knows_step<At, Step>;
    constexpr bool returns = !is_known || detail::returns_something<At, Step>;
    static_assert(is_known,
                  "sinew: no step before this one has the name that result asks for; a function "
                  "that takes step_view reads no results, so let it take (auto& at)");
    static_assert(returns, "sinew: the step that result asks for returns nothing to read");
    if constexpr (is_known && returns) {
        const auto* const found = result_if<Step>(at);
        if (found == nullptr) {
            std::string text = detail::described(detail::context_access::info(at), Step.view());
            text.append(" has no result, because it was not done; result_if tells that");
            throw permanent_error("result_missing", text);
        }
        return *found;
    } else {
        throw usage_error("result: there is none");
    }
}

}  // namespace sinew
