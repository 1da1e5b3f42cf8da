// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/publish/emitter.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

struct fixed_clock {
    wall_time at{1'767'225'600s};  // 2026-01-01
    [[nodiscard]] moment now() const { return {steady_time(1h), at}; }
};

struct counted {
    std::uint64_t next = 0;
    std::uint64_t operator()() { return ++next; }
};

struct service {
    memory::store db{};
    memory::outbox box = db.outbox("orders", {.shards = 1});
    emitter<memory::outbox, fixed_clock, counted> emit{box, {}, {}};

    /// What is to be published, in order.
    [[nodiscard]] std::vector<event> waiting() {
        const auto lease = box.take(box.holder(0), "test").value();
        std::vector<event> out;
        auto claimed = box.claim(lease, fixed_clock().at, {1000, 1U << 20U}).value();
        for (auto& entry : claimed) {
            out.push_back(std::move(entry.what));
        }
        return out;
    }
};

const event cause{.id = "cause-1",
                  .source = "/payments",
                  .type = "payment.taken",
                  .partitionkey = "customer-1",
                  .sequence = "17",
                  .correlationid = "conversation-9",
                  .causationid = "older",
                  .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                  .headers = {{"secret", "of the cause"}}};

}  // namespace

TEST_CASE("an event gets an id and a time if it has none, and its number within its key") {
    service here;
    auto tx = here.db.begin(never);
    const event_view placed{.source = "/orders", .type = "order.placed", .partitionkey = "k"};
    CHECK(here.emit.add(tx, placed) == 1);
    CHECK(here.emit.add(tx, {.source = "/orders",
                             .type = "order.paid",
                             .data = as_bytes("{}"),
                             .partitionkey = "k"}) == 2);
    CHECK(here.emit.add(tx, {.source = "/orders", .type = "no.key"}) == 0);
    REQUIRE(tx.commit() == commit_result::committed);
    const auto out = here.waiting();
    REQUIRE(out.size() == 3);
    CHECK(out[0].id.size() == 36);
    CHECK(out[0].id != out[1].id);
    CHECK(out[0].time == "2026-01-01T00:00:00Z");
    CHECK(out[0].sequence == "1");
    CHECK(out[1].sequence == "2");
    CHECK(out[1].data == "{}");
    CHECK(out[2].sequence.empty());
}

TEST_CASE("what an event brings is kept") {
    service here;
    auto tx = here.db.begin(never);
    here.emit.add(tx, {.id = "mine", .source = "/orders", .type = "t", .time = "yesterday"});
    REQUIRE(tx.commit() == commit_result::committed);
    const auto out = here.waiting();
    CHECK(out.at(0).id == "mine");
    CHECK(out[0].time == "yesterday");
}

TEST_CASE("context flows from the event that is handled: correlation, cause and trace") {
    service here;
    auto tx = here.db.begin(never);
    here.emit.add(tx, {.source = "/orders", .type = "order.placed", .partitionkey = "k"},
                  cause.view());
    REQUIRE(tx.commit() == commit_result::committed);
    const auto out = here.waiting();
    REQUIRE(out.size() == 1);
    CHECK(out[0].correlationid == "conversation-9");
    CHECK(out[0].causationid == "cause-1");
    CHECK(out[0].traceparent == cause.traceparent);
    // And nothing else does.
    CHECK(out[0].id != cause.id);
    CHECK(out[0].sequence == "1");
    CHECK(out[0].headers.empty());
}

TEST_CASE("the first of a conversation gives it its name") {
    service here;
    auto tx = here.db.begin(never);
    const event first{.id = "first", .source = "/s", .type = "t"};
    here.emit.add(tx, {.source = "/orders", .type = "order.placed"}, first.view());
    REQUIRE(tx.commit() == commit_result::committed);
    const auto out = here.waiting();
    CHECK(out.at(0).correlationid == "first");
    CHECK(out[0].causationid == "first");
    CHECK(out[0].traceparent.empty());
}

TEST_CASE("events that go out at once share nothing: changing one changes no other") {
    service here;
    memory::outbox mail = here.db.outbox("mail", {.shards = 1});
    emitter<memory::outbox, fixed_clock, counted> to_mail(mail, {}, {});
    event one{.id = "1", .source = "/s", .type = "t", .headers = {{"for", "orders"}}};
    const event unchanged_cause = cause;
    auto tx = here.db.begin(never);
    here.emit.add(tx, one.view(), cause.view());
    one.headers[0].value = "mail";
    one.headers.push_back({"more", "x"});
    to_mail.add(tx, one.view(), cause.view());
    one.headers.clear();
    one.id = "gone";
    REQUIRE(tx.commit() == commit_result::committed);
    const auto out = here.waiting();
    REQUIRE(out.size() == 1);
    CHECK(out[0].id == "1");
    CHECK(out[0].headers == std::vector<header>{{"for", "orders"}});
    const auto lease = mail.take(mail.holder(0), "test").value();
    const auto mailed = mail.claim(lease, fixed_clock().at, {9, 999}).value();
    REQUIRE(mailed.size() == 1);
    CHECK(mailed[0].what.headers == std::vector<header>{{"for", "mail"}, {"more", "x"}});
    CHECK(cause == unchanged_cause);
}

TEST_CASE("what is rolled back was never emitted, and leaves no hole") {
    service here;
    const event_view placed{.source = "/orders", .type = "order.placed", .partitionkey = "k"};
    {
        auto tx = here.db.begin(never);
        CHECK(here.emit.add(tx, placed) == 1);
    }
    auto tx = here.db.begin(never);
    CHECK(here.emit.add(tx, placed) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(here.waiting().size() == 1);
}

TEST_CASE("an event that has a defect is refused, and the transaction goes on") {
    service here;
    auto tx = here.db.begin(never);
    CHECK_THROWS_AS(here.emit.add(tx, {.source = "", .type = "t"}), permanent_error);
    CHECK(here.emit.add(tx, {.source = "/s", .type = "t", .partitionkey = "k"}) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(here.waiting().size() == 1);
}

TEST_CASE("by default an emitter reads the machine's clock, and its ids are not to be guessed") {
    memory::store db;
    emitter emit(db.outbox("orders"));
    auto tx = db.begin(never);
    CHECK(emit.add(tx, {.source = "/s", .type = "t", .partitionkey = "k"}) == 1);
    CHECK(emit.outbox().lag().waiting == 0);
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(emit.outbox().lag().waiting == 1);
}

TEST_CASE("an emitter takes events that own their parts as well, and is named by its store") {
    memory::store db;
    emitter<memory::store::outbox_type> emit(db.outbox("orders"));
    const event placed{.id = "1", .source = "/s", .type = "t", .partitionkey = "k"};
    const event shipped{.id = "", .source = "/s", .type = "t", .partitionkey = "k"};
    auto tx = db.begin(never);
    CHECK(emit.add(tx, placed) == 1);
    CHECK(emit.add(tx, shipped, placed.view()) == 2);
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(emit.outbox().lag().waiting == 2);
}
