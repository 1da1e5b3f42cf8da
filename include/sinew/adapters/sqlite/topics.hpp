// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The topics of a log in SQLite: their tables, their partitions, and where a record lies.
///
/// | table | key | what it keeps |
/// | --- | --- | --- |
/// | `topics` | number | a topic, its partitions and its first stream |
/// | `records` | place | an event |
/// | `trimmed` | stream | the place below which records were dropped |
/// | `groups` | number | a consumer group of a topic; its generation rises with each change |
/// | `members` | group, name | who is in it, and until when it is believed to live |
/// | `assignments` | group, partition | whose it is, its epoch, and how far it is finished |
///
/// Each partition is a stream with a number of its own. A record's place is its stream and its
/// offset in one number, which is the row's key: records of a partition lie side by side, and
/// appending or reading one costs one look into one tree.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace sinew::sqlite {

/// What a topic is like. It can't be changed later: a key would move to another partition.
struct topic_options {
    std::uint32_t partitions = 8;
};

/// Options of a log.
struct log_options {
    /// What a topic is like that is first named by a producer or a member.
    topic_options topic{};
    /// What the names of the library's tables begin with.
    std::string prefix = "sinew_";
    /// The name of this process's members, unless `join` names one. It makes a membership static:
    /// who joins under a name that is there already takes its partitions over at once, and the
    /// former holder is shut out. Empty: a name is drawn, and only a lease that ran out ends it.
    std::string member{};
    /// How long a member is believed to live after it was last heard of.
    duration lease = std::chrono::seconds(10);
    /// How long a member has, from `revoked` until the partition is taken away.
    duration revoke_timeout = std::chrono::seconds(30);
    /// How long a call waits for a lock, where the caller gives no deadline.
    duration busy_timeout = std::chrono::seconds(5);
    sqlite::synchronous synchronous = sqlite::synchronous::full;
    /// Whether the file is made if it is not there.
    bool create = true;
    /// The clock of leases and revocations. Its steady part has to be the same for all processes on
    /// the file; the machine's is.
    std::function<moment()> now = [] { return machine_clock::now(); };
};

namespace detail {

inline constexpr schema_part log_schema{"log", 1, R"(
CREATE TABLE ~topics(
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
    first_stream INTEGER NOT NULL) STRICT;
CREATE TABLE ~records(
    place INTEGER PRIMARY KEY, id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB,
    datacontenttype BLOB, dataschema BLOB, data BLOB, partitionkey BLOB, sequence BLOB,
    correlationid BLOB, causationid BLOB, traceparent BLOB, headers BLOB) STRICT;
CREATE TABLE ~trimmed(stream INTEGER PRIMARY KEY, place INTEGER NOT NULL) STRICT;
CREATE TABLE ~groups(
    number INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL,
    generation INTEGER NOT NULL, UNIQUE(topic, name)) STRICT;
CREATE TABLE ~members(
    grp INTEGER NOT NULL, name TEXT NOT NULL, named INTEGER NOT NULL, instance INTEGER NOT NULL,
    lease INTEGER NOT NULL, lease_end INTEGER NOT NULL, PRIMARY KEY(grp, name))
    STRICT, WITHOUT ROWID;
CREATE TABLE ~assignments(
    grp INTEGER NOT NULL, partition INTEGER NOT NULL, instance INTEGER,
    epoch INTEGER NOT NULL, through INTEGER NOT NULL, revoke_end INTEGER, PRIMARY KEY(grp, partition))
    STRICT, WITHOUT ROWID;
)"};

/// How many bits of a place are the offset: 10^12 records in each of eight million partitions.
inline constexpr unsigned offset_bits = 40;
inline constexpr std::int64_t streams_max = std::int64_t{1} << (62U - offset_bits);

[[nodiscard]] constexpr std::int64_t first_place(std::int64_t stream) noexcept {
    return stream << offset_bits;
}
[[nodiscard]] constexpr std::int64_t last_place(std::int64_t stream) noexcept {
    return first_place(stream + 1) - 1;
}

/// FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). Where keys live is written in files, so this
/// never changes.
[[nodiscard]] constexpr std::uint64_t stable_hash(
    std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325U) noexcept {
    for (const char c : bytes) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return hash;
}

/// A topic as it is in the file.
struct topic_row {
    std::int64_t number = 0;
    std::uint32_t partitions = 0;
    std::int64_t first_stream = 0;

