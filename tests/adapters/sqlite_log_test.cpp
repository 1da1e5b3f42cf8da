// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_log_parts.hpp"
#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/source.hpp>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using namespace sinew::test::sqlite_log;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::no_waiting;
using sinew::test::process;
using sinew::test::temp_folder;

static_assert(source<sqlite::member>);
static_assert(source<sqlite::log::member>);
static_assert(source_message<sqlite::message>);
static_assert(sink<sqlite::producer>);
static_assert(subscribable<sqlite::log>);
static_assert(!std::copyable<sqlite::message> && !std::copyable<sqlite::member>);

}  // namespace

TEST_CASE("sqlite log: what was accepted is read back bit for bit, also by another process") {
    fixture f;
    auto orders = f.log.producer("orders");
    auto member = f.join();
    test::prop("any event", [&] {
        const event e = *test::any_event();
        RC_ASSERT(orders.publish(e.view(), no_waiting).is_accepted());
        listener hears;
        member.poll(plenty, no_waiting, hears);
        RC_ASSERT(hears.got.size() == std::size_t{1});
        RC_ASSERT(to_event(hears.got[0].view()) == e);
        RC_ASSERT(hears.got[0].broken().has_value() == find_defect(e.view()).has_value());
    });
    process reader([&](process&) {
        sqlite::log same(f.folder.file());
        std::size_t count = 0;
        same.visit("orders", 0, [&](position where, const event_view&) {
            count += where.offset == static_cast<log_offset>(count) ? 1U : 0U;
        });
        return count == static_cast<std::size_t>(same.end("orders", 0)) && count >= 100;
    });
    REQUIRE(reader.wait());
}

TEST_CASE("sqlite log: events of one key are read in the order in which they were accepted") {
    fixture f(4);
    auto one = f.log.producer("orders");
    auto other = f.log.producer("orders");
    for (int i = 0; i < 200; ++i) {
        auto& to = i % 2 == 0 ? one : other;
        const std::string key = "key " + std::to_string(i % 7);
        REQUIRE(to.publish(make_event(std::to_string(i), key).view(), no_waiting).is_accepted());
    }
    auto member = f.join();
    listener hears;
    for (int i = 0; i < 50; ++i) {
        member.poll(plenty, no_waiting, hears);
    }
    REQUIRE(hears.got.size() == 200);
    std::vector<int> last(7, -1);
    for (const auto& m : hears.got) {
        const int number = std::stoi(std::string(m.view().id));
        REQUIRE(last[static_cast<std::size_t>(number % 7)] < number);
        last[static_cast<std::size_t>(number % 7)] = number;
        REQUIRE(m.where().partition == f.log.partition_of("orders", m.view().partitionkey));
    }
}

TEST_CASE("sqlite log: where a key lives is the same for ever") {
    STATIC_REQUIRE(sqlite::detail::stable_hash("") == 0xcbf29ce484222325U);
    STATIC_REQUIRE(sqlite::detail::stable_hash("a") == 0xaf63dc4c8601ec8cU);
    STATIC_REQUIRE(sqlite::detail::stable_hash("foobar") == 0x85944171f73967e8U);
    constexpr sqlite::detail::topic_row eight{1, 8, 0};
    STATIC_REQUIRE(eight.partition_of("customer-1") == 4);
    STATIC_REQUIRE(eight.partition_of("customer-2") == 1);
    STATIC_REQUIRE(eight.partition_of("foobar") == 1);
    // An event without a key goes by its identity.
    const auto e = make_event("17");
    REQUIRE(eight.partition_of(e.view()) == eight.partition_of(std::string_view("/test17")));
}

