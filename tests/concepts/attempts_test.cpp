// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/attempts.hpp>

#include <cstdint>
#include <string_view>

using namespace sinew;

namespace {

/// The smallest attempt log: it remembers nothing.
struct archetype_attempts {
    bool opened(std::string_view, std::string_view, partition_id) { return false; }
    void closed(std::string_view, std::string_view, partition_id) {}
    std::uint32_t begun(std::string_view, std::string_view, position, wall_time) { return 1; }
    void ended(std::string_view, std::string_view, position) {}
};

struct attempts_without_opened : archetype_attempts {
    void opened() = delete;
};
struct attempts_opened_silently : archetype_attempts {
    void opened(std::string_view, std::string_view, partition_id) {}
};
struct attempts_without_closed : archetype_attempts {
    void closed() = delete;
};
struct attempts_without_begun : archetype_attempts {
    void begun() = delete;
};
struct attempts_begun_without_a_count : archetype_attempts {
    void begun(std::string_view, std::string_view, position, wall_time) {}
};
struct attempts_begun_without_time : archetype_attempts {
    std::uint32_t begun(std::string_view, std::string_view, position) { return 1; }
};
struct attempts_without_ended : archetype_attempts {
    void ended() = delete;
};

}  // namespace

TEST_CASE("an attempt log notes partitions that are open, and counts the starts of an event") {
    STATIC_REQUIRE(attempt_log<archetype_attempts>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_without_opened>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_opened_silently>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_without_closed>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_without_begun>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_begun_without_a_count>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_begun_without_time>);
    STATIC_REQUIRE_FALSE(attempt_log<attempts_without_ended>);
}
