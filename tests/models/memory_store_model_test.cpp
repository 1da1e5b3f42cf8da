// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
using sinew::commit_result;

namespace {

using values = std::map<std::string, std::string>;

/// A transaction as one would write it without a thought for cost: a copy of everything.
struct naive_transaction {
    values seen;
    values before_nested;
    std::set<std::string> touched{};
    std::map<std::string, int> versions;
    bool nested = false;
    /// What it did, to be done again alone: key, and what was read or is written.
    struct deed {
        bool is_read;
        std::string key;
        std::optional<std::string> value;
    };
    std::vector<deed> deeds{};
    std::size_t deeds_before_nested = 0;
};

struct naive_database {
    values committed;
    std::map<std::string, int> versions;
    std::vector<std::vector<naive_transaction::deed>> history;

    commit_result commit(naive_transaction& tx) {
        for (const auto& key : tx.touched) {
            if (versions[key] != tx.versions[key]) {
                return commit_result::aborted;
            }
        }
        for (const auto& one : tx.deeds) {
            if (!one.is_read) {
                ++versions[one.key];
                apply(committed, one);
            }
        }
        history.push_back(tx.deeds);
        return commit_result::committed;
    }

    static void apply(values& to, const naive_transaction::deed& one) {
        if (one.value) {
            to[one.key] = *one.value;
        } else {
            to.erase(one.key);
        }
    }
};

std::optional<std::string> look(const values& in, const std::string& key) {
    const auto found = in.find(key);
    return found == in.end() ? std::nullopt : std::optional(found->second);
}

/// A connection with its transaction, and the model of it.
struct pair {
    explicit pair(const memory::database& data) : store(data) {}
    memory::store store;
    std::optional<memory::transaction> real{};
    naive_transaction model{};
};

void do_one(pair& at, naive_database& model, std::uint8_t what, const std::string& key,
            const std::string& value) {
    if (!at.real) {
        at.real.emplace(at.store.begin());
        at.model = {.seen = model.committed, .before_nested = {}, .versions = model.versions};
    }
    auto& naive = at.model;
    switch (what % 8) {
        case 0:
        case 1: {
            const auto expected = look(naive.seen, key);
            RC_ASSERT(at.real->get(key) == expected);
            naive.touched.insert(key);
            naive.deeds.push_back({true, key, expected});
            break;
        }
        case 2:
        case 3:
        case 4: {
            const auto wanted = what % 8 == 4 ? std::nullopt : std::optional(value);
            wanted ? at.real->put(key, *wanted) : at.real->erase(key);
            naive.touched.insert(key);
            naive.deeds.push_back({false, key, wanted});
            naive_database::apply(naive.seen, naive.deeds.back());
            break;
        }
        case 5:
            if (!naive.nested) {
                at.real->nest();
                naive.before_nested = naive.seen;
                naive.deeds_before_nested = naive.deeds.size();
            } else if (value.size() % 2 == 0) {
                at.real->keep_nested();
            } else {
                at.real->undo_nested();
                naive.seen = naive.before_nested;
                naive.deeds.resize(naive.deeds_before_nested);
            }
            naive.nested = !naive.nested;
            break;
        case 6: at.real.reset(); break;
        default:
            RC_ASSERT(at.real->commit() == model.commit(naive));
            at.real.reset();
            break;
    }
}

}  // namespace

TEST_CASE("memory::store model: interleaved transactions behave as copies of everything would") {
    sinew::test::prop("and those that commit are as if they had run one after the other", [] {
        const auto tape = *rc::gen::scale(4, rc::gen::arbitrary<std::vector<std::uint8_t>>());
        memory::database data;
        naive_database model;
        std::vector<pair> at;
        for (int i = 0; i < 3; ++i) {
            at.emplace_back(data);
        }
        for (std::size_t i = 0; i + 2 < tape.size(); i += 3) {
            const std::string key(1, static_cast<char>('a' + tape[i + 2] % 3));
            do_one(at[tape[i] % 3], model, tape[i + 1], key, std::string(i % 7, 'v'));
            RC_ASSERT(at[0].store.items().size() == model.committed.size());
        }
        at.clear();
        RC_ASSERT(data.open_transactions() == 0U);

        const auto items = memory::store(data).items();
        RC_ASSERT(values(items.begin(), items.end()) == model.committed);
        values alone;
        for (const auto& deeds : model.history) {
            for (const auto& one : deeds) {
                if (one.is_read) {
                    RC_ASSERT(look(alone, one.key) == one.value);
                } else {
                    naive_database::apply(alone, one);
                }
            }
        }
        RC_ASSERT(alone == model.committed);
        RC_CLASSIFY(model.history.size() > 3, "several commits");
    });
}
