// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/store.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sqlite = sinew::sqlite;
using sinew::applied_offsets;
using sinew::commit_result;
using sinew::key_progress;
using sinew::test::no_waiting;

namespace {

/// What a store holds, as plain containers.
struct contents {
    std::set<std::pair<std::string, std::string>> inbox{};
    std::map<std::string, key_progress> progress{};
    std::map<sinew::partition_id, applied_offsets> offsets{};
    std::map<std::string, std::int64_t> effects{};
};

/// A store, and the copy of everything that its transaction works on.
struct pair {
    explicit pair(const std::string& file)
        : store(file, {.synchronous = sqlite::synchronous::normal}) {}

    sqlite::store store;
    std::optional<sqlite::transaction> real{};
    contents seen{};
    std::optional<contents> before_nested{};
};

void read_one(pair& at, std::uint8_t what, const std::string& key) {
    const auto found = at.seen.progress.find(key);
    const auto expected = found == at.seen.progress.end() ? key_progress() : found->second;
    RC_ASSERT(at.real->progress("c", key) == expected);
    const auto effect = at.seen.effects.find(key);
    RC_ASSERT(at.real->query_one<std::int64_t>("SELECT n FROM effects WHERE key = ?", key) ==
              (effect == at.seen.effects.end() ? std::nullopt
                                               : std::optional(std::tuple(effect->second))));
    const auto offsets = at.seen.offsets.find(what % 2);
    RC_ASSERT(at.real->offsets("c", "t", what % 2) ==
              (offsets == at.seen.offsets.end() ? applied_offsets() : offsets->second));
}

void write_one(pair& at, std::uint8_t what, const std::string& key) {
    switch (what % 4) {
        case 0:
            RC_ASSERT(at.real->remember("c", {"/s", key}, {}) ==
                      at.seen.inbox.insert({"/s", key}).second);
            break;
        case 1: {
            auto& progress = at.seen.progress[key];
            progress.advance_past(what);
            at.real->set_progress("c", key, progress);
            break;
        }
        case 2: {
            auto& offsets = at.seen.offsets[what % 2];
            offsets.add(what);
            at.real->set_offsets("c", "t", what % 2, offsets);
            break;
        }
        default:
            ++at.seen.effects[key];
            at.real->execute(
                "INSERT INTO effects VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1", key);
            break;
    }
}

void nest_one(pair& at, std::uint8_t what) {
    if (!at.before_nested) {
        at.real->nest();
        at.before_nested = at.seen;
    } else if (what % 2 == 0) {
        at.real->keep_nested();
        at.before_nested.reset();
    } else {
        at.real->undo_nested();
        at.seen = *std::exchange(at.before_nested, std::nullopt);
    }
}

void do_one(pair& at, bool other_is_open, contents& committed, std::uint8_t what,
            const std::string& key) {
    const auto known = committed.progress.find(key);
    RC_ASSERT(at.store.progress("c", key, no_waiting) ==
              (known == committed.progress.end() ? key_progress() : known->second));
    if (!at.real) {
        if (other_is_open) {
            RC_ASSERT_THROWS_AS(static_cast<void>(at.store.begin(no_waiting)), sqlite::busy_error);
            return;
        }
        at.real.emplace(at.store.begin(no_waiting));
        at.seen = committed;
        at.before_nested.reset();
    }
    switch (what / 4 % 8) {
        case 0:
        case 1: read_one(at, what, key); break;
        case 2:
        case 3:
        case 4: write_one(at, what, key); break;
        case 5: nest_one(at, what); break;
        case 6: at.real.reset(); break;
        default:
            RC_ASSERT(at.real->commit() == commit_result::committed);
            at.real.reset();
            committed = at.seen;
            break;
    }
}

}  // namespace

TEST_CASE("sqlite::store model: transactions behave as copies of everything would") {
    sinew::test::prop("of two stores on one file", [] {
        const auto tape = *rc::gen::scale(
            4, rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, std::uint8_t>>>());
        const sinew::test::temp_folder folder;
        contents committed;
        {
            pair first(folder.file());
            pair second(folder.file());
            first.store.connection().execute_script("CREATE TABLE effects(key PRIMARY KEY, n)");
            for (const auto& [what, which] : tape) {
                auto& at = which % 2 == 0 ? first : second;
                const bool other_is_open = (which % 2 == 0 ? second : first).real.has_value();
                do_one(at, other_is_open, committed, what,
                       std::string(1, static_cast<char>('a' + which / 2 % 3)));
            }
        }
        // What was open is gone; what was committed is there after a new start.
        pair again(folder.file());
        again.real.emplace(again.store.begin());
        again.seen = committed;
        for (const char* key : {"a", "b", "c"}) {
            read_one(again, 0, key);
            read_one(again, 1, key);
            RC_ASSERT(again.store.remembers("c", {"/s", key}) ==
                      (committed.inbox.count({"/s", key}) == 1U));
        }
        RC_CLASSIFY(committed.effects.size() > 1, "several effects");
    });
}
