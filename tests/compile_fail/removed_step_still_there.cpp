// SPDX-License-Identifier: BSL-1.0
//
// A step is in the list, or was removed from it.
//
// expect: a step is declared as removed and is in the list

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}),
                                                step<"stamp">([](auto&) {}), removed<"stamp">());
#else
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}), removed<"stamp">());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
