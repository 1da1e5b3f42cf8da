// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Calling handlers: what a handler may look like, and its answer as an `outcome`.
///
/// A handler is called as the first of these that it can be called as:
/// `f(event, transaction)` (with `once`), `f(event, ticket)`, `f(event)`.

#include <sinew/consume/around.hpp>
#include <sinew/consume/pipeline.hpp>
#include <sinew/consume/ticket.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/name.hpp>
#include <sinew/core/outcome.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sinew {

/// A codec makes a `T` of an event's bytes, and throws if it cannot.
template <class C, class T>
concept decoder = requires(const C& c, const event_view& e) {
    { c.decode(e) } -> std::convertible_to<T>;
};

namespace detail {

/// The transaction of a pipeline without `once`: no handler can name it.
struct no_transaction {};

template <class F, class... Args>
concept answers = std::invocable<F&, Args...> &&
                  (std::is_void_v<std::invoke_result_t<F&, Args...>> ||
                   std::convertible_to<std::invoke_result_t<F&, Args...>, outcome>);

template <class F, class Tx>
inline constexpr bool takes_transaction =
    !std::same_as<Tx, no_transaction> && answers<F, const event_view&, Tx&>;

/// Whether all of what `f` does can be in the transaction. A handler that is made of several says
/// so itself.
template <class F, class Tx>
consteval bool acts_inside() {
    if constexpr (requires { F::template acts_inside<Tx>; }) {
        return F::template acts_inside<Tx>;
    } else {
        return takes_transaction<F, Tx>;
    }
}

template <class F>
inline constexpr bool takes_event = answers<F, const event_view&>;

template <class F, class Tx>
inline constexpr bool takes_ticket =
    !takes_transaction<F, Tx> && !takes_event<F> && std::invocable<F&, const event_view&, ticket>;

/// Calls `f` and makes an outcome of what it returns.
template <class F, class... Args>
outcome call(F& f, Args&&... args) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>>) {
        f(std::forward<Args>(args)...);
        return outcome::done();
    } else {
        return f(std::forward<Args>(args)...);
    }
}

template <class Next>
outcome call_around(no_around&, const event_view&, Next&& next) {
    return next();
}

template <class Outer, class F, class Next>
outcome call_around(around_chain<Outer, around_stage<F>>& chain, const event_view& e, Next&& next) {
    return call_around(chain.outer, e, [&]() -> outcome {
        const auto inner = [&next]() -> outcome { return next(); };
        return chain.inner.call(e, inner);
    });
}

/// Calls a typed function as the first that it can be called as.
template <class F, class T, class... Tx>
outcome call_typed(F& f, const T& value, const event_view& e, Tx&... tx) {
    if constexpr (sizeof...(Tx) != 0 && std::invocable<F&, const T&, const event_view&, Tx&...>) {
        return call(f, value, e, tx...);
    } else if constexpr (sizeof...(Tx) != 0 && std::invocable<F&, const T&, Tx&...>) {
        return call(f, value, tx...);
    } else if constexpr (std::invocable<F&, const T&, const event_view&>) {
        return call(f, value, e);
    } else {
        return call(f, value);
    }
}

/// A handler of `T`: decodes, then calls.
template <class T, class Codec, class F>
class typed_handler {
    template <class Tx>
    static constexpr bool with_tx =
        std::invocable<F&, const T&, const event_view&, Tx&> || std::invocable<F&, const T&, Tx&>;
    static constexpr bool alone =
        std::invocable<F&, const T&, const event_view&> || std::invocable<F&, const T&>;

public:
    template <class Tx>
    static constexpr bool acts_inside = with_tx<Tx>;

    typed_handler(Codec codec, F f) : codec_(std::move(codec)), f_(std::move(f)) {}

    template <class Tx>
        requires(with_tx<Tx> && !std::same_as<Tx, ticket>)
    outcome operator()(const event_view& e, Tx& tx) {
        return decoded(e, [&](const T& value) { return call_typed(f_, value, e, tx); });
    }

