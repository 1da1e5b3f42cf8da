// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "publish/relay_parts.hpp"

using namespace sinew;
using namespace sinew::test;

namespace {

/// A clock that moves by itself, for a relay that measures.
steady_time stands_at;
steady_time look() { return stands_at; }

/// What an observer of a relay was told.
struct watcher : null_relay_observer {
    std::vector<std::string>* told;

    void on_published(const relay_entry_note& n) { say("published", n.id); }
    void on_put_off(const relay_entry_note& n) { say("put off", n.id, n.reason); }
    void on_parked(const relay_entry_note& n) { say("parked", n.id, n.reason); }
    void on_paused(const relay_pause_note& n) { say("paused", n.port, n.reason); }
    void on_resumed(const relay_pause_note& n) { say("resumed", n.port); }
    void on_lease_taken(const relay_lease_note& n) { say("taken", n.reason); }
    void on_lease_lost(const relay_lease_note& n) { say("lost", n.reason); }
    void on_lease_released(const relay_lease_note& n) { say("released", n.reason); }
    void on_lag(const relay_lag_note& n) {
        say("lag", std::to_string(n.waiting), std::to_string(n.parked));
        ages.push_back(n.age);
    }
    void on_purged(const relay_purge_note& n) { say("purged", std::to_string(n.entries)); }

    void say(std::string_view what, std::string_view a, std::string_view b = {}) const {
        told->push_back(
            std::string(what).append(" ").append(a).append(b.empty() ? "" : " ").append(b));
    }

    std::vector<duration> ages{};
};

}  // namespace

TEST_CASE("a mark whose answer is lost is repeated before anything else is claimed") {
    for (const auto end : {call_end::lost, call_end::not_done, call_end::refused}) {
        service here;
        here.add("1", "k");
        here.script.ends["mark"] = {end, end};
        scripted_sink to;
        relay one(here.handle(), to, relay_named("r"));
        one.step(t0);
        CHECK(one.counts().marks_unknown + one.counts().marks_refused == 1);
        CHECK_FALSE(one.is_idle());
        const auto claims = here.script.count("claim");
        here.add("2", "k");
        one.step(t0);  // the store is left alone for a while
        CHECK(here.script.count("mark") == 1);
        CHECK(one.next_deadline() > t0.steady);
        one.step(after(31s));
        CHECK(here.script.count("mark") == 2);
        CHECK(here.script.count("claim") == claims);
        settle_at(one, after(62s));
        CHECK(here.script.count("mark") == 4);
        CHECK(to.accepted() == ids{"1", "2"});
        CHECK(here.lag().waiting == 0);
        CHECK(one.counts().marks_unknown == (end == call_end::refused ? 0 : 2));
        CHECK(one.counts().marks_refused == (end == call_end::refused ? 2 : 0));
        CHECK(one.counts().marked == 2);
    }
}

TEST_CASE("a lost put-off or parking is not repeated: the entry fails again instead") {
    for (const auto kind : {failure_class::transient, failure_class::permanent}) {
        for (const auto end : {call_end::lost, call_end::not_done, call_end::refused}) {
            service here;
            here.add("1", "k");
            const std::string call = kind == failure_class::transient ? "put_off" : "park";
            here.script.ends[call] = {end};
            scripted_sink to;
            to.plan("1", {refusal(kind), refusal(kind)});
            relay one(here.handle(), to, relay_named("r"));
            settle_at(one, t0);
            CHECK(here.script.count(call) == 1);
            settle_at(one, after(31s));
            const bool done = end == call_end::lost && kind == failure_class::permanent;
            CHECK(here.script.count(call) == (done ? 1 : 2));
            CHECK(to.tries("1") == (done ? 1 : 2));
        }
    }
}

TEST_CASE("what was accepted beside a failing store is still marked") {
    service here;
    for (const auto* id : {"1", "2", "3"}) {
        here.add(id, id);
    }
    here.script.ends["put_off"] = {call_end::refused};
    scripted_sink to;
    to.plan("1", {refusal(failure_class::transient)});
    to.plan("3", {refusal(failure_class::transient)});
    relay one(here.handle(), to, relay_named("r"));
    one.step(t0);
    CHECK(one.counts().marked == 1);
    CHECK(here.script.count("put_off") == 1);
    one.step(after(31s));
    CHECK(here.script.count("put_off") == 2);
    CHECK(one.counts().put_off == 1);
}

