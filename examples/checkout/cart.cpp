// SPDX-License-Identifier: BSL-1.0
#include "cart.hpp"

#include <sinew/core/random.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace checkout {

std::string to_text(const cart& one) {
    return nlohmann::json{{"number", one.number},
                          {"customer", one.customer},
                          {"article", one.article},
                          {"pieces", one.pieces},
                          {"total_pence", one.total_pence}}
        .dump();
}

cart to_cart(std::string_view text) {
    const auto from = nlohmann::json::parse(text);
    return {.number = from.at("number"),
            .customer = from.at("customer"),
            .article = from.at("article"),
            .pieces = from.at("pieces"),
            .total_pence = from.at("total_pence")};
}

std::vector<cart> make_carts(std::size_t count, std::uint64_t seed) {
    sinew::splitmix64 random(seed);
    const auto below = [&](double end) {
        return static_cast<std::int64_t>(sinew::uniform(random) * end);
    };
    std::vector<cart> out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t article = below(20);
        const std::int64_t pieces = 1 + below(5);
        out.push_back({.number = fmt::format("{}-{:04}", seed, i + 1),
                       .customer = fmt::format("customer-{}", below(50)),
                       .article = fmt::format("article-{}", article),
                       .pieces = pieces,
                       .total_pence = pieces * (250 + article * 175)});
    }
    return out;
}

double chance_of(std::string_view what, std::string_view of, std::int64_t salt) {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: the same on each machine
    const auto take = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
    for (const char c : what) {
        take(static_cast<unsigned char>(c));
    }
    take(0);
    for (const char c : of) {
        take(static_cast<unsigned char>(c));
    }
    sinew::splitmix64 random(hash ^ static_cast<std::uint64_t>(salt));
    return sinew::uniform(random);
}

troubles troubles_of(std::string_view number) {
    return {.card_is_declined = chance_of("card", number) < 0.12,
            .is_barred_from_loyalty = chance_of("loyalty", number) < 0.1,
            .address_is_unknown = chance_of("address", number) < 0.1};
}

}  // namespace checkout