    outcome operator()(const event_view& e)
        requires alone
    {
        return decoded(e, [&](const T& value) { return call_typed(f_, value, e); });
    }

private:
    /// Bytes that are no `T` cannot become one: a decoder's exception is a permanent failure,
    /// unless it is a `sinew::error`, which names its own class.
    template <class Then>
    outcome decoded(const event_view& e, Then then) {
        const auto value = [&]() -> T {
            try {
                return codec_.decode(e);
            } catch (const error&) {
                throw;
            } catch (const std::bad_alloc&) {
                throw;
            } catch (const std::exception& problem) {
                throw permanent_error("undecodable", problem.what());
            } catch (...) {
                throw permanent_error("undecodable", "the codec threw something of its own");
            }
        }();
        return then(value);
    }

    Codec codec_;
    F f_;
};

/// One branch of `by_type`.
template <name Type, class F>
struct type_branch {
    static constexpr auto type = Type;

    F f;
};

/// Several branches side by side. A `std::tuple` is dear to include.
template <std::size_t Place, class Branch>
struct placed_branch {
    Branch branch;
};
template <class Places, class... Branches>
struct branch_row;
template <std::size_t... Place, class... Branches>
struct branch_row<std::index_sequence<Place...>, Branches...> : placed_branch<Place, Branches>... {
    /// Calls `f(branch...)`.
    template <class F>
    void show(F f) {
        f(placed_branch<Place, Branches>::branch...);
    }
};

/// Chooses a handler by the event's `type`.
template <class... Branches>
class type_router {
    template <class... Args>
    static constexpr bool all_answer = (answers<decltype(Branches::f), Args...> && ...);

    /// Whether each branch takes the transaction, or the event alone, and at least one the former.
    template <class Tx>
    static constexpr bool some_answer =
        ((answers<decltype(Branches::f), const event_view&, Tx&> ||
          answers<decltype(Branches::f), const event_view&>) &&
         ...) &&
        (answers<decltype(Branches::f), const event_view&, Tx&> || ...);

public:
    template <class Tx>
    static constexpr bool acts_inside = all_answer<const event_view&, Tx&>;

    explicit type_router(Branches... branches) : branches_{{std::move(branches)}...} {}

    template <class Tx>
        requires(some_answer<Tx> && !std::same_as<Tx, ticket>)
    outcome operator()(const event_view& e, Tx& tx) {
        return choose(e, [&](auto& branch) {
            if constexpr (answers<decltype(branch.f), const event_view&, Tx&>) {
                return call(branch.f, e, tx);
            } else {
                return call(branch.f, e);
            }
        });
    }

    outcome operator()(const event_view& e)
        requires all_answer<const event_view&>
    {
        return choose(e, [&](auto& branch) { return call(branch.f, e); });
    }

private:
    template <class Call>
    outcome choose(const event_view& e, Call call_branch) {
        std::optional<outcome> result;
        branches_.show([&](auto&... branch) {
            static_cast<void>(((std::remove_cvref_t<decltype(branch)>::type.view() == e.type
                                    ? (result = call_branch(branch), true)
                                    : false) ||
                               ...));
        });
        if (result) {
            return *std::move(result);
        }
        return outcome::reject("unknown_type",
                               "no handler for the event type \"" + std::string(e.type) + "\"");
    }

    branch_row<std::index_sequence_for<Branches...>, Branches...> branches_;
};

template <class... Names>
consteval bool all_differ(Names... names) {
    const std::string_view texts[] = {names...};
    for (std::size_t i = 0; i < sizeof...(names); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (texts[i] == texts[k]) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace detail

/// One branch of `by_type`: `f` handles the events of that type.
template <name Type, class F>
[[nodiscard]] auto on(F f) {
    return detail::type_branch<Type, F>{std::move(f)};
}

/// A handler that chooses by the event's `type`. Any other type is a permanent failure with the
/// reason `unknown_type`.
///
/// **Example.** `handle(by_type(on<"order.placed">(place), on<"order.cancelled">(cancel)))`
template <name... Types, class... F>
[[nodiscard]] auto by_type(detail::type_branch<Types, F>... branches) {
    static_assert(detail::all_differ(Types.view()...),
                  "sinew: two branches of by_type have the same type; take one out");
    return detail::type_router<detail::type_branch<Types, F>...>(std::move(branches)...);
}

}  // namespace sinew
