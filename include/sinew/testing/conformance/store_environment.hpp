// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the suite for stores needs of an environment, and the steps that its scenarios are made of.
///
/// | member | means | |
/// | --- | --- | --- |
/// | `open()` | a store on the environment's data; the data outlives it | required |
/// | `put(tx, key, value)` | an effect, as a handler of the service would write it | required |
/// | `get(tx, key)` | the value of a key, or nothing | required |
/// | `crash()` | the process dies here: `open` shows from now on what a new process would find | optional |
/// | `lose_reply()` | the next commit gets no answer | optional |
///
/// After `crash` the stores and transactions that were there before are destroyed and not used. It
/// can be as little as nothing (data in memory), a copy of the files as they are at this instant,
/// or the end of all sessions on the server.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace sinew::testing::conformance {

/// What the adapter promises beyond `store`.
struct store_features {
    bool connections = false;  ///< several stores can be open on the same data at a time
    bool nested = false;       ///< `nestable_transaction`
    bool inbox = false;        ///< `inbox_transaction`
    bool progress = false;     ///< `progress_transaction`
    bool offsets = false;      ///< `offsets_transaction`
    bool consumer = false;     ///< `consumer_store`: committed progress beside a transaction
};

template <class Env>
using store_of = std::remove_cvref_t<decltype(std::declval<Env&>().open())>;
template <class Env>
using transaction_of = typename store_of<Env>::transaction_type;

template <class Env>
concept store_environment = requires(Env& env) {
    { env.open() } -> store;
} && requires(Env& env, transaction_of<Env>& tx, std::string_view text) {
    env.put(tx, text, text);
    { env.get(tx, text) } -> std::same_as<std::optional<std::string>>;
};

namespace detail {

template <class Env>
inline constexpr bool has_crash = requires(Env& env) { env.crash(); };

using value = std::optional<std::string>;

/// Opens a transaction, which has to succeed.
template <class Env>
[[nodiscard]] auto begin(Env& env, store_of<Env>& s) {
    return s.begin(soon(env));
}

/// Commits, which has to succeed.
template <class Tx>
void commit(const check& c, Tx& tx) {
    c.equal(tx.commit(), commit_result::committed, "the answer of commit");
}

/// Writes one value in a transaction of its own.
template <class Env>
void write(const check& c, Env& env, store_of<Env>& s, std::string_view key,
           std::string_view text) {
    auto tx = begin(env, s);
    env.put(tx, key, text);
    commit(c, tx);
}

/// The committed value of a key.
template <class Env>
[[nodiscard]] value read(Env& env, store_of<Env>& s, std::string_view key) {
    auto tx = begin(env, s);
    value out = env.get(tx, key);
    tx.rollback();
    return out;
}

/// Runs `f`; false if it was refused as something that another try may do. A store may refuse what
/// stands in the way of another transaction at its beginning, at a call, or at the commit.
template <class F>
[[nodiscard]] bool attempt(F f) {
    try {
        f();
        return true;
    } catch (const error& e) {
        if (e.kind() == failure_class::permanent) {
            throw;
        }
        return false;
    }
}

}  // namespace detail

}  // namespace sinew::testing::conformance
