// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the in-memory adapter share: short events, and listeners that write down what
/// they hear.

#include <sinew/adapters/memory.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test::in_memory {

inline event make_event(std::string id, std::string key = {}, std::string data = "x") {
    return {.id = std::move(id),
            .source = "/test",
            .type = "test.happened",
            .data = std::move(data),
            .partitionkey = std::move(key)};
}

inline constexpr poll_limits everything{.events = 1'000'000, .bytes = 1'000'000'000};
inline constexpr poll_limits nothing_at_all{};
inline constexpr steady_time start{};

/// Hears what a log says and keeps the messages.
struct log_ear {
    std::vector<std::string> heard{};  ///< such as "assigned 0"
    std::vector<assignment> assignments{};
    std::vector<revocation> revocations{};
    std::vector<assignment> losses{};
    std::vector<memory::message> messages{};

    void assigned(assignment a) {
        heard.push_back("assigned " + std::to_string(a.partition));
        assignments.push_back(a);
    }
    void revoked(revocation r) {
        heard.push_back("revoked " + std::to_string(r.partition));
        revocations.push_back(r);
    }
    void lost(assignment a) {
        heard.push_back("lost " + std::to_string(a.partition));
        losses.push_back(a);
    }
    void message(memory::message&& m) {
        heard.push_back(std::string(m.view().id));
        messages.push_back(std::move(m));
    }

    [[nodiscard]] std::vector<std::string> ids() const {
        std::vector<std::string> out;
        for (const auto& m : messages) {
            out.emplace_back(m.view().id);
        }
        return out;
    }
    /// The epoch under which a partition was assigned last.
    [[nodiscard]] epoch_number epoch_of(partition_id partition) const {
        epoch_number out = 0;
        for (const auto& a : assignments) {
            out = a.partition == partition ? a.epoch : out;
        }
        return out;
    }
};

/// One poll, and what it brought.
inline log_ear poll(memory::member& from, poll_limits limits = everything) {
    log_ear ear;
    from.poll(limits, start, ear);
    return ear;
}

using texts = std::vector<std::string>;

}  // namespace sinew::test::in_memory
