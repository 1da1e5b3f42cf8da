// SPDX-License-Identifier: BSL-1.0
//
// What a step returns is kept, so there has to be a way to.
//
// expect: there is no codec for what this step returns

#include <sinew/process/steps.hpp>

#include <string>

namespace {

struct transaction {};
struct payment {
    int id = 0;
};

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"charge">([](auto&) { return payment{}; }));
#else
    auto process = steps<"fulfil", std::string>(step<"charge">([](auto&) { return payment{}.id; }));
#endif
    static_cast<void>(sinew::bind_process<transaction>(process));
}

}  // namespace

int main() { compose(); }
