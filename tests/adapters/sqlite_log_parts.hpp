// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the log in SQLite share: a listener that remembers, and a log whose clock
/// stands still unless it is told to go on.

#include "adapters/sqlite_support.hpp"
#include "support/test.hpp"

#include <sinew/adapters/sqlite/log.hpp>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sinew::test::sqlite_log {

using namespace std::chrono_literals;

/// Remembers what it is told, and in which order.
struct listener {
    void assigned(assignment a) {
        owned.insert(a.partition);
        story += "+" + std::to_string(a.partition);
        epochs[a.partition] = a.epoch;
    }
    void revoked(revocation r) {
        story += "!" + std::to_string(r.partition);
        last_revocation = r;
    }
    void lost(assignment a) {
        owned.erase(a.partition);
        story += "-" + std::to_string(a.partition);
    }
    void message(sqlite::message&& one) { got.push_back(std::move(one)); }

    [[nodiscard]] std::vector<std::string> ids() const {
        std::vector<std::string> out;
        for (const auto& one : got) {
            out.emplace_back(one.view().id);
        }
        return out;
    }

    std::set<partition_id> owned;
    std::string story;
    epoch_number epochs[64]{};
    std::optional<revocation> last_revocation;
    std::vector<sqlite::message> got;
};

using ids = std::vector<std::string>;
inline constexpr poll_limits plenty{1000, 1U << 20U};

/// A log with one topic, and a clock that stands still unless it is told to go on.
struct fixture {
    explicit fixture(std::uint32_t partitions = 1, std::string member = {})
        : log(folder.file(), options(partitions, std::move(member))) {}

    sqlite::log_options options(std::uint32_t partitions, std::string member = {}) {
        return {.topic = {partitions},
                .member = std::move(member),
                .lease = 10s,
                .revoke_timeout = 30s,
                .synchronous = sqlite::synchronous::normal,
                .now = [time = time] { return *time; }};
    }
    void publish(const std::string& id, partition_id partition = 0) {
        log.append("orders", partition, make_event(id, "k").view());
    }
    void pass(duration span) { time->steady = later(time->steady, span); }
    [[nodiscard]] log_offset committed(partition_id partition = 0) {
        return log.committed("orders", "stock", partition);
    }
    [[nodiscard]] sqlite::member join(const std::string& name = {}) {
        return log.join("orders", "stock", {.member = name});
    }

    std::shared_ptr<moment> time = std::make_shared<moment>(machine_clock::now());
    temp_folder folder;
    sqlite::log log;
};

}  // namespace sinew::test::sqlite_log
