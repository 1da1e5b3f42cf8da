// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/process/definition_match.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/instance_plan.hpp>
#include <sinew/process/saga_plan.hpp>
#include <sinew/process/start_process.hpp>

#include "support/test.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

constexpr step_definition sale_steps[] = {{"reserve", step_kind::compensable},
                                          {"charge", step_kind::compensable},
                                          {"ship", step_kind::pivot},
                                          {"email", step_kind::retriable}};
constexpr process_definition sale{"sale", sale_steps, {}};

const step_address reserve{"reserve", step_phase::act};
const step_address charge{"charge", step_phase::act};
const step_address ship{"ship", step_phase::act};
const step_address email{"email", step_phase::act};

step_record done(const step_address& where) { return {.where = where}; }
step_record failed(const step_address& where) {
    return {.where = where, .kind = record_kind::failed};
}
step_progress progress_of(const step_address& where, bool is_in_doubt) {
    step_progress out;
    out.where = where;
    out.in_doubt = is_in_doubt;
    return out;
}

/// A sale that a runner has left like that.
struct sale_desk {
    memory::store store;
    memory::journal book = store.journal("processes");
    shard_lease lease = book.take(book.holder(0), "runner").value();

    sale_desk(std::vector<step_record> records, std::optional<step_progress> progress,
              claim_end end = claim_end::parked) {
        const auto steps = entries_of(sale);
        REQUIRE(start_process(store, book, {sale.type, "1", steps, ""}, day, never) ==
                start_result::started);
        const auto entry = book.claim(lease, {&sale.type, 1}, day, 10).value().at(0);
        const journal_write last{.claim = claim_of(entry.what),
                                 .records = std::move(records),
                                 .progress = std::move(progress),
                                 .end = end,
                                 .why = failure_note{.at = day, .reason = "some"}};
        REQUIRE(book.write({&last, 1}, day).front().how == fenced_result::done);
    }
    [[nodiscard]] journal_entry is() { return book.find("sale", "1").value(); }
    [[nodiscard]] plan_decision next() {
        const auto at = is();
        return saga_plan(match_definition(at.what.steps, sale, at.history), at.history)
            .next(position_of(at.what));
    }
    bool retry(const step_address& where) {
        return retry_step(book, is().what, where, "why", day, never);
    }
    bool skip(const step_address& where) {
        return skip_step(book, is().what, where, "why", day, never);
    }
    bool give_up(const step_address& where) {
        return give_up_step(book, is().what, where, "why", day, never);
    }
};

/// The reason for which a decision is refused, which then has changed nothing.
template <class Decide>
std::string refusal(sale_desk& at, Decide decide) {
    const auto before = at.is();
    std::string reason;
    try {
        static_cast<void>(decide());
    } catch (const permanent_error& why) {
        REQUIRE(std::string_view(why.what()).size() > 20);
        reason = why.reason();
    }
    REQUIRE(at.is() == before);
    return reason;
}

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

TEST_CASE("a pivot in doubt that did not happen is given up, and the saga goes back") {
    sale_desk at({done(reserve), done(charge)}, progress_of(ship, true));
    REQUIRE(at.next() == plan_decision{plan_verdict::act, 2});
    REQUIRE(at.give_up(ship));
    REQUIRE(at.next() == plan_decision{plan_verdict::compensate, 1});
}

TEST_CASE("a pivot in doubt that happened is skipped, and the saga goes forward") {
    sale_desk at({done(reserve), done(charge)}, progress_of(ship, true));
    REQUIRE(at.skip(ship));
    REQUIRE(at.next() == plan_decision{plan_verdict::act, 3});
    // Nothing takes that back, not even a cancellation.
    auto tx = at.store.begin();
    REQUIRE(at.book.cancel(tx, "sale", "1", {day, failure_class::permanent, 0, "late", {}}));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.next() == plan_decision{plan_verdict::act, 3});
}

