// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the claims about spools are made of, and random histories that are compared with a list.

#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

[[nodiscard]] inline std::string show(spool_change c) { return std::string(to_string(c)); }

}  // namespace sinew

namespace sinew::testing::conformance::detail {

inline constexpr claim_limits everything{.entries = 1'000'000, .bytes = SIZE_MAX / 2};

template <class Env>
[[nodiscard]] moment now_in(const Env& env) {
    return {now_of(env), wall_of(env)};
}

[[nodiscard]] inline std::vector<std::string> ids_of_entries(
    const std::vector<spool_entry>& entries) {
    std::vector<std::string> out;
    for (const auto& one : entries) {
        out.push_back(one.what.id);
    }
    return out;
}
[[nodiscard]] inline std::vector<std::string> ids_of_events(const std::vector<event>& events) {
    std::vector<std::string> out;
    for (const auto& one : events) {
        out.push_back(one.id);
    }
    return out;
}
template <class Spool, class Env>
[[nodiscard]] std::vector<std::string> ids_in(Spool& s, const Env& env) {
    return ids_of_entries(s.claim(now_of(env), everything, soon(env)));
}

template <class Spool, class Env>
void keep(const check& c, Spool& s, const Env& env, const event& e) {
    const auto answer = s.put(e.view(), now_in(env), soon(env));
    c.that(answer.is_stored(), "the event " + show(e.id) + " to be stored",
           "it was not: " + answer.why().reason);
}
template <class Spool, class Env>
[[nodiscard]] spool_entry first(const check& c, Spool& s, const Env& env) {
    auto all = s.claim(now_of(env), everything, soon(env));
    c.that(!all.empty(), "an entry to be shown", "nothing was");
    return std::move(all.front());
}
/// Parks the first entry that waits.
template <class Spool, class Env>
void park(const check& c, Spool& s, const Env& env, following what_follows) {
    const auto one = first(c, s, env);
    const failure_note note{wall_of(env), failure_class::permanent, 1, "no_such_topic", "d"};
    c.equal(s.park(one.number, note, what_follows, soon(env)), spool_change::done, "park");
}
template <class Spool, class Env>
void discard_all(const check& c, Spool& s, const Env& env) {
    for (const auto& one : s.parked(0, 1000, soon(env))) {
        c.equal(s.discard(one.number, one.version, soon(env)), true, "discard");
    }
}

/// A spool as a list: no index, nothing remembered.
struct listed_spool {
    struct entry {
        std::int64_t number;  ///< 0 as long as it was not seen
        std::string id;
        std::string key;
        spool_state state = spool_state::waiting;
        sinew::following following = sinew::following::pass;
        std::uint32_t attempts = 0;
        steady_time due = steady_time::min();
    };
    std::vector<entry> entries{};

    [[nodiscard]] bool is_behind_parked(const entry& one) const {
        for (const auto& other : entries) {
            if (other.id == one.id) {
                break;
            }
            if (!one.key.empty() && other.key == one.key && other.state == spool_state::parked &&
                other.following == following::park) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] std::vector<std::string> claim(steady_time now) const {
        std::vector<std::string> out;
        std::set<std::string> closed;
        for (const auto& one : entries) {
            if (one.state == spool_state::parked || is_behind_parked(one) ||
                closed.count(one.key) != 0) {
                continue;
            }
            if (one.due <= now) {
                out.push_back(one.id + "/" + std::to_string(one.attempts));
            } else if (!one.key.empty()) {
                closed.insert(one.key);
            }
        }
        return out;
    }
    [[nodiscard]] bool holds(const std::string& key) const {
        for (const auto& one : entries) {
            if (one.key == key &&
                (one.state == spool_state::waiting || one.following == following::park)) {
                return true;
            }
        }
        return false;
    }
};

/// A spool and the list beside it.
template <class Env>
class spool_history {
public:
    spool_history(const check& c, Env& env, std::uint64_t seed)
        : c_(&c), env_(&env), random_(seed), now_(now_in(env)) {}

