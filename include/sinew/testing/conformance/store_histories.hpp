// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories of a store: compared with the in-memory store, and between two connections.
///
/// **Guarantees.** The histories come from a fixed seed, so the same adapter sees the same ones.
/// One that differs from the reference is made shorter until each of its steps is needed.
///
/// **Bounds.** `histories_max` histories of `steps_max` steps, on one environment: each history
/// uses names of its own.

#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/random_history.hpp>
#include <sinew/testing/conformance/store_environment.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// The reference.
struct memory_environment {
    memory::database data;
    [[nodiscard]] memory::store open() const { return memory::store(data); }
    void put(memory::transaction& tx, std::string_view key, std::string_view text) const {
        tx.put(key, text);
    }
    [[nodiscard]] value get(memory::transaction& tx, std::string_view key) const {
        return tx.get(key);
    }
};

/// Carries out the steps of one history on a store and writes down the answers. A step that makes
/// no sense where it stands (commit without a transaction) does nothing.
template <class Env>
class store_player {
public:
    using tx_type = transaction_of<Env>;
    enum kind : std::uint64_t {
        put,
        get,
        commit,
        rollback,
        reopen,
        nest,
        keep,
        undo,
        remember,
        progress,
        set_progress,
        offsets,
        set_offsets,
        committed_progress,
        kinds
    };
    static constexpr std::array<step_name, kinds> names{{{"put", 2},
                                                         {"get", 1},
                                                         {"commit"},
                                                         {"rollback"},
                                                         {"reopen"},
                                                         {"nest"},
                                                         {"keep_nested"},
                                                         {"undo_nested"},
                                                         {"remember", 2},
                                                         {"progress", 1},
                                                         {"set_progress", 2},
                                                         {"offsets", 1},
                                                         {"set_offsets", 2},
                                                         {"committed progress", 1}}};

    store_player(Env& env, std::string name) : env_(&env), name_(std::move(name)) {
        store_.emplace(env.open());
    }

    std::string play(const step& one, std::string_view /*expected*/ = {}) {
        switch (static_cast<kind>(one.kind)) {
            case commit: return end([](tx_type& tx) { return show(tx.commit()); });
            case rollback:
                return end([](tx_type& tx) {
                    tx.rollback();
                    return std::string();
                });
            case reopen: return open_again();
            case nest:
            case keep:
            case undo: return part(static_cast<kind>(one.kind));
            case committed_progress:
                if constexpr (consumer_store<store_of<Env>>) {
                    return show(store_->progress(name_, key(one), soon(*env_)));
                }
                return {};
            default: return access(one);
        }
    }

private:
    [[nodiscard]] std::string key(const step& one) const {
        return name_ + "-" + static_cast<char>('a' + one.a);
    }
    [[nodiscard]] tx_type& tx() {
        if (!tx_) {
            tx_.emplace(begin(*env_, *store_));
            nested_ = false;
        }
        return *tx_;
    }

    template <class F>
    std::string end(F f) {
        if (!tx_ || nested_) {
            return {};
        }
        std::string out = f(*tx_);
        tx_.reset();
        return out;
    }

    std::string open_again() {
        tx_.reset();
        store_.reset();
        store_.emplace(env_->open());
        nested_ = false;
        return {};
    }

    std::string part(kind what) {
        if constexpr (nestable_transaction<tx_type>) {
            if (what == nest && !nested_) {
                tx().nest();
                nested_ = true;
            } else if (what == keep && nested_) {
                tx_->keep_nested();
                nested_ = false;
            } else if (what == undo && nested_) {
                tx_->undo_nested();
                nested_ = false;
            }
        }
        return {};
    }

    std::string access(const step& one) {
        switch (static_cast<kind>(one.kind)) {
            case put: env_->put(tx(), key(one), std::to_string(one.b)); return {};
            case get: return show(env_->get(tx(), key(one)));
            case remember:
                if constexpr (inbox_transaction<tx_type>) {
                    const std::string id = std::to_string(one.b);
                    return show(tx().remember(name_, {key(one), id}, wall_of(*env_)));
                }
                return {};
            case progress:
            case set_progress:
                if constexpr (progress_transaction<tx_type>) {
                    if (one.kind == set_progress) {
                        tx().set_progress(name_, key(one), key_progress(one.b + 1));
                    }
                    return show(tx().progress(name_, key(one)));
                }
                return {};
            default:
                if constexpr (offsets_transaction<tx_type>) {
                    const auto partition = static_cast<partition_id>(one.a);
                    if (one.kind == set_offsets) {
                        tx().set_offsets(name_, "t", partition,
                                         {static_cast<log_offset>(one.b), {}});
                    }
                    return show(tx().offsets(name_, "t", partition));
                }
                return {};
        }
    }

