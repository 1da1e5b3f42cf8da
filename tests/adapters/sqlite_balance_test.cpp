// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/adapters/sqlite/balance.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using sqlite::detail::assignment_row;
using sqlite::detail::member_number;

constexpr duration timeout = 30s;
constexpr steady_time start = steady_time(1000s);

std::vector<assignment_row> free_rows(std::size_t count) {
    std::vector<assignment_row> rows(count);
    for (std::size_t i = 0; i < count; ++i) {
        rows[i].partition = static_cast<partition_id>(i);
    }
    return rows;
}

std::map<member_number, std::size_t> held(const std::vector<assignment_row>& rows) {
    std::map<member_number, std::size_t> counts;
    for (const auto& row : rows) {
        if (row.member && !row.revoke_end) {
            ++counts[*row.member];
        }
    }
    return counts;
}

/// What a group may look like in the file, whoever wrote it.
std::vector<assignment_row> any_rows() {
    auto rows = free_rows(*rc::gen::inRange<std::size_t>(0, 20));
    for (auto& row : rows) {
        const int owner = *rc::gen::inRange(0, 7);
        if (owner != 0) {
            row.member = owner;
            if (*rc::gen::inRange(0, 4) == 0) {
                row.revoke_end = start + *rc::gen::inRange(-40, 80) * 1s;
            }
        }
        row.epoch = *rc::gen::inRange<epoch_number>(0, 9);
    }
    return rows;
}

std::vector<member_number> any_members() {
    std::vector<member_number> members;
    for (member_number one = 1; one <= 6; ++one) {
        if (*rc::gen::inRange(0, 2) == 1) {
            members.push_back(one);
        }
    }
    return members;
}

}  // namespace

TEST_CASE("sqlite balance: free partitions go to who has least") {
    auto rows = free_rows(5);
    sqlite::detail::balance({7, 8}, rows, start, timeout);
    REQUIRE(held(rows) == std::map<member_number, std::size_t>{{7, 3}, {8, 2}});
    for (const auto& row : rows) {
        REQUIRE(row.epoch == 1);
        REQUIRE(row.changed);
    }
}

TEST_CASE("sqlite balance: more members than partitions leave some with none") {
    auto rows = free_rows(2);
    sqlite::detail::balance({1, 2, 3}, rows, start, timeout);
    REQUIRE(held(rows) == std::map<member_number, std::size_t>{{1, 1}, {2, 1}});
}

TEST_CASE("sqlite balance: nobody there, nothing held") {
    auto rows = free_rows(3);
    sqlite::detail::balance({1}, rows, start, timeout);
    sqlite::detail::balance({}, rows, start, timeout);
    REQUIRE(held(rows).empty());
    sqlite::detail::balance({2}, rows, start, timeout);
    REQUIRE(rows[0].epoch == 2);
}

TEST_CASE(
    "sqlite balance: a newcomer gets its share by revocation, and no more moves than needed") {
    auto rows = free_rows(6);
    sqlite::detail::balance({1, 2}, rows, start, timeout);
    sqlite::detail::balance({1, 2, 3}, rows, start, timeout);
    int revoking = 0;
    for (const auto& row : rows) {
        revoking += row.revoke_end ? 1 : 0;
    }
    REQUIRE(revoking == 2);
    REQUIRE(held(rows) == std::map<member_number, std::size_t>{{1, 2}, {2, 2}});
    for (auto& row : rows) {
        if (row.revoke_end) {
            REQUIRE(row.revoke_end == start + timeout);
            row.free();
        }
    }
    sqlite::detail::balance({1, 2, 3}, rows, start, timeout);
    REQUIRE(held(rows) == std::map<member_number, std::size_t>{{1, 2}, {2, 2}, {3, 2}});
}

TEST_CASE("sqlite balance: its rules hold whatever the file says") {
    test::prop("one call", [] {
        const auto before = any_rows();
        const auto members = any_members();
        const std::set<member_number> alive(members.begin(), members.end());
        auto after = before;
        sqlite::detail::balance(members, after, start, timeout);
        for (std::size_t i = 0; i < before.size(); ++i) {
            const auto& was = before[i];
            const auto& is = after[i];
            const bool lives = was.member && alive.contains(*was.member);
            const bool over =
                was.revoke_end && (*was.revoke_end <= start || *was.revoke_end > start + timeout);
            RC_ASSERT((!is.member || alive.contains(*is.member)));
            RC_ASSERT(is.through == was.through);
            // A partition that its living member holds changes hands through a revocation alone.
            if (lives && !over) {
                RC_ASSERT((is.member == was.member && is.epoch == was.epoch));
                RC_ASSERT((!was.revoke_end || is.revoke_end == was.revoke_end));
            } else if (is.member) {
                RC_ASSERT((is.epoch == was.epoch + 1 && !is.revoke_end));
            }
            const bool differs =
                is.member != was.member || is.epoch != was.epoch || is.revoke_end != was.revoke_end;
            RC_ASSERT((!differs || is.changed));
        }
        for (const auto& row : after) {
            RC_ASSERT((members.empty() || row.member.has_value()));
        }
        // The same rows give nothing more to do.
        auto again = after;
        for (auto& row : again) {
            row.changed = false;
        }
        sqlite::detail::balance(members, again, start, timeout);
        for (const auto& row : again) {
            RC_ASSERT(!row.changed);
        }
    });
    test::prop("once all that is revoked was released, members differ by one at most", [] {
        auto rows = any_rows();
        auto members = any_members();
        members.push_back(7);
        for (int i = 0; i < 3; ++i) {
            sqlite::detail::balance(members, rows, start, timeout);
            for (auto& row : rows) {
                if (row.revoke_end) {
                    row.free();
                }
            }
        }
        sqlite::detail::balance(members, rows, start, timeout);
        const auto counts = held(rows);
        for (const auto one : members) {
            const auto found = counts.find(one);
            const std::size_t count = found == counts.end() ? 0 : found->second;
            RC_ASSERT((count == rows.size() / members.size() ||
                       count == rows.size() / members.size() + 1));
        }
    });
}
