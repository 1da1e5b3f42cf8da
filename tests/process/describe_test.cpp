// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/process/describe.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/mermaid.hpp>
#include <sinew/process/start_process.hpp>
#include <sinew/process/stuck.hpp>

#include "support/test.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);

constexpr step_definition order_steps[] = {{"reserve", step_kind::compensable},
                                           {"charge", step_kind::compensable},
                                           {"ship", step_kind::pivot},
                                           {"email", step_kind::retriable}};
constexpr process_definition order{"order", order_steps, {}};

const step_address undo_charge{"charge", step_phase::undo};
const step_address act_ship{"ship", step_phase::act};

/// An order that could not be shipped, and whose charge cannot be given back.
journal_entry parked_order() {
    journal_entry out;
    out.what = {.number = 17,
                .epoch = 9,
                .type = "order",
                .id = "4711",
                .steps = entries_of(order),
                .input = "secret",
                .state = instance_state::parked,
                .started = day,
                .since = day + 2min};
    out.what.why = failure_note{day + 2min, failure_class::permanent, 10, "not_undone", "closed"};
    out.what.progress =
        step_progress{.where = undo_charge,
                      .attempts = 10,
                      .in_doubt = true,
                      .begun = day + 1min,
                      .last_failure = failure_note{day + 2min, failure_class::transient, 10,
                                                   "refused", "the bank is closed"}};
    out.history = {
        {{"reserve", step_phase::act}, record_kind::done, 0, day, day + 20ms, "secret-too", {}},
        {{"charge", step_phase::act}, record_kind::done, 2, day + 20ms, day + 3s, {}, {}},
        {act_ship,
         record_kind::failed,
         1,
         day + 3s,
         day + 3s + 5ms,
         {},
         failure_note{day + 3s, failure_class::permanent, 1, "no_stock", "sold out"}}};
    return out;
}

/// The same while it waits for the reply to a compensation.
journal_entry waiting_order() {
    auto out = parked_order();
    out.what.state = instance_state::open;
    out.what.why.reset();
    out.what.wait = instance_wait{put_off_by(day + 2min, 30s), undo_charge};
    out.unsettled = 2;
    return out;
}

bool is_plain(std::string_view text) {
    for (const char c : text) {
        if (c != '\n' && (c < 0x20 || c > 0x7e)) {
            return false;
        }
    }
    return true;
}

std::size_t count_of(std::string_view text, std::string_view what) {
    std::size_t out = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) {
        ++out;
    }
    return out;
}

}  // namespace

TEST_CASE("the description of a parked instance says what happened and what can be done") {
    CHECK(describe(parked_order()) ==
          R"(order "4711" is parked since 2024-10-04T00:02:00Z: not_undone (permanent): closed
    started 2024-10-04T00:00:00Z, number 17, epoch 9, 6 bytes of input
    reserve (compensable)
        act   done after 20 ms, 10 bytes of result
    charge (compensable)
        act   done after 2 s 980 ms, 2 attempts failed before
        undo  tried since 2024-10-04T00:01:00Z, 10 attempts failed, may have happened
              last failure 2024-10-04T00:02:00Z: refused (transient): the bank is closed
    ship (pivot)
        act   failed after 5 ms, 1 attempt failed: no_stock (permanent): sold out
    email (retriable)
    not undone: charge, reserve
    people can: resume; skip_step undo charge; abandon
)"sv);
}

TEST_CASE("the description of an instance that waits says for what and until when") {
    const auto text = describe(waiting_order());
    CHECK(text.find("order \"4711\" is open, last moved 2024-10-04T00:02:00Z\n") == 0);
    CHECK(text.find("    1 claim before ended without a word\n") != text.npos);
    CHECK(text.find("    waits until 2024-10-04T00:02:30Z for the reply to undo charge\n") !=
          text.npos);
    auto there = waiting_order();
    there.reply = "secret as well";
    CHECK(describe(there).find("undo charge, which is there\n") != text.npos);
}

TEST_CASE("a description shows the sizes of data and not the data") {
    auto one = waiting_order();
    one.reply = "secret as well";
    CHECK(describe(one).find("secret") == std::string::npos);
    CHECK(describe(one, {.details = false}).find("the bank") == std::string::npos);
    CHECK(describe(one, {.details = false}).find("refused (transient)") != std::string::npos);
    CHECK(to_mermaid(order, one).find("secret") == std::string::npos);
    CHECK(to_mermaid(order, one).find("the bank") == std::string::npos);
}

