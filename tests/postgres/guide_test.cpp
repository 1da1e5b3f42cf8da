// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <cstdlib>
#include <string>

#ifdef SINEW_GUIDE_POSTGRES
TEST_CASE("postgres: the program of the guide does what its page says") {
    const std::string command = std::string("'") + SINEW_GUIDE_POSTGRES + "' '" +
                                sinew::test::postgres_server::shared().conninfo() + "'";
    CHECK(std::system(command.c_str()) == 0);
}
#endif
