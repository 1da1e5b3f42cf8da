// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The statement that writes down in the inbox that an event was applied.
///
/// Of one event and the next mostly the id alone differs. So the consumer, the source and the time
/// stay bound, as copies, until they change: to bind them anew for each event, and to unbind them
/// afterwards, takes SQLite longer than to compare them.
///
/// **Invariants.** Between two runs nothing is bound that lives elsewhere. A run that did not end
/// well leaves nothing bound.

#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <string>
#include <string_view>
#include <utility>

namespace sinew::sqlite::detail {

class inbox_statement {
public:
    explicit inbox_statement(const naming& named)
        : sql_(named("INSERT INTO ~inbox(consumer, source, id, at) VALUES (?, ?, ?, ?) "
                     "ON CONFLICT DO NOTHING")) {}

    /// True if the event is new to that consumer.
    bool add(sqlite3* db, std::string_view consumer, event_identity who, wall_time at) {
        statement run(db, sql_);
        bind(run, consumer, who.source, at);
        run.bind_at(3, blob{who.id});
        run.step();
        run.forget_only(3);
        is_bound_ = true;
        return sqlite3_changes(db) != 0;
    }

private:
    void bind(statement& run, std::string_view consumer, std::string_view source, wall_time at) {
        const bool all = !std::exchange(is_bound_, false);
        if (all || consumer_ != consumer) {
            consumer_ = consumer;
            run.bind_at(1, consumer_);
        }
        if (all || source_ != source) {
            source_ = source;
            run.bind_at(2, blob{source_});
        }
        if (all || at_ != at) {
            at_ = at;
            run.bind_at(4, at_);
        }
    }

    // The copies live longer than the statement.
    std::string consumer_;
    std::string source_;
    wall_time at_{};
    bool is_bound_ = false;
    prepared sql_;
};

}  // namespace sinew::sqlite::detail
