// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

/// A source that is watched: what is committed, and whether it may be.
class watched_source {
public:
    using message = memory::message;

    explicit watched_source(memory::member inner) : inner_(std::move(inner)) {}

    template <class Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        if (failing) {
            throw error(*failing, "broken", "the source is broken");
        }
        inner_.poll(limits, until, listener);
    }
    commit_result commit(partition_id partition, epoch_number epoch, log_offset through,
                         steady_time until) {
        commits.push_back({partition, through});
        if (unanswered > 0) {
            --unanswered;
            return commit_result::unknown;
        }
        return inner_.commit(partition, epoch, through, until);
    }
    void release(partition_id partition, epoch_number epoch) { inner_.release(partition, epoch); }
    void pause(partition_id partition) {
        ++pauses;
        inner_.pause(partition);
    }
    void resume(partition_id partition) {
        ++resumes;
        inner_.resume(partition);
    }

    std::vector<position> commits{};
    std::optional<failure_class> failing{};
    int unanswered = 0;
    int pauses = 0;
    int resumes = 0;

private:
    memory::member inner_;
};

/// Knows what is finished, from what the consumer tells.
struct ledger : diary {
    std::set<position> open{};
    std::set<position> finished{};

    void on_received(const event_note& n) { open.insert(n.where); }
    void on_applied(const event_note& n) { end(n); }
    void on_duplicate(const event_note& n) { end(n); }
    void on_skipped(const event_note& n) { end(n); }
    void on_dead_lettered(const event_note& n) { end(n); }
    void on_committed(const partition_note& n) {
        for (const auto& where : open) {
            if (where.partition == n.partition && where.offset <= n.through) {
                ran_ahead = true;
            }
        }
        sound = sound && finished.contains({n.partition, n.through});
    }
    bool ran_ahead = false;
    bool sound = true;

private:
    void end(const event_note& n) {
        open.erase(n.where);
        finished.insert(n.where);
    }
};

/// A bench whose handler keeps a ticket for each event.
struct ticket_bench : bench {
    using bench::bench;
    diary told{};
    std::map<std::string, ticket> tickets{};
    texts begun{};

    auto consume(subscription_options s = {}) {
        return from(s) | observed_by(told) | dead_letter(letters) | retry() |
               idempotent_by_nature() | handle([this](const event_view& e, ticket t) {
                   begun.emplace_back(e.id);
                   tickets[std::string(e.id)] = t;
               });
    }
};

[[nodiscard]] std::vector<event> of_different_keys(int count, std::size_t data_bytes = 2) {
    std::vector<event> out;
    for (int i = 0; i < count; ++i) {
        out.push_back(order(std::to_string(i), "k" + std::to_string(i)));
        out.back().data.assign(data_bytes, 'x');
    }
    return out;
}

}  // namespace

TEST_CASE("a handler with a ticket finishes later, and holds its own key alone") {
    ticket_bench b;
    b.put_all({order("a1", "a"), order("a2", "a"), order("b1", "b")});
    auto c = b.consume();
    b.work_for(1h, c);
    CHECK(b.begun == texts{"a1", "b1"});
    CHECK(c.complete(b.tickets["b1"], outcome::done()) == completion::taken);
    b.work_for(1min, c);
    CHECK(c.counts().applied == 1);
    CHECK(b.committed() == -1);
    CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::taken);
    CHECK(c.next_deadline() == b.now.steady);
    b.work(c);
    CHECK(b.begun == texts{"a1", "b1", "a2"});
    CHECK(c.complete(b.tickets["a2"], outcome::skip("seen elsewhere")) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().skipped == 1);
    CHECK(b.committed() == 2);
}

TEST_CASE("a ticket is used up by its first completion") {
    ticket_bench b;
    b.put_all({order("a1", "a"), order("a2", "a")});
    auto c = b.consume();
    b.work(c);
    const auto first = b.tickets["a1"];
    CHECK(c.complete(first, outcome::done()) == completion::taken);
    CHECK(c.complete(first, outcome::reject("no")) == completion::stale);
    b.work(c);
    CHECK(c.complete(first, outcome::reject("no")) == completion::stale);
    CHECK(c.complete(ticket{}, outcome::done()) == completion::stale);
    CHECK(c.complete(ticket(12345678, 1), outcome::done()) == completion::stale);
    CHECK(c.counts().applied == 1);
    CHECK(c.counts().dead_lettered == 0);
    CHECK(c.complete(b.tickets["a2"], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 2);
}

TEST_CASE("a ticket that ends in a failure is tried again, or goes to the dead letters") {
    ticket_bench b;
    b.put_all({order("a1", "a"), order("b1", "b")});
    auto c = b.consume();
    b.work(c);
    CHECK(c.complete(b.tickets["a1"], outcome::retry("busy")) == completion::taken);
    CHECK(c.complete(b.tickets["b1"], outcome::reject("no")) == completion::taken);
    b.work_for(1min, c);
    CHECK(b.begun == texts{"a1", "b1", "a1"});
    CHECK(reasons(b.all_letters()) == texts{"b1: no"});
    CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().retries == 1);
}

