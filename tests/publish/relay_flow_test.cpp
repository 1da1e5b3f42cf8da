// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/run.hpp>

#include "publish/relay_parts.hpp"

using namespace sinew;
using namespace sinew::test;

TEST_CASE("what was added is published in order, and marked in one call") {
    service here;
    for (const auto* id : {"1", "2", "3"}) {
        here.add(id, "k");
    }
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    STATIC_REQUIRE(driver<decltype(one)>);
    CHECK_FALSE(one.is_idle());
    CHECK(one.step(t0));
    CHECK(to.accepted() == ids{"1", "2", "3"});
    CHECK(here.script.count("mark") == 1);
    CHECK(here.lag() == outbox_lag{});
    CHECK(one.counts().published == 3);
    CHECK(one.counts().marked == 3);
    CHECK(one.counts().batches == 1);
    CHECK(one.counts().leases_taken == 1);
    settle_at(one, t0);
    CHECK(one.is_idle());
    CHECK(to.tried.size() == 3);
}

TEST_CASE("events are published bit for bit as they were added") {
    service here;
    auto tx = here.db.begin(never);
    const event whole{.id = "1",
                      .source = "/orders",
                      .type = "order.placed",
                      .subject = "s",
                      .time = "2026-01-01T00:00:00Z",
                      .datacontenttype = "text/plain",
                      .dataschema = "/schema",
                      .data = std::string("\0\xff data", 7),
                      .partitionkey = "k",
                      .sequence = "1",
                      .correlationid = "c",
                      .causationid = "d",
                      .traceparent = "t",
                      .headers = {{"h", std::string("\0\xfe", 2)}}};
    here.box.add(tx, whole.view(), t0.wall);
    REQUIRE(tx.commit() == commit_result::committed);
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    REQUIRE(to.events().size() == 1);
    CHECK(to.events()[0] == whole);
}

TEST_CASE("a row that commits late is published, though later ones were published before") {
    service here;
    here.add("0", "a");
    memory::store slow(here.data);
    auto late = slow.begin(never);
    here.box.add(late, {.id = "late", .source = "/o", .type = "t", .partitionkey = "late"},
                 t0.wall);
    here.add("2", "b");
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.accepted() == ids{"0", "2"});
    REQUIRE(late.commit() == commit_result::committed);
    settle_at(one, after(100ms));
    CHECK(to.accepted() == ids{"0", "2", "late"});
}

TEST_CASE("what was rolled back is never published") {
    service here;
    {
        auto tx = here.db.begin(never);
        here.box.add(tx, {.id = "never", .source = "/o", .type = "t", .partitionkey = "k"},
                     t0.wall);
    }
    here.add("1", "k");
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.accepted() == ids{"1"});
    CHECK(to.events()[0].sequence == "1");
}

TEST_CASE("when one publish fails, what follows in its key waits, and nothing is reordered") {
    service here;
    for (const auto* id : {"a1", "b1", "a2", "b2"}) {
        here.add(id, std::string_view(id).substr(0, 1));
    }
    scripted_sink to;
    to.plan("a1", {refusal(failure_class::transient)});
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.accepted() == ids{"b1", "b2"});
    CHECK(to.tries("a2") == 0);
    CHECK_FALSE(one.is_idle());
    settle_at(one, after(31s));
    CHECK(to.accepted() == ids{"b1", "b2", "a1", "a2"});
    CHECK(one.counts().put_off == 1);
    CHECK(one.is_idle());
}

TEST_CASE("an entry that is refused again and again is parked, and holds back only its own key") {
    service here;
    here.add("poison", "a");
    here.add("behind", "a");
    here.add("other", "b");
    scripted_sink to;
    to.plan("poison", std::deque<publish_result>(20, refusal(failure_class::transient)));
    auto options = relay_named("r");
    options.max_attempts = 4;
    relay one(here.handle(), to, options);
    for (int i = 0; i < 20; ++i) {
        settle_at(one, after(i * 40s));
    }
    CHECK(to.tries("poison") == 4);
    CHECK(to.accepted() == ids{"other"});
    const auto parked = here.box.parked(0, 9);
    REQUIRE(parked.size() == 1);
    CHECK(parked[0].what.id == "poison");
    CHECK(parked[0].attempts == 4);
    CHECK(parked[0].last_failure->reason == "refused");
    CHECK(one.counts().parked == 1);
    CHECK(here.lag().waiting == 1);
    REQUIRE(here.box.discard(parked[0].number, parked[0].version, {t0.wall}));
    settle_at(one, after(900s));
    CHECK(to.accepted() == ids{"other", "behind"});
}

