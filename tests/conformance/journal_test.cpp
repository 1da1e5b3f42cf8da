// SPDX-License-Identifier: BSL-1.0
#include "conformance/broken/journal_with_a_mistake.hpp"
#include "conformance/fresh.hpp"
#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/testing/conformance/journal.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew::test;
using namespace sinew::testing::conformance;

namespace {

using plain_environment = broken::journal_environment_of<sinew::memory::journal>;

struct with_one_seat : plain_environment {
    sinew::memory::journal journal_of(sinew::memory::store& s) const {
        return s.journal("processes", {.seats = 1, .early_replies_max = 200});
    }
};

/// Locks as a file does: whoever writes second has to wait.
class store_that_locks : public sinew::memory::store {
public:
    explicit store_that_locks(const sinew::memory::database& data)
        : sinew::memory::store(data), data_(&data) {}

    sinew::memory::transaction begin(sinew::steady_time until) {
        if (data_->open_transactions() != 0) {
            throw sinew::unavailable_error("locked", "another one writes");
        }
        return sinew::memory::store::begin(until);
    }

private:
    const sinew::memory::database* data_;
};

class journal_on_a_bad_line : public sinew::memory::journal {
public:
    journal_on_a_bad_line(const sinew::memory::journal& inner, const sinew::memory::database& data,
                          std::shared_ptr<bool> loses)
        : sinew::memory::journal(inner), data_(&data), loses_(std::move(loses)) {}

    std::vector<sinew::write_result> write(std::span<const sinew::journal_write> writes,
                                           sinew::wall_time now, sinew::steady_time until) {
        auto came = sinew::memory::journal::write(writes, now, until);
        if (std::exchange(*loses_, false)) {
            for (auto& one : came) {
                one.how = sinew::fenced_result::unknown;
            }
        }
        return came;
    }
    sinew::write_result write(sinew::memory::transaction& tx, const sinew::journal_write& one,
                              sinew::wall_time now) {
        return sinew::memory::journal::write(tx, one, now);
    }
    bool decide(std::int64_t number, sinew::epoch_number epoch,
                const sinew::desk_decision& decision, sinew::wall_time now,
                sinew::steady_time until) {
        if (data_->open_transactions() != 0) {
            throw sinew::unavailable_error("locked", "another one writes");
        }
        return sinew::memory::journal::decide(number, epoch, decision, now, until);
    }

private:
    const sinew::memory::database* data_;
    std::shared_ptr<bool> loses_;
};

struct journal_on_a_bad_line_environment {
    sinew::memory::database data;
    std::shared_ptr<bool> loses = std::make_shared<bool>(false);

    store_that_locks open() const { return store_that_locks(data); }
    journal_on_a_bad_line journal_of(store_that_locks& s) const {
        return {s.journal("processes", broken::few_early_replies), data, loses};
    }
    void lose_reply() { *loses = true; }
    void crash() {}
};

constexpr journal_features everything{.connections = true};
using names = std::vector<std::string>;

template <class Journal>
claims_table table_of(std::string_view name) {
    return journal_claims(name, fresh<broken::journal_environment_of<Journal>>, everything);
}

}  // namespace

TEST_CASE("memory: the journal keeps every claim that can be provoked") {
    const auto table = journal_claims("memory::journal", fresh<plain_environment>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its replies are never lost
}

TEST_CASE("memory: a journal with one seat keeps every claim but those about another") {
    const auto table = journal_claims("memory::journal", fresh<with_one_seat>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 5);
}

TEST_CASE("memory: on a bad line, with one writer at a time, a journal keeps every claim") {
    const auto table = journal_claims("journal on a bad line",
                                      fresh<journal_on_a_bad_line_environment>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("a journal that writes under any epoch is found out") {
    const auto table = table_of<broken::journal_without_fencing>("journal without fencing");
    INFO(table.text());
    REQUIRE_FALSE(table.all_kept());
    const auto* claim =
        table.find("of two runners on one instance, the former one changes nothing");
    REQUIRE(claim->state == claim_state::broken);
    REQUIRE(claim->expected == "the answer to the former one to be stale");
}

TEST_CASE("a journal that drops replies which nobody waits for is found out") {
    const auto table =
        table_of<broken::journal_that_drops_early_replies>("journal without a shelf");
    INFO(table.text());
    REQUIRE(table.find("a reply that comes before its instance waits for it")->state ==
            claim_state::broken);
    REQUIRE(table.find("random histories end as in the in-memory reference")->state ==
            claim_state::broken);
}

TEST_CASE("a journal that leaves abandoned instances alone is found out") {
    const auto table = table_of<broken::journal_swept_once>("journal without a sweep");
    INFO(table.text());
    REQUIRE(table.find("what a runner held is given to others once its lease has ended")->state ==
            claim_state::broken);
    REQUIRE(table.find("random histories end as in the in-memory reference")->state ==
            claim_state::broken);
}

TEST_CASE("a journal that waits for a clock that was set back is found out") {
    const auto table = table_of<broken::journal_that_trusts_the_clock>("journal on the clock");
    INFO(table.text());
    REQUIRE(table.find("a clock that is set back by a day does not make a wait longer")->state ==
            claim_state::broken);
}
