// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A cart: what a customer buys with one checkout. It is the input of the saga, and what the events
/// of the choreography carry.

#include <sinew/process/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace checkout {

struct cart {
    std::string number{};  ///< names the order; there is one of each number
    std::string customer{};
    std::string article{};
    std::int64_t pieces = 0;
    std::int64_t total_pence = 0;

    /// One loyalty point for each full pound.
    [[nodiscard]] std::int64_t points() const noexcept { return total_pence / 100; }

    friend bool operator==(const cart&, const cart&) = default;
};

/// As JSON.
[[nodiscard]] std::string to_text(const cart& one);
/// **On failure.** Throws what the JSON library throws.
[[nodiscard]] cart to_cart(std::string_view text);

/// So many carts, which the seed decides. One in nine customers has a card that is refused, and so
/// on: see `troubles`.
[[nodiscard]] std::vector<cart> make_carts(std::size_t count, std::uint64_t seed);

/// What stands in the way of a cart for good, and not only for now.
struct troubles {
    bool card_is_declined = false;
    bool is_barred_from_loyalty = false;
    bool address_is_unknown = false;

    [[nodiscard]] bool any() const noexcept {
        return card_is_declined || is_barred_from_loyalty || address_is_unknown;
    }
};

/// The outside world's opinion of a cart: always the same of the same number.
[[nodiscard]] troubles troubles_of(std::string_view number);

/// A number between 0 and 1 that is made of texts: always the same of the same ones.
[[nodiscard]] double chance_of(std::string_view what, std::string_view of, std::int64_t salt = 0);

}  // namespace checkout

/// How the journal keeps it.
template <>
struct sinew::codec<checkout::cart> {
    [[nodiscard]] static std::string encode(const checkout::cart& one) {
        return checkout::to_text(one);
    }
    [[nodiscard]] static checkout::cart decode(std::string_view text) {
        return checkout::to_cart(text);
    }
};
