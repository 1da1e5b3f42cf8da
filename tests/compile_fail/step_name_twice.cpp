// SPDX-License-Identifier: BSL-1.0
//
// A name is the identity of a step in the store.
//
// expect: two steps have the same name

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}),
                                                 step<"charge">([](auto&) {}).undo([](auto&) {}));
#else
    auto process = saga<"checkout", std::string>(step<"charge">([](auto&) {}).undo([](auto&) {}),
                                                 step<"points">([](auto&) {}).undo([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
