// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What stands around a sink, so that compositions that cannot do what they say do not compile.
///
/// | outer | inner | compiles | because |
/// | --- | --- | --- | --- |
/// | `spooled` | `fail_fast`, `with_breaker` | yes | |
/// | `spooled` | `spooled`, `with_fallback` | no | the inner one never says that the sink is down |
/// | `fail_fast` | `spooled`, `with_fallback` | no | the same |
/// | `fail_fast` | `with_breaker` | no | it would cut the retries off |
/// | `with_breaker` | any of these | no | it would retry what is an answer already |
/// | `with_fallback` | any | yes | |
/// | `drainer` | `spooled`, `with_fallback` | no | entries would not reach the sink, and be removed |

#include <sinew/core/sink.hpp>

namespace sinew {

/// The answers to a sink that is down.
namespace decoration {
inline constexpr unsigned none = 0;
inline constexpr unsigned fail_fast = 1;
inline constexpr unsigned spool = 2;
inline constexpr unsigned fallback = 4;
inline constexpr unsigned breaker = 8;
}  // namespace decoration

/// Which of them stand around a sink: its `decorations`, if it has any.
template <class S>
[[nodiscard]] consteval unsigned decorations_of() {
    if constexpr (requires { S::decorations; }) {
        return S::decorations;
    } else {
        return decoration::none;
    }
}

/// Whether a sink tells when the broker is down: nothing inside takes the event instead.
template <class S>
inline constexpr bool tells_when_down =
    (decorations_of<S>() & (decoration::spool | decoration::fallback)) == 0;

}  // namespace sinew