    Env* env_;
    std::string name_;
    // A transaction ends before its store does.
    std::optional<store_of<Env>> store_;
    std::optional<tx_type> tx_;
    bool nested_ = false;
};

/// Compares a store with the reference. Steps that only one of the two can do are left out.
template <class Env>
void check_histories(check& c, Env& env) {
    using player = store_player<Env>;
    const auto fits = [](const step& one) {
        using tx_type = transaction_of<Env>;
        switch (one.kind) {
            case player::nest:
            case player::keep:
            case player::undo: return nestable_transaction<tx_type>;
            case player::remember: return inbox_transaction<tx_type>;
            case player::progress:
            case player::set_progress: return progress_transaction<tx_type>;
            case player::offsets:
            case player::set_offsets: return offsets_transaction<tx_type>;
            case player::committed_progress: return consumer_store<store_of<Env>>;
            default: return true;
        }
    };
    memory_environment model;
    compare_histories<player, store_player<memory_environment>>(c, on(env), on(model), fits);
}

/// What one transaction did, to be explained by a serial order.
struct serial_story {
    struct access {
        bool is_write = false;
        std::size_t key = 0;
        value text{};
    };
    std::vector<access> accesses;
    std::vector<int> wrote_last{};
};

using three_values = std::array<value, 3>;

/// Whether running the stories in some order, from nothing, reads what they read and ends in
/// `last`.
inline bool has_order(const std::vector<serial_story>& stories, std::vector<bool>& used,
                      const three_values& now, const three_values& last) {
    bool any_left = false;
    for (std::size_t i = 0; i < stories.size(); ++i) {
        if (used[i]) {
            continue;
        }
        any_left = true;
        three_values after = now;
        bool fits = true;
        for (const auto& one : stories[i].accesses) {
            if (one.is_write) {
                after[one.key] = one.text;
            } else {
                fits = fits && after[one.key] == one.text;
            }
        }
        used[i] = true;
        if (fits && has_order(stories, used, after, last)) {
            return true;
        }
        used[i] = false;
    }
    return !any_left && now == last;
}

/// One connection in a history of two.
template <class Env>
struct serial_slot {
    explicit serial_slot(Env& env) : s(env.open()) {}

    store_of<Env> s;
    std::optional<transaction_of<Env>> tx{};
    serial_story story{};
};

/// Random transactions on two connections. What was refused or aborted has no effect; those that
/// committed have to be explained by one order.
template <class Env>
void check_serial_histories(check& c, Env& env) {
    splitmix64 random(0x5e71a1);
    constexpr int histories = 100;
    for (int h = 0; h < histories; ++h) {
        const std::string prefix = "s" + std::to_string(h) + "-";
        const auto key = [&](std::size_t k) { return prefix + std::to_string(k); };
        std::array<serial_slot<Env>, 2> slots{serial_slot<Env>(env), serial_slot<Env>(env)};
        std::vector<serial_story> done;
        int written = 0;
        for (int i = 0; i < 16 && done.size() < 5; ++i) {
            auto& slot = slots[random() % 2];
            const auto what = random() % 5;
            const std::size_t k = random() % 3;
            const bool went_on = attempt([&] {
                if (!slot.tx) {
                    slot.story = {};
                    slot.tx.emplace(slot.s.begin(later(now_of(env), patience_of(env) / 1'000)));
                }
                if (what == 0) {
                    if (slot.tx->commit() == commit_result::committed) {
                        done.push_back(slot.story);
                    }
                    slot.tx.reset();
                } else if (what < 3) {
                    slot.story.accesses.push_back({false, k, env.get(*slot.tx, key(k))});
                } else {
                    const std::string text = std::to_string(++written);
                    env.put(*slot.tx, key(k), text);
                    slot.story.accesses.push_back({true, k, text});
                }
            });
            if (!went_on) {
                slot.tx.reset();
            }
        }
        slots[0].tx.reset();
        slots[1].tx.reset();
        three_values last;
        for (std::size_t k = 0; k < last.size(); ++k) {
            last[k] = read(env, slots[0].s, key(k));
        }
        std::vector<bool> used(done.size(), false);
        c.that(has_order(done, used, {}, last),
               "an order that explains " + std::to_string(done.size()) + " committed transactions",
               "none does, in history " + std::to_string(h));
    }
}

}  // namespace sinew::testing::conformance::detail
