// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <retail_ledger/books.hpp>
#include <retail_ledger/invoice_file.hpp>
#include <retail_ledger/plain_pass.hpp>
#include <retail_ledger/sale.hpp>

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace retail;

namespace {

/// A line with that quantity and that price.
std::string line(const std::string& quantity, const std::string& price) {
    return "536365,85123A,HOLDER," + quantity + ",1/12/2010," + price + ",17850,United Kingdom";
}

std::optional<std::int64_t> pence(const std::string& price) {
    const auto parsed = parse_sale(line("1", price));
    return parsed.value ? std::optional(parsed.value->price_pence) : std::nullopt;
}

sinew::event event_of(std::string id, std::string data) {
    return {.id = std::move(id),
            .source = std::string(line_source),
            .type = std::string(line_type),
            .data = std::move(data)};
}

/// A file with the header and these lines.
std::string file_of(const std::vector<std::string>& lines) {
    std::string file = "\xef\xbb\xbf" + std::string(file_header) + "\r\n";
    for (const auto& one : lines) {
        file += one + "\r\n";
    }
    return file;
}

/// What the consumer's way of reading makes of a file.
expectation by_events(std::string_view file) {
    expectation found;
    std::vector<sale> free_goods;
    const auto book = [](books& all, const sale& s) {
        auto& to = all[s.stock_code];
        to.lines += 1;
        to.units += s.quantity;
        to.pence += s.amount_pence();
        to.trail = (to.trail * account::trail_factor + s.line) % account::trail_modulus;
    };
    for (const auto& one : make_events(file)) {
        ++found.lines;
        try {
            const sale s = sale_codec{}.decode(one.view());
            if (s.price_pence > 0) {
                book(found.before, s);
            } else {
                ++found.unpriced;
                found.negative += s.price_pence < 0 ? 1 : 0;
                if (s.price_pence == 0) {
                    free_goods.push_back(s);
                }
            }
        } catch (const sinew::permanent_error&) {
            ++found.malformed;
        }
    }
    found.after = found.before;
    for (const auto& s : free_goods) {
        book(found.after, s);
    }
    return found;
}

bool agree(const expectation& a, const expectation& b) {
    return a.lines == b.lines && a.malformed == b.malformed && a.unpriced == b.unpriced &&
           a.negative == b.negative && a.before == b.before && a.after == b.after;
}

}  // namespace

TEST_CASE("a line becomes a sale, its money in whole pence") {
    const auto parsed = parse_sale(line("-6", "2.55"));
    REQUIRE(parsed.value);
    CHECK(*parsed.value == sale{.stock_code = "85123A", .quantity = -6, .price_pence = 255});
    CHECK(parsed.value->amount_pence() == -1530);
}

TEST_CASE("a price is read exactly, or refused, never rounded") {
    CHECK(pence("2.55") == 255);
    CHECK(pence("2.5") == 250);
    CHECK(pence("2") == 200);
    CHECK(pence("0.07") == 7);
    CHECK(pence("2.550") == 255);
    CHECK(pence("-11062.06") == -1106206);
    CHECK(pence("0") == 0);
    CHECK(pence("-0.0") == 0);
    CHECK(pence("9999999.99") == 999'999'999);
    for (const char* wrong : {"2.555", "2.", ".5", "", "-", "1e3", "+1", " 1", "1 ", "1,5", "0x1",
                              "--1", "1.2.3", "12345678", "0.00000001", "NaN", "1.-2"}) {
        INFO(wrong);
        CHECK_FALSE(pence(wrong));
    }
}

TEST_CASE("a quantity is a whole number") {
    CHECK(parse_sale(line("9999999", "1")).value->quantity == 9'999'999);
    CHECK(parse_sale(line("-1", "1")).value->quantity == -1);
    for (const char* wrong : {"", "six", "1.0", "+1", "12345678", "--1", "- 1"}) {
        INFO(wrong);
        CHECK(parse_sale(line(wrong, "1")).problem == "the quantity is not a whole number");
    }
}

TEST_CASE("quoted fields keep their commas and quotes, and blanks stay where they are") {
    CHECK(parse_sale("1,A,\"MUG, \"\"BEST\"\"\",2,d,1.5,,UK").value->quantity == 2);
    CHECK(parse_sale("1,\"A,\"\"1\"\"\",MUG,2,d,1.5,,UK").value->stock_code == "A,\"1\"");
    CHECK(parse_sale("1, A ,MUG,2,d,1.5,,UK").value->stock_code == " A ");
    CHECK(parse_sale("1,a,MUG,2,d,1.5,,UK").value->stock_code == "a");
}

