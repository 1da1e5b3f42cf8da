// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/writing-an-adapter.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>
#include <sinew/testing/conformance/source.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using guide::expect;

// [message]
/// One event of a list, as a message: a handle that keeps the event where it is.
class list_message {
public:
    list_message(const sinew::event& what, sinew::position where) : what_(&what), where_(where) {}

    [[nodiscard]] sinew::event_view view() const { return what_->view(); }
    [[nodiscard]] sinew::position where() const { return where_; }
    [[nodiscard]] sinew::epoch_number epoch() const { return 1; }
    [[nodiscard]] std::optional<sinew::defect> broken() const { return std::nullopt; }

private:
    const sinew::event* what_;
    sinew::position where_;
};

static_assert(sinew::source_message<list_message>);
// [/message]

// [source]
/// A list of events as a source with one partition, for files and tests. The list has to outlive
/// it. It has no group to share with, so its partition is assigned once and never taken away.
class list_source {
public:
    using message = list_message;

    explicit list_source(const std::vector<sinew::event>& events) : events_(&events) {}

    template <sinew::source_listener<message> Listener>
    void poll(sinew::poll_limits limits, sinew::steady_time, Listener& listener) {
        if (!std::exchange(assigned_, true)) {
            listener.assigned({.partition = 0, .epoch = 1});
        }
        std::size_t bytes = 0;
        for (std::size_t n = 0; n < limits.events && bytes < limits.bytes; ++n) {
            if (paused_ || released_ || next_ == events_->size()) {
                return;
            }
            const sinew::position where{0, static_cast<sinew::log_offset>(next_)};
            const sinew::event& what = (*events_)[next_++];
            bytes += what.view().size_bytes();
            listener.message(message(what, where));
        }
    }

    sinew::commit_result commit(sinew::partition_id, sinew::epoch_number, sinew::log_offset through,
                                sinew::steady_time) {
        if (released_) {
            return sinew::commit_result::aborted;
        }
        committed_ = through;
        return sinew::commit_result::committed;
    }

    void release(sinew::partition_id, sinew::epoch_number) { released_ = true; }
    void pause(sinew::partition_id) { paused_ = true; }
    void resume(sinew::partition_id) { paused_ = false; }

    [[nodiscard]] sinew::log_offset committed() const { return committed_; }

private:
    const std::vector<sinew::event>* events_;
    std::size_t next_ = 0;
    sinew::log_offset committed_ = -1;
    bool assigned_ = false;
    bool released_ = false;
    bool paused_ = false;
};

static_assert(sinew::source<list_source>);
// [/source]

// [conformance]
/// What the suite for sources drives: an empty list, a way to append to it, and members.
struct list_environment {
    std::vector<sinew::event> events;

    list_environment() { events.reserve(1'000); }  // messages point into the list
    list_source join() const { return list_source(events); }
    void append(sinew::partition_id, const sinew::event_view& e) {
        events.push_back(sinew::to_event(e));
    }
};

/// It declares neither `offsets` nor `groups`, so nothing is claimed of these.
sinew::testing::conformance::claims_table check_list_source() {
    return sinew::testing::conformance::source_claims(
        "list_source", [] { return list_environment(); }, {.any_bytes = true});
}
// [/conformance]

int main() {
    const auto table = check_list_source();
    std::puts(table.text().c_str());
    expect(table.all_kept());

    const std::vector<sinew::event> events = {
        {.id = "1", .source = "/file", .type = "order", .data = "tea"},
        {.id = "2", .source = "/file", .type = "order", .data = "milk"},
        {.id = "2", .source = "/file", .type = "order", .data = "milk"},
    };

    // [use]
    list_source source(events);
    sinew::memory::store db;
    auto orders = sinew::subscribe(source, {.topic = "orders.csv", .group = "import"}) |
                  sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                  sinew::once(db) |                        // what if it comes twice?
                  sinew::handle([](const sinew::event_view& e, sinew::memory::transaction& tx) {
                      tx.add(e.text(), 1);
                  });
    expect(sinew::drain(orders, sinew::never, 3, guide::fast_clock()));

    expect(db.get("tea") == "1" && db.get("milk") == "1");
    expect(orders.counts().duplicates == 1);
    expect(source.committed() == 2);
    // [/use]
}
