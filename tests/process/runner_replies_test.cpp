// SPDX-License-Identifier: BSL-1.0
#include "process/runner_support.hpp"

#include <sinew/process/desk.hpp>

#include <algorithm>

using namespace sinew;
using namespace sinew::test;

namespace {

/// A saga whose second step sends a command, and whose pivot does too.
struct commanding_world : runner_world {
    commanding_world() : runner_world(six_steps(false)) {
        what->steps[1].sends = true;
        what->steps[1].options.retry.max_attempts = 2;
        what->answers["b/undo"] = [](const attempt_info& at) {
            if (at.reply) {
                return attempt_result::done();
            }
            event command;
            command.id = at.key;
            command.source = "/orders";
            command.type = "b.undo";
            return attempt_result::sent(std::move(command), 30s);
        };
    }
    /// The commands in the outbox, by their ids.
    [[nodiscard]] lines commands() {
        lines out;
        for (shard_id shard = 0; shard < box.shards(); ++shard) {
            const auto lease = box.take(box.holder(shard), "reader").value();
            const auto claimed = box.claim(lease, now.wall, {100, 1'000'000}).value();
            for (const auto& one : claimed) {
                out.push_back(one.what.id);
            }
            static_cast<void>(box.release(lease));
        }
        std::sort(out.begin(), out.end());
        return out;
    }
};

}  // namespace

TEST_CASE("a command goes out in the transaction that writes the wait for its reply") {
    commanding_world at;
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.commands() == lines{"order/1/b/act"});
    const auto seen = at.at("1").what;
    REQUIRE(seen.wait->reply == step_address{"b", step_phase::act});
    REQUIRE(seen.wait->time.due == at.now.wall + 30s);
    REQUIRE(seen.progress->in_doubt);
    REQUIRE(runner.counts().commands_sent == 1);

    SECTION("its reply is taken, and the process goes on") {
        REQUIRE(at.reply("1", "b", "yes") == reply_result::awaited);
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::completed);
        REQUIRE(at.at("1").history[1].result == "yes");
        REQUIRE(at.commands().size() == 1);
    }
    SECTION("a second reply does no harm") {
        REQUIRE(at.reply("1", "b", "yes") == reply_result::awaited);
        REQUIRE(at.reply("1", "b", "no") == reply_result::duplicate);
        at.go(runner, 1s);
        REQUIRE(at.at("1").history[1].result == "yes");
        REQUIRE(at.reply("1", "b", "no") == reply_result::late);
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::completed);
    }
    SECTION("a reply that refuses says that it did not happen") {
        at.what->answers["b"] = [](const attempt_info& info) {
            return info.reply ? fails(failure_class::permanent, "declined")
                              : attempt_result::done();
        };
        REQUIRE(at.reply("1", "b", "no") == reply_result::awaited);
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::compensated);
        REQUIRE(at.history("1") == lines{"a done", "b failed", "a/undo done"});
    }
    SECTION("a reply that cannot be read leaves the doubt: it is undone") {
        at.what->answers["b"] = [](const attempt_info&) {
            return attempt_result::failed({failure_class::permanent, "malformed", "", {}}, true);
        };
        REQUIRE(at.reply("1", "b", "?") == reply_result::awaited);
        at.go(runner, 1s);
        REQUIRE(at.commands() == lines{"order/1/b/act", "order/1/b/undo"});
    }
    SECTION("without a reply in time it is sent again under the same id, and then given up") {
        at.go(runner, 29s);
        REQUIRE(at.commands().size() == 1);
        at.go(runner, 3s);
        REQUIRE(at.commands() == lines{"order/1/b/act", "order/1/b/act"});
        REQUIRE(at.at("1").what.progress->attempts == 1);
        at.go(runner, 31s);
        REQUIRE(runner.counts().replies_late == 2);
        REQUIRE(at.history("1") == lines{"a done", "b failed"});
        REQUIRE(at.at("1").history[1].why->reason == "reply_late");
        REQUIRE(at.commands().back() == "order/1/b/undo");
        REQUIRE(at.reply("1", "b", "too late") == reply_result::late);
        REQUIRE(at.reply("1", "b", "undone", step_phase::undo) == reply_result::awaited);
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::compensated);
        REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
    }
    SECTION("a reply that comes while it waits to be sent again is taken") {
        at.what->steps[1].options.retry.base = 10s;
        at.go(runner, 31s);
        REQUIRE(at.at("1").what.progress->attempts == 1);
        static_cast<void>(at.reply("1", "b", "yes"));
        at.go(runner, 30s);
        REQUIRE(at.state("1") == instance_state::completed);
        REQUIRE(at.what->count("1/b/undo") == 0);
    }
    SECTION("a reply and the end of its time at once: the reply wins") {
        at.pass(30s);
        REQUIRE(at.reply("1", "b", "yes") == reply_result::awaited);
        at.settle(runner);
        REQUIRE(at.state("1") == instance_state::completed);
    }
    SECTION(
        "a reply that comes while a runner finds it late is kept, and is late or good, not lost") {
        at.pass(30s);
        // The runner has the claim when the reply comes.
        auto book = at.db.journal("orders");
        const auto lease = book.take(book.holder(9), "zombie").value();
        const std::string_view type = "order";
        const auto claimed = book.claim(lease, {&type, 1}, at.now.wall, 9).value().at(0);
        REQUIRE_FALSE(claimed.reply);
        REQUIRE(at.reply("1", "b", "yes") == reply_result::awaited);
        REQUIRE(book.release(lease) == fenced_result::done);
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::completed);
    }
    SECTION("a clock set back by a day makes it wait as long as before, and no longer") {
        at.now.wall -= 24h;
        at.go(runner, 29s);
        REQUIRE(at.at("1").what.progress->attempts == 0);
        REQUIRE(at.at("1").what.wait->time.from < first_day);
        REQUIRE(at.at("1").what.wait->reply);
        at.go(runner, 2s);
        REQUIRE(at.at("1").what.progress->attempts == 1);
    }
    SECTION("cancelled meanwhile, what the command did is undone") {
        at.cancel("1");
        at.go(runner, 1s);
        REQUIRE(at.commands() == lines{"order/1/b/act", "order/1/b/undo"});
        REQUIRE(at.reply("1", "b", "undone", step_phase::undo) == reply_result::awaited);
        at.go(runner, 1s);
        REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
        REQUIRE(at.state("1") == instance_state::compensated);
    }
    SECTION("people let it be sent again at once") {
        REQUIRE(resume(at.book, at.at("1").what, "lost", at.now.wall, never));
        at.go(runner, 1s);
        REQUIRE(at.commands().size() == 2);
    }
}

