// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/process/definition_match.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/saga_plan.hpp>
#include <sinew/process/start_process.hpp>

#include "support/test.hpp"

#include <chrono>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);

constexpr step_definition order_steps[] = {{"reserve", step_kind::compensable},
                                           {"charge", step_kind::compensable}};
constexpr process_definition order{"order", order_steps, {}};

/// An order whose charge was given up, and whose reservation could not be undone.
struct desk {
    memory::store store;
    memory::journal book = store.journal("processes");
    shard_lease lease = book.take(book.holder(0), "runner").value();

    desk() {
        const auto steps = entries_of(order);
        REQUIRE(start_process(store, book, {order.type, "1", steps, "input"}, day, never) ==
                start_result::started);
        const auto entry = claim().at(0);
        journal_write last{.claim = claim_of(entry.what)};
        last.records = {{.where = {"reserve", step_phase::act}},
                        {.where = {"charge", step_phase::act}, .kind = record_kind::failed},
                        {.where = {"reserve", step_phase::undo}, .kind = record_kind::failed}};
        last.end = claim_end::parked;
        last.why = failure_note{.at = day, .reason = "not_undone"};
        REQUIRE(book.write({&last, 1}, day).front().how == fenced_result::done);
    }
    std::vector<journal_entry> claim() {
        return book.claim(lease, {&order.type, 1}, day, 10).value();
    }
    [[nodiscard]] process_instance seen() { return book.find("order", "1")->what; }
    [[nodiscard]] plan_decision next() {
        const auto entry = book.find("order", "1").value();
        return saga_plan(match_definition(entry.what.steps, order, entry.history), entry.history)
            .next();
    }
};

const step_address undo_reserve{"reserve", step_phase::undo};

}  // namespace

TEST_CASE("a parked saga shows what it is parked for, and waits for people") {
    desk at;
    REQUIRE(at.next() == plan_decision{plan_verdict::park, 0, park_reason::not_undone});
    REQUIRE(at.claim().empty());
}

TEST_CASE("a compensation that was given up is tried again") {
    desk at;
    REQUIRE(retry_step(at.book, at.seen(), undo_reserve, "the store is back", day, never));
    REQUIRE(at.next() == plan_decision{plan_verdict::compensate, 0});
    REQUIRE(at.claim().size() == 1);
    REQUIRE(at.book.find("order", "1")->history.back().why->detail == "the store is back");
}

TEST_CASE("a compensation that was made by hand is skipped") {
    desk at;
    REQUIRE(skip_step(at.book, at.seen(), undo_reserve, "put back by hand", day, never));
    REQUIRE(at.next().what == plan_verdict::end_compensated);
}

TEST_CASE("a saga is given up as it is, with a reason") {
    desk at;
    REQUIRE(abandon(at.book, at.seen(), "paid out in cash", day, never));
    REQUIRE(at.seen().state == instance_state::abandoned);
    REQUIRE(at.seen().why->detail == "paid out in cash");
    REQUIRE(at.claim().empty());
    REQUIRE_FALSE(resume(at.book, at.seen(), "no", day, never));
}

TEST_CASE("a pivot in doubt that did not happen is given up, and the saga goes back") {
    static constexpr step_definition steps[] = {{"charge", step_kind::compensable},
                                                {"ship", step_kind::pivot}};
    static constexpr process_definition sale{"sale", steps, {}};
    memory::store store;
    auto book = store.journal("processes");
    const auto lease = book.take(book.holder(0), "runner").value();
    const auto kept = entries_of(sale);
    REQUIRE(start_process(store, book, {sale.type, "1", kept, ""}, day, never) ==
            start_result::started);
    const auto entry = book.claim(lease, {&sale.type, 1}, day, 10).value().at(0);
    const step_address ship{"ship", step_phase::act};
    step_progress doubt;
    doubt.where = ship;
    doubt.in_doubt = true;
    journal_write last{.claim = claim_of(entry.what)};
    last.records = {{.where = {"charge", step_phase::act}}};
    REQUIRE(book.write({&last, 1}, day).front().how == fenced_result::done);
    last.known = 1;
    last.records.clear();
    last.progress = doubt;
    last.end = claim_end::parked;
    last.why = failure_note{.at = day, .reason = "pivot_in_doubt"};
    REQUIRE(book.write({&last, 1}, day).front().how == fenced_result::done);

    const auto seen = book.find("sale", "1").value();
    const auto next = [&] {
        const auto at = book.find("sale", "1").value();
        plan_position here;
        if (at.what.progress) {
            here.begun = at.what.progress->where;
            here.is_in_doubt = at.what.progress->in_doubt;
        }
        return saga_plan(match_definition(at.what.steps, sale, at.history), at.history).next(here);
    };
    REQUIRE(next() == plan_decision{plan_verdict::act, 1});
    REQUIRE(give_up_step(book, seen.what, ship, "the carrier never heard of it", day, never));
    REQUIRE(next() == plan_decision{plan_verdict::compensate, 0});
}

TEST_CASE("a saga is resumed") {
    desk at;
    REQUIRE(resume(at.book, at.seen(), "again", day, never));
    REQUIRE(at.claim().size() == 1);
}

TEST_CASE("who decides on what has changed since is told so") {
    desk at;
    const auto seen = at.seen();
    REQUIRE(resume(at.book, seen, "first", day, never));
    REQUIRE_FALSE(abandon(at.book, seen, "second", day, never));
    REQUIRE_FALSE(skip_step(at.book, seen, undo_reserve, "third", day, never));
    REQUIRE(at.seen().state == instance_state::open);
}