TEST_CASE("a permanent refusal parks at once; with pass the key goes on") {
    service here;
    here.add("poison", "a");
    here.add("behind", "a");
    scripted_sink to;
    to.plan("poison", {refusal(failure_class::permanent)});
    auto options = relay_named("r");
    options.follow = following::pass;
    relay one(here.handle(), to, options);
    settle_at(one, t0);
    CHECK(to.accepted() == ids{"behind"});
    CHECK(here.box.parked(0, 9).size() == 1);
}

TEST_CASE("an unparked entry is published, and what waited behind it follows") {
    service here;
    here.add("1", "a");
    here.add("2", "a");
    scripted_sink to;
    to.plan("1", {refusal(failure_class::permanent)});
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.accepted().empty());
    const auto parked = here.box.parked(0, 9);
    REQUIRE(here.box.unpark(parked.at(0).number, parked[0].version));
    settle_at(one, after(1s));
    CHECK(to.accepted() == ids{"1", "2"});
}

TEST_CASE("a publish without an answer is repeated, is not counted, and closes only its key") {
    service here;
    here.add("a1", "a");
    here.add("a2", "a");
    here.add("b1", "b");
    scripted_sink to;
    to.plan("a1", {silence()});
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.accepted() == ids{"b1"});
    CHECK(one.counts().unknown == 1);
    CHECK(one.counts().sink_pauses == 0);
    settle_at(one, after(31s));
    CHECK(to.accepted() == ids{"b1", "a1", "a2"});
    CHECK(here.box.parked(0, 9).empty());
}

TEST_CASE("two publishes in a row without an answer pause the sink") {
    service here;
    for (const auto* id : {"a", "b", "c", "d"}) {
        here.add(id, id);
    }
    scripted_sink to;
    to.plan("a", {silence()});
    to.plan("b", {silence()});
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.tried == ids{"a", "b"});
    CHECK(one.counts().sink_pauses == 1);
    CHECK(one.next_deadline() > t0.steady);
    settle_at(one, after(31s));
    CHECK(to.accepted() == ids{"c", "d", "a", "b"});
}

TEST_CASE("while the sink is unavailable it is probed with one entry, and nothing is counted") {
    service here;
    for (int i = 0; i < 50; ++i) {
        here.add(std::to_string(i), std::to_string(i % 5));
    }
    scripted_batch_sink to;
    to.is_down = true;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(to.sizes == std::vector<std::size_t>{50});
    std::size_t calls = to.calls;
    std::size_t probes = 0;
    for (int i = 1; i < 600; ++i) {
        const std::size_t before = to.tried.size();
        settle_at(one, after(i * 1s));
        CHECK(to.tried.size() - before <= 1);
        probes += to.tried.size() - before;
    }
    CHECK(probes > 15);
    CHECK(probes < 60);
    CHECK(to.calls == calls + probes);
    CHECK(one.counts().put_off == 0);
    CHECK(one.counts().parked == 0);
    to.is_down = false;
    settle_at(one, after(640s));
    CHECK(to.accepted().size() == 50);
    CHECK(here.lag().waiting == 0);
    const auto done = one.counts();
    CHECK(done.published == 50);
    CHECK(done.refused_unavailable > 15);
}

TEST_CASE("a sink that is down for one key goes on with the others") {
    service here;
    here.add("a", "a");
    scripted_sink to;
    to.plan("a", std::deque<publish_result>(1000, refusal(failure_class::unavailable)));
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    for (int i = 0; i < 20; ++i) {
        here.add("b" + std::to_string(i), "b");
    }
    for (int i = 0; i < 300; ++i) {
        settle_at(one, after(i * 1s));
    }
    CHECK(to.accepted().size() == 20);
    CHECK(to.tries("a") < 300);
    CHECK(here.lag().waiting == 1);
}

