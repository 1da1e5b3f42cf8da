// SPDX-License-Identifier: BSL-1.0
//
// A step takes the transaction of the store that the runner works on.
//
// expect: a step is called with \(at\), or with \(at, tx\)

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};
struct another_transaction {};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&, another_transaction&) {}));
#else
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&, transaction&) {}));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
