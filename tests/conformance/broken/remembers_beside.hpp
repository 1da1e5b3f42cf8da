// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A store whose inbox is written on a connection of its own, at once: an event counts as applied
/// before its effects are.

#include "conformance/environments.hpp"

#include <utility>

namespace sinew::test::broken {

class store_with_inbox_beside : public memory::store {
public:
    class transaction_type : public memory::transaction {
    public:
        transaction_type(memory::transaction tx, const memory::database& data)
            : memory::transaction(std::move(tx)), data_(&data) {}

        // The mistake: a transaction of its own.
        bool remember(std::string_view consumer, event_identity who, wall_time now) {
            memory::store beside(*data_);
            auto tx = beside.begin();
            const bool is_new = tx.remember(consumer, who, now);
            return tx.commit() == commit_result::committed && is_new;
        }

    private:
        const memory::database* data_;
    };

    explicit store_with_inbox_beside(const memory::database& data)
        : memory::store(data), data_(&data) {}

    transaction_type begin(steady_time until) { return {memory::store::begin(until), *data_}; }

private:
    const memory::database* data_;
};

struct remembers_beside : memory_store_environment {
    store_with_inbox_beside open() const { return store_with_inbox_beside(data); }
};

}  // namespace sinew::test::broken