TEST_CASE("sqlite log: a batch is there as a whole or not at all") {
    fixture f(2);
    auto orders = f.log.producer("orders");
    std::vector<event> batch;
    for (int i = 0; i < 100; ++i) {
        batch.push_back(make_event(std::to_string(i), std::to_string(i)));
    }
    REQUIRE(orders.publish_all(batch, no_waiting).is_accepted());
    REQUIRE(f.log.end("orders", 0) + f.log.end("orders", 1) == 100);
    std::vector<event_view> views{batch[0].view(), batch[1].view()};
    REQUIRE(orders.publish_all(views, no_waiting).is_accepted());
    REQUIRE(f.log.end("orders", 0) + f.log.end("orders", 1) == 102);

    sqlite::connection other(f.folder.file());
    other.execute_script(
        "CREATE TRIGGER no_more BEFORE INSERT ON sinew_records "
        "WHEN new.id = x'3530' BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    const auto refused = orders.publish_all(batch, no_waiting);
    REQUIRE(refused.how() == publish_result::end::refused);
    REQUIRE(f.log.end("orders", 0) + f.log.end("orders", 1) == 102);
}

TEST_CASE("sqlite log: a publish that finds the file locked is refused, in time, and not there") {
    fixture f;
    auto orders = f.log.producer("orders");
    sqlite::connection other(f.folder.file());
    other.execute_script("BEGIN IMMEDIATE");
    const auto until = in(5ms);
    const auto result = orders.publish(make_event("1").view(), until);
    REQUIRE(machine_clock::now().steady >= until);
    REQUIRE(result.how() == publish_result::end::refused);
    REQUIRE(result.why().kind == failure_class::unavailable);
    REQUIRE(result.why().reason == "sqlite_busy");
    const std::vector<event> batch{make_event("2")};
    REQUIRE(orders.publish_all(batch, no_waiting).how() == publish_result::end::refused);
    other.execute_script("ROLLBACK");
    REQUIRE(f.log.end("orders", 0) == 0);
    REQUIRE(orders.publish(make_event("1").view(), no_waiting).is_accepted());
}

TEST_CASE("sqlite log: a topic keeps its number of partitions") {
    fixture f(3);
    f.log.create_topic("returns", {.partitions = 5});
    f.log.create_topic("returns", {.partitions = 5});
    REQUIRE_THROWS_AS(f.log.create_topic("returns", {.partitions = 6}), usage_error);
    REQUIRE_THROWS_AS(f.log.create_topic("none", {.partitions = 0}), usage_error);
    REQUIRE_THROWS_AS(f.log.create_topic("", {}), usage_error);
    REQUIRE(f.log.partitions("returns") == 5);
    static_cast<void>(f.log.producer("orders"));
    REQUIRE(f.log.partitions("orders") == 3);
    REQUIRE_THROWS_AS(f.log.partitions("nowhere"), usage_error);
    REQUIRE_THROWS_AS(f.log.append("orders", 3, make_event("1").view()), usage_error);
    // Topics do not run into each other.
    f.log.append("orders", 2, make_event("a").view());
    f.log.append("returns", 0, make_event("b").view());
    REQUIRE(f.log.append("orders", 2, make_event("c").view()) == position{2, 1});
    REQUIRE(f.log.append("returns", 0, make_event("d").view()) == position{0, 1});
}

TEST_CASE("sqlite log: a poll tells the assignment first, then messages in rising offset") {
    fixture f(2);
    for (int i = 0; i < 5; ++i) {
        f.publish(std::to_string(i), 1);
    }
    auto member = f.join();
    listener hears;
    member.poll({0, 0}, no_waiting, hears);
    REQUIRE(hears.story == "+0+1");
    REQUIRE(hears.got.empty());
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"0", "1", "2", "3", "4"});
    for (std::size_t i = 0; i < 5; ++i) {
        REQUIRE(hears.got[i].where() == position{1, static_cast<log_offset>(i)});
        REQUIRE(hears.got[i].epoch() == hears.epochs[1]);
    }
}

TEST_CASE("sqlite log: a partition starts after the last committed offset of its group") {
    fixture f;
    for (int i = 0; i < 5; ++i) {
        f.publish(std::to_string(i));
    }
    {
        auto member = f.join();
        listener hears;
        member.poll(plenty, no_waiting, hears);
        REQUIRE(member.commit(0, hears.epochs[0], 2, no_waiting) == commit_result::committed);
    }
    REQUIRE(f.committed() == 2);
    listener hears;
    auto member = f.join();
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"3", "4"});
    listener others;
    auto other_group = f.log.join("orders", "billing");
    other_group.poll(plenty, no_waiting, others);
    REQUIRE(others.got.size() == 5);
}

