// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "conformance/fresh.hpp"
#include "postgres/parts.hpp"
#include "postgres/proxy.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/testing/conformance/journal.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::test;
using namespace sinew::testing::conformance;
using namespace std::chrono_literals;
namespace postgres = sinew::postgres;

static_assert(sinew::journal<postgres::journal, postgres::store>);
static_assert(std::copyable<postgres::journal>);

namespace {

struct postgres_journal_environment : real_time {
    place here;
    std::unique_ptr<proxy> between = std::make_unique<proxy>(postgres_server::shared().folder());

    [[nodiscard]] postgres::store open() const {
        return postgres::store(
            between->through(here.conninfo, postgres_server::shared().folder()),
            {.schema = here.schema, .lock_timeout = std::chrono::milliseconds(20)});
    }
    [[nodiscard]] postgres::journal journal_of(postgres::store& s) const {
        return s.journal("processes", {.seats = 4, .early_replies_max = 20});
    }
    /// All sessions end, as they do when their processes die.
    void crash() const {
        own_connection(here.conninfo)
            .ask(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE "
                "pid <> pg_backend_pid() AND backend_type = 'client backend'");
    }
    /// By what the write holds: how its statement is called, and whether it brings a commit of its
    /// own, differs.
    void lose_reply() const { between->lose_reply_to("a result"); }
};

/// A journal whose writes take each of their ways in turn: as they are, in a transaction of the
/// service, and together with one that is stale.
class turning_journal : public postgres::journal {
public:
    turning_journal(postgres::journal of, postgres::store& s)
        : postgres::journal(std::move(of)), store_(&s) {}

    using postgres::journal::write;
    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until = never) {
        static int turn = 0;
        std::vector<write_result> out;
        for (const auto& one : writes) {
            const int way = ++turn % 3;
            if (way == 0) {
                out.push_back(postgres::journal::write({&one, 1}, now, until).front());
            } else if (way == 1) {
                auto tx = store_->begin();
                out.push_back(write(tx, one, now));
                if (out.back().how == fenced_result::done) {
                    RC_ASSERT(tx.commit() == commit_result::committed);
                }
            } else {
                journal_write stale;
                stale.claim = {INT64_MAX, 1};
                const journal_write both[] = {stale, one};
                const auto came = postgres::journal::write(both, now, until);
                RC_ASSERT(came[0].how == fenced_result::stale);
                out.push_back(came[1]);
            }
        }
        return out;
    }

private:
    postgres::store* store_;
};

struct turning_environment : real_time {
    place here{};

    [[nodiscard]] postgres::store open() const { return here.open(); }
    [[nodiscard]] turning_journal journal_of(postgres::store& s) const {
        return {s.journal("processes", options), s};
    }
    journal_options options{.seats = 4, .early_replies_max = 20};
};

namespace histories = sinew::testing::conformance::detail;

}  // namespace

TEST_CASE("postgres: law: on the same random tapes the journal answers as the one in memory") {
    turning_environment env;
    histories::memory_journal_environment model(env.options);
    int played = 0;
    sinew::test::prop("whichever way its writes go", [&] {
        using tape_step = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;
        const auto tape = *rc::gen::scale(2, rc::gen::arbitrary<std::vector<tape_step>>());
        using player = histories::journal_player<turning_environment>;
        const std::string name = "tape " + std::to_string(++played);
        player real(env, name);
        histories::journal_player<histories::memory_journal_environment> expected(model, name);
        for (const auto& [kind, a, b] : tape) {
            const histories::step one{kind % player::kinds, a % 3U, b % 4U};
            const auto answer = histories::play(expected, one);
            const auto came = histories::play(real, one);
            RC_LOG() << histories::show_step<player>(one) << '\n';
            RC_ASSERT(came == answer);
        }
    });
}

TEST_CASE("postgres: the journal keeps every claim") {
    const auto table = journal_claims("postgres::journal", fresh<postgres_journal_environment>,
                                      {.connections = true});
    INFO(table.text());
    CHECK(table.all_kept());
    CHECK(table.count(claim_state::not_claimed) == 0);
}
