// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/dead-letters.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <string>
#include <utility>

using guide::expect;

int main() {
    const guide::fast_clock clock;
    sinew::memory::log log;
    sinew::memory::store db;
    bool takes_gifts = false;

    // [consumer]
    auto letters = db.dead_letters();
    const sinew::dead_letter_options park{.following = sinew::following::park};

    auto till =
        sinew::subscribe(log, {.topic = "sales", .group = "till"}) |
        sinew::dead_letter(letters, park) |  // what if one can never be processed?
        sinew::retry() |                     // what if it fails?
        sinew::once(db) |                    // what if it comes twice?
        sinew::handle([&](const sinew::event_view& e, sinew::memory::transaction& tx) {
            if (e.text() == "0" && !takes_gifts) {
                return sinew::outcome::reject("no_price", "a sale for nothing");
            }
            tx.put(e.partitionkey, tx.get(e.partitionkey).value_or("") + std::string(e.id) + " ");
            return sinew::outcome::done();
        });
    // [/consumer]

    auto shop = log.producer("sales");
    const auto publish = [&](const char* id, const char* key, const char* price) {
        sinew::event sale{.id = id, .source = "/shop", .type = "sale", .data = price};
        sale.partitionkey = key;
        expect(shop.publish(sale.view(), sinew::never).is_accepted());
    };
    publish("s1", "Ada", "0");
    publish("s2", "Ada", "3");
    publish("s3", "Bob", "5");
    const auto drain = [&] { expect(sinew::drain(till, sinew::never, 3, clock)); };

    // [look]
    drain();  // s1 cannot be processed; s2 is of the same key; s3 is not
    expect(!db.get("Ada") && db.get("Bob") == "s3 ");

    const auto first = sinew::triage::list(letters).front();
    expect(first.letter.original.id == "s1" && first.letter.original.data == "0");
    expect(first.letter.reason == "no_price" && first.letter.consumer == "till");
    expect(sinew::triage::count(letters, {.reason = "parked_behind"}).front().entries == 1);
    // [/look]

    // [replay]
    takes_gifts = true;  // the handler was put right

    const auto asked = sinew::triage::replay(letters, {.consumer = "till"});
    expect(asked.changed == 2);
    drain();

    expect(db.get("Ada") == "s1 s2 ");  // in the key's order
    expect(till.counts().replayed == 2);
    expect(sinew::triage::list(letters, {.state = sinew::dead_letter_state::resolved}).size() == 2);

    // Once is enough, however often it is asked.
    const auto again = sinew::triage::replay(letters, first.number);
    expect(again == sinew::triage::change::not_in_state);
    // [/replay]
}
