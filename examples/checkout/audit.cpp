// SPDX-License-Identifier: BSL-1.0
#include "audit.hpp"

#include <sinew/sinew.hpp>

#include <fmt/core.h>

#include <utility>

namespace checkout {

namespace {

/// What is in effect at another firm, added to each order.
void read_outside(outside_service& from, std::int64_t order_facts::* into, facts& all) {
    from.books().connection().for_each<std::string, std::int64_t>(
        "SELECT order_number, amount FROM done WHERE called_off = 0",
        [&](const std::string& number, std::int64_t amount) {
            all.orders[number].*into += amount;
        });
}

}  // namespace

facts collect(sinew::sqlite::store& shop, payment_provider& provider, carrier& parcels) {
    facts all;
    auto& db = shop.connection();
    db.for_each<std::string, std::string>("SELECT number, state FROM orders",
                                          [&](const std::string& number, const std::string& state) {
                                              auto& one = all.orders[number];
                                              ++one.rows;
                                              one.state = state;
                                          });
    db.for_each<std::string>("SELECT order_number FROM mails",
                             [&](const std::string& number) { ++all.orders[number].mails; });
    db.for_each<std::string, std::int64_t>("SELECT order_number, points FROM points",
                                           [&](const std::string& number, std::int64_t points) {
                                               all.orders[number].points += points;
                                           });
    db.for_each<std::string, std::int64_t>(
        "SELECT article, reserved FROM stock",
        [&](const std::string& article, std::int64_t pieces) { all.reserved[article] = pieces; });
    read_outside(provider.calls(), &order_facts::pence, all);
    read_outside(parcels.calls(), &order_facts::parcels, all);
    for (const auto& one : shop.dead_letters().counts({})) {
        all.dead_letters += static_cast<std::int64_t>(one.entries);
    }
    return all;
}

std::vector<finding> judge(const std::vector<cart>& placed, const facts& all) {
    finding ended{"carts that came to an end"};
    finding alone{"orders that are there once"};
    finding told{"customers told once"};
    finding money{"orders paid if shipped, and else not"};
    finding parcels{"parcels for what was shipped, and no other"};
    finding points{"points for what was shipped, and no other"};
    finding hopeless{"carts in trouble that were shipped"};
    finding stock{"articles whose stock does not balance"};
    std::map<std::string, std::int64_t> owed;
    for (const auto& one : placed) {
        const auto at = all.orders.find(one.number);
        const order_facts is = at == all.orders.end() ? order_facts{} : at->second;
        const bool is_shipped = is.state == "shipped";
        const auto agrees = [](finding& with, std::int64_t found, std::int64_t wanted) {
            ++with.wanted;
            with.found += found == wanted ? 1 : 0;
        };
        agrees(ended, is_shipped || is.state == "cancelled" ? 1 : 0, 1);
        agrees(alone, is.rows, 1);
        agrees(told, is.mails, 1);
        agrees(money, is.pence, is_shipped ? one.total_pence : 0);
        agrees(parcels, is.parcels, is_shipped ? 1 : 0);
        agrees(points, is.points, is_shipped ? one.points() : 0);
        hopeless.found += is_shipped && troubles_of(one.number).any() ? 1 : 0;
        owed[one.article] += is_shipped ? one.pieces : 0;
    }
    for (const auto& [article, pieces] : all.reserved) {
        stock.found += owed[article] == pieces ? 0 : 1;
    }
    return {ended,    alone,   told,
            money,    parcels, points,
            hopeless, stock,   {"dead letters", all.dead_letters}};
}

int print(const std::vector<finding>& all) {
    int bad = 0;
    for (const auto& one : all) {
        fmt::print("  {:<44}{:>8}{:>8}  {}\n", one.what, one.found, one.wanted,
                   one.is_good() ? "ok" : "WRONG");
        bad += one.is_good() ? 0 : 1;
    }
    return bad;
}

}  // namespace checkout
