// SPDX-License-Identifier: BSL-1.0
//
// A command has a reply, and it can be late.
//
// expect: a step that sends a command says what becomes of its reply

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(
        step<"points">([](auto&) { return send({.type = "points.add"}); }));
#else
    auto process = steps<"fulfil", std::string>(step<"points">([](auto&) {
                                                    return send({.type = "points.add"});
                                                }).reply([](auto&, std::string_view) {}));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
