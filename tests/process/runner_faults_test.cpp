// SPDX-License-Identifier: BSL-1.0
#include "process/runner_support.hpp"

#include <functional>
#include <limits>
#include <vector>

using namespace sinew;
using namespace sinew::test;

namespace {

/// How the next calls of a kind end.
enum class fate : std::uint8_t { good, refused, lost, kept_silent, aborted, conflict };

struct fates {
    std::vector<fate> writes{};
    std::vector<fate> commits{};
    std::vector<fate> claims{};
    std::vector<fate> renewals{};
    std::vector<fate> finds{};
    bool is_away = false;
    std::size_t asked = 0;

    static fate next(std::vector<fate>& of) {
        if (of.empty()) {
            return fate::good;
        }
        const fate out = of.front();
        of.erase(of.begin());
        return out;
    }
    /// Throws before the call where it is refused; answers whether its answer gets lost.
    [[nodiscard]] bool before(std::vector<fate>& of) {
        ++asked;
        const fate one = is_away ? fate::refused : next(of);
        if (one == fate::refused || one == fate::lost) {
            throw unavailable_error("away", "the store is away");
        }
        if (one == fate::conflict) {
            throw transient_error("conflict", "somebody was in the way");
        }
        return one == fate::kept_silent;
    }
    static void after(bool is_lost) {
        if (is_lost) {
            throw unavailable_error("no_answer", "no answer");
        }
    }
};

class fated_journal : public memory::journal {
public:
    fated_journal(memory::journal real, std::shared_ptr<fates> how)
        : memory::journal(std::move(real)), how_(std::move(how)) {}

    using memory::journal::write;

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until) {
        const bool is_lost = how_->before(how_->writes);
        auto out = memory::journal::write(writes, now, until);
        fates::after(is_lost);
        return out;
    }
    std::optional<std::vector<journal_entry>> claim(const shard_lease& lease,
                                                    std::span<const std::string_view> types,
                                                    wall_time now, std::size_t limit,
                                                    steady_time until) {
        const bool is_lost = how_->before(how_->claims);
        auto out = memory::journal::claim(lease, types, now, limit, until);
        fates::after(is_lost);
        return out;
    }
    fenced_result renew(const shard_lease& lease, steady_time until) {
        const bool is_lost = how_->before(how_->renewals);
        const auto out = memory::journal::renew(lease, until);
        return is_lost ? fenced_result::unknown : out;
    }
    std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                      steady_time until) const {
        static_cast<void>(how_->before(how_->finds));
        return memory::journal::find(type, id, until);
    }

private:
    std::shared_ptr<fates> how_;
};

class fated_transaction : public memory::transaction {
public:
    fated_transaction(memory::transaction real, std::shared_ptr<fates> how)
        : memory::transaction(std::move(real)), how_(std::move(how)) {}

    commit_result commit() noexcept {
        switch (fates::next(how_->commits)) {
            case fate::good: return memory::transaction::commit();
            case fate::kept_silent:
                static_cast<void>(memory::transaction::commit());
                return commit_result::unknown;
            case fate::lost: memory::transaction::rollback(); return commit_result::unknown;
            case fate::aborted:
            case fate::refused:
            case fate::conflict: break;
        }
        memory::transaction::rollback();
        return commit_result::aborted;
    }

private:
    std::shared_ptr<fates> how_;
};

class fated_store : public memory::store {
public:
    using transaction_type = fated_transaction;
    fated_store(const memory::database& data, std::shared_ptr<fates> how)
        : memory::store(data), how_(std::move(how)) {}

    fated_transaction begin(steady_time until = never) {
        if (how_->is_away) {
            ++how_->asked;
            throw unavailable_error("away", "the store is away");
        }
        return {memory::store::begin(until), how_};
    }

private:
    std::shared_ptr<fates> how_;
};

struct fated_world : runner_world {
    using fated_runner =
        runner<fated_store, fated_journal, no_outbox, null_runner_observer, scripted_process>;

    std::shared_ptr<fates> how = std::make_shared<fates>();
    fated_store fated{data, how};

    using runner_world::runner_world;

    [[nodiscard]] fated_runner make_fated() {
        return {fated, fated_journal(fated.journal("orders"), how), options(),
                scripted_process(what)};
    }
};

}  // namespace

