// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A queue in memory whose messages are leased and acknowledged one by one: the reference model of
/// `queue_source`. It takes events too, as a `sink`.
///
/// **Guarantees.** Every numbered sentence of the two concepts holds. Messages come oldest first,
/// one that became visible again at its old place.
///
/// | message | what happens | becomes |
/// | --- | --- | --- |
/// | visible | `receive` | leased until now + `lease` |
/// | leased | `acknowledge` | gone |
/// | leased | `give_back` | visible after the delay |
/// | leased | its time is up | visible |
///
/// **Bounds.** At most `queue_options::messages_max` messages; beyond it `publish` is refused. Not
/// thread safe. A message stays readable, also when the queue is gone.
///
/// **Time.** The queue has no clock; `tick` tells it the time.

#include <sinew/adapters/memory/record.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/queue_source.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sinew::memory {

struct queue_options {
    duration lease = std::chrono::seconds(30);
    std::size_t messages_max = 100'000;
};

class queue {
public:
    /// A delivery of one message.
    class message {
    public:
        [[nodiscard]] const event_view& view() const noexcept { return what_->view(); }
        [[nodiscard]] std::uint32_t deliveries() const noexcept { return deliveries_; }
        [[nodiscard]] std::optional<defect> broken() const noexcept { return what_->broken(); }

    private:
        friend class queue;

        message(record_handle what, std::uint32_t deliveries, std::int64_t number,
                std::uint64_t receipt) noexcept
            : what_(std::move(what)), number_(number), receipt_(receipt), deliveries_(deliveries) {}

        record_handle what_;
        std::int64_t number_;
        std::uint64_t receipt_;
        std::uint32_t deliveries_;
        bool acknowledged_ = false;
    };

    explicit queue(queue_options options = {}) noexcept : options_(options) {}

    void tick(steady_time now) noexcept { now_ = now; }

    publish_result publish(const event_view& e, steady_time /*until*/ = never) {
        if (entries_.size() >= options_.messages_max) {
            return publish_result::refused({failure_class::unavailable, "queue_full",
                                            "the queue holds as many messages as it may",
                                            std::nullopt});
        }
        add(std::make_shared<const record>(to_event(e), position{0, last_number_ + 1}));
        return publish_result::accepted();
    }

    /// Adds a message that cannot be read as an event.
    void publish_broken(bytes_view raw, std::string reason) {
        add(std::make_shared<const record>(std::string(as_text(raw)), std::move(reason),
                                           position{0, last_number_ + 1}));
    }

    /// Returns at once, with what is visible now.
    template <class Listener>
    void receive(poll_limits limits, steady_time /*until*/, Listener& listener) {
        std::size_t events = 0;
        std::size_t bytes = 0;
        for (auto at = entries_.begin();
             at != entries_.end() && events < limits.events && bytes < limits.bytes;) {
            const auto number = at->first;
            if (auto& one = at->second; one.visible_at <= now_) {
                one.visible_at = later(now_, options_.lease);
                one.receipt = ++last_receipt_;
                ++one.deliveries;
                ++events;
                bytes += one.what->size_bytes();
                listener.message(message(one.what, one.deliveries, number, one.receipt));
            }
            at = entries_.upper_bound(number);  // the listener may have acknowledged
        }
    }

    /// Once the lease has ended, or the message was given back, it is somebody else's.
    commit_result acknowledge(message& m, steady_time /*until*/ = never) noexcept {
        if (m.acknowledged_) {
            return commit_result::committed;
        }
        const auto at = leased(m);
        if (at == entries_.end()) {
            return commit_result::aborted;
        }
        entries_.erase(at);
        m.acknowledged_ = true;
        return commit_result::committed;
    }

    void give_back(message& m, duration delay) noexcept {
        if (const auto at = leased(m); at != entries_.end()) {
            at->second.visible_at = later(now_, delay);
            at->second.receipt = 0;
        }
    }

    bool extend(message& m, duration by, steady_time /*until*/ = never) noexcept {
        const auto at = leased(m);
        if (at == entries_.end()) {
            return false;
        }
        at->second.visible_at = later(now_, by);
        return true;
    }

    /// How many messages are not acknowledged.
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct entry {
        record_handle what;
        steady_time visible_at = steady_time::min();
        std::uint64_t receipt = 0;
        std::uint32_t deliveries = 0;
    };
    using entry_map = std::map<std::int64_t, entry>;

    void add(record_handle what) {
        entries_.emplace(last_number_ + 1, entry{.what = std::move(what)});
        ++last_number_;
    }

    [[nodiscard]] entry_map::iterator leased(const message& m) noexcept {
        const auto at = entries_.find(m.number_);
        const bool ours = at != entries_.end() && at->second.receipt == m.receipt_ &&
                          at->second.visible_at > now_;
        return ours ? at : entries_.end();
    }

    queue_options options_;
    entry_map entries_;
    steady_time now_{};
    std::int64_t last_number_ = 0;
    std::uint64_t last_receipt_ = 0;
};

}  // namespace sinew::memory
