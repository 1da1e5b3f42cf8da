// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the worlds of the producing side share: their events, the law that is watched while they
/// run, and those that are judged when they have ended.

#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing {

/// An event of that key. Its id is also its data, so that ids have to be unique.
[[nodiscard]] inline event make_keyed_event(std::string_view key, std::string_view id) {
    return {.id = std::string(id),
            .source = "/s",
            .type = "t",
            .data = std::string(id),
            .partitionkey = std::string(key)};
}

/// Watches that in quiet times nothing waits but what has to: for people, for its turn behind its
/// key's failing event, or for a topic that is down.
class keys_apart_watch {
public:
    /// Times are quiet when nothing has happened for `patience`.
    keys_apart_watch(const world& home, duration patience) noexcept
        : patience_(patience), quiet_since_(home.now().steady) {}

    /// Something happened for which an event may be late.
    void disturb(const world& home) noexcept { quiet_since_ = home.now().steady; }

    template <class Topic>
    void look(world& home, const publishing_record& facts, const Topic& topic) {
        auto& found = home.run().found;
        std::uint64_t faults = 0;
        for (const auto times : found.happened) {
            faults += times;
        }
        if (std::exchange(faults_seen_, faults) != faults || topic.is_down()) {
            disturb(home);
        }
        if (complained_ || home.now().steady < later(quiet_since_, patience_)) {
            return;
        }
        for (std::size_t i = 0; i < facts.committed.size() && !complained_; ++i) {
            const auto& one = facts.committed[i];
            complained_ = !one.arrived && !is_held_back(facts, i, topic);
            found.check(law::keys_apart, !complained_, [&] {
                return one.what.id + " of key " + one.what.partitionkey +
                       " waits, and no event of its key failed";
            });
        }
    }

private:
    /// Whether the event, or one of its key before it, was expected to fail.
    template <class Topic>
    [[nodiscard]] static bool is_held_back(const publishing_record& facts, std::size_t which,
                                           const Topic& topic) {
        const auto& all = facts.committed;
        const auto& key = all[which].what.partitionkey;
        for (std::size_t i = 0; i <= which; ++i) {
            if ((i == which || (!key.empty() && all[i].what.partitionkey == key)) &&
                (all[i].expected != outbox_fate::published || topic.refuses(all[i].what.id))) {
                return true;
            }
        }
        return false;
    }

    duration patience_;
    steady_time quiet_since_;
    std::uint64_t faults_seen_ = 0;
    bool complained_ = false;  ///< once is enough
};

/// Judges what was published, at the end of a run that has settled or not.
inline void judge_published(world& home, const publishing_record& facts, bool settled) {
    auto& found = home.run().found;
    check_published_in_order(found, facts);
    if (settled) {
        check_all_published(found, facts);
    }
    check_given_up(found, facts);
    found.check(law::no_escape, home.escaped() == 0, "a step threw");
    if (settled) {
        check_published_as_without_faults(found, facts);
    }
    for (const auto& one : facts.arrived) {
        home.note("end", "the topic has", facts.committed[one.which].what.id);
    }
}

}  // namespace sinew::testing
