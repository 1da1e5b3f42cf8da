// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A connection to a PostgreSQL server: its own, or one that the service has already.
///
/// **Guarantees.** Every call has an end: `call_timeout`, where the caller gives no deadline. An
/// own connection is made again by the next call after it was lost. One that the service handed
/// over stays open, and its settings stay as they are; after a call that got no answer it cannot be
/// used until the service has reset it.
///
/// **Bounds.** At most `statements_max` statements of the service's own texts are kept prepared;
/// further ones are planned at each call. One thread at a time.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/own_settings.hpp>
#include <sinew/adapters/postgres/queries.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::postgres {

struct connection_options {
    /// How long a call takes at most, where the caller gives no deadline.
    duration call_timeout = std::chrono::seconds(5);
    /// How long a statement waits for another transaction's lock.
    duration lock_timeout = std::chrono::seconds(2);
    /// Whether statements are kept prepared. Not behind a pooler that gives one server connection
    /// to several clients in turn.
    bool prepare = true;
};

namespace detail {

struct session;

}  // namespace detail

class connection : public detail::queries<connection> {
public:
    /// How many statements of the service's own texts are kept prepared.
    static constexpr std::size_t statements_max = 64;

    /// A connection of its own, made by the first call that needs it.
    ///
    /// **On failure.** Throws `usage_error` if the string cannot be read.
    explicit connection(std::string conninfo, const connection_options& options = {})
        : connection(checked(options), std::move(conninfo)) {}
    /// A connection that the service has, which has to outlive this object.
    explicit connection(PGconn* borrowed, const connection_options& options = {})
        : connection(checked(options), borrowed) {}

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() = default;

    /// Libpq's own handle; null while there is no connection. Once it was asked for, calls of the
    /// library take care not to leave settings on the session, which costs each some statements
    /// more.
    [[nodiscard]] PGconn* native() noexcept {
        own_.pin(wire_);
        return wire_.handle();
    }
    /// Its database and server, for messages.
    [[nodiscard]] std::string where() const { return wire_.where(); }
    [[nodiscard]] bool is_in_transaction() const noexcept {
        const auto status = wire_.status();
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || begin_due_ != nullptr;
    }

    /// Runs several statements without values, such as those that make the service's tables.
    void execute_script(const std::string& sql) {
        const steady_time until = wire_.usual_deadline();
        ensure(until);
        wire_.script(sql, until);
    }

private:
    friend struct detail::session;
    friend class detail::queries<connection>;

    template <class To>
    connection(const detail::wire_options& options, To to)
        : wire_(std::move(to), options), own_(options) {}

    [[nodiscard]] static detail::wire_options checked(const connection_options& options) {
        if (options.call_timeout <= duration::zero() || options.lock_timeout <= duration::zero()) {
            throw usage_error("postgres: options call_timeout and lock_timeout have to be above 0");
        }
        return {options.call_timeout, options.lock_timeout, options.prepare};
    }

    /// Makes sure that there is a connection, with the settings that the service gave it.
    void ensure(steady_time until) {
        wire_.ensure(until);
        own_.leave(wire_, until);
        begin_if_due(until);
    }
    /// Tells the server of the transaction that is open.
    void begin_if_due(steady_time until) {
        if (begin_due_ != nullptr) {
            wire_.script(std::exchange(begin_due_, nullptr)->text(), until);
        }
    }

    template <class... Args>
    [[nodiscard]] detail::result ask(std::string_view sql, const Args&... args) {
        const steady_time until = wire_.usual_deadline();
        ensure(until);
        const detail::parameters values(args...);
        if (auto* statement = kept(sql, values.types(), sizeof...(args))) {
            wire_.queue(*statement, values);
            return wire_.run(until);
        }
        const std::string text(sql);
        wire_.queue_once(text.c_str(), values);
        return wire_.run(until);
    }

    /// The kept statement of that text for values of these types, or null if there is no room.
    [[nodiscard]] detail::prepared* kept(std::string_view sql, const Oid* types,
                                         std::size_t count) {
        key_.assign(sql);
        for (std::size_t i = 0; i < count; ++i) {
            key_.append(1, '\0').append(std::to_string(types[i]));
        }
        const auto found = statements_.find(key_);
        if (found != statements_.end()) {
            return found->second.get();
        }
        if (statements_.size() >= statements_max) {
            return nullptr;
        }
        return statements_.emplace(key_, std::make_unique<detail::prepared>(std::string(sql)))
            .first->second.get();
    }

    detail::wire wire_;
    detail::own_settings own_;
    std::map<std::string, std::unique_ptr<detail::prepared>, std::less<>> statements_;
    std::string key_;
    detail::prepared* begin_due_ = nullptr;  ///< of the open transaction, until it is sent
};

}  // namespace sinew::postgres