TEST_CASE("a pivot in doubt that is resumed is asked for again, and stays in doubt") {
    sale_desk at({done(reserve), done(charge)}, progress_of(ship, true));
    REQUIRE(resume(at.book, at.is().what, "the carrier is back", day, never));
    REQUIRE(at.next() == plan_decision{plan_verdict::act, 2});
    REQUIRE(at.is().what.progress->in_doubt);
}

TEST_CASE("no step is acted on again while an undo may have happened") {
    const step_address undo{"reserve", step_phase::undo};
    sale_desk at({done(reserve), failed(charge)}, progress_of(undo, true));
    REQUIRE(refusal(at, [&] { return at.retry(charge); }) == "being_undone");
    REQUIRE(refusal(at, [&] { return at.skip(charge); }) == "being_undone");
    REQUIRE(refusal(at, [&] { return at.skip(ship); }) == "being_undone");
    REQUIRE(refusal(at, [&] { return at.give_up(ship); }) == "being_undone");
    for (const auto& one : choices_for(at.is())) {
        REQUIRE((!one.where || one.where->phase == step_phase::undo));
    }
    try {
        static_cast<void>(at.retry(charge));
        FAIL("it is not refused");
    } catch (const permanent_error& why) {
        const std::string_view text = why.what();
        REQUIRE(text.find("undo reserve may have happened") != text.npos);
        REQUIRE(text.find("resume goes on with it") != text.npos);
    }
    REQUIRE(at.skip(undo));
    REQUIRE(at.next().what == plan_verdict::end_compensated);
}

TEST_CASE("no step is acted on again once something was undone") {
    const step_address undo_charge{"charge", step_phase::undo};
    const auto last = GENERATE(record_kind::done, record_kind::failed);
    sale_desk at({done(reserve), done(charge), failed(ship), {.where = undo_charge, .kind = last}},
                 progress_of(undo_reserve, false));
    REQUIRE(refusal(at, [&] { return at.retry(ship); }) == "being_undone");
    REQUIRE(refusal(at, [&] { return at.skip(ship); }) == "being_undone");
}

TEST_CASE("a step is tried again where each attempt to undo another one is known to have failed") {
    const step_address undo{"reserve", step_phase::undo};
    sale_desk at({done(reserve), failed(charge)}, progress_of(undo, false));
    const desk_choice offered{desk_call::retry_step, charge};
    const auto all = choices_for(at.is());
    REQUIRE(std::find(all.begin(), all.end(), offered) != all.end());
    REQUIRE(at.retry(charge));
    REQUIRE(at.next() == plan_decision{plan_verdict::act, 1});
}

TEST_CASE("an instance on its way back that is not parked may be undone at this moment") {
    sale_desk at({done(reserve), failed(charge)}, std::nullopt, claim_end::none);
    REQUIRE(refusal(at, [&] { return at.retry(charge); }) == "being_undone");
    sale_desk noted({done(reserve), failed(charge)}, progress_of(undo_reserve, false),
                    claim_end::released);
    REQUIRE(refusal(noted, [&] { return noted.skip(charge); }) == "being_undone");
}

TEST_CASE("what may have happened is decided on before anything else is") {
    sale_desk at({done(reserve), done(charge)}, progress_of(ship, true));
    REQUIRE(refusal(at, [&] { return at.skip(email); }) == "in_doubt");
    sale_desk open({done(reserve)}, progress_of(charge, false), claim_end::none);
    REQUIRE(refusal(open, [&] { return open.give_up(ship); }) == "under_way");
    REQUIRE(open.skip(charge));
    sale_desk parked({done(reserve)}, progress_of(charge, false));
    REQUIRE(parked.skip(email));
}

