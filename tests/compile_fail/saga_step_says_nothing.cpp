// SPDX-License-Identifier: BSL-1.0
//
// Each step of a saga says what it means for the way back.
//
// expect: a step of a saga says how it is undone

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process =
        saga<"checkout", std::string>(step<"charge">([](auto&) {}), pivot<"ship">([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}),
                                                 pivot<"ship">([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