TEST_CASE("a handler that completes within its own call, or throws after that, ends once") {
    bench b;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c")});
    std::function<completion(ticket, outcome)> complete;
    int calls = 0;
    auto c = b.from() | dead_letter(b.letters) | retry({.max_attempts = 2}) |
             idempotent_by_nature() | handle([&](const event_view& e, ticket t) {
                 ++calls;
                 if (e.id != "3") {
                     CHECK(complete(t, outcome::done()) == completion::taken);
                 }
                 if (e.id != "1") {
                     throw 17;
                 }
             });
    complete = [&c](ticket t, outcome o) { return c.complete(t, std::move(o)); };
    REQUIRE(b.drain(c));
    CHECK(calls == 4);
    CHECK(c.counts().applied == 2);
    CHECK(reasons(b.all_letters()) == texts{"3: unknown_exception"});
}

TEST_CASE("after its partition was taken away a ticket changes nothing, and its key stays taken") {
    ticket_bench b;
    b.put_all({order("z", "z"), order("a1", "a"), order("a2", "a")});
    auto c = b.consume();
    b.work(c);
    const auto old_run = b.tickets["a1"];
    CHECK(c.complete(b.tickets["z"], outcome::done()) == completion::taken);
    b.work(c);
    b.log.kick(b.log.owner("orders", "shop", 0));
    b.work_for(1min, c);
    CHECK(b.told.told("lost 0"));
    // The events came again, but the old run of the key has not ended.
    CHECK(b.begun == texts{"z", "a1", "z"});
    CHECK(c.complete(old_run, outcome::done()) == completion::stale);
    b.work(c);
    CHECK(b.begun == texts{"z", "a1", "z", "a1"});
    CHECK(b.committed() <= 0);
    CHECK(c.complete(old_run, outcome::done()) == completion::stale);
    CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::taken);
    CHECK(c.complete(b.tickets["z"], outcome::done()) == completion::taken);
    b.work(c);
    CHECK(c.complete(b.tickets["a2"], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 2);
    CHECK(c.counts().balances());
}

TEST_CASE("a revoked partition waits for what runs, commits it, and is given back") {
    ticket_bench b(2);
    b.put(order("a1", "a"), 0);
    b.put(order("a2", "a"), 0);
    b.put(order("b1", "b"), 1);
    auto c = b.consume();
    b.work(c);
    const auto before = b.log.owner("orders", "shop", 0);
    texts elsewhere;
    auto heir = b.from() | dead_letter(b.letters) | idempotent_by_nature() |
                handle([&](const event_view& e) { elsewhere.emplace_back(e.id); });
    b.work(c, heir);
    CHECK(b.log.owner("orders", "shop", 0) == before);
    CHECK(elsewhere.empty());
    CHECK(c.counts().given_back == 1);

    SECTION("when the running handlers finish") {
        CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::taken);
        b.work(c);
        CHECK(b.committed(0) == 0);
        CHECK(b.log.owner("orders", "shop", 0) != before);
        b.work(c, heir);
        CHECK(elsewhere == texts{"a2"});
    }
    SECTION("or when their time is up") {
        const auto time_up = b.now.steady + 30s;
        b.work_for(29'999ms, c, heir);
        CHECK(elsewhere.empty());
        CHECK(c.next_deadline() == time_up);
        b.work_for(1ms, c, heir);
        b.work(c, heir);
        CHECK(elsewhere == texts{"a1", "a2"});
        CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::stale);
        b.work(c, heir);
        CHECK(c.counts().given_back == 2);
    }
    CHECK(b.begun == texts{"a1", "b1"});
    CHECK(c.complete(b.tickets["b1"], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c, heir));
    CHECK(b.committed(0) == 1);
    CHECK(b.committed(1) == 0);
}

