// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// From an exception to a failure with a class.
///
/// What a handler throws is no more than a type and a text. A classifier says which class it has:
///
/// ```cpp
/// auto rules = sinew::first_of(sinew::permanent_on<std::invalid_argument, std::out_of_range>(),
///                              sinew::unavailable_on<connection_lost>());
/// ```
///
/// What no rule names has these defaults:
///
/// | thrown | class | reason |
/// | --- | --- | --- |
/// | `sinew::error` | its own, whatever the rules say | its own |
/// | `std::bad_alloc` | unavailable | `out_of_memory` |
/// | `std::bad_array_new_length` | transient: a wrong size, not a lack of memory | `exception` |
/// | any other `std::exception` | transient | `exception` |
/// | anything else | transient | `unknown_exception` |
///
/// **Guarantees.** Classifying never throws: not when memory runs out, and not when a rule throws.

#include <sinew/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew {

/// A `classifier` names the class of an exception, or nothing if it does not know it.
///
/// 1. It is asked for everything that derives from `std::exception`, but not for `sinew::error`,
///    which names its class itself.
/// 2. A classifier that throws has not answered.
template <class C>
concept classifier =
    std::copy_constructible<C> && requires(const C& rules, const std::exception& thrown) {
        { rules(thrown) } -> std::same_as<std::optional<failure_class>>;
    };

/// Knows nothing: the defaults hold.
struct default_classifier {
    constexpr std::optional<failure_class> operator()(const std::exception&) const noexcept {
        return std::nullopt;
    }
};

namespace detail {

template <failure_class Kind, class... Exceptions>
struct rule_by_type {
    static_assert(sizeof...(Exceptions) > 0, "sinew: a rule by type names at least one type");
    static_assert((std::derived_from<Exceptions, std::exception> && ...),
                  "sinew: a rule by type names types that derive from std::exception");

    std::optional<failure_class> operator()(const std::exception& thrown) const noexcept {
        if ((is<Exceptions>(thrown) || ...)) {
            return Kind;
        }
        return std::nullopt;
    }

private:
    template <class E>
    static bool is(const std::exception& thrown) noexcept {
        if constexpr (std::same_as<E, std::exception>) {
            return true;
        } else {
            return dynamic_cast<const E*>(&thrown) != nullptr;
        }
    }
};

template <class Predicate>
struct rule_by_predicate {
    Predicate predicate;
    failure_class kind;

    std::optional<failure_class> operator()(const std::exception& thrown) const {
        return predicate(thrown) ? std::optional(kind) : std::nullopt;
    }
};

}  // namespace detail

/// No attempt can succeed after one of these, or after what derives from it.
template <class... Exceptions>
[[nodiscard]] constexpr auto permanent_on() noexcept {
    return detail::rule_by_type<failure_class::permanent, Exceptions...>{};
}

/// One of these means that a dependency is down: the consumer waits, and nothing is counted.
template <class... Exceptions>
[[nodiscard]] constexpr auto unavailable_on() noexcept {
    return detail::rule_by_type<failure_class::unavailable, Exceptions...>{};
}

/// After one of these another attempt may succeed. This is the default; it is written out to keep
/// a type from a wider rule that stands behind it.
template <class... Exceptions>
[[nodiscard]] constexpr auto transient_on() noexcept {
    return detail::rule_by_type<failure_class::transient, Exceptions...>{};
}

/// `kind`, where the predicate holds of the exception.
template <std::predicate<const std::exception&> Predicate>
[[nodiscard]] constexpr auto classify_if(Predicate predicate, failure_class kind) {
    return detail::rule_by_predicate<Predicate>{std::move(predicate), kind};
}

/// Asks one rule after the other; the first that answers wins.
template <classifier... Rules>
[[nodiscard]] constexpr auto first_of(Rules... rules) {
    return [... rules = std::move(rules)](const std::exception& thrown) {
        std::optional<failure_class> answer;
        static_cast<void>(((answer = rules(thrown), answer.has_value()) || ...));
        return answer;
    };
}

namespace detail {

/// How much of an exception's text is kept.
inline constexpr std::size_t exception_text_max = 1024;

/// The text, cut to its bound; empty if there is no memory for it.
[[nodiscard]] inline std::string text_or_nothing(const char* text) noexcept {
    try {
        if (text == nullptr) {
            return {};
        }
        const std::string_view all(text);
        return std::string(all.substr(0, exception_text_max));
    } catch (...) {
        return {};
    }
}

[[nodiscard]] inline failure failure_of(const error& thrown) noexcept {
    failure result;
    result.kind = thrown.kind();
    result.retry_after = thrown.retry_after();
    try {
        result.reason = thrown.reason();
    } catch (...) {
        result.reason = "out_of_memory";  // short enough to need none
    }
    result.detail = text_or_nothing(thrown.what());
    return result;
}

template <classifier C>
[[nodiscard]] failure failure_of(const C& rules, const std::exception& thrown) noexcept {
    std::optional<failure_class> answer;
    try {
        answer = rules(thrown);
    } catch (...) {
        answer.reset();
    }
    // A length that no array can have comes from wrong data. It would not be better with more
    // memory, so it must not be waited for.
    const bool out_of_memory = dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr &&
                               dynamic_cast<const std::bad_array_new_length*>(&thrown) == nullptr;
    failure result;
    result.kind =
        answer.value_or(out_of_memory ? failure_class::unavailable : failure_class::transient);
    result.reason = out_of_memory ? "out_of_memory" : "exception";  // short enough: no allocation
    result.detail = text_or_nothing(thrown.what());
    return result;
}

}  // namespace detail

/// The failure that is being handled. To be called inside of `catch (...)`.
///
/// **Bounds.** At most 1,024 bytes of the exception's text are kept.
template <classifier C = default_classifier>
[[nodiscard]] failure classify_current_exception(const C& rules = {}) noexcept {
    failure result;
    try {
        if (std::current_exception() != nullptr) {
            throw;
        }
        result.reason = "no_exception";
    } catch (const error& thrown) {
        result = detail::failure_of(thrown);
    } catch (const std::exception& thrown) {
        result = detail::failure_of(rules, thrown);
    } catch (...) {
        result.reason = detail::text_or_nothing("unknown_exception");
    }
    return result;
}

}  // namespace sinew
