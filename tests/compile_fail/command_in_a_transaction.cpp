// SPDX-License-Identifier: BSL-1.0
//
// A command goes out with the wait for its reply, and with nothing else.
//
// expect: a step that sends a command is called with \(at\)

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"points">([](auto&, transaction&) {
                                                    return send({.type = "points.add"});
                                                }).reply([](auto&, std::string_view) {}));
#else
    auto process = steps<"fulfil", std::string>(step<"points">([](auto&) {
                                                    return send({.type = "points.add"});
                                                }).reply([](auto&, std::string_view) {}));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
