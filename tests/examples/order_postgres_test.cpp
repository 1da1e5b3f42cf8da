// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "support/postgres_server.hpp"

#include <cstdlib>
#include <string>

namespace {

/// Runs the program with tables in the test's own server; answers its exit code.
int run(const std::string& arguments) {
    const std::string command = "'" SINEW_ORDER_SERVICE "' " + arguments + " --postgres '" +
                                sinew::test::postgres_server::shared().conninfo() + "'";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("order_service: everything agrees with PostgreSQL too, whatever is killed") {
    CHECK(run("run --orders 60 --kills 10 --seconds 1") == 0);
    CHECK(run("status") == 0);
    CHECK(run("run --orders 60") == 1);  // there are orders of an earlier run
}