TEST_CASE("a relay whose lease was taken marks nothing, and says so") {
    service here;
    here.add("1", "k");
    scripted_sink to;
    std::vector<std::string> told;
    watcher eyes;
    eyes.told = &told;
    relay one(here.handle(), to, relay_named("zombie"), eyes);
    here.script.ends["mark"] = {call_end::not_done};
    one.step(t0);
    const auto taken = here.box.take(here.box.holder(0), "other");
    REQUIRE(taken);
    here.add("2", "k");
    one.step(after(5s));
    CHECK(one.counts().marked == 0);
    CHECK(one.counts().marks_stale == 1);
    CHECK(one.counts().leases_lost == 1);
    CHECK(one.shards_held() == 0);
    CHECK(here.lag().waiting == 2);
    CHECK(std::count(told.begin(), told.end(), "lost stale") == 1);
    settle_at(one, after(5s));
    CHECK(to.accepted() == ids{"1"});  // there is one shard, so it stands by
    CHECK(here.box.holder(0) == *taken);
}

TEST_CASE("a lease that has ended shows at the claim, the put-off and the renewal too") {
    for (const auto* id : {"claim", "put_off", "renew"}) {
        service here;
        scripted_sink to;
        to.plan("1", {refusal(failure_class::transient)});
        relay one(here.handle(), to, relay_named("zombie"));
        settle_at(one, t0);
        here.add("1", "k");
        static service* there;
        there = &here;
        const auto steal = [] {
            static_cast<void>(there->box.take(there->box.holder(0), "other"));
        };
        if (std::string_view(id) == "put_off") {
            to.on_publish = steal;
        } else {
            steal();
        }
        one.step(after(std::string_view(id) == "renew" ? 11s : 1s));
        CHECK(one.counts().leases_lost == 1);
        CHECK(one.shards_held() == 0);
        CHECK(one.counts().put_off == 0);
        CHECK(to.tried.size() == (std::string_view(id) == "put_off" ? 1 : 0));
    }
}

TEST_CASE("an outbox that is down is left alone, and asked again") {
    service here;
    here.add("1", "k");
    here.script.ends["holder"] = {call_end::refused, call_end::refused};
    here.script.ends["take"] = {call_end::refused};
    here.script.ends["claim"] = {call_end::refused};
    scripted_sink to;
    std::vector<std::string> told;
    watcher eyes;
    eyes.told = &told;
    relay one(here.handle(), to, relay_named("r"), eyes);
    CHECK_FALSE(one.step(t0));
    const auto calls = here.script.calls.size();
    CHECK(calls == 1);
    CHECK_FALSE(one.step(t0));
    CHECK(here.script.calls.size() == calls);
    for (int i = 1; i < 8; ++i) {
        settle_at(one, after(i * 11s));
    }
    CHECK(to.accepted() == ids{"1"});
    CHECK(one.counts().store_pauses == 4);
    CHECK(told.at(0) == "paused store down");
    CHECK(std::count(told.begin(), told.end(), "resumed store") >= 1);
}

TEST_CASE("a take whose answer is lost is found out by looking") {
    service here;
    here.add("1", "k");
    here.script.ends["take"] = {call_end::lost};
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    CHECK(one.shards_held() == 0);
    CHECK(here.box.holder(0).owner == "r");
    settle_at(one, after(11s));
    CHECK(one.shards_held() == 1);
    CHECK(to.accepted() == ids{"1"});
    CHECK(one.counts().leases_taken == 1);
}

TEST_CASE("what no waiting can mend is thrown, and the relay can be stepped again") {
    for (const auto* call : {"holder", "take", "claim", "mark", "put_off", "renew", "purge"}) {
        service here;
        here.add("1", "k");
        here.add("2", "l");
        here.script.ends[call] = {call_end::broken};
        scripted_sink to;
        to.plan("2", {refusal(failure_class::transient)});
        relay one(here.handle(), to, relay_named("r"));
        bool thrown = false;
        for (int i = 0; i < 8; ++i) {
            try {
                settle_at(one, after(i * 11s));
            } catch (const permanent_error& why) {
                CHECK(why.reason() == "broken");
                thrown = true;
            }
        }
        CAPTURE(call);
        CHECK(thrown);
        CHECK(to.accepted().size() == 2);
        CHECK(here.lag().waiting == 0);
    }
}

