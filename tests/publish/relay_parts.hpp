// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the relay are made of: an outbox whose calls end as they are told, sinks with
/// a script, and time that stands still unless it is moved.

#include <sinew/adapters/memory.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/publish/relay.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test {

using namespace std::chrono_literals;

constexpr moment t0{steady_time(1h), wall_time(500000h)};

[[nodiscard]] inline moment after(duration by) {
    return {later(t0.steady, by), t0.wall + std::chrono::duration_cast<wall_time::duration>(by)};
}

/// How a call to the outbox ends.
enum class call_end : std::uint8_t {
    good,
    refused,   ///< not done, and says so: unavailable
    lost,      ///< done, and the answer is lost
    not_done,  ///< not done, and no answer comes
    conflict,  ///< not done: a transient error
    broken,    ///< a permanent error
};

/// Scripts for the calls to an outbox by their name, and what was called.
struct call_script {
    std::map<std::string, std::deque<call_end>, std::less<>> ends{};
    std::vector<std::string> calls{};
    std::deque<bool> wakes{};           ///< answers of wait_for_added
    std::vector<steady_time> waited{};  ///< until when it was asked to wait

    void (*on_call)(std::string_view name, steady_time until) = nullptr;

    call_end next(std::string_view name, steady_time until) {
        calls.emplace_back(name);
        if (on_call != nullptr) {
            on_call(name, until);
        }
        const auto found = ends.find(name);
        if (found == ends.end() || found->second.empty()) {
            return call_end::good;
        }
        const auto end = found->second.front();
        found->second.pop_front();
        return end;
    }
    [[nodiscard]] std::size_t count(std::string_view name) const {
        return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), name));
    }
};

/// A handle on an outbox in memory whose calls end as the script says.
class scripted_outbox {
public:
    scripted_outbox(memory::outbox inner, call_script& script)
        : inner_(std::move(inner)), script_(&script) {}

    [[nodiscard]] shard_id shards() const { return inner_.shards(); }
    shard_lease holder(shard_id shard, steady_time until) {
        return looked("holder", until, [&] { return inner_.holder(shard, until); });
    }
    std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                    steady_time until) {
        return looked("take", until, [&] { return inner_.take(seen, owner, until); });
    }
    fenced_result renew(const shard_lease& lease, steady_time until) {
        return written("renew", until, [&] { return inner_.renew(lease, until); });
    }
    fenced_result release(const shard_lease& lease, steady_time until) {
        return written("release", until, [&] { return inner_.release(lease, until); });
    }
    std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease, wall_time now,
                                                   claim_limits limits, steady_time until) {
        return looked("claim", until, [&] { return inner_.claim(lease, now, limits, until); });
    }
    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until) {
        return written("mark", until,
                       [&] { return inner_.mark_published(lease, numbers, now, until); });
    }
    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time until) {
        return written("put_off", until,
                       [&] { return inner_.put_off(lease, number, note, delay, until); });
    }
    fenced_result park(const shard_lease& lease, std::int64_t number, const failure_note& note,
                       following follows, steady_time until) {
        return written("park", until,
                       [&] { return inner_.park(lease, number, note, follows, until); });
    }
    outbox_lag lag(steady_time until) {
        return looked("lag", until, [&] { return inner_.lag(until); });
    }
    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until) {
        return looked("purge", until, [&] { return inner_.purge(older_than, limit, until); });
    }

protected:
    template <class F>
    auto looked(std::string_view name, steady_time until, F f) -> decltype(f()) {
        switch (script_->next(name, until)) {
            case call_end::good: return f();
            case call_end::broken: throw permanent_error("broken", "the table is not there");
            case call_end::conflict: throw transient_error("conflict", "somebody was faster");
            case call_end::lost: static_cast<void>(f()); break;
            default: break;
        }
        throw unavailable_error("down", "no connection");
    }
    template <class F>
    fenced_result written(std::string_view name, steady_time until, F f) {
        switch (script_->next(name, until)) {
            case call_end::good: return f();
            case call_end::refused: throw unavailable_error("down", "no connection");
            case call_end::lost: static_cast<void>(f()); return fenced_result::unknown;
            case call_end::not_done: return fenced_result::unknown;
            case call_end::conflict: throw transient_error("conflict", "somebody was faster");
            case call_end::broken: break;
        }
        throw permanent_error("broken", "the table is not there");
    }

    memory::outbox inner_;
    call_script* script_;
};

