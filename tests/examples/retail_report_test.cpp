// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <retail_ledger/report.hpp>

#include <string>
#include <string_view>

using namespace retail;

TEST_CASE("numbers are grouped by thousands") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(grouped(-999) == "-999");
    CHECK(grouped(-1000) == "-1,000");
}

TEST_CASE("money is shown in pounds, to the penny") {
    CHECK(money(18065925) == "180,659.25");
    CHECK(money(0) == "0.00");
    CHECK(money(7) == "0.07");
    CHECK(money(-7) == "-0.07");
    CHECK(money(-100) == "-1.00");
    CHECK(money(-123456) == "-1,234.56");
}

TEST_CASE("what a stranger wrote can do nothing to the terminal") {
    CHECK(printable("plain", 10) == "plain");
    CHECK(printable("a\x1b[2J\r\n", 10) == "a\\x1b[2J\\x0d\\x0a");
    CHECK(printable("CAF\xc9", 10) == "CAF\\xc9");
    CHECK(printable("0123456789", 4) == "0123...");
    CHECK(printable({}, 4).empty());
}
