// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/when-the-broker-is-down.md.

#include "guide.hpp"

#include <shared/scratch_folder.hpp>
#include <sinew/adapters/memory/spool.hpp>
#include <sinew/adapters/sqlite/spool.hpp>
#include <sinew/core/run.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/publish/with_breaker.hpp>
#include <sinew/publish/with_fallback.hpp>

#include <string>
#include <vector>

using guide::expect;
using namespace std::chrono_literals;

namespace {

/// A broker that can be unplugged.
struct broker {
    bool is_up = true;
    int asked = 0;
    std::vector<std::string> taken{};

    sinew::publish_result publish(const sinew::event_view& e, sinew::steady_time) {
        ++asked;
        if (!is_up) {
            return sinew::publish_result::refused(
                {sinew::failure_class::unavailable, "no_route", "the broker is down", {}});
        }
        taken.emplace_back(e.id);
        return sinew::publish_result::accepted();
    }
};

sinew::event order(std::string id) {
    return {.id = std::move(id), .source = "/shop", .type = "order.placed", .partitionkey = "ada"};
}

sinew::steady_time in(sinew::duration span) {
    return sinew::later(sinew::machine_clock::now().steady, span);
}

/// Events are kept on this machine, and go on by themselves.
void keep_and_go_on() {
    const example::scratch_folder folder;
    broker kafka;
    // [spooled]
    sinew::sqlite::spool spool(folder / "spool", {{.entries_max = 100'000, .age_max = 24h}, {}});
    sinew::spooled out(kafka, spool);

    kafka.is_up = false;
    expect(out.publish(order("1").view(), in(1s)).is_accepted());  // on this machine, durably
    expect(out.publish(order("2").view(), in(1s)).is_accepted());
    kafka.is_up = true;
    expect(out.publish(order("3").view(), in(1s)).is_accepted());  // behind the others of its key
    expect(kafka.taken.empty());

    sinew::drainer drain(spool, kafka);  // usually run(drain, stop) on a thread of its own
    expect(sinew::drain(drain, in(10s)));
    expect(kafka.taken == std::vector<std::string>{"1", "2", "3"});
    // [/spooled]
    expect(kafka.asked == 4);
    expect(out.counts().spooled == 3);
}

/// At a limit the caller is told, and why.
void tell_at_a_limit() {
    broker kafka{.is_up = false};
    sinew::memory::database data;
    // [limit]
    sinew::memory::spool spool(data, "orders", {.entries_max = 1});
    sinew::spooled out(kafka, spool);

    expect(out.publish(order("1").view(), in(1s)).is_accepted());
    const auto answer = out.publish(order("2").view(), in(1s));
    expect(answer.how() == sinew::publish_result::end::refused);
    expect(answer.why().reason == "spool_full_count");
    // [/limit]
    expect(out.counts().full_count == 1);
}

/// What was refused for good waits for people.
void decide_on_what_is_parked() {
    sinew::memory::database data;
    sinew::memory::spool spool(data);
    struct picky {
        sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
            return sinew::publish_result::refused(
                {sinew::failure_class::permanent, "too_large", "not above 1 MB", {}});
        }
    } kafka;
    expect(spool.put(order("1").view(), sinew::machine_clock::now()).is_stored());
    sinew::drainer drain(spool, kafka);
    expect(sinew::drain(drain, in(10s)));
    // [parked]
    for (const auto& entry : spool.parked(0, 100)) {
        expect(entry.last_failure->reason == "too_large");
        expect(spool.discard(entry.number, entry.version));  // or unpark, to try it again
    }
    // [/parked]
    expect(spool.size().entries() == 0);
}

/// The caller is told at once.
void tell_at_once() {
    broker kafka{.is_up = false};
    // [fail_fast]
    sinew::fail_fast out(kafka, {.publish_timeout = 250ms});

    expect(out.publish(order("1").view(), in(10s)).why().reason == "no_route");
    const auto answer = out.publish(order("2").view(), in(10s));
    expect(answer.why().reason == "sink_down");  // the broker was not asked
    expect(answer.why().retry_after > 0s);
    // [/fail_fast]
    expect(kafka.asked == 1);
}

/// The event goes another way.
void go_another_way() {
    broker kafka{.is_up = false};
    broker other;
    // [fallback]
    sinew::fail_fast quick(kafka);
    sinew::with_fallback out(
        quick, [&](const sinew::event_view& e, const sinew::failure&, sinew::steady_time until) {
            return other.publish(e, until);  // such as: straight to the consumer, by HTTP
        });

    expect(out.publish(order("1").view(), in(10s)).is_accepted());
    expect(other.taken == std::vector<std::string>{"1"});
    // [/fallback]
    expect(out.counts().fallen_back == 1);
}

/// The caller waits a little.
void wait_a_little() {
    broker kafka{.is_up = false};
    // [breaker]
    sinew::with_breaker out(kafka, {.max_attempts = 3, .base = 1ms});

    for (int i = 0; i < 4; ++i) {
        expect(!out.publish(order("1").view(), in(1s)).is_accepted());
    }
    expect(kafka.asked == 10);  // then the breaker opened, in the middle of the fourth
    expect(out.state() == sinew::breaker_state::open);
    // [/breaker]
}

}  // namespace

int main() {
    keep_and_go_on();
    tell_at_a_limit();
    decide_on_what_is_parked();
    tell_at_once();
    go_another_way();
    wait_a_little();
}
