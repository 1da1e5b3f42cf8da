// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "examples/order_parts.hpp"

#include <order_service/audit.hpp>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace shop;
using namespace sinew::test;

namespace {

/// Three orders, the second of which is rejected, all the way.
facts good_facts() {
    small_shop in;
    receive_goods(in.db, {{"TEA", 3}}, soon());
    in.place(order_of("1", {{"TEA", 1, 250}}));
    in.place(order_of("2", {{"TEA", 9, 250}}));
    in.place(order_of("3", {{"TEA", 2, 250}}, ""));
    in.carry_on();
    return in.facts();
}

std::set<std::string> complaints(const facts& all) {
    std::set<std::string> out;
    for (const auto& one : judge(all)) {
        if (!one.is_good()) {
            out.insert(one.what.substr(one.what.find_first_not_of(' ')));
        }
    }
    return out;
}

}  // namespace

TEST_CASE("a shop in which all went well passes its audit") {
    const facts all = good_facts();
    CHECK(complaints(all).empty());
    CHECK(all.decisions.size() == 3);
    CHECK(all.stock.at("TEA").reserved == 3);
    CHECK(count_copies(all.orders_topic) == 0);
}

TEST_CASE("a copy that a relay made is no mistake") {
    facts all = good_facts();
    all.orders_topic.push_back(all.orders_topic.front());
    all.stock_topic.push_back(all.stock_topic.front());
    CHECK(complaints(all).empty());
    CHECK(count_copies(all.orders_topic) == 1);
}

TEST_CASE("the audit notices whatever does not agree") {
    const facts good = good_facts();
    const std::vector<std::pair<std::string, std::function<void(facts&)>>> mistakes = {
        {"orders published", [](facts& f) { f.orders_topic.pop_back(); }},
        {"orders published", [](facts& f) { f.orders.erase("1"); }},
        {"as they were committed", [](facts& f) { f.orders.at("1").lines[0].quantity = 2; }},
        {"as they were committed", [](facts& f) { f.orders_topic[0].data = "{}"; }},
        {"out of sequence in their key", [](facts& f) { f.orders_topic[0].sequence = "7"; }},
        {"out of sequence in their key", [](facts& f) { f.stock_topic[0].sequence = ""; }},
        {"orders decided", [](facts& f) { f.decisions.push_back(f.decisions.front()); }},
        {"orders decided", [](facts& f) { f.decisions.pop_back(); }},
        {"of orders that are there, once", [](facts& f) { f.decisions[0].order_number = "9"; }},
        {"rejected, and there was enough", [](facts& f) { f.stock.at("TEA").received = 12; }},
        {"rejected, and there was enough",
         [](facts& f) {
             for (auto& one : f.decisions) {
                 one.missing = one.missing.empty() ? "" : "MILK";
             }
         }},
        {"decisions published", [](facts& f) { f.stock_topic.pop_back(); }},
        {"as they were made, by their order", [](facts& f) { f.stock_topic[0].causationid = "x"; }},
        {"as they were made, by their order",
         [](facts& f) { f.stock_topic[0].correlationid.clear(); }},
        {"keys in another order than placed",
         [](facts& f) {
             for (auto& one : f.stock_topic) {  // Ada's two change places
                 if (one.key == "customer/Ada") {
                     one.data.replace(one.data.find("\"order\":\"") + 9, 1,
                                      one.sequence == "1" ? "2" : "1");
                 }
             }
         }},
        {"notifications", [](facts& f) { f.notifications.pop_back(); }},
        {"notifications", [](facts& f) { f.notifications.push_back(f.notifications.front()); }},
        {"that say what was decided", [](facts& f) { f.notifications[0].message = "hello"; }},
        {"that say what was decided", [](facts& f) { f.notifications[0].customer = "Bob"; }},
        {"units reserved", [](facts& f) { f.stock.at("TEA").reserved += 1; }},
        {"articles that do not balance", [](facts& f) { f.stock.at("TEA").received = 2; }},
        {"articles that do not balance",
         [](facts& f) {  // the sum is right, and the articles are not
             f.stock["MILK"] = {5, 1};
             f.stock.at("TEA").reserved -= 1;
         }},
        {"articles that do not balance", [](facts& f) { f.stock.clear(); }},
        {"outbox entries left", [](facts& f) { f.unpublished = 1; }},
        {"dead letters", [](facts& f) { f.dead_letters = 1; }},
    };
    for (const auto& [what, make] : mistakes) {
        facts all = good;
        make(all);
        INFO(what);
        CHECK(complaints(all).contains(what));
    }
}
