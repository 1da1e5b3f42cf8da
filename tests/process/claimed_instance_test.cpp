// SPDX-License-Identifier: BSL-1.0
#include <sinew/process/claimed_instance.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);

constexpr step_definition order_steps[] = {{"a", step_kind::compensable},
                                           {"b", step_kind::compensable},
                                           {"p", step_kind::pivot},
                                           {"z", step_kind::retriable}};
constexpr process_definition order{"order", order_steps, {}};

struct rules {
    bool is_recorded_with_effect = false;
    std::uint32_t max_attempts = 2;

    [[nodiscard]] step_rules operator()(std::size_t, step_phase) const {
        step_rules out{{}, is_recorded_with_effect};
        out.retry.max_attempts = max_attempts;
        return out;
    }
};

journal_entry fresh() {
    journal_entry out;
    out.what.number = 7;
    out.what.epoch = 1;
    out.what.type = "order";
    out.what.id = "1";
    out.what.steps = entries_of(order);
    out.what.started = out.what.since = day;
    out.unsettled = 1;
    return out;
}

claimed_instance claimed(journal_entry entry, rules by = {},
                         compensation_policy policy = compensation_policy::stop,
                         wall_time now = day) {
    return {std::move(entry), order, policy, by, now};
}

failure why(failure_class kind) { return {kind, "closed", "detail", std::nullopt}; }

/// A journal of one instance, as far as a write and a claim go.
struct model {
    journal_entry kept = fresh();
    bool is_claimed = false;
    std::optional<claim_end> ended{};

    model() { kept.unsettled = 0; }

    [[nodiscard]] journal_entry claim() {
        REQUIRE_FALSE(ended);
        ++kept.what.epoch;
        ++kept.unsettled;
        is_claimed = true;
        return kept;
    }
    void write(const journal_write& one) {
        REQUIRE(is_claimed);
        REQUIRE(one.claim == claim_of(kept.what));
        REQUIRE(one.known == kept.history.size());
        for (const auto& record : one.records) {
            kept.history.push_back(record);
            kept.what.progress.reset();
            kept.what.wait.reset();
            kept.unsettled = 0;
        }
        if (one.progress) {
            kept.what.progress = one.progress;
        }
        if (one.end != claim_end::none) {
            kept.unsettled = 0;
            kept.what.wait = one.wait;
            ++kept.what.epoch;
            is_claimed = false;
            if (one.end != claim_end::released) {
                ended = one.end;
            }
        }
    }
};

/// What happens in a life of the instance, as digits.
enum class luck : std::uint8_t {
    done,
    refused,       ///< permanently, without effect
    failed,        ///< transiently, without effect
    lost,          ///< done, and of class unknown
    killed,        ///< the process dies before the effect
    killed_after,  ///< the process dies behind the effect
    cancelled,     ///< done, and it is cancelled meanwhile
    count,
};

/// What the steps did outside.
struct world_of_steps {
    std::map<std::string, int> acts{};
    std::map<std::string, int> undos{};
    std::vector<std::string> undo_order{};
};

/// Takes an instance through its life. Answers whether all luck was used up.
struct life {
    model book{};
    world_of_steps world{};
    wall_time now = day;
    bool is_poisoned = false;