TEST_CASE("an instance that was parked for its steps shows both lists") {
    auto one = parked_order();
    one.what.why->reason = "changed_definition";
    one.what.why->detail = "other steps:\n    kept    code\n    a       b\n";
    CHECK(describe(one).find("changed_definition (permanent): other steps:\n"
                             "    |     kept    code\n"
                             "    |     a       b\n"
                             "    started ") != std::string::npos);
}

TEST_CASE("the description of an ended instance offers nothing") {
    auto one = parked_order();
    one.what.state = instance_state::abandoned;
    CHECK(describe(one).find("people can") == std::string::npos);
    CHECK(describe(one).find("    not undone: charge, reserve\n") != std::string::npos);
    one.what.state = instance_state::compensated;
    CHECK(describe(one).find("not undone") == std::string::npos);
    CHECK(choices_for(one).empty());
}

TEST_CASE("people are offered what changes something") {
    auto one = parked_order();
    one.what.progress.reset();
    const std::vector<desk_choice> back = {{desk_call::resume, {}},
                                           {desk_call::retry_step, act_ship},
                                           {desk_call::skip_step, act_ship},
                                           {desk_call::abandon, {}}};
    CHECK(choices_for(one) == back);
    one.history.push_back({undo_charge, record_kind::failed, 1, day, day, {}, {}});
    const std::vector<desk_choice> stuck_back = {{desk_call::resume, {}},
                                                 {desk_call::retry_step, undo_charge},
                                                 {desk_call::skip_step, undo_charge},
                                                 {desk_call::abandon, {}}};
    CHECK(choices_for(one) == stuck_back);
    journal_entry fresh = parked_order();
    fresh.history.clear();
    fresh.what.progress.reset();
    fresh.what.state = instance_state::open;
    const std::vector<desk_choice> forward = {{desk_call::cancel, {}}, {desk_call::abandon, {}}};
    CHECK(choices_for(fresh) == forward);
}

TEST_CASE("people can say that a step did not happen, where there is a way back") {
    auto one = parked_order();
    one.history.clear();
    one.what.progress.emplace();
    one.what.progress->where = act_ship;
    one.what.progress->in_doubt = true;
    const std::vector<desk_choice> in_doubt = {{desk_call::cancel, {}},
                                               {desk_call::resume, {}},
                                               {desk_call::skip_step, act_ship},
                                               {desk_call::give_up_step, act_ship},
                                               {desk_call::abandon, {}}};
    CHECK(choices_for(one) == in_doubt);
}

TEST_CASE("a definition as Mermaid shows the way forward and each way back") {
    CHECK(to_mermaid(order) == R"mmd(flowchart TD
    started(["order"])
    act0["reserve"]
    act1["charge"]
    act2{{"ship (pivot)"}}
    act3["email"]
    undo0["undo reserve"]
    undo1["undo charge"]
    completed(["completed"])
    compensated(["compensated"])
    parked(["parked for people"])
    started --> act0
    act0 --> act1
    act1 --> act2
    act2 --> act3
    act3 --> completed
    act0 -.->|"failed"| compensated
    act0 -.->|"may have happened"| undo0
    act1 -.->|"failed"| undo0
    act1 -.->|"may have happened"| undo1
    act2 -.->|"failed"| undo1
    act2 -.->|"may have happened"| parked
    act3 -.->|"given up"| parked
    undo1 --> undo0
    undo1 -.->|"given up"| parked
    undo0 --> compensated
    undo0 -.->|"given up"| parked
)mmd"sv);
    constexpr step_definition only_forward[] = {{"pick"}, {"pack"}};
    const auto text = to_mermaid(process_definition{"fulfil", only_forward, {}});
    CHECK(text.find("compensated") == text.npos);
    CHECK(text.find("    act1 -.->|\"given up\"| parked\n") != text.npos);
}

TEST_CASE("an instance as Mermaid shows what happened, where it stands, and what follows") {
    CHECK(to_mermaid(order, waiting_order()) == R"mmd(flowchart TD
    started(["order 4711"])
    record0["reserve: done, 20 ms"]
    started --> record0
    record1["charge: done, 2 s 980 ms, 2 attempts failed"]
    record0 --> record1
    record2["ship: failed, 5 ms, 1 attempt failed, no_stock"]
    record1 --> record2
    now(["open at undo charge, 10 attempts failed, waits for a reply"])
    record2 --> now
    next0["undo charge"]
    now -.->|"then"| next0
    next1["undo reserve"]
    next0 -.->|"then"| next1
    next2(["compensated"])
    next1 -.->|"then"| next2
)mmd"sv);
    auto ended = parked_order();
    ended.what.state = instance_state::completed;
    CHECK(to_mermaid(order, ended).find("    record2 --> now\n") != std::string::npos);
    CHECK(to_mermaid(order, ended).find("next0") == std::string::npos);
}

