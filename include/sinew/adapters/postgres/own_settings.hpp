// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The settings under which the library's statements outside of transactions run, kept on its own
/// connection while nobody else uses that.
///
/// Such a statement is a transaction of its own. It has to see what is committed, find rows by
/// index, be planned once and never compiled (which takes up to a second, for statements that take
/// less than a millisecond); to say so each time takes three statements beside it. A relay does
/// nothing else, one call after the other: so after some of them in a row the session itself gets
/// the settings, and each further call is one statement.
///
/// | state | event | becomes |
/// | --- | --- | --- |
/// | the session's own settings | `calls_before` calls in a row | the library's |
/// | the library's | a transaction, or a statement of the service | the session's own |
/// | the library's | another connection | the session's own |
/// | either | the service takes libpq's handle | the session's own, for good |
///
/// **Guarantees.** What the service has set on the session is in force again before anything of its
/// own runs. A connection that the service handed over, or that a pooler shares, is left as it is.

#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::postgres::detail {

class own_settings {
public:
    /// How many calls in a row make it worth while.
    static constexpr int calls_before = 4;

    explicit own_settings(const wire_options& options)
        : enter_(enter_text(options)), leave_(leave_text()) {}

    /// Whether a statement needs nothing around it.
    [[nodiscard]] bool are_set(const wire& on) const noexcept {
        return session_ != 0 && session_ == on.session_number();
    }
    /// At the beginning of a call's transaction: queues the settings, in place of those for this
    /// transaction alone, and answers whether they were due. If the call fails, the server takes
    /// them back with it.
    [[nodiscard]] bool queue_if_due(wire& to) {
        is_entering_ = to.keeps_settings() && !is_pinned_ && ++calls_ > calls_before;
        if (is_entering_) {
            to.queue(enter_, parameters());
        }
        return is_entering_;
    }
    /// Behind a call.
    void sent(const wire& to, bool is_good) noexcept {
        if (std::exchange(is_entering_, false) && is_good) {
            session_ = to.session_number();
        }
    }

    /// Before anything that is not such a call.
    void leave(wire& on, steady_time until) {
        calls_ = 0;
        if (are_set(on)) {
            on.script(leave_, until);
            session_ = 0;
        }
    }
    /// The service has the handle, and nobody sees what it does with it.
    void pin(wire& on) noexcept {
        is_pinned_ = true;
        try {
            leave(on, on.usual_deadline());
        } catch (...) {
            session_ = 0;  // the connection is lost, and its settings with it
        }
    }

private:
    /// What is set, in this order.
    static constexpr std::array<std::string_view, 8> names{"enable_seqscan",
                                                           "jit",
                                                           "plan_cache_mode",
                                                           "default_transaction_isolation",
                                                           "statement_timeout",
                                                           "lock_timeout",
                                                           "default_transaction_read_only",
                                                           "synchronous_commit"};

    [[nodiscard]] static std::string call(std::string_view name, std::string_view value) {
        return std::string("pg_catalog.set_config('")
            .append(name)
            .append("', ")
            .append(value)
            .append(", false)");
    }
    [[nodiscard]] static std::string kept(std::string_view name) {
        return std::string("sinew.was_").append(name);
    }
    [[nodiscard]] static std::string now(std::string_view name) {
        return std::string("pg_catalog.current_setting('").append(name).append("')");
    }

    /// The session itself keeps what was set before, under names of the library's own.
    [[nodiscard]] static std::string enter_text(const wire_options& options) {
        const std::array<std::string, 8> values{"'off'",
                                                "'off'",
                                                "'force_generic_plan'",
                                                "'read committed'",
                                                "'" + milliseconds(options.call_timeout) + "'",
                                                "'" + milliseconds(options.lock_timeout) + "'",
                                                "'off'",
                                                "CASE pg_catalog.current_setting('synchronous_"
                                                "commit') WHEN 'off' THEN 'on' ELSE "
                                                "pg_catalog.current_setting('synchronous_"
                                                "commit') END"};
        std::string sql("SELECT ");
        for (std::size_t i = 0; i < names.size(); ++i) {
            sql.append(i == 0 ? "" : ", ").append(call(kept(names[i]), now(names[i])));
            sql.append(", ").append(call(names[i], values[i]));
        }
        return sql;
    }
    [[nodiscard]] static std::string leave_text() {
        std::string sql("SELECT ");
        for (std::size_t i = 0; i < names.size(); ++i) {
            sql.append(i == 0 ? "" : ", ").append(call(names[i], now(kept(names[i]))));
        }
        return sql;
    }

    prepared enter_;
    std::string leave_;
    std::uint64_t session_ = 0;  ///< the session that has the library's settings
    int calls_ = 0;
    bool is_entering_ = false;
    bool is_pinned_ = false;
};

}  // namespace sinew::postgres::detail