TEST_CASE("what is damaged is named") {
    const auto problem = [](std::string_view text) { return parse_sale(text).problem; };
    CHECK(problem("") == "the line does not have eight fields");
    CHECK(problem("1,A,MUG") == "the line does not have eight fields");
    CHECK(problem("1,A,MUG,2,d,1.5,,UK,more") == "the line does not have eight fields");
    CHECK(problem("1,A,\"MUG,2,d,1.5,,UK") == "a quote is not closed, or stands within a field");
    CHECK(problem("1,A,6\" MUG,2,d,1.5,,UK") == "a quote is not closed, or stands within a field");
    CHECK(problem("1,A,\"MUG\" ,2,d,1.5,,UK") == "a quote is not closed, or stands within a field");
    CHECK(problem("1,A,CAF\xc9,2,d,1.5,,UK") == "the line is not UTF-8");
    CHECK(problem("1,,MUG,2,d,1.5,,UK") == "the stock code is empty");
    CHECK(problem("1,A,MUG,2,d,free,,UK") == "the price is not a decimal number");
    CHECK(problem("1,A,MUG,2,d,1.555,,UK") == "the price is not a whole number of pence");
}

TEST_CASE("the codec puts the line's number in, and rejects what is no sale for good") {
    const auto good = event_of("42", line("2", "1.50"));
    CHECK(sale_codec{}.decode(good.view()).line == 42);
    for (const auto& bad : {event_of("42", "no line"), event_of("x", line("2", "1.50")),
                            event_of("42x", line("2", "1.50"))}) {
        try {
            static_cast<void>(sale_codec{}.decode(bad.view()));
            FAIL("decoded");
        } catch (const sinew::permanent_error& problem) {
            CHECK(problem.reason() == "malformed_line");
        }
    }
}

TEST_CASE("each line is one event: numbered in its stock code, whole, byte for byte") {
    const std::string broken = "2,B,\"not closed,2,d,1.5,,UK";
    const std::string latin = "3,A,CAF\xc9,2,d,1.5,,UK";
    const auto events = make_events(file_of(
        {"1,A,MUG,2,d,1.5,,UK", "1,a,MUG,2,d,1.5,,UK", broken, latin, "1,A,MUG,2,d,1.5,,UK", ""}));
    REQUIRE(events.size() == 6);
    CHECK(events[0].id == "2");
    CHECK(events[0].partitionkey == "A");
    CHECK(events[0].sequence == "1");
    CHECK(events[1].partitionkey == "a");
    CHECK(events[1].sequence == "1");
    CHECK(events[4].partitionkey == "A");
    CHECK(events[4].sequence == "2");
    CHECK(events[4].data == events[0].data);
    for (const std::size_t i : {2U, 3U, 5U}) {
        CHECK(events[i].partitionkey.empty());
        CHECK(events[i].sequence.empty());
    }
    CHECK(events[2].data == broken);
    CHECK(events[3].data == latin);
    CHECK(events[5].data.empty());
}

TEST_CASE("the last line may lack its line ending") {
    const std::string file = std::string(file_header) + "\n1,A,MUG,2,d,1.5,,UK";
    REQUIRE(make_events(file).size() == 1);
    CHECK(plain_pass(file).lines == 1);
    CHECK(plain_pass(file).before.at("A").pence == 300);
}

TEST_CASE("the plain pass and the consumer read the same, whatever they read") {
    sinew::test::prop("lines made of what lines are made of", [] {
        const auto piece = rc::gen::weightedElement<std::string>({{20, ","},
                                                                  {6, "\""},
                                                                  {4, "\"\""},
                                                                  {6, "1"},
                                                                  {4, "-"},
                                                                  {4, "."},
                                                                  {4, "0"},
                                                                  {3, "A"},
                                                                  {2, " "},
                                                                  {2, "\xc3\xa9"},
                                                                  {1, "\xc9"},
                                                                  {1, "\r"},
                                                                  {1, "\xed\xa0\x80"},
                                                                  {1, "\n"},
                                                                  {2, "1.5"},
                                                                  {2, "12345678"},
                                                                  {1, "2.555"},
                                                                  {1, "2.550"},
                                                                  {1, std::string(1, '\0')}});
        const auto pieces = *rc::gen::container<std::vector<std::string>>(piece);
        std::string text;
        for (const auto& one : pieces) {
            text += one;
        }
        const std::string file = file_of({text});
        RC_ASSERT(agree(plain_pass(file), by_events(file)));
    });
    sinew::test::prop("good lines with one byte changed", [] {
        const auto quantity = *rc::gen::inRange(-10'000, 10'000);
        const auto price = *rc::gen::element<std::string>("0", "2.1", "3.39", "-1.5", "0.070");
        const auto name =
            *rc::gen::element<std::string>("MUG", "\"MUG, RED\"", "\"THE \"\"MUG\"\"\"");
        std::string text = "1,A," + name + "," + std::to_string(quantity) + ",d," + price + ",,UK";
        if (*rc::gen::arbitrary<bool>()) {
            text[*rc::gen::inRange<std::size_t>(0, text.size())] = *rc::gen::arbitrary<char>();
        }
        const std::string file = file_of({"1,A,MUG,1,d,1,,UK", text, "1,A,MUG,1,d,1,,UK"});
        RC_ASSERT(agree(plain_pass(file), by_events(file)));
    });
}
