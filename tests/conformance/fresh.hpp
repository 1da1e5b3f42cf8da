// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A factory of environments.

namespace sinew::test {

/// Makes a fresh `Env`.
template <class Env>
inline constexpr auto fresh = [] { return Env(); };

}  // namespace sinew::test
