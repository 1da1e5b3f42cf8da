// SPDX-License-Identifier: BSL-1.0
//
// A process does something.
//
// expect: a process has at least one step

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(removed<"stamp">());
#else
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}), removed<"stamp">());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
