// SPDX-License-Identifier: BSL-1.0
//
// Only what sends a command is replied to.
//
// expect: only a step that sends a command gets a reply

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(
        step<"points">([](auto&) { return 1; }).reply([](auto&, std::string_view) {}));
#else
    auto process = steps<"fulfil", std::string>(step<"points">([](auto&) {
                                                    return send({.type = "points.add"});
                                                }).reply([](auto&, std::string_view) {}));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