TEST_CASE("a reply that comes before its instance is there is kept for it") {
    commanding_world at;
    REQUIRE(at.reply("1", "b", "yes") == reply_result::early);
    auto runner = at.make();
    at.start("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.at("1").history[1].result == "yes");
}

TEST_CASE("a pivot that was sent is waited for though the saga is cancelled") {
    commanding_world at;
    at.what->steps[1].sends = false;
    at.what->steps[3].sends = true;
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.cancel("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::open);
    REQUIRE(at.commands() == lines{"order/1/p/act"});
    REQUIRE(at.reply("1", "p", "shipped") == reply_result::awaited);
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("a pivot by command that is declined goes back") {
    commanding_world at;
    at.what->steps[1].sends = false;
    at.what->answers.erase("b/undo");
    at.what->steps[3].sends = true;
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.what->answers["p"] = [](const auto&) { return fails(failure_class::permanent, "declined"); };
    REQUIRE(at.reply("1", "p", "no") == reply_result::awaited);
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("a command that the outbox refuses was not sent, and fails its step") {
    commanding_world at;
    at.what->answers["b"] = [](const attempt_info&) {
        return attempt_result::sent(event{}, 30s);  // without a source
    };
    auto runner = at.make();
    at.start("1");
    at.start("2");
    at.go(runner, 1s);
    REQUIRE(at.commands().empty());
    REQUIRE(at.history("1") == lines{"a done", "b failed", "a/undo done"});
    REQUIRE(at.state("2") == instance_state::compensated);
}

TEST_CASE("commands of many instances share a transaction") {
    commanding_world at;
    auto runner = at.make();
    for (int i = 0; i < 20; ++i) {
        at.start(std::to_string(i));
    }
    at.settle(runner);
    REQUIRE(at.commands().size() == 20);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(at.reply(std::to_string(i), "b", "yes") == reply_result::awaited);
    }
    at.go(runner, 1s);
    REQUIRE(runner.counts().completed == 20);
}

TEST_CASE("a failure in taking a reply is tried again, and the reply is still there") {
    commanding_world at;
    int left = 1;
    at.what->answers["b"] = [&](const attempt_info& info) {
        if (!info.reply) {
            event command;
            command.id = info.key;
            command.source = "/orders";
            command.type = "b";
            return attempt_result::sent(std::move(command), 30s);
        }
        return left-- > 0 ? fails(failure_class::transient)
                          : attempt_result::done(std::string(*info.reply));
    };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.reply("1", "b", "yes") == reply_result::awaited);
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.at("1").history[1].result == "yes");
}
