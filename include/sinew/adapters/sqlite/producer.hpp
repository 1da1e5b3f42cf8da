// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Publishing to a topic of a log in SQLite; models `sink` and `batch_sink`.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/topics.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace sinew::sqlite {

namespace detail {

/// Appends records to streams.
class appender {
public:
    explicit appender(const naming& named)
        : sql_(named("INSERT INTO ~records(place, " + std::string(event_column_names) +
                     ") VALUES (max(?1, "
                     "coalesce((SELECT place + 1 FROM ~records WHERE place BETWEEN ?1 AND ?2 "
                     "ORDER BY place DESC LIMIT 1), 0), "
                     "coalesce((SELECT place FROM ~trimmed WHERE stream = ?3), 0)), " +
                     std::string(event_column_marks) + ")")) {}

    /// The offset that the event got.
    log_offset append(connection& db, std::int64_t stream, const event_view& e) {
        statement run(db.handle(), sql_);
        run.bind_at(1, first_place(stream));
        run.bind_at(2, last_place(stream));
        run.bind_at(3, stream);
        bind_event(run, 4, e, headers_);
        run.step();
        return sqlite3_last_insert_rowid(db.handle()) - first_place(stream);
    }

private:
    prepared sql_;
    std::string headers_;
};

/// A transaction of the log's own connections.
class log_transaction {
public:
    log_transaction(connection& db, steady_time until) : db_(&db) {
        const connection::deadline wait(db, until);
        db.execute("BEGIN IMMEDIATE");
    }
    log_transaction(const log_transaction&) = delete;
    log_transaction& operator=(const log_transaction&) = delete;
    ~log_transaction() {
        if (db_ != nullptr && db_->is_in_transaction()) {
            sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
    }

    /// **On failure.** Throws, and nothing is done; after an `io_error` it may be.
    void commit() {
        db_->execute("COMMIT");
        db_ = nullptr;
    }

private:
    connection* db_;
};

}  // namespace detail

/// Publishes to one topic. Made by `log::producer`.
///
/// **Guarantees.** An event goes to the partition of its key; without a key, to one by its
/// identity. Offsets follow the order of commits, so a reader never sees a later record before an
/// earlier one.
/// **Bounds.** It has a connection of its own; one thread at a time. While a transaction is open on
/// the same file, also the caller's own in a store, it waits until `until`.
class producer {
public:
    /// Stores the event in a transaction of its own.
    publish_result publish(const event_view& e, steady_time until) {
        return attempt([&] {
            const connection::deadline wait(state_->db, until);
            append(e);
        });
    }

    /// Stores all of a range of events (`event` or `event_view`), or none, in one transaction.
    template <class Events>
    publish_result publish_all(const Events& events, steady_time until) {
        return attempt([&] {
            detail::log_transaction tx(state_->db, until);
            for (const auto& one : events) {
                if constexpr (std::convertible_to<decltype(one), event_view>) {
                    append(one);
                } else {
                    append(one.view());
                }
            }
            tx.commit();
        });
    }

    /// Stores what it can of a batch, in one transaction. An event that SQLite does not take is
    /// refused, and those of its key behind it; the others are stored.
    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        std::vector<publish_result> answers;
        answers.reserve(events.size());
        const publish_result all = attempt([&] {
            detail::log_transaction tx(state_->db, until);
            std::unordered_set<std::string_view> closed;
            for (const auto& one : events) {
                answers.push_back(append_one(one, closed));
            }
            tx.commit();
        });
        if (!all.is_accepted()) {
            answers.assign(events.size(), all);
        }
        return answers;
    }

private:
    friend class log;

    struct state {
        state(const detail::log_setup& setup, std::string_view topic_name)
            : db(setup.file, setup.connecting()), insert(setup.named) {
            detail::ensure_schema(db, setup.named, detail::log_schema);
            topic = detail::make_topic(db, setup.named, topic_name, setup.options.topic);
        }

        connection db;
        detail::appender insert;
        detail::topic_row topic;
    };

    producer(const detail::log_setup& setup, std::string_view topic)
        : state_(std::make_unique<state>(setup, topic)) {}

    void append(const event_view& e) {
        state_->insert.append(state_->db, state_->topic.stream(state_->topic.partition_of(e)), e);
    }

    /// One event of a batch. What is not the event's own fault is thrown, and ends the batch.
    publish_result append_one(const event_view& e, std::unordered_set<std::string_view>& closed) {
        if (!e.partitionkey.empty() && closed.count(e.partitionkey) != 0) {
            return publish_result::refused({failure_class::transient,
                                            "behind",
                                            "an event of the same key before it was refused",
                                            {}});
        }
        try {
            append(e);
            return publish_result::accepted();
        } catch (const permanent_error& why) {
            closed.insert(e.partitionkey);
            return publish_result::refused(why.as_failure());
        }
    }

    template <class F>
    static publish_result attempt(F f) {
        try {
            f();
            return publish_result::accepted();
        } catch (const io_error& e) {
            return publish_result::unknown(e.as_failure());
        } catch (const error& e) {
            return publish_result::refused(e.as_failure());
        }
    }

    std::unique_ptr<state> state_;
};

}  // namespace sinew::sqlite