TEST_CASE("sqlite log: a poll keeps to its limits, and goes on where it stopped") {
    fixture f(2);
    for (int i = 0; i < 10; ++i) {
        f.publish(std::to_string(i), static_cast<partition_id>(i % 2));
    }
    auto member = f.join();
    std::size_t seen = 0;
    for (int i = 0; i < 20 && seen < 10; ++i) {
        listener hears;
        member.poll({3, 1U << 20U}, no_waiting, hears);
        REQUIRE(hears.got.size() <= 3);
        seen += hears.got.size();
    }
    REQUIRE(seen == 10);
    f.publish("big one", 0);
    f.publish("next one", 0);
    listener hears;
    member.poll({100, 1}, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"big one"});
    member.poll({SIZE_MAX, SIZE_MAX}, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"big one", "next one"});
}

TEST_CASE("sqlite log: a poll waits until its deadline, and returns early when something comes") {
    fixture f;
    auto member = f.join();
    listener hears;
    member.poll(plenty, no_waiting, hears);
    const auto before = machine_clock::now().steady;
    member.poll(plenty, later(f.time->steady, 20ms), hears);
    REQUIRE(machine_clock::now().steady >= later(before, 20ms));
    REQUIRE(hears.got.empty());

    process writer([&](process& self) {
        sqlite::log same(f.folder.file());
        auto orders = same.producer("orders");
        self.tell_parent();
        self.wait_for_parent();
        return orders.publish(make_event("1").view(), in(60s)).is_accepted();
    });
    writer.wait_for_child();
    writer.tell_child();
    member.poll(plenty, never, hears);
    REQUIRE(hears.ids() == ids{"1"});
    REQUIRE(writer.wait());
}

TEST_CASE("sqlite log: a message stays as it is, whatever the log does in the meantime") {
    fixture f;
    f.publish("first");
    auto member = std::make_unique<sqlite::member>(f.join());
    listener hears;
    member->poll(plenty, no_waiting, hears);
    auto kept = std::move(hears.got[0]);
    hears.got.clear();
    const event_view view = kept.view();
    const char* place = view.id.data();
    for (int i = 0; i < 2000; ++i) {
        f.publish("other " + std::to_string(i));
        member->poll(plenty, no_waiting, hears);
        hears.got.clear();
    }
    f.log.trim("orders", 0, 1000);
    member.reset();
    REQUIRE(view.id == "first");
    REQUIRE(kept.view().id.data() == place);
    const sqlite::message moved = std::move(kept);
    REQUIRE(moved.view().id == "first");
}

TEST_CASE("sqlite log: a paused partition delivers nothing and resumes where it stood") {
    fixture f(2);
    for (int i = 0; i < 3; ++i) {
        f.publish("a" + std::to_string(i), 0);
        f.publish("b" + std::to_string(i), 1);
    }
    auto member = f.join();
    listener hears;
    member.poll({0, 0}, no_waiting, hears);
    member.pause(0);
    member.pause(0);
    member.resume(1);
    member.pause(7);
    for (int i = 0; i < 3; ++i) {
        member.poll(plenty, no_waiting, hears);
    }
    REQUIRE(hears.ids() == ids{"b0", "b1", "b2"});
    member.resume(0);
    member.resume(0);
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"b0", "b1", "b2", "a0", "a1", "a2"});
    REQUIRE(hears.story == "+0+1");
}

