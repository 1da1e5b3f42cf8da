// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A partitioned log in memory, with consumer groups: the reference model of `source` and `sink`.
///
/// **Guarantees.** Every numbered sentence of the two concepts holds. Beyond it: nothing waits and
/// nothing is drawn at random, so the same calls give the same answers; and what happens to a group
/// in production only now and then (`kick`, `expire`, `rebalance`, retention, compaction, holes) is
/// a call here.
///
/// **Bounds.** A topic keeps `topic_options::records_max` records per partition, by default all of
/// them. A poll allocates nothing. Not thread safe: one thread at a time for a log, its producers
/// and its members together. A message alone may be read and destroyed on any thread.
///
/// **Time.** The log has no clock. `tick` tells it the time; before the first `tick` a revocation
/// has no end. A poll returns at once, whatever its `until`.

#include <sinew/adapters/memory/group.hpp>
#include <sinew/adapters/memory/log_state.hpp>
#include <sinew/adapters/memory/member.hpp>
#include <sinew/adapters/memory/record.hpp>
#include <sinew/adapters/memory/topic.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::memory {

/// Publishes to one topic; models `sink`. Made by `log::producer`.
class producer {
public:
    /// Stores the event in the partition of its key; without a key, in each partition in turn.
    publish_result publish(const event_view& e, steady_time /*until*/) {
        const auto partition = topic_->records.choose(e.partitionkey);
        topic_->records.at(partition).append(to_event(e));
        topic_->trim(partition);
        return publish_result::accepted();
    }

private:
    friend class log;

    producer(std::shared_ptr<detail::log_state> state, detail::topic_state& topic)
        : state_(std::move(state)), topic_(&topic) {}

    std::shared_ptr<detail::log_state> state_;
    detail::topic_state* topic_;
};

/// A log: named topics, to which producers append and which groups read.
///
/// A topic that is first named by `producer`, `join`, `append` or `append_broken` is made with
/// `log_options::topic`: one partition, unless said otherwise. Calls that only look or take away
/// throw `usage_error` for a topic that is not there.
///
/// **Example.**
/// ```cpp
/// sinew::memory::log log;
/// auto orders = log.producer("orders");
/// auto inventory = log.join("orders", "inventory");
/// ```
class log {
public:
    using member = memory::member;

    explicit log(log_options options = {})
        : state_(std::make_shared<detail::log_state>(detail::log_state{.options = options})) {}
    log(log&&) noexcept = default;
    log& operator=(log&&) noexcept = default;
    log(const log&) = delete;
    log& operator=(const log&) = delete;
    ~log() = default;

    void create_topic(std::string_view topic, topic_options options) {
        if (!state_->topics.try_emplace(std::string(topic), options).second) {
            throw usage_error("there is a topic of that name already");
        }
    }

    [[nodiscard]] memory::producer producer(std::string_view topic) {
        return {state_, state_->topic(topic)};
    }

    /// Joins a group of readers of that topic. Its members share the partitions.
    [[nodiscard]] memory::member join(std::string_view topic, std::string_view group) {
        return {state_, state_->group_of(state_->topic(topic), group)};
    }

    /// Stores an event in a partition of the caller's choosing, whatever its key.
    position append(std::string_view topic, partition_id partition, const event_view& e) {
        auto& to = state_->topic(topic);
        const position where = to.records.at(partition).append(to_event(e));
        to.trim(partition);
        return where;
    }

    /// Stores a record that cannot be read as an event.
    position append_broken(std::string_view topic, partition_id partition, bytes_view raw,
                           std::string reason) {
        auto& to = state_->topic(topic);
        const position where =
            to.records.at(partition).append_broken(std::string(as_text(raw)), std::move(reason));
        to.trim(partition);
        return where;
    }

    /// Uses up offsets without a record, as the markers of a transaction do.
    void produce_hole(std::string_view topic, partition_id partition, std::uint32_t offsets = 1) {
        existing(topic).records.at(partition).make_hole(offsets);
    }

    /// Retention by hand: drops the records below `offset`, read or not.
    void drop_before(std::string_view topic, partition_id partition, log_offset offset) {
        existing(topic).drop_before(partition, offset);
    }

