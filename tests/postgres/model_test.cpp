// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/memory/store.hpp>
#include <sinew/adapters/postgres/store.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
namespace postgres = sinew::postgres;
using sinew::applied_offsets;
using sinew::commit_result;
using sinew::key_progress;
using sinew::test::place;

namespace {

/// A connection to each of the two databases. Of a conflict both have to say the same; when it is
/// said may differ, as PostgreSQL refuses a write at once that the model refuses at the commit.
struct side {
    side(const place& here, const memory::database& data) : real(here.open()), model(data) {}

    postgres::store real;
    memory::store model;
    std::optional<postgres::transaction> tx{};
    std::optional<memory::transaction> model_tx{};
    bool nested = false;
    bool wrote = false;    ///< since the transaction began
    bool refused = false;  ///< PostgreSQL has refused a call
};

using tape_step = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;

std::string key_of(std::uint8_t which) {
    return std::string(1, static_cast<char>('a' + which % 3));
}

std::optional<std::int64_t> effect_of(postgres::transaction& tx, const std::string& key) {
    const auto row = tx.query_one<std::int64_t>("SELECT n FROM effects WHERE key = $1", key);
    return row ? std::optional(std::get<0>(*row)) : std::nullopt;
}

void look(side& at, std::uint8_t what, const std::string& key) {
    RC_ASSERT(at.tx->progress("c", key) == at.model_tx->progress("c", key));
    RC_ASSERT(at.tx->offsets("c", "t", what % 2) == at.model_tx->offsets("c", "t", what % 2));
    const auto in_model = at.model_tx->get(key);
    const auto expected =
        in_model ? std::optional<std::int64_t>(std::stoll(*in_model)) : std::nullopt;
    RC_ASSERT(effect_of(*at.tx, key) == expected);
}

void write(side& at, std::uint8_t what, const std::string& key) {
    at.wrote = true;
    switch (what % 4) {
        case 0: {
            const bool expected =
                at.model_tx->remember("c", {"/s", key + std::to_string(what / 64)}, {});
            RC_ASSERT(at.tx->remember("c", {"/s", key + std::to_string(what / 64)}, {}) ==
                      expected);
            break;
        }
        case 1: {
            auto progress = at.model_tx->progress("c", key);
            progress.advance_past(what);
            at.model_tx->set_progress("c", key, progress);
            at.tx->set_progress("c", key, progress);
            break;
        }
        case 2: {
            auto offsets = at.model_tx->offsets("c", "t", what % 2);
            offsets.add(what);
            at.model_tx->set_offsets("c", "t", what % 2, offsets);
            at.tx->set_offsets("c", "t", what % 2, offsets);
            break;
        }
        default:
            at.model_tx->add(key, 1);
            at.tx->execute(
                "INSERT INTO effects VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET n = "
                "effects.n + 1",
                key);
            break;
    }
}

void nest(side& at, std::uint8_t what) {
    if (!at.nested) {
        at.tx->nest();
        at.model_tx->nest();
    } else if (what % 2 == 0) {
        at.tx->keep_nested();
        at.model_tx->keep_nested();
    } else {
        at.tx->undo_nested();
        at.model_tx->undo_nested();
    }
    at.nested = !at.nested;
}

void end(side& at) {
    at.tx.reset();
    at.model_tx.reset();
    at.nested = at.wrote = at.refused = false;
}

/// One step on a connection that has the databases for itself: same calls, same answers.
void do_one(side& at, const tape_step& one) {
    const auto [what, how, which] = one;
    const std::string key = key_of(which);
    RC_ASSERT(at.real.progress("c", key) == at.model.progress("c", key));
    if (!at.tx) {
        at.tx.emplace(at.real.begin());
        at.model_tx.emplace(at.model.begin());
    }
    switch (how % 8) {
        case 0:
        case 1: look(at, what, key); break;
        case 2:
        case 3:
        case 4: write(at, what, key); break;
        case 5: nest(at, what); break;
        case 6: end(at); break;
        default:
            RC_ASSERT(at.model_tx->commit() == commit_result::committed);
            RC_ASSERT(at.tx->commit() == commit_result::committed);
            end(at);
            break;
    }
}

/// A place that each history finds empty.
struct ground {
    ground() {
        db.connection().execute_script(
            "CREATE TABLE effects(key text PRIMARY KEY, n bigint NOT NULL)");
    }
    void clear() { db.connection().execute_script("TRUNCATE effects, inbox, progress, offsets"); }

    place here;
    postgres::store db = here.open();
};

}  // namespace

TEST_CASE("postgres: a store answers as the one in memory does, call by call") {
    ground common;
    sinew::test::prop("of one connection", [&] {
        const auto tape = *rc::gen::scale(3, rc::gen::arbitrary<std::vector<tape_step>>());
        const place& here = common.here;
        common.clear();
        const memory::database data;
        {
            side only(here, data);
            for (const auto& one : tape) {
                do_one(only, one);
            }
            end(only);
        }
        // What was open is gone; what was committed is there after a new start.
        side again(here, data);
        again.tx.emplace(again.real.begin());
        again.model_tx.emplace(again.model.begin());
        for (std::uint8_t which = 0; which < 3; ++which) {
            look(again, which, key_of(which));
            RC_ASSERT(again.real.inbox_size() == again.model.inbox_size());
        }
        RC_CLASSIFY(again.model.inbox_size() > 2, "several events");
    });
}

TEST_CASE("postgres: of units of work that meet, those commit that do in memory") {
    ground common;
    sinew::test::prop("two connections, the second in the middle of the first", [&] {
        using unit = std::vector<std::pair<std::uint8_t, std::uint8_t>>;
        const auto tape =
            *rc::gen::scale(1, rc::gen::arbitrary<std::vector<std::pair<unit, unit>>>());
        const place& here = common.here;
        common.clear();
        const memory::database data;
        side first(here, data);
        side second(here, data);
        // As a consumer does: what it writes it has read before, but nothing else.
        const auto run = [](side& at, const unit& all) {
            for (const auto& [what, which] : all) {
                write(at, static_cast<std::uint8_t>(what % 3), key_of(which));
            }
        };
        const auto begin = [](side& at) {
            at.tx.emplace(at.real.begin());
            at.model_tx.emplace(at.model.begin());
            at.tx->execute("SELECT 1");  // the snapshot is taken here
        };
        int conflicts = 0;
        for (const auto& [mine, others] : tape) {
            begin(first);
            begin(second);
            run(second, others);
            RC_ASSERT(second.model_tx->commit() == commit_result::committed);
            RC_ASSERT(second.tx->commit() == commit_result::committed);
            end(second);
            try {
                run(first, mine);
            } catch (const postgres::serialization_error&) {
                first.refused = true;  // at once; the model says it at the commit
            }
            const auto expected = first.model_tx->commit();
            if (first.refused) {
                RC_ASSERT(expected == commit_result::aborted);
            }
            RC_ASSERT(first.tx->commit() == expected);
            conflicts += expected == commit_result::aborted ? 1 : 0;
            end(first);
        }
        RC_CLASSIFY(conflicts > 0, "conflicts");
        RC_ASSERT(first.real.inbox_size() == first.model.inbox_size());
        for (std::uint8_t which = 0; which < 3; ++which) {
            RC_ASSERT(first.real.progress("c", key_of(which)) ==
                      first.model.progress("c", key_of(which)));
        }
    });
}
