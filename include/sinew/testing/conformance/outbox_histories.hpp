// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories of an outbox, compared with the in-memory one.
///
/// What the concept leaves open takes no part: how entries are numbered and versions counted, and
/// in which order the entries of different keys are shown.

#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>
#include <sinew/testing/conformance/random_history.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// The reference.
struct memory_outbox_environment : virtual_time {
    memory::database data;
    [[nodiscard]] memory::store open() const { return memory::store(data); }
    [[nodiscard]] memory::outbox outbox_of(memory::store& s) const { return s.outbox("reference"); }
};

/// Carries out the steps of one history on an outbox. Its keys begin with the history's name, so
/// that histories on the same outbox don't meet.
template <class Env>
class outbox_player {
public:
    enum kind : std::uint64_t {
        add,
        add_two,
        rollback,
        claim,
        publish,
        put_off,
        park,
        park_behind,
        unpark,
        discard,
        wait,
        retake,
        reopen,
        late_mark,
        kinds
    };
    static constexpr std::array<step_name, kinds> names{{{"add", 1},
                                                         {"add two", 1},
                                                         {"roll back an add", 1},
                                                         {"claim"},
                                                         {"publish", 1},
                                                         {"put off", 2},
                                                         {"park, pass", 1},
                                                         {"park, park", 1},
                                                         {"unpark", 1},
                                                         {"discard", 1},
                                                         {"wait", 2},
                                                         {"another relay takes over"},
                                                         {"open again"},
                                                         {"publish under the old lease", 1}}};

    outbox_player(Env& env, std::string name) : env_(&env), name_(std::move(name)) { open(); }

    std::string play(const step& one, std::string_view /*expected*/ = {}) {
        const std::string key = name_ + static_cast<char>('a' + one.a);
        switch (static_cast<kind>(one.kind)) {
            case add: return add_some(key, 1, true);
            case add_two: return add_some(key, 2, true);
            case rollback: return add_some(key, 1, false);
            case claim: return show_all();
            case publish:
                return write(key, [&](const shard_lease& lease, const auto& entry) {
                    return at_->box.mark_published(lease, {&entry.number, 1}, at_->now,
                                                   at_->until());
                });
            case put_off:
                return write(key, [&](const shard_lease& lease, const auto& entry) {
                    return at_->box.put_off(lease, entry.number, at_->note("put off"),
                                            std::chrono::seconds(one.b), at_->until());
                });
            case park:
            case park_behind:
                return write(key, [&](const shard_lease& lease, const auto& entry) {
                    return at_->box.park(lease, entry.number, at_->note("parked"),
                                         one.kind == park ? following::pass : following::park,
                                         at_->until());
                });
            case unpark:
            case discard: return decide(key, one.kind == discard);
            case wait: at_->now += std::chrono::seconds(one.b); return {};
            case retake:
                old_ = at_->leases();
                open();
                return {};
            case reopen: open(); return {};
            default: return mark_late(key);
        }
    }

private:
    void open() {
        const auto now = at_ ? std::optional(at_->now) : std::nullopt;
        at_.reset();
        at_.emplace(c_, *env_);
        at_->now = now.value_or(wall_time(std::chrono::hours(24 * 20'000)));
        static_cast<void>(at_->leases());
    }

    std::string add_some(const std::string& key, int count, bool is_kept) {
        auto tx = begin(*env_, at_->s);
        std::string out;
        int added = added_;
        for (int i = 0; i < count; ++i) {
            const auto e = plain_event(key + std::to_string(++added), key);
            out += std::to_string(at_->box.add(tx, e.view(), at_->now)) + " ";
        }
        if (is_kept) {
            added_ = added;
            return out + show(tx.commit());
        }
        tx.rollback();
        return out;
    }

    /// What is shown of one key, in order.
    [[nodiscard]] std::vector<outbox_entry> shown(std::string_view key) {
        const auto& lease = at_->leases().at(shard_of(key, at_->box.shards()));
        std::vector<outbox_entry> out;
        auto all = at_->box.claim(lease, at_->now, all_entries, at_->until());
        c_.that(all.has_value(), "a claim under a lease that has not ended to be answered",
                "nothing, as for one that has ended");
        for (auto& one : *all) {
            if (one.what.partitionkey == key) {
                out.push_back(std::move(one));
            }
        }
        return out;
    }
    [[nodiscard]] std::string show_all() {
        std::string out;
        for (const char c : {'a', 'b', 'c'}) {
            for (const auto& one : shown(name_ + c)) {
                out += one.what.id + "#" + one.what.sequence + "/" + std::to_string(one.attempts) +
                       (one.last_failure ? " " + one.last_failure->reason : "") + ", ";
            }
        }
        for (const auto& one : at_->box.parked(0, 100'000, at_->until())) {
            if (one.what.partitionkey.rfind(name_, 0) == 0) {
                out += "parked " + one.what.id + "/" + std::to_string(one.attempts) + ", ";
            }
        }
        return out;
    }

    template <class F>
    std::string write(const std::string& key, F f) {
        const auto entries = shown(key);
        return entries.empty() ? "nothing"
                               : show(f(at_->lease_of(entries.front()), entries.front()));
    }
    std::string mark_late(const std::string& key) {
        return write(key, [&](const shard_lease& lease, const outbox_entry& entry) {
            if (old_.empty()) {
                return fenced_result::stale;
            }
            return at_->box.mark_published(old_[lease.shard], {&entry.number, 1}, at_->now,
                                           at_->until());
        });
    }
    std::string decide(const std::string& key, bool is_given_up) {
        for (const auto& one : at_->box.parked(0, 100'000, at_->until())) {
            if (one.what.partitionkey == key) {
                return show(is_given_up ? at_->box.discard(one.number, one.version,
                                                           at_->note("given up"), at_->until())
                                        : at_->box.unpark(one.number, one.version, at_->until()));
            }
        }
        return "nothing";
    }

    Env* env_;
    std::string name_;
    check c_{"the outbox's answers"};
    std::optional<outbox_scene<Env>> at_;
    std::vector<shard_lease> old_;
    int added_ = 0;
};

/// Compares an outbox with the reference.
template <class Env>
void check_outbox_histories(check& c, Env& env) {
    memory_outbox_environment model;
    compare_histories<outbox_player<Env>, outbox_player<memory_outbox_environment>>(
        c, on(env), on(model), [](const step&) { return true; }, 40);
}

}  // namespace sinew::testing::conformance::detail