TEST_CASE("a sink that throws has answered: nothing is lost, and nothing overtakes the entry") {
    struct throwing_sink : scripted_sink {
        publish_result publish(const event_view& e, steady_time until) {
            if (e.id == "2" && !std::exchange(thrown, true)) {
                act();
            }
            return scripted_sink::publish(e, until);
        }
        void (*act)() = nullptr;
        bool thrown = false;
    };
    struct expected {
        void (*act)();
        std::uint64_t unknown, down, put_off, parked;
    };
    const expected all[] = {
        {[] { throw std::bad_alloc(); }, 0, 1, 0, 0},
        {[] { throw unavailable_error("down", ""); }, 0, 1, 0, 0},
        {[] { throw transient_error("full", ""); }, 0, 0, 1, 0},
        {[] { throw permanent_error("too_big", ""); }, 0, 0, 0, 1},
        {[] { throw error(failure_class::unknown, "lost", ""); }, 1, 0, 1, 0},
        {[] { throw std::runtime_error("socket"); }, 1, 0, 1, 0},
    };
    for (const auto& one_of : all) {
        service here;
        for (const auto* id : {"1", "2", "3"}) {
            here.add(id, "k");
        }
        throwing_sink to;
        to.act = one_of.act;
        relay one(here.handle(), to, relay_named("r"));
        settle_at(one, t0);
        CHECK(to.accepted() == ids{"1"});
        const auto done = one.counts();
        CHECK(done.unknown == one_of.unknown);
        CHECK(done.refused_unavailable == one_of.down);
        CHECK(done.put_off == one_of.put_off);
        CHECK(done.parked == one_of.parked);
        for (const auto& entry : here.box.parked(0, 9)) {
            CHECK(here.box.unpark(entry.number, entry.version));
        }
        settle_at(one, after(31s));
        CHECK(to.accepted() == ids{"1", "2", "3"});
        CHECK(one.counts().marked == 3);
    }
}

TEST_CASE("a batch sink that throws, or answers too little, loses and reorders nothing") {
    struct careless_sink : scripted_batch_sink {
        std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                                  steady_time until) {
            ++batches;
            if (batches == 1) {
                throw std::runtime_error("socket");
            }
            auto out = scripted_batch_sink::publish_batch(events.subspan(0, 2), until);
            if (batches == 3) {
                out.resize(50, publish_result::accepted());
            }
            return out;
        }
        std::size_t batches = 0;
    };
    service here;
    for (const auto* id : {"a", "b", "c", "d", "e"}) {
        here.add(id, id);
    }
    careless_sink to;
    relay one(here.handle(), to, relay_named("r"));
    for (int i = 0; i < 20 && here.lag().waiting != 0; ++i) {
        settle_at(one, after(i * 31s));
    }
    CHECK(to.batches >= 2);
    CHECK(here.lag().waiting == 0);
    CHECK(one.counts().parked == 0);
}

TEST_CASE("a conflict in the outbox is tried again at once; a second one in a row is waited for") {
    service here;
    here.add("1", "k");
    here.script.ends["mark"] = {call_end::conflict};
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    one.step(t0);
    CHECK(one.counts().store_pauses == 0);
    settle_at(one, t0);
    CHECK(one.counts().marked == 1);
    here.script.ends["claim"] = {call_end::conflict, call_end::conflict};
    here.add("2", "k");
    one.step(after(1s));
    one.step(after(1s));
    CHECK(one.counts().store_pauses == 1);
    settle_at(one, after(12s));
    CHECK(to.accepted() == ids{"1", "2"});
}