/// One that wakes as the script says.
class waking_scripted_outbox : public scripted_outbox {
public:
    using scripted_outbox::scripted_outbox;

    bool wait_for_added(steady_time until) {
        script_->waited.push_back(until);
        return looked("wait", until, [&] {
            const bool woken = !script_->wakes.empty() && script_->wakes.front();
            if (!script_->wakes.empty()) {
                script_->wakes.pop_front();
            }
            return woken;
        });
    }
};

/// A sink that answers by a script for each event's id, and accepts what is in none.
class scripted_sink {
public:
    publish_result publish(const event_view& e, steady_time until) {
        untils.push_back(until);
        ++calls;
        return answer(e);
    }

    /// What follows for an event, in order.
    void plan(const std::string& id, std::deque<publish_result> answers) {
        script_[id] = std::move(answers);
    }
    /// The ids that were accepted, in order.
    [[nodiscard]] std::vector<std::string> accepted() const { return accepted_; }
    [[nodiscard]] std::vector<event> events() const { return events_; }
    [[nodiscard]] std::size_t tries(const std::string& id) const {
        return static_cast<std::size_t>(std::count(tried.begin(), tried.end(), id));
    }

    std::vector<std::string> tried{};
    std::vector<steady_time> untils{};
    std::size_t calls = 0;
    bool is_down = false;
    void (*on_publish)() = nullptr;

protected:
    publish_result answer(const event_view& e) {
        tried.emplace_back(e.id);
        if (on_publish != nullptr) {
            on_publish();
        }
        if (is_down) {
            return publish_result::refused({failure_class::unavailable, "broker_down", {}, {}});
        }
        auto& rest = script_[std::string(e.id)];
        auto result = publish_result::accepted();
        if (!rest.empty()) {
            result = rest.front();
            rest.pop_front();
        }
        if (result.is_accepted()) {
            accepted_.emplace_back(e.id);
            events_.push_back(to_event(e));
        }
        return result;
    }

private:
    std::map<std::string, std::deque<publish_result>> script_;
    std::vector<std::string> accepted_;
    std::vector<event> events_;
};

/// One that takes several in a call.
class scripted_batch_sink : public scripted_sink {
public:
    std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                              steady_time until) {
        untils.push_back(until);
        ++calls;
        sizes.push_back(events.size());
        std::vector<publish_result> out;
        std::vector<std::string_view> failed;
        for (const auto& e : events) {
            if (std::find(failed.begin(), failed.end(), e.partitionkey) != failed.end()) {
                out.push_back(
                    publish_result::refused({failure_class::transient, "behind", {}, {}}));
                continue;
            }
            out.push_back(answer(e));
            if (!out.back().is_accepted() && !e.partitionkey.empty()) {
                failed.push_back(e.partitionkey);
            }
        }
        return out;
    }

    std::vector<std::size_t> sizes{};
};

[[nodiscard]] inline publish_result refusal(failure_class kind,
                                            std::optional<duration> retry_after = std::nullopt) {
    return publish_result::refused({kind, "refused", "because", retry_after});
}
[[nodiscard]] inline publish_result silence() {
    return publish_result::unknown({failure_class::unknown, "no_answer", {}, {}});
}

/// A service with an outbox, in memory.
struct service {
    explicit service(outbox_options options = {.shards = 1}) : box(db.outbox("orders", options)) {}

    memory::database data{};
    memory::store db{data};
    memory::outbox box;
    call_script script{};

    void add(std::string_view id, std::string_view key, moment when = t0) {
        auto tx = db.begin(never);
        box.add(tx, {.id = id, .source = "/orders", .type = "order.placed", .partitionkey = key},
                when.wall);
        if (tx.commit() != commit_result::committed) {
            throw std::runtime_error("the memory store did not commit");
        }
    }
    [[nodiscard]] scripted_outbox handle() { return {box, script}; }
    [[nodiscard]] outbox_lag lag() const { return box.lag(); }
};

[[nodiscard]] inline relay_options relay_named(std::string name) {
    relay_options out;
    out.owner = std::move(name);
    out.seed = 7;
    return out;
}

/// Steps until nothing happens, at one instant; answers how often something did.
template <class Relay>
std::size_t settle_at(Relay& one, moment now) {
    std::size_t busy = 0;
    while (one.step(now)) {
        if (++busy > 1000) {
            throw std::runtime_error("the relay does not come to rest");
        }
    }
    return busy;
}

using ids = std::vector<std::string>;

}  // namespace sinew::test
