// SPDX-License-Identifier: BSL-1.0
//
// The pivot is what cannot be undone.
//
// expect: the pivot can't be undone; make it a step

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = saga<"checkout", std::string>(pivot<"ship">([](auto&) {}).undo([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(step<"ship">([](auto&) {}).undo([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