    /// Makes one attempt. `how` is what becomes of it. Answers whether one was made.
    bool advance(std::optional<claimed_instance>& run, rules by, luck how) {
        for (int i = 0; i < 10; ++i) {
            if (book.ended) {
                return false;
            }
            if (!run) {
                now += 1h;
                run.emplace(claimed(book.claim(), by, compensation_policy::stop, now));
            }
            const next_move move = run->next(by, now);
            if (move.what == next_kind::attempt) {
                make(run, by, move.place, how);
                return true;
            }
            apply(run, move.write);
        }
        FAIL("nothing comes of it");
        return false;
    }

private:
    void make(std::optional<claimed_instance>& run, rules by, const attempt_place& at, luck how) {
        const std::string step = at.where().step;
        auto& effects = at.phase == step_phase::act ? world.acts : world.undos;
        const bool has_effect = how != luck::refused && how != luck::failed && how != luck::killed;
        const bool is_recorded = how == luck::done || how == luck::cancelled;
        if (has_effect && (is_recorded || !by.is_recorded_with_effect)) {
            ++effects[step];
            if (at.phase == step_phase::undo && effects[step] == 1) {
                world.undo_order.push_back(step);
            }
        }
        const auto retry = by(0, at.phase).retry;
        switch (how) {
            case luck::done: apply(run, run->done(at, step, now)); break;
            case luck::refused:
                apply(run, run->failed(at, why(failure_class::permanent), false, retry, now));
                break;
            case luck::failed:
                apply(run, run->failed(at, why(failure_class::transient), false, retry, now));
                break;
            case luck::lost:
                apply(run, run->failed(at,
                                       why(by.is_recorded_with_effect ? failure_class::transient
                                                                      : failure_class::unknown),
                                       false, retry, now));
                break;
            case luck::killed:
            case luck::killed_after: run.reset(); break;
            case luck::cancelled:
                book.kept.what.cancelled = failure_note{now, failure_class::permanent, 0, "c", ""};
                apply(run, run->done(at, step, now), true);
                break;
            case luck::count: break;
        }
    }
    void apply(std::optional<claimed_instance>& run, const journal_write& one,
               bool is_cancelled = false) {
        is_poisoned = is_poisoned || (one.why && one.why->reason == "poisoned");
        book.write(one);
        if (one.end != claim_end::none) {
            run.reset();
        } else {
            run->apply(one, is_cancelled, now);
        }
    }
};

/// What must hold at the end, whatever happened.
void check_end(const life& one, std::size_t number) {
    const auto& [acts, undos, order_of_undos] = one.world;
    const auto has = [](const std::map<std::string, int>& in, const char* step) {
        return in.count(step) != 0;
    };
    const auto fault = [&](const char* text) { FAIL("life " << number << ": " << text); };
    for (const char* step : {"p", "z"}) {
        if (has(undos, step)) {
            fault("undoes what can't be undone");
        }
    }
    switch (*one.book.ended) {
        case claim_end::completed:
            for (const char* step : {"a", "b", "p", "z"}) {
                if (!has(acts, step) || has(undos, step)) {
                    fault("completed, and a step is not done or is undone");
                }
            }
            break;
        case claim_end::compensated:
            if (has(acts, "p") || has(acts, "z")) {
                fault("compensated, and the pivot is done");
            }
            for (const char* step : {"a", "b"}) {
                if (has(acts, step) && !has(undos, step)) {
                    fault("compensated, and a step is done and not undone");
                }
            }
            // What was never done may be undone at any time: nobody knew that it was not.
            if (has(acts, "b") && order_of_undos == std::vector<std::string>{"a", "b"}) {
                fault("compensated, and not in reverse order");
            }
            break;
        default: break;  // parked: people decide
    }
}

}  // namespace

TEST_CASE("a process of four steps ends well after any five strokes of luck, or is parked") {
    const bool joins = GENERATE(false, true);
    const rules by{joins};
    constexpr std::size_t strokes = 5;
    constexpr auto kinds = static_cast<std::size_t>(luck::count);
    std::size_t lives = 1;
    for (std::size_t i = 0; i < strokes; ++i) {
        lives *= kinds;
    }
    std::map<claim_end, std::size_t> ends;
    for (std::size_t number = 0; number < lives; ++number) {
        life one;
        std::optional<claimed_instance> run;
        std::size_t rest = number;
        for (std::size_t i = 0; i < strokes; ++i, rest /= kinds) {
            if (!one.advance(run, by, static_cast<luck>(rest % kinds))) {
                break;
            }
        }
        for (int i = 0; i < 30 && !one.book.ended; ++i) {
            static_cast<void>(one.advance(run, by, luck::done));
        }
        if (!one.book.ended) {
            FAIL("it does not end: " << number);
        }
        check_end(one, number);
        ++ends[*one.book.ended];
    }
    REQUIRE(ends[claim_end::completed] > 0);
    REQUIRE(ends[claim_end::compensated] > 0);
    REQUIRE(ends[claim_end::parked] > 0);
}

