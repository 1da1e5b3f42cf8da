// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "publish/relay_parts.hpp"

#include <memory>

using namespace sinew;
using namespace sinew::test;

namespace {

using relay_type = relay<scripted_outbox, scripted_sink>;

/// A service, and relays that come and go.
struct party {
    explicit party(shard_id shards) : here({.shards = shards}) {}

    relay_type& join(const std::string& name) {
        all.push_back(std::make_unique<relay_type>(here.handle(), to, relay_named(name)));
        return *all.back();
    }
    /// Steps all of them each 100 ms.
    void pass(duration span) {
        for (const duration end = at + span; at < end; at += 100ms) {
            for (auto& one : all) {
                settle_at(*one, after(at));
            }
        }
    }
    [[nodiscard]] std::vector<std::size_t> shares() const {
        std::vector<std::size_t> out;
        for (const auto& one : all) {
            out.push_back(one->shards_held());
        }
        return out;
    }
    [[nodiscard]] std::uint64_t taken() const {
        std::uint64_t sum = 0;
        for (const auto& one : all) {
            sum += one->counts().leases_taken;
        }
        return sum;
    }

    service here;
    scripted_sink to{};
    std::vector<std::unique_ptr<relay_type>> all{};
    duration at{};
};

}  // namespace

TEST_CASE("a second relay gets its share, and then nothing moves") {
    party all(8);
    all.join("a");
    all.pass(1s);
    CHECK(all.shares() == std::vector<std::size_t>{8});
    all.join("b");
    all.pass(30s);
    CHECK(all.shares() == std::vector<std::size_t>{4, 4});
    const auto before = all.taken();
    all.pass(60s);
    CHECK(all.taken() == before);
    CHECK(all.shares() == std::vector<std::size_t>{4, 4});
}

TEST_CASE("nine relays on eight shards: one stands by") {
    party all(8);
    for (int i = 0; i < 9; ++i) {
        all.join("relay-" + std::to_string(i));
        all.pass(1s);
    }
    all.pass(120s);
    std::size_t sum = 0;
    for (const auto share : all.shares()) {
        CHECK(share <= 1);
        sum += share;
    }
    CHECK(sum == 8);
}

TEST_CASE("the shards of a relay that was killed are taken over within a lease and a look") {
    party all(8);
    all.join("a");
    all.pass(1s);
    all.join("b");
    all.pass(30s);
    all.all.pop_back();
    all.here.add("1", "k1");
    all.here.add("2", "k2");
    all.here.add("3", "k3");
    all.here.add("4", "k4");
    all.pass(41s);
    CHECK(all.shares() == std::vector<std::size_t>{8});
    CHECK(all.to.accepted().size() == 4);
}

TEST_CASE("the shards of a relay that was shut down are taken at the next look") {
    party all(4);
    all.join("a");
    all.join("b");
    all.pass(30s);
    CHECK(all.shares() == std::vector<std::size_t>{2, 2});
    CHECK(all.all[1]->shut_down(after(all.at), after(all.at + 10s).steady));
    all.all.pop_back();
    all.pass(11s);
    CHECK(all.shares() == std::vector<std::size_t>{4});
}

TEST_CASE("a relay that is started again under its own name goes on at once") {
    party all(4);
    all.join("a");
    all.pass(1s);
    all.all.clear();
    all.here.add("1", "k");
    all.join("a");
    all.pass(100ms);
    CHECK(all.shares() == std::vector<std::size_t>{4});
    CHECK(all.to.accepted() == ids{"1"});
}

TEST_CASE("one relay of two and one lease: the other stands by until the lease ends") {
    party all(1);
    all.join("a");
    all.pass(1s);
    all.join("b");
    all.pass(120s);
    CHECK(all.shares() == std::vector<std::size_t>{1, 0});
    all.all.erase(all.all.begin());
    all.pass(41s);
    CHECK(all.shares() == std::vector<std::size_t>{1});
}

TEST_CASE("each key is published in order, once where nothing fails, while relays come and go") {
    party all(8);
    std::map<std::string, int> added;
    for (int round = 0; round < 40; ++round) {
        if (round % 10 == 0) {
            all.join("relay-" + std::to_string(round));
        }
        if (round % 13 == 12) {
            all.all.erase(all.all.begin());
        }
        for (int i = 0; i < 10; ++i) {
            const std::string key = "k" + std::to_string(i);
            all.here.add(key + "/" + std::to_string(++added[key]), key, after(all.at));
        }
        all.pass(3s);
    }
    all.pass(60s);
    std::map<std::string, std::uint64_t> highest;
    for (const auto& e : all.to.events()) {
        const auto number = parse_sequence(e.sequence).value_or(0);
        CHECK(number <= highest[e.partitionkey] + 1);
        highest[e.partitionkey] = std::max(highest[e.partitionkey], number);
    }
    for (const auto& [key, count] : added) {
        CHECK(highest[key] == static_cast<std::uint64_t>(count));
    }
    CHECK(all.here.lag().waiting == 0);
}

TEST_CASE("a shard with something unwritten is not released before it is written") {
    for (shard_id shard = 0; shard < 4; ++shard) {
        party all(4);
        auto& a = all.join("a");
        all.pass(1s);
        std::string key = "k";
        while (shard_of(key, 4) != shard) {
            key += "k";
        }
        all.here.add("1", key);
        all.here.script.ends["mark"] = std::deque<call_end>(10000, call_end::conflict);
        all.pass(200ms);
        CHECK(a.counts().marks_refused >= 1);
        all.join("b");
        all.pass(60s);
        // It is published again only if the other relay took the shard, which the first one
        // noticed.
        CHECK(all.to.tries("1") == 1 + a.counts().marks_stale);
        CHECK(all.here.lag().waiting == 1);
        all.here.script.ends.clear();
        all.pass(60s);
        CHECK(all.shares() == std::vector<std::size_t>{2, 2});
        CHECK(all.here.lag().waiting == 0);
    }
}
