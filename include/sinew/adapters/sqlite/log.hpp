// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A durable log in an SQLite file: named topics, to which producers append and which groups read.
///
/// For a service that needs no broker: the log survives what the file survives, and any number of
/// processes of one machine can write and read it.
///
/// **Guarantees.** Every numbered sentence of `source` and `sink` holds. Events come back bit for
/// bit. Where a key lives never changes while its topic exists.
///
/// **On failure.** The errors of `errors.hpp`.
/// **Bounds.** A topic grows until `trim`. The log, each producer and each member have connections
/// of their own, so each may live on a thread of its own; one thread at a time for each of them. A
/// log and a store may share one file.
///
/// **Example.**
/// ```cpp
/// sinew::sqlite::log log("shop.db", {.member = "inventory-1"});
/// auto orders = log.producer("orders");
/// auto inventory = log.join("orders", "inventory");
/// ```

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/member.hpp>
#include <sinew/adapters/sqlite/message.hpp>
#include <sinew/adapters/sqlite/producer.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/topics.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::sqlite {

/// How to join a group.
struct join_options {
    /// As `log_options::member`, for this member alone.
    std::string member{};
};

class log {
public:
    using member = sqlite::member;

    /// Opens a file, in WAL mode, and makes the library's tables in it if they are not there.
    explicit log(const std::string& file, log_options options = {})
        : setup_(std::make_shared<const detail::log_setup>(file, std::move(options))),
          db_(std::make_unique<connection>(file, setup_->connecting())),
          insert_(std::make_unique<detail::appender>(setup_->named)) {
        if (db_->file().empty()) {
            throw usage_error(
                "sqlite: a log needs a file, as its producers and members have "
                "connections of their own");
        }
        detail::ensure_schema(*db_, setup_->named, detail::log_schema);
    }
    log(log&&) noexcept = default;
    log& operator=(log&& other) noexcept {
        insert_ = std::move(other.insert_);  // its statement ends before its connection
        db_ = std::move(other.db_);
        setup_ = std::move(other.setup_);
        return *this;
    }
    log(const log&) = delete;
    log& operator=(const log&) = delete;
    ~log() = default;

    /// Makes a topic. If it is there with as many partitions, nothing happens.
    ///
    /// **On failure.** Throws `usage_error` if it is there with another number of partitions.
    void create_topic(std::string_view topic, const topic_options& options) {
        detail::log_setup::check(options);
        const auto made = detail::make_topic(*db_, setup_->named, topic, options);
        if (made.partitions != options.partitions) {
            throw usage_error("sqlite: the topic has " + std::to_string(made.partitions) +
                              " partitions and cannot get " + std::to_string(options.partitions) +
                              ": its keys would move");
        }
    }

    /// Publishes to a topic, which is made with `log_options::topic` if it is not there.
    [[nodiscard]] sqlite::producer producer(std::string_view topic) const {
        return sqlite::producer(*setup_, topic);
    }

    /// Joins a group of readers of a topic, which is made if it is not there. The membership begins
    /// with the first poll.
    [[nodiscard]] sqlite::member join(std::string_view topic, std::string_view group,
                                      const join_options& options = {}) const {
        return {setup_, topic, group,
                options.member.empty() ? setup_->options.member : options.member};
    }

    /// Stores an event in a partition of the caller's choosing, whatever its key.
    position append(std::string_view topic, partition_id partition, const event_view& e) {
        const auto to = detail::make_topic(*db_, setup_->named, topic, setup_->options.topic);
        return {partition, insert_->append(*db_, to.stream(partition), e)};
    }

