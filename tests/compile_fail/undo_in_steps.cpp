// SPDX-License-Identifier: BSL-1.0
//
// Steps that only go forward have no undo.
//
// expect: steps only goes forward

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}).undo([](auto&) {}),
                                                step<"pack">([](auto&) {}));
#else
    auto process =
        steps<"fulfil", std::string>(step<"pick">([](auto&) {}), step<"pack">([](auto&) {}));
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