TEST_CASE("leases are renewed while a long batch is published") {
    service here;
    for (int i = 0; i < 100; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    to.on_publish = [] { stands_at += 1s; };
    auto options = relay_named("r");
    options.step_time_max = 1h;
    relay one(here.handle(), to, options);
    stands_at = t0.steady;
    one.measure_with(&look);
    one.step(t0);
    CHECK(to.accepted().size() == 100);
    CHECK(here.box.holder(0).beat >= 8);
    CHECK(here.script.count("mark") == 1);
}

TEST_CASE("nothing is published under a lease that could not be renewed in time") {
    service here;
    for (int i = 0; i < 100; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    to.on_publish = [] { stands_at += 1s; };
    auto options = relay_named("r");
    options.step_time_max = 1h;
    here.script.ends["renew"] = std::deque<call_end>(1000, call_end::refused);
    relay one(here.handle(), to, options);
    stands_at = t0.steady;
    one.measure_with(&look);
    one.step(t0);
    CHECK(to.accepted().size() == 30);
    for (const auto until : to.untils) {
        CHECK(until <= after(30s).steady);
    }
    stands_at = after(60s).steady;
    one.step({stands_at, after(60s).wall});
    CHECK(to.accepted().size() == 30);
    here.script.ends["renew"].clear();
    stands_at = after(90s).steady;
    settle_at(one, {stands_at, after(90s).wall});
    CHECK(to.accepted().size() == 100);  // nobody had taken it: it goes on where it was
    CHECK(one.counts().leases_lost == 0);
}

TEST_CASE("a step goes back to its caller in time, and the next one goes on with the batch") {
    service here;
    for (int i = 0; i < 10; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    to.on_publish = [] { stands_at += 150ms; };
    relay one(here.handle(), to, relay_named("r"));
    stands_at = t0.steady;
    one.measure_with(&look);
    CHECK(one.step(t0));
    CHECK(to.accepted().size() == 2);
    CHECK_FALSE(one.is_idle());
    CHECK(one.next_deadline() == t0.steady);
    CHECK(one.step({stands_at, t0.wall}));
    CHECK(one.counts().marked == 2);
    CHECK(to.accepted().size() == 4);
    CHECK(here.script.count("claim") == 1);
}

TEST_CASE("a zombie's late publishes change no order that readers see") {
    service here;
    for (int i = 1; i <= 4; ++i) {
        here.add(std::to_string(i), "k");
    }
    scripted_sink to;
    relay zombie(here.handle(), to, relay_named("zombie"));
    relay other(here.handle(), to, relay_named("other"));
    static decltype(other)* second;
    static scripted_sink* log;
    static service* there;
    second = &other;
    log = &to;
    there = &here;
    // While the zombie publishes its first, a whole lease goes by, and the other takes over.
    to.on_publish = [] {
        log->on_publish = nullptr;
        second->step(t0);
        there->add("5", "k");
        settle_at(*second, after(31s));
    };
    zombie.step(t0);
    settle_at(zombie, after(32s));
    settle_at(other, after(33s));
    std::uint64_t highest = 0;
    for (const auto& e : to.events()) {
        const auto number = parse_sequence(e.sequence).value_or(0);
        CHECK(number <= highest + 1);
        highest = number > highest ? number : highest;
    }
    CHECK(highest == 5);
    CHECK(zombie.counts().marks_stale == 4);
    CHECK(here.lag().waiting == 0);
}

TEST_CASE("the observer is told what happens, without payloads, keys and headers") {
    service here;
    here.add("a", "k1");
    here.add("b", "k2");
    here.add("c", "k3");
    scripted_sink to;
    to.plan("b", {refusal(failure_class::transient)});
    to.plan("c", {refusal(failure_class::permanent)});
    std::vector<std::string> told;
    watcher eyes;
    eyes.told = &told;
    auto options = relay_named("r");
    options.retention = 1h;
    relay one(here.handle(), to, options, eyes);
    settle_at(one, t0);
    const std::vector<std::string> expected = {"taken free", "published a", "parked c refused",
                                               "put off b refused", "lag 1 1"};
    CHECK(told == expected);
    told.clear();
    settle_at(one, after(10s));
    CHECK(told == std::vector<std::string>{"published b", "lag 0 1"});
    told.clear();
    settle_at(one, after(2h));
    CHECK(std::count(told.begin(), told.end(), "purged 2") == 1);
    told.clear();
    here.add("d", "k4", after(2h));
    to.is_down = true;
    settle_at(one, after(2h + 10s));
    CHECK(told == std::vector<std::string>{"paused sink broker_down", "lag 1 1"});
    CHECK(one.observer().ages.back() == 10s);
    to.is_down = false;
    told.clear();
    settle_at(one, after(2h + 12s));
    CHECK(told == std::vector<std::string>{"published d", "resumed sink"});
    told.clear();
    CHECK(one.shut_down(after(2h + 13s), after(3h).steady));
    CHECK(told == std::vector<std::string>{"released shut_down"});
}

TEST_CASE("without an observer the lag is not asked for") {
    service here;
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    settle_at(one, after(1h));
    CHECK(here.script.count("lag") == 0);
}

TEST_CASE("a woken relay claims at once; one that is not woken waits no longer than it has to") {
    service here;
    here.script.wakes = {true, false};
    scripted_sink to;
    relay one(waking_scripted_outbox(here.box, here.script), to, relay_named("r"));
    STATIC_REQUIRE(waking_outbox<waking_scripted_outbox>);
    settle_at(one, t0);
    here.add("1", "k");
    CHECK_FALSE(one.step(after(1ms)));
    CHECK(to.accepted().empty());
    CHECK(one.step(after(1ms), after(50ms).steady));
    CHECK(here.script.waited.at(0) == after(50ms).steady);
    CHECK(one.step(after(2ms)));
    CHECK(to.accepted() == ids{"1"});
    settle_at(one, after(2ms));
    CHECK_FALSE(one.step(after(2ms), after(10s).steady));
    CHECK(here.script.waited.at(1) == after(102ms).steady);
}

TEST_CASE("an outbox that cannot wake is left alone for a while") {
    service here;
    here.script.ends["wait"] = {call_end::refused};
    scripted_sink to;
    relay one(waking_scripted_outbox(here.box, here.script), to, relay_named("r"));
    settle_at(one, t0);
    CHECK_FALSE(one.step(after(1ms), after(50ms).steady));
    CHECK(one.counts().store_pauses == 1);
    here.add("1", "k");
    settle_at(one, after(11s));
    CHECK(to.accepted() == ids{"1"});
}

TEST_CASE("a shut-down marks what was published, once more if it has to, and releases") {
    service here;
    here.add("1", "k");
    here.script.ends["mark"] = {call_end::not_done, call_end::not_done};
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    one.step(t0);
    const auto until = after(60s).steady;
    CHECK_FALSE(one.shut_down(after(1ms), until));  // the store is still left alone
    CHECK_FALSE(one.shut_down(after(11s), until));
    CHECK(one.shut_down(after(25s), until));
    CHECK(here.lag().waiting == 0);
    CHECK(here.box.holder(0).owner.empty());
    CHECK(one.shut_down(after(26s), until));
    here.add("2", "k");
    settle_at(one, after(27s));  // it can go on
    CHECK(to.accepted() == ids{"1", "2"});
}

TEST_CASE("a shut-down ends in time, whatever the outbox does") {
    service here;
    here.add("1", "k");
    const std::deque<call_end> down(1000, call_end::refused);
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    here.script.ends = {{"mark", down}, {"release", down}};
    one.step(t0);
    const auto until = after(10s).steady;
    for (int i = 1; i < 10; ++i) {
        CHECK_FALSE(one.shut_down(after(i * 1s), until));
    }
    const auto calls = here.script.calls.size();
    CHECK(one.shut_down(after(10s), until));
    CHECK(here.script.calls.size() == calls);
    CHECK(one.shards_held() == 0);
    CHECK(here.box.holder(0).owner == "r");
}

TEST_CASE("options that cannot be are refused by name") {
    service here;
    scripted_sink to;
    const auto refuses = [&](const std::string& name, auto change) {
        relay_options options;
        change(options);
        try {
            relay one(here.handle(), to, options);
            FAIL("not refused: " << name);
        } catch (const usage_error& why) {
            CAPTURE(why.what());
            CHECK(std::string(why.what()).find("relay: option " + name) == 0);
        }
    };
    refuses("batch_max", [](auto& o) { o.batch_max = 0; });
    refuses("batch_bytes_max", [](auto& o) { o.batch_bytes_max = 0; });
    refuses("max_attempts", [](auto& o) { o.max_attempts = 0; });
    refuses("base", [](auto& o) { o.base = 0ms; });
    refuses("cap", [](auto& o) { o.cap = 1ms; });
    refuses("lease", [](auto& o) { o.lease = 0s; });
    refuses("heartbeat", [](auto& o) { o.heartbeat = 0s; });
    refuses("heartbeat", [](auto& o) { o.heartbeat = 500us; });
    refuses("heartbeat", [](auto& o) { o.heartbeat = 15s; });
    refuses("look_interval", [](auto& o) { o.look_interval = 0s; });
    refuses("poll_interval", [](auto& o) { o.poll_interval = 0s; });
    refuses("retention", [](auto& o) { o.retention = -1s; });
    refuses("purge_interval", [](auto& o) { o.purge_interval = 0s; });
    refuses("purge_max", [](auto& o) { o.purge_max = 0; });
    refuses("lag_interval", [](auto& o) { o.lag_interval = 0s; });
    refuses("call_timeout", [](auto& o) { o.call_timeout = 0s; });
    refuses("publish_timeout", [](auto& o) { o.publish_timeout = 0s; });
    refuses("step_time_max", [](auto& o) { o.step_time_max = 0s; });
}

TEST_CASE("a relay without a name gets one that no other has") {
    service here;
    scripted_sink to;
    relay one(here.handle(), to);
    relay other(here.handle(), to);
    CHECK(one.options().owner.size() > 18);
    CHECK(one.options().owner != other.options().owner);
}