TEST_CASE("while the store is away a runner waits, and counts nothing against an instance") {
    const bool join = GENERATE(false, true);
    fated_world at(three_steps(join));
    auto runner = at.make_fated();
    at.start("1");
    static_cast<void>(runner.step(at.now));
    REQUIRE(at.history("1") == lines{"a done"});
    at.how->is_away = true;
    at.how->asked = 0;
    at.go(runner, 1min);
    REQUIRE(at.how->asked < 40);
    REQUIRE(at.how->asked > 3);
    REQUIRE(runner.counts().store_pauses > 0);
    at.how->is_away = false;
    at.go(runner, 1min);
    REQUIRE(at.state("1") == instance_state::completed);
    for (const auto& one : at.at("1").history) {
        REQUIRE(one.attempts == 0);
    }
    REQUIRE(runner.counts().retries == 0);
    REQUIRE(at.what->count("1/b") == 1);
}

TEST_CASE("a write without an answer is made again before anything else of its instance") {
    const auto first = GENERATE(fate::lost, fate::kept_silent, fate::conflict);
    const auto second = GENERATE(fate::good, fate::lost, fate::kept_silent);
    const auto skip = GENERATE(0U, 1U, 2U);
    fated_world at(three_steps(false));
    auto runner = at.make_fated();
    at.start("1");
    at.how->writes.assign(skip, fate::good);
    at.how->writes.push_back(first);
    at.how->writes.push_back(second);
    at.go(runner, 5s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done"});
    REQUIRE(at.what->calls.size() == 3);
    REQUIRE(runner.counts().completed == 1);
    REQUIRE(runner.counts().steps_done == 3);
    REQUIRE(runner.counts().stale == 0);
}

TEST_CASE("after a commit without an answer the history is looked at, and nothing is done twice") {
    const auto how = GENERATE(fate::lost, fate::kept_silent, fate::aborted);
    const auto look = GENERATE(fate::good, fate::refused);
    const auto skip = GENERATE(0U, 1U, 2U);
    const auto instances = GENERATE(1, 3);
    fated_world at(three_steps(true));
    auto runner = at.make_fated();
    for (int i = 0; i < instances; ++i) {
        at.start(std::to_string(i));
    }
    at.how->commits.assign(skip, fate::good);
    at.how->commits.push_back(how);
    at.how->finds.push_back(look);
    at.go(runner, 5s);
    for (int i = 0; i < instances; ++i) {
        const std::string id = std::to_string(i);
        REQUIRE(at.state(id) == instance_state::completed);
        for (const std::string step : {"a", "b", "c"}) {
            REQUIRE(at.effect("order/" + id + "/" + step + "/act") == "1");
        }
    }
    const auto n = static_cast<std::uint64_t>(instances);
    REQUIRE(runner.counts().completed == n);
    REQUIRE(runner.counts().steps_done == 3 * n);
    REQUIRE(runner.counts().commits_unknown == (how == fate::aborted ? 0U : 1U));
    REQUIRE(at.what->calls.size() == 3 * n + (how == fate::kept_silent ? 0 : n));
}

TEST_CASE("a transaction that is aborted again and again is made again after pauses, uncounted") {
    fated_world at(three_steps(true));
    auto runner = at.make_fated();
    at.start("1");
    at.how->commits.assign(6, fate::aborted);
    at.go(runner, 1min);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.at("1").history[0].attempts == 0);
    REQUIRE(runner.counts().commits_aborted == 6);
}

TEST_CASE("a claim without an answer is not lost: the seat is given up, and taken again") {
    const auto how = GENERATE(fate::lost, fate::kept_silent);
    fated_world at(three_steps(false));
    auto runner = at.make_fated();
    at.settle(runner);
    at.start("1");
    at.start("2");
    at.how->claims.push_back(how);
    at.go(runner, 5s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.state("2") == instance_state::completed);
    REQUIRE(runner.counts().claims_without_answer == 1);
    REQUIRE(runner.counts().seats_taken == 2);
}

TEST_CASE("a claim without an answer ends no work that is under way") {
    fated_world at(three_steps(false));
    auto runner = at.make_fated();
    at.start("1");
    static_cast<void>(runner.step(at.now));
    at.start("2");
    at.how->claims.push_back(fate::kept_silent);
    at.pass(1s);
    at.go(runner, 5s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.state("2") == instance_state::completed);
    REQUIRE(at.what->calls.size() == 6);
    REQUIRE(runner.counts().stale == 0);
}

