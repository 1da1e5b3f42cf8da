// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_support.hpp"
#include "conformance/fresh.hpp"
#include "support/test.hpp"

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/adapters/sqlite/spool.hpp>
#include <sinew/testing/conformance/spool.hpp>

#include <memory>

using namespace sinew::test;
using namespace sinew::testing::conformance;

namespace {

struct memory_spool_environment : virtual_time {
    sinew::memory::database data;

    sinew::memory::spool open(const sinew::spool_options& limits) const {
        return sinew::memory::spool(data, "spool", limits, *clock);
    }
    void crash() {}  // the database is what survives
};

struct sqlite_spool_environment : real_time {
    std::unique_ptr<temp_folder> folder = std::make_unique<temp_folder>();

    sinew::sqlite::spool open(const sinew::spool_options& limits) const {
        return sinew::sqlite::spool(folder->file("spool"), {{limits}, {}});
    }
};

/// Shows entries by number alone, as if a key that waits held back nothing.
class spool_without_keys : public sinew::memory::spool {
public:
    using sinew::memory::spool::spool;
    [[nodiscard]] std::vector<sinew::spool_entry> claim(sinew::steady_time, sinew::claim_limits l,
                                                        sinew::steady_time until) {
        return sinew::memory::spool::claim(sinew::steady_time::max(), l, until);
    }
};
struct environment_without_keys : memory_spool_environment {
    spool_without_keys open(const sinew::spool_options& limits) const {
        return spool_without_keys(data, "spool", limits, *clock);
    }
};

}  // namespace

TEST_CASE("the spool in memory keeps every claim") {
    const auto table = spool_claims("memory::spool", fresh<memory_spool_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("the spool in SQLite keeps every claim") {
    const auto table = spool_claims("sqlite::spool", fresh<sqlite_spool_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("a spool that forgets what was put off is found out") {
    const auto table = spool_claims("spool_without_keys", fresh<environment_without_keys>);
    INFO(table.text());
    REQUIRE(table.find("an entry that is put off holds its key back until it is due")->state ==
            claim_state::broken);
    REQUIRE(table.find("random histories end as those of a list of all entries")->state ==
            claim_state::broken);
}
