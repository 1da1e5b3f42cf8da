// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the programs of the guide share: a clock for which nobody has to wait, and expectations.

#include <sinew/core/time.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <source_location>

namespace guide {

/// A clock that is a second further each time somebody looks at it. Copies share their time.
struct fast_clock {
    std::shared_ptr<sinew::moment> at = std::make_shared<sinew::moment>();

    sinew::moment now() const {
        at->steady += std::chrono::seconds(1);
        at->wall += std::chrono::seconds(1);
        return *at;
    }
};

/// Ends the program if something is not as its page says.
inline void expect(bool holds, std::source_location here = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "%s:%u: not as the guide says\n", here.file_name(),
                     static_cast<unsigned>(here.line()));
        std::exit(1);
    }
}

}  // namespace guide
