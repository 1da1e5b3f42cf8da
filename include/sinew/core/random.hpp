// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Randomness as a parameter.
///
/// A machine that needs chance takes a number between 0 and 1; a driver takes a generator. So a
/// test decides what "random" is, and a run can be repeated from its seed.

#include <unistd.h>
#include <concepts>
#include <cstdint>

namespace sinew {

/// A generator of uniformly distributed 64-bit numbers.
template <class G>
concept random_source = requires(G& g) {
    { g() } -> std::same_as<std::uint64_t>;
};

/// A small, fast generator with 64 bits of state: good for jitter, not for secrets.
///
/// **Source.** SplitMix64; G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
class splitmix64 {
public:
    explicit constexpr splitmix64(std::uint64_t seed) noexcept : state_(seed) {}

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31U);
    }

private:
    std::uint64_t state_;
};

/// A seed that nobody can guess, from the operating system. Called when a consumer is made, unless
/// its options give a seed.
///
/// **On failure.** Without a source of entropy it answers a fixed number: the program goes on, and
/// its tables are as predictable as without a seed.
[[nodiscard]] inline std::uint64_t entropy_seed() noexcept {
    std::uint64_t seed = 0;
    if (::getentropy(&seed, sizeof seed) != 0 || seed == 0) {
        seed = 0x9e3779b97f4a7c15ULL;
    }
    return seed;
}

/// A number in [0, 1) with 53 random bits, as the machines take it.
template <random_source G>
[[nodiscard]] constexpr double uniform(G& g) {
    return static_cast<double>(g() >> 11U) * 0x1.0p-53;
}

}  // namespace sinew
