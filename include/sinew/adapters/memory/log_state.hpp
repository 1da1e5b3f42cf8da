// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a log, its producers and its members share: the topics and their groups.

#include <sinew/adapters/memory/group.hpp>
#include <sinew/adapters/memory/topic.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sinew::memory {

struct log_options {
    /// What a topic is like that is first named by a producer or a member.
    topic_options topic{};
    /// How long a member has, from `revoked` until it hears `lost`.
    duration revoke_timeout = std::chrono::seconds(30);
};

namespace detail {

struct topic_state {
    explicit topic_state(topic_options options) : records(options) {}
    topic_state(const topic_state&) = delete;
    topic_state& operator=(const topic_state&) = delete;

    /// Retention by count, after something was appended.
    void trim(partition_id partition) {
        auto& kept = records.at(partition);
        if (kept.records().size() > records.options().records_max) {
            drop_before(partition, kept.records().front()->where().offset + 1);
        }
    }

    void drop_before(partition_id partition, log_offset offset) {
        records.at(partition).drop_before(offset, [&](log_offset gone) {
            for (auto& [name, group] : groups) {
                group.dropped(partition, gone);
            }
        });
    }

    topic_records records;
    std::map<std::string, group, std::less<>> groups;
};

struct log_state {
    topic_state& topic(std::string_view name) {
        const auto found = topics.find(name);
        return found != topics.end()
                   ? found->second
                   : topics.try_emplace(std::string(name), options.topic).first->second;
    }

    group& group_of(topic_state& in, std::string_view name) {
        const auto found = in.groups.find(name);
        if (found != in.groups.end()) {
            return found->second;
        }
        auto& made = in.groups.try_emplace(std::string(name), in.records, options.revoke_timeout)
                         .first->second;
        if (now) {
            made.tick(*now);
        }
        return made;
    }

    template <class F>
    void each_group(F f) {
        for (auto& [topic_name, one] : topics) {
            for (auto& [group_name, group] : one.groups) {
                f(group);
            }
        }
    }

    log_options options;
    std::map<std::string, topic_state, std::less<>> topics{};
    std::optional<steady_time> now{};
    member_id last_member = 0;
};

}  // namespace detail

}  // namespace sinew::memory
