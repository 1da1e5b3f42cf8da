// SPDX-License-Identifier: BSL-1.0
#include <checkout/audit.hpp>
#include <checkout/cart.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/test.hpp"

using namespace checkout;

namespace {

/// A cart without troubles, and one whose card is declined.
[[nodiscard]] cart cart_with(bool trouble) {
    for (const auto& one : make_carts(200, 3)) {
        if (troubles_of(one.number).any() == trouble) {
            return one;
        }
    }
    throw std::logic_error("no such cart");
}

struct audited {
    cart good = cart_with(false);
    cart bad = cart_with(true);
    facts all{};

    audited() {
        all.orders[good.number] = {.rows = 1,
                                   .state = "shipped",
                                   .mails = 1,
                                   .points = good.points(),
                                   .pence = good.total_pence,
                                   .parcels = 1};
        all.orders[bad.number] = {.rows = 1, .state = "cancelled", .mails = 1};
        all.reserved[good.article] = good.pieces;
    }

    /// The findings that are bad.
    [[nodiscard]] std::vector<std::string> complaints() const {
        std::vector<std::string> out;
        for (const auto& one : judge({good, bad}, all)) {
            if (!one.is_good()) {
                out.emplace_back(one.what);
            }
        }
        return out;
    }
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("checkout: the audit has nothing to say where everything agrees") {
    REQUIRE(audited().complaints().empty());
}

TEST_CASE("checkout: the audit notices each thing that is not as it has to be") {
    audited at;
    auto& shipped = at.all.orders[at.good.number];
    auto& cancelled = at.all.orders[at.bad.number];
    const auto complains = [&](auto& field, auto wrong) {
        const auto right = std::exchange(field, wrong);
        auto out = at.complaints();
        field = right;
        return out;
    };
    REQUIRE(complains(shipped.state, "placed") ==
            texts{"carts that came to an end", "orders paid if shipped, and else not",
                  "parcels for what was shipped, and no other",
                  "points for what was shipped, and no other",
                  "articles whose stock does not balance"});
    REQUIRE(complains(shipped.rows, 2) == texts{"orders that are there once"});
    REQUIRE(complains(shipped.mails, 2) == texts{"customers told once"});
    REQUIRE(complains(shipped.pence, 2 * at.good.total_pence) ==
            texts{"orders paid if shipped, and else not"});
    REQUIRE(complains(cancelled.pence, 1) == texts{"orders paid if shipped, and else not"});
    REQUIRE(complains(cancelled.parcels, 1) == texts{"parcels for what was shipped, and no other"});
    REQUIRE(complains(cancelled.points, 1) == texts{"points for what was shipped, and no other"});
    REQUIRE(complains(at.all.dead_letters, 1) == texts{"dead letters"});
    REQUIRE(complains(at.all.reserved[at.good.article], 0) ==
            texts{"articles whose stock does not balance"});
    cancelled.state = "shipped";
    REQUIRE_FALSE(at.complaints().empty());
}

TEST_CASE("checkout: the same seed makes the same carts, with the same troubles") {
    REQUIRE(make_carts(50, 7) == make_carts(50, 7));
    REQUIRE_FALSE(make_carts(50, 7) == make_carts(50, 8));
    std::size_t troubled = 0;
    for (const auto& one : make_carts(1000, 1)) {
        troubled += troubles_of(one.number).any() ? 1 : 0;
    }
    REQUIRE(troubled > 150);
    REQUIRE(troubled < 500);
}

TEST_CASE("checkout: a cart comes back from its text as it was") {
    for (const auto& one : make_carts(20, 5)) {
        REQUIRE(to_cart(to_text(one)) == one);
    }
}