TEST_CASE("a decision that would change nothing is refused") {
    sale_desk at({done(reserve)}, progress_of(charge, true));
    REQUIRE(refusal(at, [&] { return at.retry(charge); }) == "not_given_up");
    REQUIRE(refusal(at, [&] { return at.retry(reserve); }) == "not_given_up");
    REQUIRE(refusal(at, [&] { return at.skip(reserve); }) == "has_a_record");
    REQUIRE(refusal(at, [&] { return at.give_up(reserve); }) == "has_a_record");
    REQUIRE(refusal(at, [&] { return at.skip({"chrage", step_phase::act}); }) == "unknown_step");
    sale_desk given_up({failed(reserve)}, std::nullopt);
    REQUIRE(refusal(given_up, [&] { return given_up.give_up(reserve); }) == "has_a_record");
}

TEST_CASE("people can do all that they are offered, and nothing of a step that they are not") {
    const step_address undo{"reserve", step_phase::undo};
    const std::vector<std::optional<step_progress>> places = {
        std::nullopt, progress_of(charge, false), progress_of(charge, true),
        progress_of(undo, false), progress_of(undo, true)};
    const auto progress = GENERATE_REF(from_range(places));
    const auto end = GENERATE(claim_end::parked, claim_end::released);
    const bool has_failed = GENERATE(false, true);
    const auto make = [&] {
        return std::make_unique<sale_desk>(
            std::vector<step_record>{done(reserve), has_failed ? failed(charge) : done(charge)},
            progress, end);
    };
    const auto offered = choices_for(make()->is());
    for (const auto& one : offered) {
        const auto at = make();
        switch (one.what) {
            case desk_call::retry_step: REQUIRE(at->retry(*one.where)); break;
            case desk_call::skip_step: REQUIRE(at->skip(*one.where)); break;
            case desk_call::give_up_step: REQUIRE(at->give_up(*one.where)); break;
            case desk_call::cancel:
            case desk_call::resume:
            case desk_call::abandon: break;
        }
    }
    for (const auto phase : {step_phase::act, step_phase::undo}) {
        const step_address where{"charge", phase};
        const auto at = make();
        const bool is_offered =
            std::find(offered.begin(), offered.end(), desk_choice{desk_call::retry_step, where}) !=
            offered.end();
        REQUIRE((refusal(*at, [&] { return is_offered || at->retry(where); }).empty()) ==
                is_offered);
    }
}

namespace {

/// A journal to which a record is added between a look and the decision that follows.
struct moving_journal {
    memory::journal& book;
    std::vector<journal_write> meanwhile{};

    [[nodiscard]] std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                                    steady_time until) const {
        return book.find(type, id, until);
    }
    [[nodiscard]] std::vector<process_instance> stuck(wall_time older_than, std::int64_t after,
                                                      std::size_t limit, steady_time until) const {
        return book.stuck(older_than, after, limit, until);
    }
    bool decide(std::int64_t number, epoch_number epoch, const desk_decision& decision,
                wall_time now, steady_time until) {
        REQUIRE(book.write(meanwhile, now).front().how == fenced_result::done);
        return book.decide(number, epoch, decision, now, until);
    }
    [[nodiscard]] journal_counts counts(steady_time until) const { return book.counts(until); }
};

}  // namespace

TEST_CASE("people do not decide on a step to which something happened since they looked") {
    memory::store store;
    memory::journal book = store.journal("processes");
    const shard_lease lease = book.take(book.holder(0), "runner").value();
    REQUIRE(start_process(store, book, {order.type, "1", entries_of(order), "input"}, day, never) ==
            start_result::started);
    const auto entry = book.claim(lease, {&order.type, 1}, day, 10).value().at(0);
    journal_write step{.claim = claim_of(entry.what)};
    step.records = {done(reserve)};
    moving_journal moving{book, {step}};
    // The runner records the step, under the same epoch, just before people skip it.
    REQUIRE_FALSE(skip_step(moving, entry.what, reserve, "by hand", day, never));
    const auto is = book.find("order", "1").value();
    REQUIRE(is.history == std::vector{done(reserve)});
    REQUIRE(is.what.epoch == entry.what.epoch);
}