    /// Retention: drops the records below the offset `before`, read or not; answers how many. They
    /// go in bites, so that others get their turn at the file.
    std::size_t trim(std::string_view topic, partition_id partition, log_offset before) {
        const std::int64_t stream = existing(topic).stream(partition);
        const std::int64_t first = detail::first_place(stream);
        const log_offset last = end(topic, partition);
        const std::int64_t limit = first + (before < last ? before : last);
        std::size_t gone = 0;
        for (bool more = limit > first; more;) {
            detail::log_transaction tx(
                *db_, later(machine_clock::now().steady, setup_->options.busy_timeout));
            db_->execute(setup_->named("INSERT INTO ~trimmed(stream, place) VALUES (?, ?) ON "
                                       "CONFLICT DO UPDATE SET place = max(place, "
                                       "excluded.place)"),
                         stream, limit);
            const auto bite = db_->execute(
                setup_->named("DELETE FROM ~records WHERE place IN (SELECT place FROM ~records "
                              "WHERE place >= ? AND place < ? ORDER BY place LIMIT ?)"),
                first, limit, trim_bite);
            tx.commit();
            gone += static_cast<std::size_t>(bite);
            more = bite == trim_bite;
        }
        return gone;
    }

    /// How many partitions the topic has.
    [[nodiscard]] std::uint32_t partitions(std::string_view topic) const {
        return existing(topic).partitions;
    }
    /// Where events of that key go.
    [[nodiscard]] partition_id partition_of(std::string_view topic, std::string_view key) const {
        return existing(topic).partition_of(key);
    }

    /// The lowest offset that may hold a record.
    [[nodiscard]] log_offset begin(std::string_view topic, partition_id partition) const {
        const std::int64_t stream = existing(topic).stream(partition);
        const auto found = db_->query_one<std::int64_t>(
            setup_->named("SELECT place FROM ~trimmed WHERE stream = ?"), stream);
        return found ? std::get<0>(*found) - detail::first_place(stream) : 0;
    }
    /// The offset that the next record will have.
    [[nodiscard]] log_offset end(std::string_view topic, partition_id partition) const {
        const std::int64_t stream = existing(topic).stream(partition);
        const auto last = db_->query_one<std::int64_t>(
            setup_->named("SELECT place FROM ~records WHERE place BETWEEN ? AND ? "
                          "ORDER BY place DESC LIMIT 1"),
            detail::first_place(stream), detail::last_place(stream));
        const log_offset after = last ? std::get<0>(*last) - detail::first_place(stream) + 1 : 0;
        const log_offset first = begin(topic, partition);
        return after > first ? after : first;
    }

    /// The last finished offset of a group; -1 if none was committed.
    [[nodiscard]] log_offset committed(std::string_view topic, std::string_view group,
                                       partition_id partition) const {
        const auto found = db_->query_one<log_offset>(
            setup_->named("SELECT through FROM ~assignments WHERE partition = ? AND grp = "
                          "(SELECT number FROM ~groups WHERE topic = ? AND name = ?)"),
            partition, existing(topic).number, group);
        return found ? std::get<0>(*found) : -1;
    }

    /// Shows every record of a partition to `f(position, const event_view&)`, in order. The views
    /// are valid during the call.
    template <class F>
    void visit(std::string_view topic, partition_id partition, F f) const {
        const std::int64_t stream = existing(topic).stream(partition);
        detail::prepared sql(
            setup_->named("SELECT place, " + std::string(detail::event_column_names) +
                          " FROM ~records WHERE place BETWEEN ? AND ? ORDER BY place"));
        detail::statement rows(db_->handle(), sql);
        rows.bind(detail::first_place(stream), detail::last_place(stream));
        detail::record one;
        while (rows.step()) {
            one.read(rows, 1);
            f(position{partition, rows.column<std::int64_t>(0) - detail::first_place(stream)},
              std::as_const(one.view));
        }
    }

private:
    /// How many records one transaction of `trim` drops.
    static constexpr std::int64_t trim_bite = 1000;

    [[nodiscard]] detail::topic_row existing(std::string_view topic) const {
        const auto found = detail::find_topic(*db_, setup_->named, topic);
        if (!found) {
            throw usage_error("sqlite: there is no topic of that name in the log");
        }
        return *found;
    }

    std::shared_ptr<const detail::log_setup> setup_;
    std::unique_ptr<connection> db_;
    std::unique_ptr<detail::appender> insert_;
};

}  // namespace sinew::sqlite
