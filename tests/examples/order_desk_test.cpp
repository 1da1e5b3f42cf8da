// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "examples/order_parts.hpp"

#include <sinew/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

using namespace shop;
using namespace sinew::test;

namespace {

std::uint64_t waiting(small_shop& in) { return in.db.outbox(orders_topic).lag(soon()).waiting; }

/// How a commit ends, and what of it is true.
enum class ending { committed, aborted, unknown_and_there, unknown_and_gone };

/// A transaction whose commit ends as it is told.
struct told_transaction : sinew::sqlite::transaction {
    told_transaction(sinew::sqlite::transaction&& real, ending how)
        : transaction(std::move(real)), how_(how) {}

    sinew::commit_result commit() noexcept {
        if (how_ == ending::committed || how_ == ending::unknown_and_there) {
            const auto result = transaction::commit();
            return how_ == ending::committed ? result : sinew::commit_result::unknown;
        }
        rollback();
        return how_ == ending::aborted ? sinew::commit_result::aborted
                                       : sinew::commit_result::unknown;
    }

private:
    ending how_;
};

/// A store that is told how its commits end; the last ending stays.
class told_store {
public:
    using transaction_type = told_transaction;
    using outbox_type = sinew::sqlite::outbox;

    told_store(sinew::sqlite::store& real, std::vector<ending> endings)
        : real_(&real), endings_(std::move(endings)) {}

    told_transaction begin(sinew::steady_time until) {
        const std::size_t at = std::min(begun_++, endings_.size() - 1);
        return {real_->begin(until), endings_[at]};
    }
    auto outbox(const std::string& name, const sinew::outbox_options& options = {}) const {
        return real_->outbox(name, options);
    }
    const std::optional<sinew::failure>& last_commit_failure() const { return failure_; }
    std::size_t begun() const { return begun_; }

private:
    sinew::sqlite::store* real_;
    std::vector<ending> endings_;
    std::size_t begun_ = 0;
    std::optional<sinew::failure> failure_{
        {sinew::failure_class::transient, "told", "as it was told", {}}};
};

}  // namespace

TEST_CASE("an order is placed once, however the commit ends") {
    const std::vector<std::vector<ending>> all = {
        {ending::aborted, ending::aborted, ending::committed},
        {ending::unknown_and_gone, ending::committed},
        {ending::unknown_and_gone, ending::unknown_and_there, ending::committed},
        {ending::unknown_and_there, ending::committed},
    };
    for (const auto& endings : all) {
        small_shop in;
        told_store told(in.db, endings);
        CHECK(order_desk(told).place(order_of("1", {{"TEA", 2, 250}}), soon()) == placing::placed);
        CHECK(told.begun() >= 2);
        CHECK(in.number("SELECT count(*) FROM orders") == 1);
        CHECK(waiting(in) == 1);
    }
}

TEST_CASE("an order that is never committed says why, in time") {
    small_shop in;
    told_store told(in.db, {ending::aborted});
    const auto until = sinew::machine_clock::now().steady + std::chrono::milliseconds(20);
    CHECK_THROWS_WITH(order_desk(told).place(order_of("1", {{"TEA", 2, 250}}), until),
                      Catch::Contains("as it was told"));
    CHECK(in.number("SELECT count(*) FROM orders") == 0);
}

TEST_CASE("an order and its event are written together") {
    small_shop in;
    order_desk desk(in.db);
    CHECK(desk.place(order_of("1", {{"TEA", 2, 250}, {"MILK", 1, 99}}), soon()) == placing::placed);
    CHECK(in.number("SELECT count(*) FROM orders") == 1);
    CHECK(in.number("SELECT count(*) FROM order_lines") == 2);
    CHECK(waiting(in) == 1);
}

TEST_CASE("an order that is there already is not placed again, and nothing is published") {
    small_shop in;
    in.place(order_of("1", {{"TEA", 2, 250}}));
    CHECK(order_desk(in.db).place(order_of("1", {{"TEA", 9, 250}}), soon()) == placing::was_there);
    CHECK(in.number("SELECT sum(quantity) FROM order_lines") == 2);
    CHECK(waiting(in) == 1);
}

TEST_CASE("an order that cannot be published is not placed") {
    small_shop in;
    order_desk desk(in.db);
    const std::vector<order_line> many(lines_max, order_line{"TEA", 1, 1});
    CHECK_THROWS_AS(desk.place(order_of("1", many), soon()), sinew::permanent_error);
    CHECK_THROWS_AS(desk.place(order_of("2", {}), soon()), sinew::permanent_error);
    CHECK(in.number("SELECT count(*) FROM orders") == 0);
    CHECK(waiting(in) == 0);
    // And it holds nothing up.
    CHECK(desk.place(order_of("3", {{"TEA", 1, 1}}), soon()) == placing::placed);
}

TEST_CASE("an order whose database stays locked says so in time") {
    small_shop in;
    order_desk desk(in.db);
    sinew::sqlite::store other(in.folder / "shop.db");
    auto tx = other.begin(soon());
    CHECK_THROWS_AS(desk.place(order_of("1", {{"TEA", 1, 1}}),
                               sinew::machine_clock::now().steady + std::chrono::milliseconds(20)),
                    sinew::unavailable_error);
    tx.rollback();
    CHECK(in.number("SELECT count(*) FROM orders") == 0);
}

TEST_CASE("the orders of a customer are published in the order in which they were placed") {
    small_shop in;
    for (const char* number : {"3", "1", "2"}) {
        in.place(order_of(number, {{"TEA", 1, 1}}));
    }
    in.place(order_of("4", {{"TEA", 1, 1}}, ""));
    in.relay(orders_topic);
    CHECK(waiting(in) == 0);
    std::vector<std::string> sequences;
    for (const auto& one : read_topic(in.log, orders_topic, soon())) {
        sequences.push_back(one.key + " " + one.sequence + " " +
                            order_codec{}
                                .decode(sinew::event{
                                    .id = one.id, .source = "/", .type = one.type, .data = one.data}
                                            .view())
                                .number);
    }
    CHECK_THAT(sequences,
               Catch::UnorderedEquals(std::vector<std::string>{
                   "customer/Ada 1 3", "customer/Ada 2 1", "customer/Ada 3 2", "order/4 1 4"}));
}
