// SPDX-License-Identifier: BSL-1.0
#include <sinew/sinew.hpp>

#include <cstdio>

int main() {
    const sinew::steady_time start{};
    std::puts(start < sinew::never ? "sinew is there" : "sinew is broken");
    return start < sinew::never ? 0 : 1;
}