    [[nodiscard]] std::int64_t stream(partition_id partition) const {
        if (partition >= partitions) {
            throw usage_error("sqlite: the topic has no partition " + std::to_string(partition));
        }
        return first_stream + partition;
    }

    /// Where events of a key live.
    [[nodiscard]] constexpr partition_id partition_of(std::string_view key) const noexcept {
        return fold(stable_hash(key));
    }
    /// Where an event lives: by its key; without one by its identity, so that an event that is
    /// published twice comes twice to the same reader.
    [[nodiscard]] constexpr partition_id partition_of(const event_view& e) const noexcept {
        return e.partitionkey.empty() ? fold(stable_hash(e.id, stable_hash(e.source)))
                                      : partition_of(e.partitionkey);
    }

private:
    [[nodiscard]] constexpr partition_id fold(std::uint64_t hash) const noexcept {
        return static_cast<partition_id>((hash ^ (hash >> 32U)) % partitions);
    }
};

/// What a log, its producers and its members agree on. Each of them has a connection of its own.
struct log_setup {
    log_setup(std::string the_file, log_options the_options)
        : file(std::move(the_file)), options(std::move(the_options)), named(options.prefix) {
        if (options.lease <= duration::zero() || options.revoke_timeout < duration::zero() ||
            options.busy_timeout < duration::zero()) {
            throw usage_error(
                "sqlite: option lease has to be above 0, revoke_timeout and "
                "busy_timeout not below");
        }
        if (!options.now) {
            throw usage_error(
                "sqlite: option now is empty; leave it out to use the machine's "
                "clocks");
        }
        check(options.topic);
    }

    static void check(const topic_options& topic) {
        if (topic.partitions == 0 || topic.partitions > 65'536) {
            throw usage_error("sqlite: option partitions has to be between 1 and 65,536");
        }
    }

    [[nodiscard]] connection_options connecting() const {
        return {options.busy_timeout, options.synchronous, options.create, false};
    }

    std::string file;
    log_options options;
    naming named;
};

[[nodiscard]] inline std::optional<topic_row> find_topic(connection& db, const naming& named,
                                                         std::string_view name) {
    const auto found = db.query_one<std::int64_t, std::uint32_t, std::int64_t>(
        named("SELECT number, partitions, first_stream FROM ~topics WHERE name = ?"), name);
    if (!found) {
        return std::nullopt;
    }
    return topic_row{std::get<0>(*found), std::get<1>(*found), std::get<2>(*found)};
}

/// The topic, which is made if it is not there. One statement makes it, so of several processes
/// that try, one does.
[[nodiscard]] inline topic_row make_topic(connection& db, const naming& named,
                                          std::string_view name, const topic_options& options) {
    if (name.empty()) {
        throw usage_error("sqlite: the name of the topic is empty");
    }
    if (const auto there = find_topic(db, named, name)) {
        return *there;
    }
    db.execute(named("INSERT INTO ~topics(name, partitions, first_stream) SELECT ?, ?, "
                     "coalesce(max(first_stream + partitions), 0) FROM ~topics WHERE true "
                     "ON CONFLICT DO NOTHING"),
               name, options.partitions);
    const topic_row made = find_topic(db, named, name).value();
    if (made.first_stream + made.partitions > streams_max) {
        db.execute(named("DELETE FROM ~topics WHERE number = ?"), made.number);
        throw usage_error("sqlite: the file holds as many partitions as it can");
    }
    return made;
}

}  // namespace detail

}  // namespace sinew::sqlite