TEST_CASE("a runner whose renewals fail for a lease makes no attempt") {
    fated_world at(three_steps(false));
    at.what->steps[1].options.retry.base = 1min;
    at.what->steps[1].options.retry.cap = 1min;
    auto runner = at.make_fated();
    at.settle(runner);
    at.how->renewals.assign(100, fate::refused);
    at.start("1");
    at.what->before = [&](const attempt_info& info) { REQUIRE(info.until <= first_hour + 30s); };
    at.pass(20s);
    at.settle(runner);
    at.pass(11s);
    at.what->before = [&](const attempt_info&) { FAIL("an attempt without a lease"); };
    at.start("2");
    at.settle(runner);
    at.how->renewals.clear();
    at.what->before = nullptr;
    at.go(runner, 2min, 1s);
    REQUIRE(at.state("2") == instance_state::completed);
}

TEST_CASE("a runner that shuts down while the store is away returns when its time is up") {
    fated_world at(three_steps(false));
    auto runner = at.make_fated();
    at.start("1");
    at.how->writes.assign(3, fate::lost);
    static_cast<void>(runner.step(at.now));
    at.how->is_away = true;
    const auto until = at.now.steady + 5s;
    int calls = 0;
    while (!runner.shut_down(at.now, until)) {
        REQUIRE(++calls < 1000);
        at.pass(100ms);
    }
    REQUIRE(at.now.steady >= until);
    at.how->is_away = false;
    at.how->writes.clear();
    auto next = at.make_fated();
    at.go(next, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("a runner whose time to shut down is over asks nothing any more") {
    fated_world at(three_steps(false));
    auto runner = at.make_fated();
    at.start("1");
    at.how->writes.assign(1, fate::lost);
    static_cast<void>(runner.step(at.now));
    at.pass(1min);
    at.how->asked = 0;
    REQUIRE(runner.shut_down(at.now, at.now.steady));
    REQUIRE(at.how->asked == 0);
    REQUIRE_FALSE(runner.has_seat());
    REQUIRE(runner.instances_held() == 0);
}

TEST_CASE("options out of their range are refused by name") {
    runner_world at(three_steps(false));
    const auto refused = [&](auto change, const char* name) {
        auto how = runner_world::options();
        change(how);
        REQUIRE_THROWS_WITH(at.make(how), Catch::Contains(std::string("runner: option ") + name));
    };
    refused([](auto& o) { o.instances_max = 0; }, "instances_max");
    refused([](auto& o) { o.batch_max = 0; }, "batch_max");
    refused([](auto& o) { o.purge_max = 0; }, "purge_max");
    refused([](auto& o) { o.attempt_timeout = 0s; }, "attempt_timeout");
    refused([](auto& o) { o.base = 0s; }, "base");
    refused([](auto& o) { o.cap = 1ms; }, "cap");
    refused([](auto& o) { o.lease = 0s; }, "lease");
    refused([](auto& o) { o.heartbeat = 0s; }, "heartbeat");
    refused([](auto& o) { o.heartbeat = 15s; }, "heartbeat");
    refused([](auto& o) { o.look_interval = 0s; }, "look_interval");
    refused([](auto& o) { o.poll_interval = 0s; }, "poll_interval");
    refused([](auto& o) { o.retention = -1s; }, "retention");
    refused([](auto& o) { o.reply_retention = -1s; }, "reply_retention");
    refused([](auto& o) { o.purge_interval = 0s; }, "purge_interval");
    refused([](auto& o) { o.call_timeout = 0s; }, "call_timeout");
    refused([](auto& o) { o.step_time_max = 0s; }, "step_time_max");
}

TEST_CASE("two processes of one name, and a journal of another store, are refused") {
    runner_world at(three_steps(false));
    REQUIRE_THROWS_AS(runner(at.db, at.db.journal("orders"), runner_options{},
                             scripted_process(at.what), scripted_process(at.what)),
                      usage_error);
    memory::store other;
    REQUIRE_THROWS_AS(
        runner(at.db, other.journal("orders"), runner_options{}, scripted_process(at.what)),
        usage_error);
    REQUIRE_THROWS_AS(runner(at.db, at.db.journal("orders"), other.outbox("commands"),
                             runner_options{}, scripted_process(at.what)),
                      usage_error);
}