    /// Compaction: keeps the last record of each key. A tombstone, which is a record without data,
    /// stays until the next compaction. Throws `usage_error` unless the topic is `compacted`.
    void compact(std::string_view topic) {
        auto& records = existing(topic).records;
        if (!records.options().compacted) {
            throw usage_error("the topic was not created as a compacted one");
        }
        for (partition_id i = 0; i < records.partitions().size(); ++i) {
            records.at(i).compact();
        }
    }

    /// Tells the time: revocations whose time is up become losses.
    void tick(steady_time now) {
        state_->now = now;
        state_->each_group([now](detail::group& one) { one.tick(now); });
    }

    /// The members' time is up now, whatever the clock says: what is revoked from it is lost.
    void expire(member_id id) {
        state_->each_group([id](detail::group& one) { one.expire(id); });
    }

    /// The group takes the member for dead and gives its partitions away. It hears `lost` at its
    /// next poll, commits nothing until then, and is a member again from that poll on.
    void kick(member_id id) {
        state_->each_group([id](detail::group& one) { one.kick(id); });
    }

    /// Takes every partition of the group from its member and gives it to the next one in turn, so
    /// that all change hands (with one member: come back under a new epoch).
    void rebalance(std::string_view topic, std::string_view group) {
        auto& in = existing(topic);
        if (const auto found = in.groups.find(group); found != in.groups.end()) {
            found->second.rotate();
        }
    }

    /// How many partitions the topic has.
    [[nodiscard]] std::uint32_t partitions(std::string_view topic) const {
        return existing(topic).records.options().partitions;
    }
    /// Where events of that key go: the same in each run.
    [[nodiscard]] partition_id partition_of(std::string_view topic, std::string_view key) const {
        return existing(topic).records.partition_of(key);
    }
    /// The lowest offset that is not dropped, and the one that the next record will have.
    [[nodiscard]] log_offset begin(std::string_view topic, partition_id partition) const {
        return existing(topic).records.at(partition).begin();
    }
    [[nodiscard]] log_offset end(std::string_view topic, partition_id partition) const {
        return existing(topic).records.at(partition).end();
    }
    /// How many records a partition holds now.
    [[nodiscard]] std::size_t size(std::string_view topic, partition_id partition) const {
        return existing(topic).records.at(partition).records().size();
    }
    /// Shows every record that a partition holds to `f(position, event_view)`, in order.
    template <class F>
    void visit(std::string_view topic, partition_id partition, F f) const {
        for (const auto& one : existing(topic).records.at(partition).records()) {
            f(one->where(), one->view());
        }
    }

    /// The last finished offset of a group; -1 if none was committed.
    [[nodiscard]] log_offset committed(std::string_view topic, std::string_view group,
                                       partition_id partition) const {
        const auto* found = group_if(topic, group);
        return found == nullptr ? -1 : found->at(partition).committed;
    }
    /// Who holds a partition; 0 is nobody.
    [[nodiscard]] member_id owner(std::string_view topic, std::string_view group,
                                  partition_id partition) const {
        const auto* found = group_if(topic, group);
        return found == nullptr ? 0 : found->at(partition).owner;
    }
    /// How many records retention took before the group had finished them.
    [[nodiscard]] std::uint64_t skipped_by_retention(std::string_view topic,
                                                     std::string_view group) const {
        const auto* found = group_if(topic, group);
        return found == nullptr ? 0 : found->skipped();
    }

private:
    [[nodiscard]] detail::topic_state& existing(std::string_view topic) const {
        const auto found = state_->topics.find(topic);
        if (found == state_->topics.end()) {
            throw usage_error("there is no such topic");
        }
        return found->second;
    }

    [[nodiscard]] const detail::group* group_if(std::string_view topic,
                                                std::string_view group) const {
        const auto& groups = existing(topic).groups;
        const auto found = groups.find(group);
        return found == groups.end() ? nullptr : &found->second;
    }

    std::shared_ptr<detail::log_state> state_;
};

}  // namespace sinew::memory
