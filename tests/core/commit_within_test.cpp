// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/commit_within.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

/// A store whose transactions end as the script says; committed when it is over.
struct scripted_store {
    struct transaction_type {
        scripted_store* in;

        commit_result commit() noexcept {
            return in->next < in->ends.size() ? in->ends[in->next++] : commit_result::committed;
        }
        void rollback() noexcept {}
    };

    std::vector<commit_result> ends{};
    std::function<void()> on_begin = [] {};
    std::size_t next = 0;
    int begun = 0;
    std::optional<failure> why{};

    transaction_type begin(steady_time /*until*/) {
        ++begun;
        on_begin();
        return {this};
    }
    [[nodiscard]] const std::optional<failure>& last_commit_failure() const { return why; }
};

/// Time passes only where somebody waits.
struct patient_clock {
    moment* at;
    std::vector<duration>* waits;

    [[nodiscard]] moment now() const { return *at; }
    void sleep_until(steady_time until) const {
        waits->push_back(until - at->steady);
        at->steady = until;
    }
};

struct fixture {
    scripted_store db{};
    moment at{steady_time(1h), {}};
    std::vector<duration> waits{};
    patient_clock clock{&at, &waits};
    steady_time until = at.steady + 10s;
};

using enum commit_result;

}  // namespace

TEST_CASE("what the work answered is the answer, of the transaction that committed") {
    fixture f;
    f.db.ends = {aborted, aborted, committed};
    int tries = 0;
    REQUIRE(commit_within(f.db, f.until, [&](auto&) { return ++tries; }, f.clock) == 3);
    REQUIRE(f.db.begun == 3);
    REQUIRE(f.waits.size() == 2);
    REQUIRE(f.waits[0] >= backoff_floor);
}

TEST_CASE("work that answers nothing is committed as well") {
    fixture f;
    int tries = 0;
    commit_within(f.db, f.until, [&](scripted_store::transaction_type&) { ++tries; }, f.clock);
    REQUIRE(tries == 1);
    REQUIRE(f.waits.empty());
}

TEST_CASE("after a commit without an answer the work is told that it may be there") {
    fixture f;
    f.db.ends = {aborted, unknown, aborted, committed};
    std::vector<bool> told;
    const auto work = [&](auto&, bool in_doubt) {
        told.push_back(in_doubt);
        return std::string(in_doubt ? "ours" : "new");
    };
    REQUIRE(commit_within(f.db, f.until, work, f.clock) == "ours");
    REQUIRE(told == std::vector<bool>{false, false, true, true});
}

TEST_CASE("a store that is away for a moment, and another transaction in the way, are waited for") {
    fixture f;
    int away = 3;
    f.db.on_begin = [&away] {
        if (away-- > 0) {
            throw unavailable_error("server_gone", "no server");
        }
    };
    int tries = 0;
    const auto work = [&](auto&) {
        if (++tries == 1) {
            throw transient_error("serialization_failure", "again");
        }
    };
    commit_within(f.db, f.until, work, f.clock);
    REQUIRE(f.db.begun == 5);
    REQUIRE(tries == 2);
}

TEST_CASE("what no further try can mend leaves at once") {
    fixture f;
    const auto refuse = [](auto&) { throw permanent_error("payload_too_large", "too large"); };
    REQUIRE_THROWS_AS(commit_within(f.db, f.until, refuse, f.clock), permanent_error);
    const auto fail = [](auto&) { throw std::logic_error("a bug"); };
    REQUIRE_THROWS_AS(commit_within(f.db, f.until, fail, f.clock), std::logic_error);
    REQUIRE(f.db.begun == 2);
    REQUIRE(f.waits.empty());
}

TEST_CASE("when time is up it says whether the work may be done") {
    const auto end_of = [](std::vector<commit_result> ends) {
        fixture f;
        f.db.ends = std::move(ends);
        f.db.ends.resize(10'000, aborted);
        f.db.why = failure{failure_class::unavailable, "locked", "somebody holds it", {}};
        try {
            commit_within(f.db, f.until, [](auto&) {}, f.clock);
        } catch (const error& e) {
            REQUIRE(f.at.steady == f.until);
            REQUIRE(std::string(e.what()).find("somebody holds it") != std::string::npos);
            return e.as_failure();
        }
        FAIL("it committed");
        return failure{};
    };
    const auto not_done = end_of({aborted});
    REQUIRE(not_done.kind == failure_class::unavailable);
    REQUIRE(not_done.reason == "not_committed");
    const auto in_doubt = end_of({aborted, unknown});
    REQUIRE(in_doubt.kind == failure_class::unknown);
    REQUIRE(in_doubt.reason == "commit_unknown");
}

TEST_CASE("late or not, one try is made") {
    fixture f;
    REQUIRE(commit_within(f.db, f.at.steady - 1s, [](auto&) { return 7; }, f.clock) == 7);
}

TEST_CASE(
    "a duplicate after a commit without an answer is no permanent failure: it may be one's own") {
    fixture f;
    f.db.ends = {unknown};
    const auto insert = [](auto&, bool in_doubt) {
        if (in_doubt) {
            throw permanent_error("constraint", "order 7 is there");
        }
    };
    try {
        commit_within(f.db, f.until, insert, f.clock);
        FAIL("it committed");
    } catch (const error& e) {
        REQUIRE(e.kind() == failure_class::unknown);
        REQUIRE(e.reason() == "commit_unknown");
        REQUIRE(std::string(e.what()).find("order 7 is there") != std::string::npos);
    }
}