TEST_CASE("a poll brings no more than may be in flight") {
    ticket_bench b;
    b.put_all(of_different_keys(10));
    auto c = b.consume({.in_flight_max = 4});
    b.work(c);
    CHECK(c.counts().received == 4);
    CHECK(b.told.told("paused in_flight"));
    CHECK(c.complete(b.tickets["2"], outcome::done()) == completion::taken);
    b.work(c);
    CHECK(b.begun == texts{"0", "1", "2", "3", "4"});
    CHECK(c.counts().in_flight == 4);
    for (int i = 0; i < 10; ++i) {
        for (auto& [id, t] : b.tickets) {
            static_cast<void>(c.complete(t, outcome::done()));
        }
        b.work(c);
        CHECK(c.counts().in_flight <= 4);
    }
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 10);
}

TEST_CASE("a poll brings no more bytes than may be in flight, but for the last event") {
    ticket_bench b;
    b.put_all(of_different_keys(10, 1000));
    auto c = b.consume({.in_flight_bytes_max = 2500});
    b.work(c);
    CHECK(c.counts().received == 3);
    CHECK(b.told.told("paused bytes"));
    CHECK(c.complete(b.tickets["0"], outcome::done()) == completion::taken);
    b.work(c);
    CHECK(c.counts().in_flight == 3);
    for (int i = 0; i < 10; ++i) {
        for (auto& [id, t] : b.tickets) {
            static_cast<void>(c.complete(t, outcome::done()));
        }
        b.work(c);
    }
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 10);
    CHECK(b.told.told("resumed bytes"));
}

TEST_CASE("a partition whose window is full is paused alone, and resumes where it stood") {
    bench b(2);
    diary told;
    for (const auto& e : of_different_keys(30)) {
        b.put(e, 0);
        b.put(order("other" + e.id, "other" + e.partitionkey), 1);
    }
    std::optional<ticket> first;
    watched_source source(b.log.join("orders", "shop"));
    std::function<void(ticket)> done;
    auto c =
        subscribe(source, bench::options({.in_flight_max = 8, .window_max = 8})) |
        observed_by(told) | dead_letter(b.letters) | idempotent_by_nature() |
        handle([&](const event_view& e, ticket t) { e.id == "0" ? void(first = t) : done(t); });
    done = [&c](ticket t) { static_cast<void>(c.complete(t, outcome::done())); };
    b.work_for(10s, c);
    CHECK(source.pauses == 1 + source.resumes);
    CHECK(b.committed(0) == -1);
    CHECK(b.committed(1) == 29);
    CHECK(c.counts().received == 30 + 8);

    SECTION("when its oldest event is finished") {
        CHECK(c.complete(*first, outcome::done()) == completion::taken);
        REQUIRE(b.drain(c));
        CHECK(source.resumes == source.pauses);
    }
    SECTION("when it comes back under another epoch") {
        b.log.kick(b.log.owner("orders", "shop", 0));
        b.work_for(1s, c);
        CHECK(c.complete(*first, outcome::done()) == completion::stale);
        b.work_for(1s, c);
        CHECK(c.complete(*first, outcome::done()) == completion::taken);
        REQUIRE(b.drain(c));
    }
    CHECK(b.committed(0) == 29);
    CHECK(c.counts().balances());
}

TEST_CASE("a long commit interval holds nothing up") {
    bench b;
    b.put_all(of_different_keys(300));
    std::size_t handled = 0;
    auto c = b.from({.in_flight_max = 8, .window_max = 8, .commit_interval = 1h}) | halt() |
             idempotent_by_nature() | handle([&](const event_view&) { ++handled; });
    b.work(c);
    CHECK(handled == 300);
    CHECK(b.committed() >= 299 - 2 * 8);
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 299);
}

TEST_CASE("a flood of 100,000 keys fits into small limits, and everything ends") {
    bench b;
    constexpr int keys = 100'000;
    const bool with_gaps = GENERATE(false, true);
    for (int i = 0; i < keys; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i), with_gaps ? 2U : 1U));
    }
    std::size_t handled = 0;
    auto c = b.from({.in_flight_max = 64, .window_max = 128}) |
             in_sequence({.gap_timeout = 1s, .held_max = 16, .keys_max = 32}) |
             dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle([&](const event_view&) { ++handled; });
    REQUIRE(b.drain(c));
    CHECK(handled == keys);
    CHECK(b.most_in_flight <= 64);
    CHECK(b.committed() == keys - 1);
    CHECK(c.counts().gaps == (with_gaps ? keys : 0));
}