    void run(std::size_t lives, std::size_t steps) {
        for (std::size_t life = 0; life < lives; ++life) {
            {
                auto s = env_->open({});
                for (std::size_t i = 0; i < steps; ++i) {
                    step(s);
                    compare(s);
                }
            }
            for (auto& one : should_.entries) {
                one.due = steady_time::min();
            }
        }
        auto s = env_->open({});
        for (const auto& one : s.claim(steady_time::max(), everything, soon(*env_))) {
            c_->equal(s.remove({&one.number, 1}, soon(*env_)), spool_change::done, "remove");
        }
        discard_all(*c_, s, *env_);
        for (const auto& one : s.claim(steady_time::max(), everything, soon(*env_))) {
            c_->equal(s.remove({&one.number, 1}, soon(*env_)), spool_change::done, "remove");
        }
        c_->equal(s.size().entries(), std::uint64_t{0}, "what is left at the end");
    }

private:
    template <class Spool>
    void step(Spool& s) {
        const auto draw = random_() % 16;
        if (draw < 6) {
            return put(s);
        }
        if (draw == 6) {
            now_.steady = later(now_.steady, std::chrono::seconds(random_() % 20));
            return;
        }
        auto* one = any(draw > 13 ? spool_state::parked : spool_state::waiting);
        if (one == nullptr) {
            return;
        }
        const std::int64_t number = one->number;
        const failure_note note{now_.wall, failure_class::transient, one->attempts + 1, "busy",
                                "d"};
        if (draw < 9) {
            c_->equal(s.remove({&number, 1}, soon(*env_)), spool_change::done, "remove");
            erase(number);
        } else if (draw < 12) {
            // Only the first of a key is ever put off.
            one = first_of(one->key, number);
            one->due = later(now_.steady, std::chrono::seconds(random_() % 30));
            ++one->attempts;
            c_->equal(s.put_off(one->number, note, one->due, soon(*env_)), spool_change::done,
                      "put_off");
        } else if (draw < 14) {
            one->following = random_() % 2 == 0 ? following::pass : following::park;
            one->state = spool_state::parked;
            one->due = steady_time::min();
            ++one->attempts;
            c_->equal(s.park(number, note, one->following, soon(*env_)), spool_change::done,
                      "park");
        } else {
            const auto seen = s.parked(number - 1, 1, soon(*env_));
            c_->equal(seen.size(), std::size_t{1}, "the entry that is parked");
            if (random_() % 2 == 0) {
                c_->equal(s.unpark(number, seen[0].version, soon(*env_)), true, "unpark");
                one->state = spool_state::waiting;
            } else {
                c_->equal(s.discard(number, seen[0].version, soon(*env_)), true, "discard");
                erase(number);
            }
        }
    }

    template <class Spool>
    void put(Spool& s) {
        const std::string id = std::to_string(++last_id_);
        const auto key = random_() % 4;
        const auto e = plain_event(id, key == 0 ? "" : "k" + std::to_string(key));
        keep(*c_, s, *env_, e);
        should_.entries.push_back({0, id, e.partitionkey});
    }

    /// What stands behind a parked entry is not shown, and has no name until it is.
    template <class Spool>
    void learn_numbers(Spool& s) {
        for (const auto& shown : s.claim(steady_time::max(), everything, soon(*env_))) {
            for (auto& one : should_.entries) {
                if (one.id == shown.what.id) {
                    one.number = shown.number;
                }
            }
        }
    }

    template <class Spool>
    void compare(Spool& s) {
        learn_numbers(s);
        std::vector<std::string> shown;
        for (const auto& one : s.claim(now_.steady, everything, soon(*env_))) {
            shown.push_back(one.what.id + "/" + std::to_string(one.attempts));
        }
        c_->equal(shown, should_.claim(now_.steady), "what is shown, with its attempts");
        spool_size counts;
        for (const auto& one : should_.entries) {
            ++(one.state == spool_state::parked ? counts.parked
               : should_.is_behind_parked(one)  ? counts.held
                                                : counts.waiting);
        }
        const auto size = s.size();
        c_->equal(size.waiting, counts.waiting, "how many wait");
        c_->equal(size.held, counts.held, "how many are held");
        c_->equal(size.parked, counts.parked, "how many are parked");
        for (const char* key : {"k1", "k2", "k3", "k4"}) {
            c_->equal(s.holds(key), should_.holds(key), "whether " + std::string(key) + " is held");
        }
    }

    [[nodiscard]] listed_spool::entry* any(spool_state state) {
        std::vector<listed_spool::entry*> found;
        for (auto& one : should_.entries) {
            if (one.state == state && one.number != 0) {
                found.push_back(&one);
            }
        }
        return found.empty() ? nullptr : found[random_() % found.size()];
    }
    [[nodiscard]] listed_spool::entry* first_of(const std::string& key, std::int64_t number) {
        for (auto& one : should_.entries) {
            if (one.state == spool_state::waiting &&
                (key.empty() ? one.number == number : one.key == key)) {
                return &one;
            }
        }
        return nullptr;
    }
    void erase(std::int64_t number) {
        std::erase_if(should_.entries, [&](const auto& one) { return one.number == number; });
    }

    const check* c_;
    Env* env_;
    splitmix64 random_;
    moment now_;
    listed_spool should_{};
    int last_id_ = 0;
};

template <class Env>
void check_spool_histories(const check& c, Env& env) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        spool_history<Env>(c, env, seed).run(3, 60);
    }
}

}  // namespace sinew::testing::conformance::detail
