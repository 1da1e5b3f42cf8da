// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

/// SipHash-c-d with a 128-bit result, as the paper and the authors' reference code describe it: the
/// padded message is made first, then mixed word by word.
std::string naive_siphash(int c, int d, hash_seed seed, const std::string& message) {
    using word = std::uint64_t;
    const auto rotate = [](word x, unsigned by) { return x << by | x >> (64U - by); };
    std::string padded = message;
    padded.resize((message.size() / 8 + 1) * 8, '\0');
    padded.back() = static_cast<char>(static_cast<unsigned char>(message.size() & 255U));

    word v[4] = {seed.k0 ^ 0x736f6d6570736575ULL, seed.k1 ^ 0x646f72616e646f6dULL,
                 seed.k0 ^ 0x6c7967656e657261ULL, seed.k1 ^ 0x7465646279746573ULL};
    v[1] ^= 0xee;
    const auto rounds = [&](int count) {
        for (int i = 0; i < count; ++i) {
            v[0] += v[1];
            v[1] = rotate(v[1], 13);
            v[1] ^= v[0];
            v[0] = rotate(v[0], 32);
            v[2] += v[3];
            v[3] = rotate(v[3], 16);
            v[3] ^= v[2];
            v[0] += v[3];
            v[3] = rotate(v[3], 21);
            v[3] ^= v[0];
            v[2] += v[1];
            v[1] = rotate(v[1], 17);
            v[1] ^= v[2];
            v[2] = rotate(v[2], 32);
        }
    };
    for (std::size_t i = 0; i < padded.size(); i += 8) {
        word m = 0;
        for (std::size_t k = 0; k < 8; ++k) {
            m |= static_cast<word>(static_cast<unsigned char>(padded[i + k])) << 8U * k;
        }
        v[3] ^= m;
        rounds(c);
        v[0] ^= m;
    }
    std::string out;
    const auto put = [&] {
        const word all = v[0] ^ v[1] ^ v[2] ^ v[3];
        for (unsigned k = 0; k < 8; ++k) {
            out += static_cast<char>(static_cast<unsigned char>(all >> 8U * k & 255U));
        }
    };
    v[2] ^= 0xee;
    rounds(d);
    put();
    v[1] ^= 0xdd;
    rounds(d);
    put();
    return out;
}

std::string bytes_of(const digest& d) {
    std::string out;
    for (const std::uint64_t half : {d.lo, d.hi}) {
        for (unsigned k = 0; k < 8; ++k) {
            out += static_cast<char>(static_cast<unsigned char>(half >> 8U * k & 255U));
        }
    }
    return out;
}

std::string hex(const std::string& bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += "0123456789abcdef"[byte >> 4U];
        out += "0123456789abcdef"[byte & 15U];
    }
    return out;
}

/// The key of the published test vectors: the bytes 0 to 15.
constexpr hash_seed published{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

}  // namespace

TEST_CASE("the digest is SipHash-1-3 with 128 bits") {
    // The naive twin is that function: with 2-4 rounds it gives the authors' first vector.
    CHECK(hex(naive_siphash(2, 4, published, "")) == "a3817f04ba25a8e66df67214c7550293");
    CHECK(hex(naive_siphash(1, 3, published, "")) == "e77ebcb22788a5befd62db6add303001");
    CHECK(hex(bytes_of(digest_of(published, ""))) == "e77ebcb22788a5befd62db6add303001");
    sinew::test::prop("for any seed and any bytes", [](std::uint64_t k0, std::uint64_t k1,
                                                       const std::string& text) {
        RC_ASSERT(bytes_of(digest_of({k0, k1}, text)) == naive_siphash(1, 3, {k0, k1}, text));
    });
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string text(size, static_cast<char>(static_cast<unsigned char>(size & 255U)));
        REQUIRE(bytes_of(digest_of(published, text)) == naive_siphash(1, 3, published, text));
    }
}

TEST_CASE("a digest does not depend on the pieces that its bytes came in") {
    sinew::test::prop("for any pieces", [](const std::vector<std::string>& pieces) {
        detail::sip_state state(published);
        std::string whole;
        for (const auto& piece : pieces) {
            state.add(piece);
            whole += piece;
        }
        RC_ASSERT(state.finish() == digest_of(published, whole));
    });
}

TEST_CASE("parts are told apart from their concatenation") {
    CHECK(digest_of(published, "ab", "c") != digest_of(published, "a", "bc"));
    CHECK(digest_of(published, "", "abc") != digest_of(published, "abc", ""));
    CHECK(digest_of(published, "a", "b") == digest_of(published, std::string("a"), "b"));
    CHECK(digest_of(published, "a", "b") != digest_of(published, "a", "b", ""));
    sinew::test::prop(
        "different pairs have different digests",
        [](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
            RC_PRE(a != c || b != d);
            RC_ASSERT(digest_of(published, a, b) != digest_of(published, c, d));
        });
}

TEST_CASE("the seed decides the digest") {
    CHECK(digest_of({1, 2}, "key") != digest_of({2, 1}, "key"));
    CHECK(digest_of({1, 2}, "key") == digest_of({1, 2}, "key"));
}

TEST_CASE("a hundred thousand numbered keys have as many digests, in both halves") {
    std::set<std::uint64_t> high;
    std::set<std::uint64_t> low;
    for (int i = 0; i < 100'000; ++i) {
        const digest d = digest_of(published, std::to_string(i));
        high.insert(d.hi);
        low.insert(d.lo);
    }
    CHECK(high.size() == 100'000);
    CHECK(low.size() == 100'000);
}
