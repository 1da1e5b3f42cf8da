// SPDX-License-Identifier: BSL-1.0
//
// A result is that of a step before.
//
// expect: no step before this one has the name that result asks for

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process =
        steps<"fulfil", std::string>(step<"charge">([](auto&) { return 7; }),
                                     step<"ship">([](auto& at) { return result<"chrage">(at); }));
#else
    auto process =
        steps<"fulfil", std::string>(step<"charge">([](auto&) { return 7; }),
                                     step<"ship">([](auto& at) { return result<"charge">(at); }));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
