// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories of a source, compared with the in-memory log.
///
/// One member at a time: how partitions are shared among several is the group's own business. What
/// is compared is what a drain delivers of each partition, and each commit's answer.
///
/// **Bounds.** `source_histories_max` histories, each on an environment of its own.

#include <sinew/adapters/memory/log.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/position.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/random_history.hpp>
#include <sinew/testing/conformance/source_environment.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing::conformance::detail {

inline constexpr int source_histories_max = 30;

/// Carries out the steps of one history on a log with a member.
template <class Env>
class source_player {
public:
    enum kind : std::uint64_t {
        append,
        drain,
        commit,
        commit_first,
        release,
        rejoin,
        pause,
        resume,
        kinds
    };
    static constexpr std::array<step_name, kinds> names{{{"append", 1},
                                                         {"drain"},
                                                         {"commit", 1},
                                                         {"commit the first", 1},
                                                         {"release and commit", 1},
                                                         {"join anew"},
                                                         {"pause", 1},
                                                         {"resume", 1}}};

    source_player(Env& env, std::string /*name*/) : env_(&env) { member_.emplace(env); }

    std::string play(const step& one, std::string_view expected = {}) {
        const auto p = static_cast<partition_id>(one.a);
        switch (static_cast<kind>(one.kind)) {
            case append:
                env_->append(p, plain_event(std::to_string(++appended_), "k").view());
                return {};
            case drain: return deliver(expected);
            case commit: return commit_one(p, false);
            case commit_first: return commit_one(p, true);
            case release: return release_and_commit(p);
            case rejoin: join_again(); return {};
            case pause:
                attend(p);
                member_->self.pause(p);
                return {};
            default:
                attend(p);
                member_->self.resume(p);
                return {};
        }
    }

private:
    /// Polls until the member has that partition.
    void attend(partition_id p) {
        static_cast<void>(eventually(
            *env_, [&](steady_time until) { member_->poll(until, {}); },
            [&] { return member_->held.contains(p); }));
    }

    void join_again() {
        drained_ = 0;
        member_.reset();
        member_.emplace(*env_);
    }

    /// What came since the last drain, by partition.
    [[nodiscard]] std::string delivered() const {
        std::string out;
        for (partition_id p = 0; p < partitions_of(*env_); ++p) {
            out += (p == 0 ? "" : "; ") + std::string("of ") + std::to_string(p) + ":";
            for (std::size_t i = drained_; i < member_->got.size(); ++i) {
                if (member_->got[i].where().partition == p) {
                    out += " " + std::string(member_->got[i].view().id);
                }
            }
        }
        return out;
    }

    std::string deliver(std::string_view expected) {
        for (partition_id p = 0; p < partitions_of(*env_); ++p) {
            attend(p);
        }
        static_cast<void>(poll_until(*env_, *member_,
                                     [&] { return expected.empty() || delivered() == expected; }));
        // And whatever comes beyond it.
        member_->poll(no_waiting);
        member_->poll(no_waiting);
        std::string out = delivered();
        drained_ = member_->got.size();
        return out;
    }

    /// Commits through the last message of a partition that was delivered under its epoch, or
    /// through the first.
    std::string commit_one(partition_id p, bool first) {
        attend(p);
        const auto epoch = member_->held.find(p);
        std::optional<log_offset> through;
        for (const auto& m : member_->got) {
            const bool fits = epoch != member_->held.end() && m.where().partition == p &&
                              m.epoch() == epoch->second;
            if (fits && !(first && through)) {
                through = m.where().offset;
            }
        }
        if (!through) {
            return {};
        }
        return show(member_->self.commit(p, epoch->second, *through, soon(*env_)));
    }

    /// Gives a partition back, and commits under the epoch that has ended by it.
    std::string release_and_commit(partition_id p) {
        attend(p);
        if (!member_->held.contains(p)) {
            return "not assigned";
        }
        const epoch_number epoch = member_->held[p];
        member_->release(p);
        std::string out;
        for (const auto& m : member_->got) {
            if (out.empty() && m.where().partition == p && m.epoch() == epoch) {
                out = show(member_->self.commit(p, epoch, m.where().offset, soon(*env_)));
            }
        }
        join_again();
        return out;
    }

    Env* env_;
    std::optional<hearing<Env>> member_{};
    std::size_t drained_ = 0;
    int appended_ = 0;
};

struct memory_log_environment : virtual_time {
    explicit memory_log_environment(std::size_t count)
        : log({.topic = {.partitions = static_cast<std::uint32_t>(count)}}) {}

    memory::log log;
    [[nodiscard]] memory::member join() { return log.join("t", "g"); }
    void append(partition_id p, const event_view& e) { log.append("t", p, e); }
    [[nodiscard]] std::uint32_t partitions() const { return log.partitions("t"); }
};

template <class Make>
void check_source_histories(check& c, Make make) {
    using env_type = decltype(make());
    const std::size_t partitions = [&] {
        auto env = make();
        return partitions_of(env);
    }();
    const auto make_model = [partitions] {
        memory_log_environment model(partitions);
        static_cast<void>(model.log.producer("t"));  // makes the topic
        return model;
    };
    compare_histories<source_player<env_type>, source_player<memory_log_environment>>(
        c, make, make_model, [partitions](const step& one) { return one.a < partitions; },
        source_histories_max);
}

}  // namespace sinew::testing::conformance::detail
