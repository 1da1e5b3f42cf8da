// SPDX-License-Identifier: BSL-1.0
//
// A conformance suite, called for a store that keeps its claims and for one that does not. Quoted
// in docs/guide/writing-an-adapter.md.

#include <sinew/adapters/memory.hpp>
#include <sinew/testing/conformance/store.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace conformance = sinew::testing::conformance;

// [environment]
/// What the suite drives: fresh data, and how a handler of the service would use it.
struct environment {
    sinew::memory::database data;

    sinew::memory::store open() { return sinew::memory::store(data); }
    void put(sinew::memory::transaction& tx, std::string_view key, std::string_view value) {
        tx.put(key, value);
    }
    std::optional<std::string> get(sinew::memory::transaction& tx, std::string_view key) {
        return tx.get(key);
    }
};

conformance::claims_table check_store() {
    return conformance::store_claims("memory::store", [] { return environment(); },
                                     {.connections = true, .nested = true, .inbox = true});
}
// [/environment]

// [broken]
/// A store whose database has no savepoints: to undo a part, it rolls the whole back and begins
/// anew.
class careless_store {
public:
    class transaction_type : public sinew::memory::transaction {
    public:
        explicit transaction_type(std::shared_ptr<sinew::memory::store> s)
            : sinew::memory::transaction(s->begin()), store_(std::move(s)) {}

        void nest() {}
        void keep_nested() {}
        void undo_nested() {
            rollback();
            sinew::memory::transaction::operator=(store_->begin());
        }

    private:
        std::shared_ptr<sinew::memory::store> store_;
    };

    explicit careless_store(const sinew::memory::database& data)
        : store_(std::make_shared<sinew::memory::store>(data)) {}

    transaction_type begin(sinew::steady_time) { return transaction_type(store_); }

private:
    std::shared_ptr<sinew::memory::store> store_;
};
// [/broken]

struct careless_environment : environment {
    careless_store open() { return careless_store(data); }
};

int main() {
    const auto good = check_store();
    if (!good.all_kept()) {
        std::fputs(good.text().c_str(), stderr);
        return 1;
    }
    const auto bad =
        conformance::store_claims("careless_store", [] { return careless_environment(); },
                                  {.connections = true, .nested = true, .offsets = true});
    std::fputs(bad.brief().c_str(), stdout);
    return bad.all_kept() ? 1 : 0;
}
