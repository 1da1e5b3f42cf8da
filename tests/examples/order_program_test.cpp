// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <order_service/order.hpp>
#include <order_service/order_file.hpp>

#include <shared/scratch_folder.hpp>

#include <cstdio>
#include <fstream>
#include <string>

#include <sys/wait.h>

namespace {

struct ending {
    int code = 0;
    std::string said;  ///< on both streams
};

/// Runs the program with these arguments, as a shell reads them.
ending run(const std::string& arguments) {
    const std::string command = "'" SINEW_ORDER_SERVICE "' " + arguments + " 2>&1";
    std::FILE* out = ::popen(command.c_str(), "r");
    REQUIRE(out != nullptr);
    ending got;
    char buffer[4096];
    while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, out)) {
        got.said.append(buffer, size);
    }
    const int status = ::pclose(out);
    got.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return got;
}

void check_complaint(const std::string& arguments, int code, const std::string& text) {
    const ending got = run(arguments);
    INFO(arguments << "\n" << got.said);
    CHECK(got.code == code);
    CHECK_THAT(got.said, Catch::Contains(text));
}

/// The options for files in a folder.
std::string files_in(const example::scratch_folder& folder) {
    return " --data '" + folder / "shop.db" + "' --topics '" + folder / "topics.db" + "' ";
}

}  // namespace

TEST_CASE("order_service: wrong options are named, with exit code 2") {
    check_complaint("", 2, "subcommand is required");
    check_complaint("deliver", 2, "subcommand is required");
    check_complaint("relay", 2, "topic is required");
    check_complaint("relay invoices", 2, "invoices not in {orders,stock}");
    check_complaint("run --kills many", 2, "--kills");
    check_complaint("run --kills -1", 2, "--kills");
    check_complaint("run --no-such-option", 2, "--no-such-option");
    check_complaint("status --data x --postgres y", 2, "--data excludes --postgres");
}

TEST_CASE("order_service: unusable input is named, with exit code 2") {
    const example::scratch_folder folder;
    const std::string files = files_in(folder);
    check_complaint("run --input /nowhere/orders.csv", 2, "/nowhere/orders.csv: No such file");
    check_complaint("place --input '" + folder / "" + "'" + files, 2, "is a folder");
    check_complaint("place --number 1" + files, 2, "no item is named");
    check_complaint("place --number 1 TEA" + files, 2, "\"TEA\" is no item");
    std::ofstream(folder / "wrong.csv") << "a,b\n1,2\n";
    check_complaint("place --input '" + folder / "wrong.csv" + "'" + files, 2, "first line");
}

TEST_CASE("order_service: a database that cannot be used is named") {
    const example::scratch_folder folder;
    check_complaint("status --postgres 'no connection string'", 2, "connection string");
    check_complaint("status --postgres 'host=/nowhere'", 1, "/nowhere");
    check_complaint("status --data /nowhere/shop.db", 1, "/nowhere/shop.db");
    check_complaint("status --data '" + folder / "typo.db" + "'", 1, "typo.db");
    std::ofstream(folder / "text.db") << std::string(4096, 'x');
    check_complaint("status --data '" + folder / "text.db" + "'", 1, "text.db");
    check_complaint("run --topics /nowhere/topics.db", 1, "/nowhere/topics.db");
}

TEST_CASE("order_service: an order that cannot be taken says why, and leaves nothing behind") {
    const example::scratch_folder folder;
    const std::string files = files_in(folder);
    check_complaint("place TEA:1" + files, 1, "no number");
    {
        std::ofstream large(folder / "large.csv");
        large << shop::file_header << "\n";
        for (int i = 0; i < 10'000; ++i) {
            large << "1,ARTICLE" << i << ",x,1,d,1.00,Ada,UK\n";
        }
    }
    check_complaint("place --input '" + folder / "large.csv" + "'" + files, 1,
                    "the outbox takes 262144 at most");
    check_complaint("status" + files, 0, "orders placed                     0");
}

TEST_CASE("order_service: its commands do one by one what run does at once") {
    const example::scratch_folder folder;
    const std::string files = files_in(folder);
    CHECK(run("receive TEA:3" + files).code == 0);
    CHECK(run("place --number 1 --customer Ada TEA:2:250" + files).said ==
          "1 orders placed; 0 were there\n");
    CHECK(run("place --number 1 --customer Ada TEA:2:250" + files).said ==
          "0 orders placed; 1 were there\n");
    check_complaint("status" + files, 0, "outbox orders                     1 waiting");
    // At rest, but not done: the audit says what is missing.
    check_complaint("audit" + files, 1, "MISMATCH");
    check_complaint("run --kills 0" + files, 1, "there are orders of an earlier run");
}