TEST_CASE("an instance as Mermaid has the names that its steps have now") {
    static constexpr std::string_view before[] = {"charge"};
    constexpr step_definition renamed[] = {{"reserve", step_kind::compensable},
                                           {"pay", step_kind::compensable, false, before},
                                           {"ship", step_kind::pivot},
                                           {"email", step_kind::retriable}};
    const auto text = to_mermaid({"order", renamed, {}}, waiting_order());
    CHECK(text.find("record1[\"pay: done") != text.npos);
    CHECK(text.find("next0[\"undo pay\"]") != text.npos);
}

TEST_CASE("a hostile name stays on its line and in its quotation") {
    const std::string bad = "a\"]; click x \"javascript:\n</script>`\xff\x1b[2J#quot;";
    auto one = parked_order();
    one.what.id = one.what.type = bad;
    one.what.why->reason = one.what.why->detail = bad;
    one.what.steps[0].name = one.history[0].where.step = bad;
    one.history[2].why->reason = one.history[2].why->detail = bad;
    const auto lines = count_of(describe(parked_order()), "\n");
    const auto text = describe(one);
    CHECK(is_plain(text));
    // The reason of a parked instance may have lines of its own, which are marked.
    CHECK(count_of(text, "\n") == lines + 1);
    const std::string names[] = {bad};
    const step_definition hostile[] = {{names[0], step_kind::compensable},
                                       {"charge", step_kind::compensable},
                                       {"ship", step_kind::pivot},
                                       {"email", step_kind::retriable}};
    for (const auto& chart : {to_mermaid(process_definition{bad, hostile, {}}),
                              to_mermaid(process_definition{bad, hostile, {}}, one)}) {
        CHECK(is_plain(chart));
        CHECK(chart.find("\"]; click") == chart.npos);
        CHECK(chart.find('<') == chart.npos);
        CHECK(chart.find('`') == chart.npos);
        CHECK(count_of(chart, "\"") % 2 == 0);
    }
    const std::string longest(100'000, 'x');
    one.what.id = longest;
    CHECK(describe(one).size() < 4'000);
}

TEST_CASE("stuck lists what has not moved, at which step, and why") {
    memory::store store;
    auto book = store.journal("processes");
    const auto steps = entries_of(order);
    REQUIRE(start_process(store, book, {order.type, "1", steps, "i"}, day, never) ==
            start_result::started);
    REQUIRE(start_process(store, book, {order.type, "2", steps, "i"}, day + 1h, never) ==
            start_result::started);
    const auto lease = book.take(book.holder(0), "runner").value();
    const auto entry = book.claim(lease, {&order.type, 1}, day, 1).value().at(0);
    journal_write put_off{.claim = claim_of(entry.what), .end = claim_end::released};
    put_off.progress = step_progress{
        .where = {"reserve", step_phase::act},
        .attempts = 3,
        .begun = day,
        .last_failure = failure_note{day, failure_class::transient, 3, "closed", "the shop"}};
    put_off.wait = instance_wait{put_off_by(day, 24h), {}};
    REQUIRE(book.write({&put_off, 1}, day).front().how == fenced_result::done);

    const auto rows = stuck(book, 30min, day + 1h, never);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].what.id == "1");
    CHECK(rows[0].since == 1h);
    CHECK(rows[0].where == step_address{"reserve", step_phase::act});
    CHECK(rows[0].attempts == 3);
    CHECK(rows[0].failure.value().reason == "closed");
    CHECK(describe(rows) ==
          "order \"1\" open for 1 h, at act reserve, 3 attempts failed: "
          "closed (transient): the shop\n");
    CHECK(describe(rows, {.details = false}).find("the shop") == std::string::npos);
    CHECK(stuck(book, 0min, day + 2h, never).size() == 2);
    CHECK(stuck(book, 0min, day + 2h, never, 1).size() == 1);
    CHECK(stuck(book, 0min, day + 2h, never, 100, rows[0].what.number).size() == 1);

    // One that is parked tells the reason for which it is.
    desk_decision park{.becomes = instance_state::parked};
    park.why.reason = "by_hand";
    const auto seen = book.find("order", "1")->what;
    REQUIRE(book.decide(seen.number, seen.epoch, park, day + 1h));
    CHECK(stuck(book, 1min, day + 2h, never).at(0).failure.value().reason == "by_hand");
}