TEST_CASE("a flood of keys that all fail fits into the limits, and all are dead letters") {
    bench b;
    b.put_all(of_different_keys(5000));
    auto c = b.from({.in_flight_max = 64, .window_max = 128}) | dead_letter(b.letters) |
             retry({.max_attempts = 2, .budget_floor = 1000}) | once(b.db) |
             handle([](const event_view&, memory::transaction&) -> outcome {
                 return outcome::retry("busy");
             });
    REQUIRE(b.drain(c));
    CHECK(b.most_in_flight <= 64);
    CHECK(c.counts().dead_lettered == 5000);
    CHECK(b.letters.size() == 5000);
    CHECK(b.committed() == 4999);
}

TEST_CASE("holes in the offsets neither stall nor are committed") {
    bench b;
    b.log.create_topic("prices", {.partitions = 1, .compacted = true});
    for (int i = 0; i < 30; ++i) {
        b.log.append("prices", 0, order(std::to_string(i), "k" + std::to_string(i % 4)).view());
        b.log.produce_hole("prices", 0, static_cast<std::uint32_t>(i % 3));
    }
    b.log.compact("prices");
    std::set<log_offset> delivered;
    b.log.visit("prices", 0,
                [&](position where, const event_view&) { delivered.insert(where.offset); });
    REQUIRE(delivered.size() == 4);
    b.log.append("prices", 0, order("last", "k9").view());
    delivered.insert(b.log.end("prices", 0) - 1);
    b.log.produce_hole("prices", 0, 5);
    watched_source source(b.log.join("prices", "shop"));
    int failures = 3;
    auto c = subscribe(source, {.topic = "prices", .group = "shop", .seed = 7}) |
             dead_letter(b.letters) | retry() | once(b.db, {.duplicates = duplicates::by_offset}) |
             handle([&](const event_view& e, memory::transaction&) -> outcome {
                 return e.partitionkey == "k3" && failures-- > 0 ? outcome::retry("busy")
                                                                 : outcome::done();
             });
    REQUIRE(b.drain(c));
    CHECK(b.log.committed("prices", "shop", 0) == *delivered.rbegin());
    for (const auto& one : source.commits) {
        CHECK(delivered.contains(one.offset));
    }
    CHECK(c.counts().applied == 5);
}

TEST_CASE("law: no commit runs ahead") {
    test::prop("the committed offset never passes an event that is not finished", [] {
        bench b(3);
        ledger told;
        watched_source source(b.log.join("orders", "shop"));
        std::map<std::string, ticket> open;
        auto c = subscribe(source, bench::options({.commit_interval = duration::zero()})) |
                 observed_by(told) | dead_letter(b.letters) |
                 retry({.max_attempts = 2, .budget_floor = 1000}) | idempotent_by_nature() |
                 handle([&](const event_view& e, ticket t) { open[std::string(e.id)] = t; });
        const auto events = *rc::gen::inRange(1, 40);
        for (int i = 0; i < events; ++i) {
            b.put(order(std::to_string(i), "k" + std::to_string(i % 9)),
                  static_cast<partition_id>(i % 9 % 3));
        }
        for (int round = 0; round < 500 && told.finished.size() < std::size_t(events); ++round) {
            b.work_for(300ms, c);
            source.unanswered = *rc::gen::inRange(0, 3);
            auto chosen = open;
            for (auto& [id, t] : chosen) {
                switch (*rc::gen::inRange(0, 8)) {
                    case 0: static_cast<void>(c.complete(t, outcome::retry("busy"))); break;
                    case 1: static_cast<void>(c.complete(t, outcome::reject("no"))); break;
                    case 2: static_cast<void>(c.complete(t, outcome::skip("no"))); break;
                    case 3:
                    case 4: static_cast<void>(c.complete(t, outcome::done())); break;
                    default: continue;
                }
                open.erase(id);
            }
            RC_ASSERT(!told.ran_ahead);
            RC_ASSERT(told.sound);
        }
        source.unanswered = 0;
        RC_ASSERT(b.drain(c));
        RC_ASSERT(told.finished.size() == std::size_t(events));
        for (partition_id p = 0; p < 3; ++p) {
            RC_ASSERT(b.committed(p) == b.log.end("orders", p) - 1);
        }
    });
}

