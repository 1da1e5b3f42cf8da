// SPDX-License-Identifier: BSL-1.0
#include "publish/relay_parts.hpp"
#include "support/test.hpp"

#include <sinew/publish/relay.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace sinew;
using namespace sinew::test;
using namespace std::chrono_literals;

namespace {

/// A handle that answers for several shards in one call, as the script says.
class together : public scripted_outbox {
public:
    using scripted_outbox::claim;
    using scripted_outbox::mark_published;
    using scripted_outbox::scripted_outbox;

    std::vector<std::optional<std::vector<outbox_entry>>> claim(std::span<const shard_lease> leases,
                                                                wall_time now, claim_limits limits,
                                                                steady_time until) {
        return looked("claim all", until, [&] { return inner_.claim(leases, now, limits, until); });
    }
    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time until) {
        std::vector<fenced_result> done;
        const auto how = written("mark all", until, [&] {
            done = inner_.mark_published(marks, now, until);
            return fenced_result::done;
        });
        return how == fenced_result::done ? done : std::vector(marks.size(), how);
    }
};
static_assert(multi_shard_outbox<together>);
static_assert(!multi_shard_outbox<scripted_outbox>);

/// A service whose events lie in many shards, and a relay that holds them all.
struct many_shards {
    explicit many_shards(std::size_t batch_max = 256) : relays(handle(), to, options(batch_max)) {}

    [[nodiscard]] together handle() { return {orders.box, orders.script}; }
    [[nodiscard]] static relay_options options(std::size_t batch_max) {
        auto out = relay_named("r");
        out.batch_max = batch_max;
        return out;
    }
    void add(int count) {
        for (int i = 0; i < count; ++i) {
            orders.add(std::to_string(i), "key " + std::to_string(i % 17));
        }
    }
    /// Until each shard was claimed, with nothing in it.
    void rest() {
        settle_at(relays, t0);
        orders.script.calls.clear();
    }

    service orders{{.shards = 8}};
    scripted_sink to{};
    relay<together, scripted_sink> relays;
};

}  // namespace

TEST_CASE("relay: what is in several shards is claimed in one call and marked in one") {
    many_shards f;
    f.rest();
    f.add(60);
    const auto later_on = after(1s);
    settle_at(f.relays, later_on);
    REQUIRE(f.to.accepted().size() == 60);
    REQUIRE(f.relays.counts().marked == 60);
    REQUIRE(f.orders.script.count("mark all") == 1);
    REQUIRE(f.orders.script.count("mark") == 0);
    REQUIRE(f.orders.script.count("claim all") <= 2);
    REQUIRE(f.orders.lag() == outbox_lag{});
}

TEST_CASE("relay: a batch is as large as it may be, however many shards it is claimed of") {
    many_shards f(10);
    f.rest();
    f.add(200);
    settle_at(f.relays, after(1s));
    REQUIRE(f.to.accepted().size() == 200);
    REQUIRE(f.relays.counts().marked == 200);
    REQUIRE(f.orders.script.count("mark all") + f.orders.script.count("mark") >= 10);
}

TEST_CASE(
    "relay: marks of several shards without an answer are made again, and before anything else") {
    many_shards f;
    f.rest();
    f.add(60);
    f.orders.script.ends["mark all"] = {call_end::lost, call_end::not_done, call_end::refused};
    settle_at(f.relays, after(1s));
    REQUIRE(f.to.accepted().size() == 60);
    REQUIRE(f.relays.counts().marked == 0);
    for (int i = 2; i < 100 && f.relays.counts().marked != 60; ++i) {
        settle_at(f.relays, after(i * 10s));
    }
    REQUIRE(f.relays.counts().marked == 60);
    REQUIRE(f.to.accepted().size() == 60);  // nothing was published twice
    REQUIRE(f.orders.lag() == outbox_lag{});
}

TEST_CASE("relay: of several shards one is lost, and the others are marked") {
    many_shards f;
    f.rest();
    f.add(60);
    const shard_id lost = shard_of("key 3", 8);
    const auto held = f.orders.box.holder(lost);
    REQUIRE(f.orders.box.take(held, "another").has_value());
    settle_at(f.relays, after(1s));
    REQUIRE(f.relays.counts().leases_lost == 1);
    REQUIRE(f.relays.counts().marked == f.to.accepted().size());
    REQUIRE(f.orders.lag().waiting == 60 - f.to.accepted().size());
    REQUIRE(f.to.accepted().size() > 20);
}

TEST_CASE("relay: an outbox that is down for a claim of several shards is left alone for a while") {
    many_shards f;
    f.rest();
    f.add(60);
    f.orders.script.ends["claim all"] = {call_end::refused};
    settle_at(f.relays, after(1s));
    REQUIRE(f.to.accepted().empty());
    REQUIRE(f.orders.script.count("claim all") == 1);
    settle_at(f.relays, after(100s));
    REQUIRE(f.to.accepted().size() == 60);
}
