// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <retail_ledger/books.hpp>
#include <retail_ledger/invoice_file.hpp>
#include <retail_ledger/plain_pass.hpp>

#include <stdexcept>
#include <string>

using namespace retail;

namespace {

std::string file_of(const std::string& lines) { return std::string(file_header) + "\n" + lines; }

}  // namespace

TEST_CASE("the plain pass sums lines, units and money of each stock code") {
    const auto found =
        plain_pass(file_of("1,A,X,6,d,2.55,,UK\n1,B,X,1,d,1,,UK\n2,A,X,-2,d,2.5,,UK\n"));
    CHECK(found.lines == 3);
    CHECK(found.malformed == 0);
    CHECK(found.before.at("A").lines == 2);
    CHECK(found.before.at("A").units == 4);
    CHECK(found.before.at("A").pence == 1530 - 500);
    CHECK(found.before.at("A").trail == 2 * 31 + 4);
    CHECK(found.before.at("B").pence == 100);
    CHECK(found.after == found.before);
    CHECK(sum_of(found.before).pence == 1130);
}

TEST_CASE("goods without a price are booked behind all others, as a replay does") {
    const auto found =
        plain_pass(file_of("1,A,X,1,d,1,,UK\n1,A,X,5,d,0.00,,UK\n1,A,X,1,d,1,,UK\n"
                           "1,A,X,1,d,-1,,UK\n"));
    CHECK(found.unpriced == 2);
    CHECK(found.negative == 1);
    CHECK(found.before.at("A").trail == 2 * 31 + 4);
    CHECK(found.after.at("A").trail == (2 * 31 + 4) * 31 + 3);
    CHECK(found.after.at("A").units == 7);
    CHECK(found.after.at("A").pence == 200);
}

TEST_CASE("the order of the lines is part of the books") {
    const auto one = plain_pass(file_of("1,A,X,1,d,1,,UK\n1,A,X,2,d,1,,UK\n")).before;
    auto other = one;
    CHECK(count_equal(one, other) == 1);
    other.at("A").trail = 3 * 31 + 2;
    CHECK(count_equal(one, other) == 0);
    CHECK(count_equal(one, {}) == 0);
}

TEST_CASE("damaged lines are counted and booked nowhere") {
    const auto found =
        plain_pass(file_of("1,A,X,1,d,1,,UK\n1,A,X\n\n1,A,\"X,1,d,1,,UK\n"
                           "1,A,X,one,d,1,,UK\n1,A,X\xff,1,d,1,,UK\n"));
    CHECK(found.lines == 6);
    CHECK(found.malformed == 5);
    CHECK(sum_of(found.after).lines == 1);
}

TEST_CASE("sums that do not fit are refused, not wrapped") {
    std::string lines;
    for (int i = 0; i < 1000; ++i) {
        lines += "1,A,X,9999999,d,9999999.99,,UK\n";
    }
    CHECK_THROWS_AS(plain_pass(file_of(lines)), std::overflow_error);
}
