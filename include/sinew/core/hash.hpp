// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Seeded hashing of bytes that come from strangers.
///
/// Keys and ids fill our tables, and whoever sends events chooses them. With a secret seed nobody
/// outside can prepare keys that all fall into one bucket.
///
/// **Guarantees.** Equal bytes under equal seeds give equal hashes. Digests never leave the
/// process; stores keep the bytes themselves.
/// **Source.** SipHash-1-3 with a 128-bit result: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast
/// short-input PRF", 2012; the 128-bit variant is that of the authors' reference code.

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sinew {

/// The secret of a table. Draw it at random once in a process.
struct hash_seed {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

/// 128 bits that stand for a byte string. Under a secret seed, two of `n` strings collide with a
/// probability of about `n² / 2¹²⁹`.
struct digest {
    std::uint64_t hi = 0;
    std::uint64_t lo = 0;

    friend constexpr bool operator==(const digest&, const digest&) = default;
    friend constexpr auto operator<=>(const digest&, const digest&) = default;
};

namespace detail {

/// SipHash-1-3 with a 128-bit result, fed piece by piece.
class sip_state {
public:
    explicit sip_state(hash_seed seed) noexcept
        : v0_(0x736f6d6570736575ULL ^ seed.k0),
          v1_(0x646f72616e646f6dULL ^ seed.k1 ^ 0xee),
          v2_(0x6c7967656e657261ULL ^ seed.k0),
          v3_(0x7465646279746573ULL ^ seed.k1) {}

    void add(std::string_view bytes) noexcept {
        const char* at = bytes.data();
        std::size_t left = bytes.size();
        total_ += left;
        while (fill_ != 0 && left != 0) {
            add_byte(static_cast<unsigned char>(*at++));
            --left;
        }
        for (; left >= 8; left -= 8, at += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, 8);
            if constexpr (std::endian::native == std::endian::big) {
                word = __builtin_bswap64(word);
            }
            absorb(word);
        }
        if (fill_ == 0) {
            add_rest(at, left);
            return;
        }
        while (left != 0) {
            add_byte(static_cast<unsigned char>(*at++));
            --left;
        }
    }

    [[nodiscard]] digest finish() noexcept {
        absorb(tail_ | (static_cast<std::uint64_t>(total_) << 56U));
        v2_ ^= 0xee;
        round();
        round();
        round();
        const std::uint64_t first = v0_ ^ v1_ ^ v2_ ^ v3_;
        v1_ ^= 0xdd;
        round();
        round();
        round();
        return {v0_ ^ v1_ ^ v2_ ^ v3_, first};
    }

private:
    void add_byte(unsigned char byte) noexcept {
        tail_ |= static_cast<std::uint64_t>(byte) << (8U * fill_);
        if (++fill_ == 8) {
            absorb(tail_);
            tail_ = 0;
            fill_ = 0;
        }
    }

    /// The same for less than eight bytes, while none is kept: keys are short, and each byte
    /// counts.
    void add_rest(const char* at, std::size_t count) noexcept {
        const auto byte = [at](std::size_t i) {
            return static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8U * i);
        };
        std::uint64_t word = 0;
        switch (count) {
            case 7: word |= byte(6); [[fallthrough]];
            case 6: word |= byte(5); [[fallthrough]];
            case 5: word |= byte(4); [[fallthrough]];
            case 4: word |= byte(3); [[fallthrough]];
            case 3: word |= byte(2); [[fallthrough]];
            case 2: word |= byte(1); [[fallthrough]];
            case 1: word |= byte(0); break;
            default: return;
        }
        tail_ = word;
        fill_ = static_cast<unsigned>(count);
    }

    void absorb(std::uint64_t word) noexcept {
        v3_ ^= word;
        round();
        v0_ ^= word;
    }

    void round() noexcept {
        v0_ += v1_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v3_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_, v1_, v2_, v3_;
    std::uint64_t tail_ = 0;
    std::size_t total_ = 0;
    unsigned fill_ = 0;
};

}  // namespace detail

/// The digest of one byte string.
[[nodiscard]] inline digest digest_of(hash_seed seed, std::string_view bytes) noexcept {
    detail::sip_state state(seed);
    state.add(bytes);
    return state.finish();
}

/// The digest of several byte strings in a row. Lengths take part, so that ("ab", "c") and
/// ("a", "bc") differ.
template <class... Parts>
    requires(sizeof...(Parts) > 1)
[[nodiscard]] digest digest_of(hash_seed seed, const Parts&... parts) noexcept {
    detail::sip_state state(seed);
    const auto add = [&state](std::string_view part) {
        const auto size = static_cast<std::uint64_t>(part.size());
        char prefix[8];
        std::memcpy(prefix, &size, 8);
        state.add({prefix, 8});
        state.add(part);
    };
    (add(std::string_view(parts)), ...);
    return state.finish();
}

}  // namespace sinew
