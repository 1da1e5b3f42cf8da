// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/proving.md.

#include "guide.hpp"

#include <sinew/consume/consumer.hpp>
#include <sinew/testing/consumer_world.hpp>
#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/random_tapes.hpp>

#include <cstdio>
#include <string>

using guide::expect;
using namespace sinew::testing;

// [scenario]
/// Two orders of one customer. Each is applied once, whatever happens.
void shop(trial& t) {
    consumer_world w(t);
    w.produce(0, w.make_event("Ada", "order-1"));
    w.produce(0, w.make_event("Ada", "order-2"));
    w.consume("worker", [](consumer_ports& p) {
        return sinew::subscribe(p.source(), {.topic = "t", .group = "g", .seed = 1}) |
               sinew::dead_letter(p.letters(), {.deaths_max = 50}) |  // what if one never can be?
               sinew::retry({.max_attempts = 50}) |                   // what if it fails?
               sinew::once(p.store) |                                 // what if it comes twice?
               sinew::handle([&p](const sinew::event_view& e, consumer_ports::transaction& tx) {
                   tx.effect(e.partitionkey, e.id);
                   p.self.pass_through("handler");  // here, too, the process may die
               });
    });
    w.run();
}
// [/scenario]

// [mistake]
/// The same, but the handler acts before and outside of the transaction.
void careless_shop(trial& t) {
    consumer_world w(t);
    w.produce(0, w.make_event("Ada", "order-1"));
    w.consume("worker", [](consumer_ports& p) {
        return sinew::subscribe(p.source(), {.topic = "t", .group = "g", .seed = 1}) |
               sinew::dead_letter(p.letters()) |     // what if one can never be processed?
               sinew::retry({.max_attempts = 50}) |  // what if it fails?
               sinew::once(p.store) |                // what if it comes twice?
               sinew::handle([&p](const sinew::event_view& e) {
                   p.apply(e.partitionkey, e.id);  // a mail that was sent cannot be undone
                   p.self.pass_through("handler");
               });
    });
    w.run();
}
// [/mistake]

int main() {
    // [prove]
    const fault_report good = every_fault(shop, 1);
    expect(good.complete && good.all_hold());

    const fault_report bad = every_fault(careless_shop, 1);
    const counterexample* found = bad.example_of(law::nothing_twice);
    expect(found != nullptr && found->faults == 1);

    // The tape repeats the failing run, with its history as text.
    const trial again = run_tape(careless_shop, found->tape);
    expect(!again.found.all_hold());
    std::puts(explain(careless_shop, bad).c_str());
    // [/prove]

    // [random]
    // Tapes with many faults, each run twice; one that fails is made small.
    const random_report beyond = random_tapes(shop, {.tapes = 2000, .seed = 7});
    expect(beyond.all_hold() && beyond.faults_most > 2);
    std::puts(summary(beyond).c_str());
    // [/random]
    std::printf("%llu schedules\n", static_cast<unsigned long long>(good.schedules));
}