TEST_CASE("a jump of the wall clock changes no decision") {
    const auto run = [](bool jumps) {
        bench b;
        for (std::uint64_t n = 1; n < 40; ++n) {
            if (n % 10 != 0) {
                b.put(order(std::to_string(n), "k" + std::to_string(n % 3), n / 3 + 1));
            }
        }
        std::vector<std::pair<std::string, steady_time>> calls;
        std::map<std::string, int> attempts;
        auto c = b.from() | in_sequence({.gap_timeout = 5s}) | dead_letter(b.letters) |
                 retry({.max_elapsed = 1min}) | once(b.db) |
                 handle([&](const event_view& e, memory::transaction&) -> outcome {
                     calls.emplace_back(e.id, b.now.steady);
                     const int attempt = ++attempts[std::string(e.id)];
                     return attempt < 4 && (e.id == "7" || e.id == "17") ? outcome::retry("busy")
                            : e.id == "8"                                ? outcome::retry("never")
                                                                         : outcome::done();
                 });
        for (int i = 0; i < 400; ++i) {
            if (jumps) {
                b.now.wall += i % 2 == 0 ? 9000h : -11'000h;
            }
            b.work_for(1s, c);
        }
        CHECK(c.is_idle());
        return std::pair(calls, c.counts().dead_lettered);
    };
    const auto calm = run(false);
    CHECK(calm == run(true));
    CHECK(calm.first.size() > 40);
}

TEST_CASE("before next_deadline there is nothing to do, and at it there is") {
    bench b;
    auto c = b.from() | in_sequence({.gap_timeout = 20s}) | halt() |
             retry({.max_attempts = 50, .max_elapsed = 5min}) | idempotent_by_nature() |
             handle([&, left = 9](const event_view& e) mutable -> outcome {
                 return e.id == "1" && left-- > 0 ? outcome::retry("busy") : outcome::done();
             });
    b.put_all({order("1", "a", 1), order("2", "a", 2), order("b1", "b", 1), order("b3", "b", 3)});
    b.work(c);
    int deadlines = 0;
    while (!c.is_idle()) {
        const auto due = c.next_deadline();
        REQUIRE(due != never);
        REQUIRE(due > b.now.steady);
        b.pass(due - b.now.steady - 1ns);
        const auto before = c.counts();
        CHECK_FALSE(c.step(b.now));
        CHECK(c.next_deadline() == due);
        CHECK(c.counts().retries == before.retries);
        b.pass(1ns);
        b.work(c);
        REQUIRE(++deadlines < 100);
    }
    CHECK(c.counts().applied == 4);
    CHECK(c.counts().gaps == 1);
    CHECK(c.next_deadline() == never);
}

TEST_CASE("a shut-down commits what is finished, and gives the rest back in the time it has") {
    ticket_bench b;
    b.put_all({order("a1", "a"), order("b1", "b"), order("b2", "b"), order("c1", "c")});
    texts expected_again;
    {
        auto c = b.consume({.commit_interval = 1h});
        b.work(c);
        REQUIRE(b.begun == texts{"a1", "b1", "c1"});
        CHECK(c.complete(b.tickets["a1"], outcome::done()) == completion::taken);
        const auto until = b.now.steady + 5s;
        CHECK_FALSE(c.shut_down(b.now, until));
        CHECK(c.counts().applied == 1);
        b.pass(1s);
        CHECK(c.complete(b.tickets["c1"], outcome::done()) == completion::taken);
        CHECK_FALSE(c.shut_down(b.now, until));

        SECTION("as soon as everything has finished") {
            CHECK(c.complete(b.tickets["b1"], outcome::done()) == completion::taken);
            CHECK(c.shut_down(b.now, until));
            CHECK(b.committed() == 1);
            CHECK(c.counts().applied == 3);
            CHECK(c.counts().given_back == 1);
            CHECK(c.counts().in_flight == 0);
            expected_again = {"b2", "c1"};
        }
        SECTION("or when the time is up, whatever still runs") {
            b.pass(4s - 1ns);
            CHECK_FALSE(c.shut_down(b.now, until));
            b.pass(1ns);
            CHECK(c.shut_down(b.now, until));
            CHECK(b.committed() == 0);
            CHECK(c.complete(b.tickets["b1"], outcome::done()) == completion::stale);
            CHECK(c.shut_down(b.now, until));
            expected_again = {"b1", "b2", "c1"};
        }
        CHECK(b.begun == texts{"a1", "b1", "c1"});
        CHECK(c.counts().balances());
    }
    // Whoever reads on gets what was not committed, and nothing else.
    texts again;
    auto next = b.from() | halt() | idempotent_by_nature() |
                handle([&](const event_view& e) { again.emplace_back(e.id); });
    REQUIRE(b.drain(next));
    CHECK(again == expected_again);
}