TEST_CASE("a batch goes to a batch sink in one call, and of each key in order") {
    service here;
    for (int i = 0; i < 30; ++i) {
        here.add(std::to_string(i), std::to_string(i % 3));
    }
    scripted_batch_sink to;
    to.plan("4", {refusal(failure_class::transient)});
    auto options = relay_named("r");
    options.batch_max = 20;
    relay one(here.handle(), to, options);
    settle_at(one, t0);
    CHECK(to.sizes.at(0) == 20);
    CHECK(here.script.count("mark") == 2);
    settle_at(one, after(31s));
    std::map<std::string, std::uint64_t> last;
    REQUIRE(to.events().size() == 30);
    for (const auto& e : to.events()) {
        const auto number = parse_sequence(e.sequence).value_or(0);
        CHECK(number == last[e.partitionkey] + 1);
        last[e.partitionkey] = number;
    }
    CHECK(one.counts().put_off == 1);
}

TEST_CASE("each shard gets its turn, however much there is in another") {
    service here({.shards = 2});
    std::string mine;
    std::string other;
    for (int i = 0; mine.empty() || other.empty(); ++i) {
        auto key = "k" + std::to_string(i);
        (shard_of(key, 2) == 0 ? mine : other) = key;
    }
    for (int i = 0; i < 100; ++i) {
        here.add("m" + std::to_string(i), mine);
    }
    here.add("o", other);
    scripted_sink to;
    auto options = relay_named("r");
    options.batch_max = 10;
    relay one(here.handle(), to, options);
    one.step(t0);
    CHECK(to.tries("o") == 1);
    CHECK(to.tried.size() == 11);
}

TEST_CASE("a claim is limited in bytes") {
    service here;
    for (int i = 0; i < 10; ++i) {
        here.add(std::to_string(i), "k");
    }
    scripted_sink to;
    auto options = relay_named("r");
    options.batch_bytes_max = 1;
    relay one(here.handle(), to, options);
    one.step(t0);
    CHECK(to.tried.size() == 1);
    settle_at(one, t0);
    CHECK(to.tried.size() == 10);
}

TEST_CASE("an outbox that nobody adds to is looked at once per poll interval") {
    service here;
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    const auto claims = here.script.count("claim");
    CHECK_FALSE(one.step(after(99ms)));
    CHECK(here.script.count("claim") == claims);
    CHECK(one.next_deadline() == after(100ms).steady);
    CHECK_FALSE(one.step(after(100ms)));
    CHECK(here.script.count("claim") == claims + 1);
}

TEST_CASE("published entries are purged by retention, in bites") {
    service here;
    for (int i = 0; i < 25; ++i) {
        here.add(std::to_string(i), "k");
    }
    scripted_sink to;
    auto options = relay_named("r");
    options.retention = 1h;
    options.purge_max = 10;
    relay one(here.handle(), to, options);
    settle_at(one, t0);
    here.add("waits", "k", t0);
    to.plan("waits", {refusal(failure_class::permanent)});
    settle_at(one, after(59min));
    CHECK(one.counts().purged == 0);
    const auto before = here.script.count("purge");
    one.step(after(61min));
    CHECK(one.counts().purged == 10);
    settle_at(one, after(61min));
    CHECK(one.counts().purged == 25);
    CHECK(here.script.count("purge") == before + 3);
    CHECK(here.box.parked(0, 9).size() == 1);
}

TEST_CASE("a relay fits a loop that runs until nothing is left") {
    service here({.shards = 8});
    for (int i = 0; i < 500; ++i) {
        here.add(std::to_string(i), std::to_string(i % 40));
    }
    scripted_sink to;
    to.plan("7", {refusal(failure_class::transient), refusal(failure_class::transient)});
    auto options = relay_named("r");
    options.base = 1ms;
    options.poll_interval = 1ms;
    relay one(here.handle(), to, options);
    // The clock of the machine, as what was put off is due by it.
    CHECK(drain(one, later(machine_clock::now().steady, 60s)));
    CHECK(to.accepted().size() == 500);
    CHECK(here.lag().waiting == 0);
    CHECK(one.is_idle());
}

TEST_CASE("a run that is stopped marks what was published and gives the shards back") {
    struct stop_after {
        const scripted_sink* to;
        [[nodiscard]] bool stop_requested() const { return to->calls >= 20; }
    };
    service here({.shards = 4});
    for (int i = 0; i < 20; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    CHECK(run(one, stop_after{&to}) == run_end::stopped);
    CHECK(here.lag().waiting == 0);
    for (shard_id shard = 0; shard < 4; ++shard) {
        CHECK(here.box.holder(shard).owner.empty());
    }
    CHECK(one.shards_held() == 0);
    CHECK(one.counts().leases_released == 4);
}
