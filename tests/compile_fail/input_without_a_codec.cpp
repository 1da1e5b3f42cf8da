// SPDX-License-Identifier: BSL-1.0
//
// The input of a process is kept, so there has to be a way to.
//
// expect: there is no codec for the input of this process

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct order {
    int total = 0;
};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", order>(step<"pick">([](auto&) {}));
#else
    auto process = steps<"fulfil", int>(step<"pick">([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
