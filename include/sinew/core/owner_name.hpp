// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Names for those who hold leases.

#include <unistd.h>
#include <cstdint>
#include <string>

namespace sinew {

/// A name that no other process has: host, process, and a number by chance.
[[nodiscard]] inline std::string new_owner_name(std::uint64_t chance) {
    constexpr char digits[] = "0123456789abcdef";
    char host[256] = {};
    std::string out = ::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0' ? host : "host";
    out.append("/").append(std::to_string(::getpid())).append("/");
    for (unsigned shift = 64; shift != 0; shift -= 4) {
        out.push_back(digits[chance >> (shift - 4) & 0xfU]);
    }
    return out;
}

}  // namespace sinew
