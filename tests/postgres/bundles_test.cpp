// SPDX-License-Identifier: BSL-1.0
// Where bundles of an outbox begin and end: what is written, read, marked and split, each beside
// the simplest way to say the same.
#include "support/test.hpp"

#include <sinew/adapters/postgres/outbox_bundles.hpp>
#include <sinew/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::postgres::detail;
using sinew::test::prop;

namespace {

using columns = std::vector<std::string>;

/// As the page says: how many, the lengths of all, the columns of all.
std::string bundle_by_hand(const std::vector<columns>& events) {
    std::string out;
    const auto put = [&out](std::size_t value) {
        out += static_cast<char>(value / 256);
        out += static_cast<char>(value % 256);
    };
    put(events.size());
    for (const auto& one : events) {
        for (const auto& column : one) {
            put(column.size());
        }
    }
    for (const auto& one : events) {
        for (const auto& column : one) {
            out += column;
        }
    }
    return out;
}

/// Events of few short keys, so that keys meet.
std::vector<columns> any_events(std::size_t most) {
    std::vector<columns> out(*rc::gen::inRange<std::size_t>(1, most + 1));
    for (auto& one : out) {
        one.resize(event_columns_count);
        for (auto& column : one) {
            column = *rc::gen::resize(3, rc::gen::string<std::string>());
        }
        one[key_part] = *rc::gen::element<std::string>("", "a", "b", std::string("a\0", 2));
    }
    return out;
}

std::vector<columns> read_all(std::string_view bytes) {
    bundle_reader in(bytes);
    std::vector<columns> out;
    event_parts parts;
    for (std::size_t i = 0; i < in.entries(); ++i) {
        in.next(parts);
        out.emplace_back(parts.begin(), parts.end());
    }
    return out;
}

/// The keys that are held back, in the form in which the server tells them.
std::string told(const std::vector<std::pair<std::string, std::int64_t>>& held) {
    std::string out;
    const auto put = [&out](std::uint64_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; --i) {
            out += static_cast<char>((value >> (8 * i)) & 0xffU);
        }
    };
    for (const auto& [key, number] : held) {
        put(static_cast<std::uint64_t>(number), 8);
        put(key.size(), 4);
        out += key;
    }
    return out;
}

struct runs_of {
    std::vector<std::pair<std::int64_t, std::int64_t>> all{};

    explicit runs_of(std::span<const std::int64_t> numbers) {
        for_each_run(numbers,
                     [&](const entry_run& one) { all.emplace_back(one.number, one.entries); });
    }
};

}  // namespace

TEST_CASE("bundles: what was written is read") {
    prop("for any columns, keys and numbers of events", [] {
        const auto events = any_events(bundle_entries_max);
        const std::string bytes = bundle_by_hand(events);
        RC_ASSERT((read_all(bytes) == events));
        std::size_t size = 0;
        for (const auto& one : events) {
            for (const auto& column : one) {
                size += column.size();
            }
        }
        RC_ASSERT(bundle_reader(bytes).event_bytes() == size);
        RC_ASSERT(bytes.size() == bundle_head + events.size() * bundled_head + size);
    });
}

TEST_CASE("bundles: one that is cut off is damaged, wherever it ends") {
    prop("for any length", [] {
        auto events = any_events(4);
        events.back().back() += "the end";
        const std::string bytes = bundle_by_hand(events);
        const auto length = *rc::gen::inRange<std::size_t>(0, bytes.size());
        RC_ASSERT_THROWS_AS(read_all(std::string_view(bytes).substr(0, length)), error);
    });
    CHECK_THROWS_AS(read_all(bundle_by_hand({})), error);
    const columns empty(event_columns_count);
    CHECK(read_all(bundle_by_hand(std::vector<columns>(64, empty))).size() == 64);
    CHECK_THROWS_AS(read_all(bundle_by_hand(std::vector<columns>(65, empty))), error);
}