TEST_CASE("a source that is down is asked again, and one that is broken says so") {
    bench b;
    watched_source source(b.log.join("orders", "shop"));
    auto c = subscribe(source, bench::options()) | halt() | idempotent_by_nature() |
             handle([](const event_view&) {});
    b.put(order("1", "a"));
    source.failing = failure_class::unavailable;
    b.work_for(1h, c);
    CHECK(c.counts().received == 0);
    source.failing.reset();
    b.work_for(1min, c);
    CHECK(c.counts().applied == 1);

    source.failing = failure_class::permanent;
    CHECK_THROWS_AS(c.step(b.now), error);
    source.failing.reset();
    b.put(order("2", "a"));
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 2);
    CHECK(b.committed() == 1);
}

TEST_CASE("a commit of an offset without an answer is made again") {
    bench b;
    watched_source source(b.log.join("orders", "shop"));
    auto c = subscribe(source, bench::options()) | halt() | idempotent_by_nature() |
             handle([](const event_view&) {});
    b.put_all({order("1", "a"), order("2", "a")});
    source.unanswered = 5;
    REQUIRE(b.drain(c));
    CHECK(source.commits.size() == 6);
    CHECK(b.committed() == 1);
}

TEST_CASE("the age of the oldest unfinished event is that of its delivery") {
    ticket_bench b;
    b.put(order("1", "a"));
    auto c = b.consume();
    const auto first = b.now.steady;
    b.work_for(10s, c);
    b.put(order("2", "b"));
    const auto second = b.now.steady;
    b.work_for(10s, c);
    CHECK(c.oldest_unfinished() == first);
    static_cast<void>(c.complete(b.tickets["1"], outcome::done()));
    b.work(c);
    CHECK(c.oldest_unfinished() == second);
    static_cast<void>(c.complete(b.tickets["2"], outcome::done()));
    b.work(c);
    CHECK_FALSE(c.oldest_unfinished());
}

TEST_CASE("law: a poison event can't take the process along") {
    // A handler that never answers, and a process that dies in it: that is what a ticket that is
    // never completed, and a consumer that is destroyed with it, look like from outside.
    bench b;
    for (int i = 0; i < 12; ++i) {
        b.put(order(i == 5 ? "poison" : std::to_string(i), "k" + std::to_string(i % 4)));
    }
    int deaths = 0;
    std::map<std::string, int> applied;
    bool finished = false;
    std::uint64_t letters = 0;
    while (!finished && deaths < 20) {
        bool dies = false;
        std::vector<ticket> running;
        auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db) |
                 handle([&](const event_view& e, ticket t) {
                     if (e.id == "poison") {
                         dies = true;
                     } else {
                         ++applied[std::string(e.id)];
                         running.push_back(t);
                     }
                 });
        while (!dies && !finished) {
            b.work(c);
            if (dies) {
                break;
            }
            for (const auto t : running) {
                static_cast<void>(c.complete(t, outcome::done()));
            }
            running.clear();
            b.work_for(1s, c);
            finished = b.committed() == 11;
        }
        letters += c.counts().dead_lettered;
        deaths += dies ? 1 : 0;
    }
    REQUIRE(finished);
    CHECK(deaths <= 4);
    CHECK(letters == 1);
    REQUIRE(reasons(b.all_letters()) == texts{"poison: crash_loop"});
    CHECK(applied.size() == 11);
}

TEST_CASE("suspects run one at a time, and waiting for one is no hot loop") {
    bench b;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c")});
    {
        auto c = b.from() | dead_letter(b.letters) | once(b.db) |
                 handle([](const event_view&, ticket) {});
        b.work(c);
    }  // dies with all three under way
    texts begun;
    std::optional<ticket> last;
    auto c =
        b.from() | dead_letter(b.letters) | once(b.db) | handle([&](const event_view& e, ticket t) {
            begun.emplace_back(e.id);
            last = t;
        });
    b.work(c);
    CHECK(begun == texts{"1"});
    CHECK(c.next_deadline() > b.now.steady);
    static_cast<void>(c.complete(*last, outcome::done()));
    b.work(c);
    CHECK(begun == texts{"1", "2"});
    static_cast<void>(c.complete(*last, outcome::done()));
    b.work(c);
    static_cast<void>(c.complete(*last, outcome::done()));
    REQUIRE(b.drain(c));
    CHECK(begun == texts{"1", "2", "3"});
    CHECK(b.all_letters().empty());
}
