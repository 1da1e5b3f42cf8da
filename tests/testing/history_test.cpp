// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/history.hpp>

#include <string>

using sinew::steady_time;
using sinew::testing::history;

namespace {

steady_time at_ms(int ms) { return steady_time(std::chrono::milliseconds(ms)); }

}  // namespace

TEST_CASE("the same lines give the same hash, with or without text") {
    history a;
    history b;
    a.start(false);
    b.start(true);
    for (auto* h : {&a, &b}) {
        h->add(at_ms(1), "worker", "got", 7, "from", std::string("a long text of many words"));
        h->add(at_ms(2), "worker", "done");
    }
    REQUIRE(a.hash() == b.hash());
    REQUIRE(a.lines().empty());
    REQUIRE(b.lines().size() == 2);
    REQUIRE(b.lines()[0].find("got 7 from a long text") != std::string::npos);
    REQUIRE(b.lines()[1].substr(0, 4) == "2 ms");
}

TEST_CASE("another order, time, number or cut of the words gives another hash") {
    const auto hash_of = [](auto write) {
        history h;
        h.start(false);
        write(h);
        return h.hash();
    };
    const auto plain = hash_of([](history& h) { h.add(at_ms(1), "a", "bc", 1); });
    REQUIRE(plain != hash_of([](history& h) { h.add(at_ms(2), "a", "bc", 1); }));
    REQUIRE(plain != hash_of([](history& h) { h.add(at_ms(1), "ab", "c", 1); }));
    REQUIRE(plain != hash_of([](history& h) { h.add(at_ms(1), "a", "bc", 2); }));
    const auto two = hash_of([](history& h) {
        h.add(at_ms(1), "a");
        h.add(at_ms(1), "b");
    });
    REQUIRE(two != hash_of([](history& h) {
                h.add(at_ms(1), "b");
                h.add(at_ms(1), "a");
            }));
}

TEST_CASE("a history stops keeping text at its limit, and the hash goes on") {
    history h;
    h.start(true);
    for (std::size_t i = 0; i < history::lines_max; ++i) {
        h.add(at_ms(1), "a");
    }
    const auto before = h.hash();
    h.add(at_ms(1), "a");
    REQUIRE(h.lines().size() == history::lines_max);
    REQUIRE(h.hash() != before);
}
