// SPDX-License-Identifier: BSL-1.0
//
// Two steps cannot both be what another was.
//
// expect: two steps have the same former name

#include <sinew/process/steps.hpp>

#include <string>

namespace {

void compose() {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}).renamed_from<"take">(),
                                                step<"pack">([](auto&) {}).renamed_from<"take">());
#else
    auto process = steps<"fulfil", std::string>(step<"pick">([](auto&) {}).renamed_from<"take">(),
                                                step<"pack">([](auto&) {}).renamed_from<"wrap">());
#endif
    static_cast<void>(process);
}

}  // namespace

int main() { compose(); }
