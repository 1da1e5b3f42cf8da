// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A store whose database has no savepoints. Its author undoes a part by rolling the whole back and
/// beginning anew.

#include "conformance/environments.hpp"

#include <memory>
#include <utility>

namespace sinew::test::broken {

class store_without_savepoints {
public:
    class transaction_type : public memory::transaction {
    public:
        explicit transaction_type(std::shared_ptr<memory::store> s)
            : memory::transaction(s->begin()), store_(std::move(s)) {}

        void nest() {}
        void keep_nested() {}
        // The mistake: what stood before the part is gone, too.
        void undo_nested() {
            rollback();
            memory::transaction::operator=(store_->begin());
        }

    private:
        std::shared_ptr<memory::store> store_;
    };

    explicit store_without_savepoints(const memory::database& data)
        : inner_(std::make_shared<memory::store>(data)) {}

    transaction_type begin(steady_time /*until*/) { return transaction_type(inner_); }
    key_progress progress(std::string_view consumer, std::string_view key, steady_time until) {
        return inner_->progress(consumer, key, until);
    }

private:
    std::shared_ptr<memory::store> inner_;
};

struct undoes_too_much : memory_store_environment {
    store_without_savepoints open() const { return store_without_savepoints(data); }
};

}  // namespace sinew::test::broken
