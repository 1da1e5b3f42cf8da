// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The record of attempts in SQLite; models `attempt_log`.
///
/// **Guarantees.** Each call is a transaction of its own that is committed when it returns: it
/// survives the end of the process, and with `synchronous::full` a loss of power too.
///
/// **On failure.** Throws the `unavailable_error` that fits; also where a transaction of the store
/// is open, as that one would hold the write back.
/// **Bounds.** A row per event that was begun and neither ended nor closed.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace sinew::sqlite {

namespace detail {

struct attempt_statements {
    explicit attempt_statements(const naming& named)
        : open(named("INSERT INTO ~open_partitions(consumer, topic, partition) VALUES (?, ?, ?) "
                     "ON CONFLICT DO NOTHING")),
          close(named("DELETE FROM ~open_partitions "
                      "WHERE consumer = ? AND topic = ? AND partition = ?")),
          forget(named("DELETE FROM ~attempts WHERE consumer = ? AND topic = ? AND partition = ?")),
          begin(named("INSERT INTO ~attempts(consumer, topic, partition, \"offset\", starts, at) "
                      "VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET "
                      "starts = min(starts + 1, 4294967295), at = excluded.at RETURNING starts")),
          end(named("DELETE FROM ~attempts WHERE consumer = ? AND topic = ? AND partition = ? "
                    "AND \"offset\" = ?")) {}

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
        check_idle();
        return use(sql_->open).bind(consumer, topic, partition).run() == 0;
    }

    void closed(std::string_view consumer, std::string_view topic, partition_id partition) {
        check_idle();
        transaction tx(session_, later(machine_clock::now().steady, session_->busy_timeout));
        use(sql_->close).bind(consumer, topic, partition).run();
        use(sql_->forget).bind(consumer, topic, partition).run();
        if (tx.commit() != commit_result::committed) {
            throw session_->why();
        }
    }

    std::uint32_t begun(std::string_view consumer, std::string_view topic, position where,
                        wall_time now) {
        check_idle();
        detail::statement run = use(sql_->begin);
        run.bind(consumer, topic, where.partition, where.offset, now).step();
        const auto starts = run.column<std::uint32_t>(0);
        run.step();  // the row is committed when the statement has ended
        return starts;
    }

    void ended(std::string_view consumer, std::string_view topic, position where) {
        check_idle();
        use(sql_->end).bind(consumer, topic, where.partition, where.offset).run();
    }

private:
    friend class store;

    explicit attempts(std::shared_ptr<detail::session> session)
        : session_(std::move(session)),
          sql_(std::make_unique<detail::attempt_statements>(session_->named)) {}

    void check_idle() const { session_->check_idle("the record of attempts"); }
    [[nodiscard]] detail::statement use(detail::prepared& sql) {
        return detail::statement(session_->db.handle(), sql);
    }

    // The statements end before the connection does.
    std::shared_ptr<detail::session> session_;
    std::unique_ptr<detail::attempt_statements> sql_;
};

}  // namespace sinew::sqlite
