// SPDX-License-Identifier: BSL-1.0
//
// A step that returns nothing has no result.
//
// expect: the step that result asks for returns nothing to read

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(
        step<"pay">([](auto&) {}),
        step<"ship">([](auto& at) { static_cast<void>(result<"pay">(at)); }));
#else
    auto process = steps<"fulfil", std::string>(
        step<"pay">([](auto&) { return 1; }),
        step<"ship">([](auto& at) { static_cast<void>(result<"pay">(at)); }));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