TEST_CASE("a step that kills its process each time is parked, whichever it is") {
    const auto place = GENERATE(0U, 1U, 2U, 3U);
    const bool joins = GENERATE(false, true);
    life one;
    std::optional<claimed_instance> run;
    const rules by{joins};
    for (unsigned i = 0; i < place; ++i) {
        REQUIRE(one.advance(run, by, luck::done));
    }
    int deaths = 0;
    while (one.advance(run, by, luck::killed)) {
        REQUIRE(++deaths <= 4);
    }
    REQUIRE(one.book.ended == claim_end::parked);
    REQUIRE(one.is_poisoned);
    REQUIRE(deaths == 4);
}

TEST_CASE("nothing is written of an attempt before its write: asking changes nothing") {
    const auto run = claimed(fresh());
    const auto first = run.next(rules(), day);
    REQUIRE(first.what == next_kind::attempt);
    REQUIRE(first.place.where() == step_address{"a", step_phase::act});
    const auto done = run.done(first.place, "x", day);
    REQUIRE(done.records.size() == 1);
    REQUIRE(done.end == claim_end::none);
    REQUIRE(run.history().empty());
    REQUIRE(run.next(rules(), day).place.where() == first.place.where());
}

TEST_CASE("the record of the last step and the end of the claim are one write") {
    auto run = claimed(fresh());
    for (const char* step : {"a", "b", "p"}) {
        const auto one = run.done(run.next(rules(), day).place, step, day);
        REQUIRE(one.end == claim_end::none);
        run.apply(one, false, day);
    }
    REQUIRE(run.done(run.next(rules(), day).place, "z", day).end == claim_end::completed);
}

TEST_CASE("a claim that ended in silence doubts what its effect is not recorded with") {
    auto entry = fresh();
    entry.unsettled = 2;
    const auto outside = claimed(entry);
    REQUIRE(outside.is_suspect());
    REQUIRE(outside.next(rules(), day).what == next_kind::note);
    REQUIRE(outside.what().progress->in_doubt);
    const auto inside = claimed(entry, {true});
    REQUIRE(inside.next(rules{true}, day).what == next_kind::note);
    REQUIRE_FALSE(inside.what().progress->in_doubt);
}

TEST_CASE("people who let an instance go on let it act at once, also within its wait") {
    auto entry = fresh();
    entry.what.progress = step_progress{};
    entry.what.progress->where = {"a", step_phase::act};
    entry.what.wait = instance_wait{put_off_by(day, 1h), std::nullopt};
    REQUIRE(claimed(entry).next(rules(), day + 1min).what == next_kind::attempt);
    entry.what.progress->attempts = 1;
    const auto held = claimed(entry).next(rules(), day + 1min);
    REQUIRE(held.what == next_kind::write);
    REQUIRE(held.write.end == claim_end::released);
    REQUIRE(held.write.wait == entry.what.wait);
    REQUIRE(held.write.progress == entry.what.progress);
}

TEST_CASE("what is given back between two steps says what comes next, and that it is not begun") {
    auto entry = fresh();
    entry.history.push_back({.where = {"a", step_phase::act}, .begun = day, .at = day});
    entry.unsettled = 0;
    entry.what.progress = step_progress{};
    entry.what.progress->where = {"b", step_phase::act};
    auto run = claimed(entry);
    REQUIRE_FALSE(run.is_suspect());
    const auto back = run.released(day);
    REQUIRE(back.end == claim_end::released);
    REQUIRE(back.progress->where == step_address{"b", step_phase::act});
    REQUIRE_FALSE(back.progress->in_doubt);
    entry.what.progress.reset();
    REQUIRE(claimed(entry).is_suspect());
}

TEST_CASE("an instance that can't go on under the code is parked with its doubt") {
    auto entry = fresh();
    entry.unsettled = 2;
    entry.what.steps[1].name = "other";
    const auto run = claimed(entry);
    REQUIRE_FALSE(run.goes_on());
    const auto move = run.next(rules(), day);
    REQUIRE(move.what == next_kind::write);
    REQUIRE(move.write.end == claim_end::parked);
    REQUIRE(move.write.why->reason == "changed_definition");
    REQUIRE(move.write.progress->where == step_address{"a", step_phase::act});
    REQUIRE(move.write.progress->in_doubt);
}
