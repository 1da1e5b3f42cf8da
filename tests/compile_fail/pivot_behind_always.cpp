// SPDX-License-Identifier: BSL-1.0
//
// The pivot may fail, and what is always done stands behind it.
//
// expect: the pivot stands behind a retriable step

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = saga<"checkout", std::string>(step<"email">([](auto&) {}).always(),
                                                 pivot<"ship">([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(pivot<"ship">([](auto&) {}),
                                                 step<"email">([](auto&) {}).always());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
