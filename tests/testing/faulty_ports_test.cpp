// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/testing/faulty_attempts.hpp>
#include <sinew/testing/faulty_dead_letters.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/faulty_source.hpp>
#include <sinew/testing/faulty_store.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace sinew;
using namespace sinew::testing;

// Each wrapper models what it wraps, so that a consumer can't tell.
static_assert(source<faulty_source<memory::member>>);
static_assert(consumer_store<faulty_store<memory::store>>);
static_assert(nestable_transaction<faulty_store<memory::store>::transaction_type>);
static_assert(dead_letter_store<faulty_dead_letters<memory::dead_letters>>);
static_assert(dead_letters_in_transaction<faulty_dead_letters<memory::dead_letters>,
                                          faulty_store<memory::store>>);
static_assert(attempt_log<faulty_attempts<memory::attempts>>);
static_assert(sink<faulty_sink<memory::producer>>);

namespace {

/// Runs `act` once, as a process in a world with that tape.
void as_process(const std::vector<std::uint8_t>& tape, fault_set faults,
                const std::function<void(process&)>& act) {
    class body : public process_body {
    public:
        body(process& self, const std::function<void(process&)>& act) : self_(self), act_(act) {}
        steady_time step(moment) override {
            act_(self_);
            return never;
        }

    private:
        process& self_;
        const std::function<void(process&)>& act_;
    };
    trial run;
    run.start(tape, false);
    world w(run, {.faults = faults});
    bool acted = false;
    w.add("p", [&](process& self) {
        acted = true;
        return std::make_unique<body>(self, act);
    });
    w.settled_when([&] { return acted; });
    REQUIRE(w.run_until_settled());
    w.run_for(duration::zero());
}

}  // namespace

TEST_CASE("effects are there when a commit took effect, whatever the caller was told") {
    struct ending {
        fault what;
        commit_result told;
        std::size_t effects;
    };
    for (const auto& one : {ending{fault::none, commit_result::committed, 1},
                            ending{fault::refused, commit_result::aborted, 0},
                            ending{fault::request_lost, commit_result::unknown, 0},
                            ending{fault::reply_lost, commit_result::unknown, 1},
                            ending{fault::crash_before, commit_result::unknown, 0},
                            ending{fault::crash_after, commit_result::unknown, 1},
                            ending{fault::delayed, commit_result::committed, 1}}) {
        memory::database data;
        memory::store connection(data);
        std::size_t effects = 0;
        const effect_hook hook = [&](const effect&) { ++effects; };
        commit_result told = commit_result::committed;
        // Both calls are asked about a crash, so each of them has its place on the tape.
        const fault_set offered = {one.what, fault::crash_before};
        std::uint8_t chosen = 0;
        while (offered.nth(chosen) != one.what) {
            ++chosen;
        }
        as_process({0, chosen}, offered, [&](process& p) {
            faulty_store store(p, connection, &hook);
            auto tx = store.begin(never);
            tx.effect("k", "1");
            told = tx.commit();
        });
        CAPTURE(std::string(to_string(one.what)));
        REQUIRE(told == one.told);
        REQUIRE(effects == one.effects);
    }
}

TEST_CASE("effects of an undone part are gone, those before it stand") {
    memory::database data;
    memory::store connection(data);
    std::vector<std::string> effects;
    const effect_hook hook = [&](const effect& e) { effects.push_back(e.id); };
    as_process({}, {}, [&](process& p) {
        faulty_store store(p, connection, &hook);
        auto tx = store.begin(never);
        tx.nest();
        tx.effect("k", "1");
        tx.keep_nested();
        tx.nest();
        tx.effect("k", "2");
        tx.undo_nested();
        tx.nest();
        tx.effect("k", "3");
        tx.keep_nested();
        REQUIRE(effects.empty());
        REQUIRE(tx.commit() == commit_result::committed);
    });
    REQUIRE(effects == std::vector<std::string>{"1", "3"});
}

TEST_CASE("a transaction of a process that died changes nothing") {
    memory::database data;
    memory::store connection(data);
    std::size_t effects = 0;
    const effect_hook hook = [&](const effect&) { ++effects; };
    as_process({}, {}, [&](process& p) {
        faulty_store store(p, connection, &hook);
        auto tx = store.begin(never);
        tx.effect("k", "1");
        static_cast<void>(tx.remember("c", {"/s", "1"}, {}));
        try {
            p.die("on purpose");
        } catch (...) {
        }
        REQUIRE_THROWS_AS(tx.effect("k", "2"), process_died);
        REQUIRE(tx.commit() == commit_result::unknown);
    });
    REQUIRE(effects == 0);
    REQUIRE(data.commits() == 0);
    REQUIRE(data.open_transactions() == 0);
}

TEST_CASE("a dead letter whose answer is lost is there, and putting it again is harmless") {
    memory::database data;
    memory::dead_letters real(data);
    dead_letter_record letter;
    letter.consumer = "c";
    letter.topic = "t";
    letter.original = {.id = "1", .source = "/s", .type = "t"};
    letter.add({{}, failure_class::permanent, 1, "bad", ""});
    as_process({1}, {fault::reply_lost}, [&](process& p) {
        faulty_dead_letters letters(p, real);
        REQUIRE(letters.put(letter, never) == put_result::unknown);
        REQUIRE(letters.put(letter, never) == put_result::stored);
    });
    REQUIRE(real.find({}, 0, 10).size() == 1);
}

TEST_CASE("a publish answers what its caller can know") {
    memory::log log;
    auto real = log.producer("t");
    const event e{.id = "1", .source = "/s", .type = "t"};
    using end = publish_result::end;
    struct ending {
        fault what;
        end told;
        std::size_t stored;
    };
    std::size_t stored = 0;
    for (const auto& one :
         {ending{fault::refused, end::refused, 0}, ending{fault::request_lost, end::unknown, 0},
          ending{fault::reply_lost, end::unknown, 1}, ending{fault::crash_before, end::unknown, 0},
          ending{fault::crash_after, end::unknown, 1}}) {
        as_process({1}, {one.what}, [&](process& p) {
            faulty_sink out(p, real);
            REQUIRE(out.publish(e.view(), never).how() == one.told);
        });
        stored += one.stored;
        CAPTURE(std::string(to_string(one.what)));
        REQUIRE(log.size("t", 0) == stored);
    }
}

TEST_CASE("an idle source is not asked about again and again") {
    memory::log log;
    log.create_topic("t", {});
    struct deaf {
        void assigned(assignment) {}
        void revoked(revocation) {}
        void lost(assignment) {}
        void message(memory::message&&) {}
    } ear;
    trial run;
    run.start({}, false);
    world w(run);
    struct body : process_body {
        std::function<void()> act;
        steady_time step(moment now) override {
            act();
            return now.steady + duration(1'000'000'000);
        }
    };
    w.add("p", [&](process& self) {
        auto made = std::make_unique<body>();
        auto in = std::make_shared<faulty_source<memory::member>>(self, log.join("t", "g"),
                                                                  group_hooks{});
        made->act = [in, &ear] { in->poll({.events = 1, .bytes = 1}, steady_time::min(), ear); };
        return made;
    });
    w.settled_when([] { return false; });
    w.run_for(duration(100'000'000'000));
    REQUIRE(w.steps() > 90);
    REQUIRE(run.choices.made().size() < 8);
}