TEST_CASE("bundles: one holds what belongs together, in order, as far as it has room") {
    prop("for any sizes", [] {
        const auto sizes = *rc::gen::container<std::vector<std::size_t>>(rc::gen::oneOf(
            rc::gen::inRange<std::size_t>(0, 30), rc::gen::inRange<std::size_t>(2'000, 4'000),
            rc::gen::inRange<std::size_t>(7'500, 7'700)));
        const auto stranger = *rc::gen::inRange<std::size_t>(1, 100);
        std::size_t expected = 0;
        for (std::size_t count = 1; count <= sizes.size(); ++count) {
            std::size_t bytes = 2;
            for (std::size_t i = 0; i < count; ++i) {
                bytes += 28 + sizes[i];
            }
            if (bytes <= 7'600 && count <= 64 && count <= stranger) {
                expected = count;
            }
        }
        RC_ASSERT(bundle_length(
                      sizes.size(), [&](std::size_t i) { return sizes[i]; },
                      [&](std::size_t i) { return i < stranger; }) == expected);
    });
    const auto of = [](std::size_t entries, std::size_t size) {
        return bundle_length(
            entries, [&](std::size_t) { return size; }, [](std::size_t) { return true; });
    };
    CHECK(of(1'000, 0) == 64);
    CHECK(of(1, 7'570) == 1);
    CHECK(of(1, 7'571) == 0);
    CHECK(of(1, SIZE_MAX) == 0);
    CHECK(of(2, 3'771) == 2);
    CHECK(of(2, 3'772) == 1);
}

TEST_CASE("bundles: entries are marked together from the number of a row on, without a hole") {
    prop("for any numbers", [] {
        // Whole bundles, parts of them and rows of their own.
        std::vector<std::int64_t> numbers;
        std::int64_t row = 0;
        const auto rows = *rc::gen::inRange(0, 6);
        for (int i = 0; i < rows; ++i) {
            row += 64 * *rc::gen::inRange(1, 3);
            const auto from = *rc::gen::element(0, 0, 0, 1, 5);
            const auto entries = *rc::gen::element(1, 2, 7, 59, 64);
            for (int j = from; j < std::min(from + entries, 64); ++j) {
                if (*rc::gen::inRange(0, 30) != 0) {
                    numbers.push_back(row + j);
                }
            }
        }
        std::vector<std::pair<std::int64_t, std::int64_t>> expected;
        bool goes_on = false;  // whether the last number is of a run that began with a row
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (numbers[i] % 64 == 0) {
                expected.emplace_back(numbers[i], 1);
                goes_on = true;
            } else if (goes_on && numbers[i] == numbers[i - 1] + 1) {
                ++expected.back().second;
            } else {
                expected.emplace_back(numbers[i], 1);
                goes_on = false;
            }
        }
        RC_ASSERT((runs_of(numbers).all == expected));
    });
    std::vector<std::int64_t> two_bundles;
    for (std::int64_t i = 128; i < 256; ++i) {
        two_bundles.push_back(i);
    }
    CHECK(runs_of(two_bundles).all ==
          std::vector<std::pair<std::int64_t, std::int64_t>>{{128, 64}, {192, 64}});
}

TEST_CASE("bundles: one is split if the key of an entry is held back by an entry before it") {
    prop("for any keys that are held back", [] {
        const auto events = any_events(8);
        const std::int64_t number = 640;
        std::vector<std::pair<std::string, std::int64_t>> held;
        const auto keys = *rc::gen::inRange(0, 4);
        for (int i = 0; i < keys; ++i) {
            held.emplace_back(*rc::gen::element<std::string>("a", "b", "c", std::string("a\0", 2)),
                              *rc::gen::inRange<std::int64_t>(636, 652));
        }
        bool expected = false;
        for (std::size_t i = 0; i < events.size(); ++i) {
            for (const auto& [key, by] : held) {
                expected = expected || (events[i][key_part] == key &&
                                        by < number + static_cast<std::int64_t>(i));
            }
        }
        held_keys all;
        all.read(told(held));
        RC_ASSERT(all.empty() == held.empty());
        RC_ASSERT(all.hold_some_of(bundle_by_hand(events), number) == expected);
    });
    held_keys none;
    CHECK_THROWS_AS(none.read(told({{"key", 1}}).substr(0, 14)), error);
    CHECK_THROWS_AS(none.read("short"), error);
}

TEST_CASE("bundles: an entry lies in the bundle of the last row's number up to its own") {
    for (std::int64_t number = -130; number <= 130; ++number) {
        std::int64_t row = -192;
        while (row + 64 <= number) {
            row += 64;
        }
        CHECK(bundle_of(number) == row);
    }
    STATIC_REQUIRE(bundle_of(127) == 64);
    STATIC_REQUIRE(bundle_of(128) == 128);
}
