// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "core/any_event.hpp"

#include <sinew/format.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

using namespace sinew;

namespace {

event order() {
    return {.id = "17",
            .source = "/shop",
            .type = "order.placed",
            .subject = "order/17",
            .time = "2026-03-01T12:00:00Z",
            .datacontenttype = "application/json",
            .data = "secret data",
            .partitionkey = "secret key",
            .sequence = "3",
            .headers = {{"authorization", "secret value"}}};
}

dead_letter_record letter() {
    dead_letter_record out{.consumer = "inventory",
                           .topic = "orders",
                           .where = {3, 1042},
                           .original = {.id = "17", .source = "/shop", .type = "order.placed"},
                           .attempts = 5};
    out.add({.at = wall_time(std::chrono::seconds(1)),
             .kind = failure_class::permanent,
             .attempt = 5,
             .reason = "price_not_positive",
             .detail = "the price is -1"});
    return out;
}

}  // namespace

TEST_CASE("enumerations are printed by their names, and aligned as text is") {
    CHECK(fmt::format("{}", failure_class::transient) == "transient");
    CHECK(fmt::format("{}", verdict::skip) == "skip");
    CHECK(fmt::format("{}", commit_result::unknown) == "unknown");
    CHECK(fmt::format("{}", standing::late) == "late");
    CHECK(fmt::format("{}", dead_letter_state::waiting) == "waiting");
    CHECK(fmt::format("[{:>6}|{:<6}|{:*^8}]", standing::late, verdict::done, verdict::done) ==
          "[  late|done  |**done**]");
}

TEST_CASE("a position is partition and offset") {
    CHECK(fmt::format("{}", position{3, 1042}) == "3@1042");
}

TEST_CASE("a moment is its wall time") {
    CHECK(fmt::format("{}", moment{.wall = wall_time(std::chrono::milliseconds(1500))}) ==
          "1970-01-01T00:00:01.500Z");
}

TEST_CASE("an event shows its attributes, but neither data nor key nor values of headers") {
    const std::string text = fmt::format("{}", order());
    CHECK(text ==
          "order.placed 17 from /shop (subject order/17, time 2026-03-01T12:00:00Z, sequence 3, "
          "application/json, 11 bytes, 1 headers)");
    CHECK(fmt::format("{}", order().view()) == text);
    CHECK(text.find("secret") == std::string::npos);
    CHECK(fmt::format("{}", order().view().identity()) == "17 from /shop");
    CHECK(fmt::format("{}", event{}) == "(no type) (no id) from (no source) (0 bytes)");
}

TEST_CASE("whatever an event holds, it is printed as one line of UTF-8 of bounded length") {
    sinew::test::prop("for any event", [] {
        event e = *sinew::test::any_event();
        for (auto* part : {&e.id, &e.source, &e.type}) {
            *part = *sinew::test::any_bytes();
        }
        const std::string text = fmt::format("{}", e);
        RC_ASSERT(is_utf8(text));
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto byte = static_cast<unsigned char>(text[i]);
            RC_ASSERT(byte >= 0x20);
            RC_ASSERT(byte != 0x7f);
            RC_ASSERT((byte != 0xc2 || static_cast<unsigned char>(text[i + 1]) >= 0xa0));
        }
    });
    event e = order();
    e.id = std::string(100'000, '\n');
    CHECK(fmt::format("{}", e).size() < 5000);
    e.id = "1\nlevel=error \x1b[31m\xff\xc2\x85\xc3\xa9";
    CHECK(fmt::format("{}", e).find(R"(1\x0alevel=error \x1b[31m\xff\xc2\x85)"
                                    "\xc3\xa9 from") != std::string::npos);
}

TEST_CASE("a failure shows class and reason, and its detail only when asked for") {
    const failure why{failure_class::transient, "busy", "row 17 is locked",
                      std::chrono::milliseconds(1500)};
    CHECK(fmt::format("{}", why) == "transient busy, again after 1500 ms");
    CHECK(fmt::format("{:d}", why) == "transient busy, again after 1500 ms: row 17 is locked");
    CHECK(fmt::format("{:d}", failure{failure_class::unknown, "lost", "", std::nullopt}) ==
          "unknown lost");
}

TEST_CASE("an outcome shows its verdict, and why") {
    CHECK(fmt::format("{}", outcome::done()) == "done");
    CHECK(fmt::format("{:d}", outcome::done()) == "done");
    CHECK(fmt::format("{}", outcome::retry("busy", "x")) == "retry: transient busy");
    CHECK(fmt::format("{:d}", outcome::reject("bad", "x")) == "reject: permanent bad: x");
    CHECK(fmt::format("{}", outcome::skip("not_ours", "x")) == "skip: not_ours");
    CHECK(fmt::format("{:d}", outcome::skip("not_ours", "x")) == "skip: not_ours: x");
}

TEST_CASE("a dead letter is summed up in one line") {
    CHECK(fmt::format("{}", letter()) ==
          "permanent price_not_positive after 5 attempts of inventory at orders 3@1042, "
          "1970-01-01T00:00:01Z to 1970-01-01T00:00:01Z: order.placed 17 from /shop (0 bytes)");
    CHECK(fmt::format("{:d}", letter()).ends_with("(0 bytes): the price is -1"));
}

TEST_CASE("a format that is not known is refused") {
    CHECK_THROWS(fmt::format(fmt::runtime("{:d}"), position{}));
    CHECK_THROWS(fmt::format(fmt::runtime("{:x}"), letter()));
    CHECK_THROWS(fmt::format(fmt::runtime("{:dd}"), letter()));
    CHECK_THROWS(fmt::format(fmt::runtime("{:d}"), verdict::done));
}
