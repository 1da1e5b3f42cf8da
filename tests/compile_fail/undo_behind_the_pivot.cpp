// SPDX-License-Identifier: BSL-1.0
//
// There is no way back behind the pivot.
//
// expect: a step that can be undone stands behind the pivot

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = saga<"checkout", std::string>(pivot<"ship">([](auto&) {}),
                                                 step<"charge">([](auto&) {}).undo([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}),
                                                 pivot<"ship">([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