TEST_CASE("sqlite log: a listener that pauses, gives back or throws in the middle loses nothing") {
    fixture f;
    for (int i = 0; i < 6; ++i) {
        f.publish(std::to_string(i));
    }
    struct acting : listener {
        void message(sqlite::message&& one) {
            listener::message(std::move(one));
            act(got.size());
        }
        std::function<void(std::size_t)> act = [](std::size_t) {};
    };
    auto member = f.join();
    acting hears;
    hears.act = [&](std::size_t count) {
        if (count == 2) {
            member.pause(0);
        }
    };
    for (int i = 0; i < 3; ++i) {
        member.poll(plenty, no_waiting, hears);
    }
    REQUIRE(hears.ids() == ids{"0", "1"});
    member.resume(0);
    hears.act = [](std::size_t count) {
        if (count == 4) {
            throw std::runtime_error("not now");
        }
    };
    REQUIRE_THROWS_AS(member.poll(plenty, no_waiting, hears), std::runtime_error);
    REQUIRE(hears.ids() == ids{"0", "1", "2", "3"});
    hears.act = [&](std::size_t count) {
        if (count == 6) {
            REQUIRE(member.commit(0, hears.epochs[0], 3, no_waiting) == commit_result::committed);
            member.release(0, hears.epochs[0]);
        }
    };
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"0", "1", "2", "3", "3", "4"});
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.ids() == ids{"0", "1", "2", "3", "3", "4", "4", "5"});
}

TEST_CASE("sqlite log: retention drops what is below, and offsets are never used twice") {
    fixture f(2);
    for (int i = 0; i < 2500; ++i) {
        f.publish(std::to_string(i), 1);
    }
    REQUIRE(f.log.trim("orders", 1, 2400) == 2400);
    REQUIRE(f.log.trim("orders", 1, 2400) == 0);
    REQUIRE(f.log.trim("orders", 0, 100) == 0);
    REQUIRE(f.log.begin("orders", 1) == 2400);
    REQUIRE(f.log.end("orders", 1) == 2500);
    auto member = f.join();
    listener hears;
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.got.size() == 100);
    REQUIRE(hears.got[0].where() == position{1, 2400});
    REQUIRE(f.log.trim("orders", 1, INT64_MAX) == 100);
    REQUIRE(f.log.end("orders", 1) == 2500);
    f.publish("next", 1);
    f.publish("first", 0);
    hears.got.clear();
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.got.size() == 2);
    for (const auto& one : hears.got) {
        REQUIRE(one.where() == (one.view().id == "next" ? position{1, 2500} : position{0, 0}));
    }
}

TEST_CASE("sqlite log: options out of range are refused") {
    temp_folder folder;
    const auto refused = [&](sqlite::log_options options) {
        REQUIRE_THROWS_AS(sqlite::log(folder.file(), std::move(options)), usage_error);
    };
    refused({.topic = {0}});
    refused({.topic = {100'000}});
    refused({.lease = 0s});
    refused({.revoke_timeout = -1s});
    refused({.prefix = "no-name"});
    refused({.now = nullptr});
    REQUIRE_THROWS_AS(sqlite::log(":memory:"), usage_error);
    const sqlite::log log(folder.file());
    REQUIRE_THROWS_AS(log.join("orders", ""), usage_error);
    REQUIRE_THROWS_AS(log.join("", "stock"), usage_error);
}

TEST_CASE("sqlite log: several processes publish at once, and nothing is lost or out of order") {
    temp_folder folder;
    const sqlite::log_options options{.topic = {2}, .synchronous = sqlite::synchronous::normal};
    const auto work = [&](const std::string& who) {
        return [&, who](process&) {
            sqlite::log same(folder.file(), options);
            auto orders = same.producer("orders");
            for (int i = 0; i < 200; ++i) {
                event e = make_event(who + std::to_string(i), who);
                e.sequence = std::to_string(i);
                if (!orders.publish(e.view(), in(60s)).is_accepted()) {
                    return false;
                }
            }
            return true;
        };
    };
    process a(work("a"));
    process b(work("b"));
    process c(work("c"));
    REQUIRE(a.wait());
    REQUIRE(b.wait());
    REQUIRE(c.wait());
    sqlite::log log(folder.file(), options);
    auto member = log.join("orders", "stock");
    std::map<std::string, int> next;
    for (int i = 0; i < 20; ++i) {
        listener hears;
        member.poll(plenty, no_waiting, hears);
        for (const auto& one : hears.got) {
            REQUIRE(one.view().sequence ==
                    std::to_string(next[std::string(one.view().partitionkey)]++));
        }
    }
    REQUIRE(next["a"] + next["b"] + next["c"] == 600);
}
