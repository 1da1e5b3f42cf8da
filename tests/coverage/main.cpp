// SPDX-License-Identifier: BSL-1.0
//
// Sums up what the tests of a folder covered, prints the table, and fails for each fault that never
// fell and each point that no run reached:
//
//     coverage FOLDER TEST...
//
// FOLDER/TEST.txt is what the test wrote when it ended. If there is none at all, the tests were not
// run, and there is nothing to say.

#include <sinew/testing/coverage.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: coverage FOLDER TEST...\n", stderr);
        return 2;
    }
    const std::string folder = argv[1];
    const std::vector<std::string> tests(argv + 2, argv + argc);

    sinew::testing::coverage sum;
    std::vector<std::string> silent;
    for (const auto& test : tests) {
        std::ifstream file(folder + '/' + test + ".txt");
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        if (!sum.add_text(text)) {
            silent.push_back(test);
        }
    }
    if (silent.size() == tests.size()) {
        std::puts("nothing to sum up: none of the tests was run before this one");
        return 0;
    }

    std::puts(sum.table().c_str());
    for (const auto& test : silent) {
        std::printf(
            "INCOMPLETE: the test %s wrote nothing. It was not run together with the others, "
            "or it died: its own output says why.\n",
            test.c_str());
    }
    if (sum.is_shallow()) {
        std::puts("The runs were shallower than usual, so points may stay out of reach.");
    }
    const auto missing = silent.empty() ? sum.missing() : std::vector<std::string>();
    for (const auto& one : missing) {
        std::printf("MISSING: %s\n", one.c_str());
    }
    return missing.empty() && silent.empty() ? 0 : 1;
}
