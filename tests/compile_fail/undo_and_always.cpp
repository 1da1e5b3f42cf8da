// SPDX-License-Identifier: BSL-1.0
//
// What is always done is never undone.
//
// expect: a step that is always done is never undone

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process =
        saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}).always());
#else
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
