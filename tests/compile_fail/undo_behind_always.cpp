// SPDX-License-Identifier: BSL-1.0
//
// What is always done is done last.
//
// expect: a step that can be undone stands behind a retriable one

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = saga<"checkout", std::string>(step<"email">([](auto&) {}).always(),
                                                 step<"charge">([](auto&) {}).undo([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}),
                                                 step<"email">([](auto&) {}).always());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
