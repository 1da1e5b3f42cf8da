// SPDX-License-Identifier: BSL-1.0
//
// There is one point of no return.
//
// expect: there are two pivots

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process =
        saga<"checkout", std::string>(pivot<"ship">([](auto&) {}), pivot<"bill">([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(pivot<"ship">([](auto&) {}),
                                                 step<"bill">([](auto&) {}).always());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
