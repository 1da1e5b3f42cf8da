// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The record of attempts in PostgreSQL; models `attempt_log`.
///
/// **Guarantees.** Each call is a transaction of its own that is committed when it returns: it
/// survives the end of the process and of the server.
///
/// **On failure.** Throws the error that fits; `unavailable_error` also where a transaction of the
/// store is open, as that one would hold the write back.
/// **Bounds.** A row per event that was begun and neither ended nor closed.

#include <sinew/adapters/postgres/alone.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::postgres {

namespace detail {

struct attempt_statements {
    explicit attempt_statements(const naming& named)
        : open(named("INSERT INTO ~open_partitions(consumer, topic, partition) VALUES ($1, $2, $3) "
                     "ON CONFLICT DO NOTHING")),
          close(named("DELETE FROM ~open_partitions "
                      "WHERE consumer = $1 AND topic = $2 AND partition = $3")),
          forget(named("DELETE FROM ~attempts "
                       "WHERE consumer = $1 AND topic = $2 AND partition = $3")),
          begin(named("INSERT INTO ~attempts AS a(consumer, topic, partition, \"offset\", starts, "
                      "at) VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (consumer, topic, partition, "
                      "\"offset\") DO UPDATE SET starts = least(a.starts + 1, 4294967295), at = "
                      "excluded.at RETURNING starts")),
          end(named("DELETE FROM ~attempts WHERE consumer = $1 AND topic = $2 AND partition = $3 "
                    "AND \"offset\" = $4")) {}

    prepared open;
    prepared close;
    prepared forget;
    prepared begin;
    prepared end;
};

}  // namespace detail

class attempts {
public:
    bool opened(std::string_view consumer, std::string_view topic, partition_id partition) {
        return alone([&](transaction& tx) {
            return detail::rows_of(use(tx, sql_->open, consumer, topic, partition).get()) == 0;
        });
    }

    void closed(std::string_view consumer, std::string_view topic, partition_id partition) {
        alone([&](transaction& tx) {
            use(tx, sql_->close, consumer, topic, partition);
            use(tx, sql_->forget, consumer, topic, partition);
            return true;
        });
    }

    std::uint32_t begun(std::string_view consumer, std::string_view topic, position where,
                        wall_time now) {
        return alone([&](transaction& tx) {
            const auto row = use(tx, sql_->begin, consumer, topic, where.partition,
                                 std::int64_t{where.offset}, now.time_since_epoch().count());
            return detail::column<std::uint32_t>(row.get(), 0, 0);
        });
    }

    void ended(std::string_view consumer, std::string_view topic, position where) {
        alone([&](transaction& tx) {
            use(tx, sql_->end, consumer, topic, where.partition, std::int64_t{where.offset});
            return true;
        });
    }

private:
    friend class store;

    explicit attempts(std::shared_ptr<detail::session> session)
        : session_(std::move(session)),
          sql_(std::make_unique<detail::attempt_statements>(session_->named)) {}

    /// In a transaction of its own, of which it has to be known that it was committed.
    template <class F>
    std::invoke_result_t<F, transaction&> alone(F f) {
        session_->check_idle("the record of attempts");
        auto [answer, how] = detail::alone(session_, session_->line().usual_deadline(), f);
        if (how != commit_result::committed) {
            throw session_->why();
        }
        return answer;
    }

    template <class... Args>
    static detail::result use(transaction& tx, detail::prepared& sql, std::string_view consumer,
                              std::string_view topic, partition_id partition, const Args&... args) {
        return tx.use(sql, bytea{consumer}, bytea{topic}, std::int64_t{partition}, args...);
    }

    std::shared_ptr<detail::session> session_;
    std::unique_ptr<detail::attempt_statements> sql_;
};

}  // namespace sinew::postgres
