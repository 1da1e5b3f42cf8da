// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_support.hpp"

#include "support/test.hpp"

#include <sinew/adapters/sqlite.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace sinew;
namespace sqlite = sinew::sqlite;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::temp_folder;

namespace {

const sqlite::store_options quick{.busy_timeout = std::chrono::seconds(60),
                                  .synchronous = sqlite::synchronous::normal};
constexpr outbox_options two_shards{.shards = 2, .keep_published = false};

/// Adds so many events of two keys, each in a transaction of its own.
void serve(const std::string& file, const std::string& name, int events) {
    sqlite::store store(file, quick);
    auto box = store.outbox("orders", two_shards);
    for (int i = 0; i < events; ++i) {
        auto tx = store.begin(in(std::chrono::seconds(60)));
        box.add(tx, make_event(name + std::to_string(i), i % 2 == 0 ? "a" : "b").view(), {});
        if (tx.commit() != commit_result::committed) {
            std::terminate();
        }
    }
}

}  // namespace

TEST_CASE("sqlite: a relay on a thread of its own is told of what services on theirs add") {
    constexpr int services = 3;
    constexpr int events = 100;
    const temp_folder folder;
    sqlite::store store(folder.file(), quick);
    auto box = store.outbox("orders", two_shards);
    std::vector<shard_lease> leases;
    for (shard_id shard = 0; shard < box.shards(); ++shard) {
        leases.push_back(box.take(box.holder(shard), "relay").value());
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < services; ++i) {
        threads.emplace_back(
            [&folder, i] { serve(folder.file(), std::to_string(i) + "-", events); });
    }
    std::map<std::string, std::uint64_t> last;
    int seen = 0;
    int told = 0;
    bool in_order = true;
    while (seen < services * events && box.wait_for_added(in(std::chrono::seconds(60)))) {
        ++told;
        for (const auto& lease : leases) {
            const auto entries =
                box.claim(lease, {}, {.entries = 1000, .bytes = 1'000'000}).value();
            std::vector<std::int64_t> numbers;
            for (const auto& one : entries) {
                in_order =
                    in_order && one.what.sequence == std::to_string(++last[one.what.partitionkey]);
                numbers.push_back(one.number);
            }
            seen += static_cast<int>(numbers.size());
            REQUIRE(box.mark_published(lease, numbers, {}, in(std::chrono::seconds(60))) ==
                    fenced_result::done);
        }
    }
    for (auto& one : threads) {
        one.join();
    }
    REQUIRE(in_order);
    REQUIRE(seen == services * events);
    REQUIRE(told <= services * events);
    REQUIRE(last["a"] == services * events / 2);
}
