// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Listening: which channels a connection was called on (`LISTEN` and `NOTIFY`).
///
/// **Guarantees.** What was called while nobody listened, because the connection is a new one, is
/// made up for: the first wait on it answers at once. Calls that nobody waits for do not pile up.
///
/// A call costs a transaction of its own, so it is left out where nobody waits for it. Whoever
/// waits holds a lock with the others that do (`lock_of_listeners`): who would call tries to take
/// it for itself. Who has had enough to do for some time gives the lock back, with its next
/// statement.
///
/// | state | event | becomes |
/// | --- | --- | --- |
/// | deaf | `wait`: listens, and takes the lock | waits; the wait answers at once |
/// | waits | `wait` | waits |
/// | waits | `calls_before` calls without a wait: the lock is given back | busy |
/// | busy | `wait`: takes the lock | waits; the wait answers at once |
/// | any | another connection | deaf |

#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::postgres::detail {

/// The channel of an outbox. Names that a channel cannot have, or has no room for, are hashed; two
/// that meet would wake each other's relays, and no more.
[[nodiscard]] inline std::string channel_of(std::string_view schema, std::string_view box) {
    std::string name("sinew.");
    name.append(schema).append(".").append(box);
    bool plain = name.size() <= 63;
    for (const char c : box) {
        plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                          c == '-' || c == '.' || (c >= '0' && c <= '9'));
    }
    if (plain) {
        return name;
    }
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return "sinew#" + std::to_string(hash);
}

/// The number of the lock that whoever waits for a channel holds with others, at most as long as
/// its session lasts.
[[nodiscard]] inline std::int64_t lock_of_listeners(std::string_view channel) noexcept {
    std::uint64_t hash = 0x6c62272e07bb0142U;
    for (const char c : channel) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return static_cast<std::int64_t>(hash);
}

class notices {
public:
    /// After how many calls without a wait between them nobody is expected to wait.
    static constexpr int calls_before = 16;

    /// Waits until somebody called on the channel since the last wait, or until it is `until`.
    [[nodiscard]] bool wait(wire& on, const std::string& channel, steady_time until) {
        collect(on);
        calls_ = 0;
        const auto [at, is_new] = heard_.try_emplace(channel);
        auto& ear = at->second;
        if (!ear.waits) {
            try {
                // Whoever has committed before the lock is there need not call: what it added is
                // seen by the claim that follows.
                const std::string sql = "LISTEN \"" + channel + "\"";
                if (is_new) {
                    on.queue(sql.c_str());
                }
                on.queue(lock_, parameters(lock_of_listeners(channel)));
                static_cast<void>(on.run(on.usual_deadline()));
            } catch (...) {
                heard_.erase(channel);
                throw;
            }
            ear = {.waits = true, .was_called = false};
            return true;
        }
        while (!std::exchange(ear.was_called, false)) {
            if (!on.wait_for_input(until)) {
                return false;
            }
            collect(on);
        }
        return true;
    }

    /// In front of a call on the connection that listens: queues what it does not need any more.
    void queue_rest(wire& to) {
        if (heard_.empty() || calls_ >= calls_before || ++calls_ < calls_before) {
            return;
        }
        for (auto& [channel, ear] : heard_) {
            if (std::exchange(ear.waits, false)) {
                to.queue(unlock_, parameters(lock_of_listeners(channel)));
            }
        }
    }

    /// Takes what the connection has heard.
    void collect(wire& from) {
        if (life_ != from.life()) {
            life_ = from.life();
            heard_.clear();
        }
        if (heard_.empty()) {
            return;
        }
        from.each_notice([&](std::string_view channel) {
            if (const auto found = heard_.find(channel); found != heard_.end()) {
                found->second.was_called = true;
            }
        });
    }

    /// Whether it holds the lock of those that wait for the channel.
    [[nodiscard]] bool waits_for(const std::string& channel) const {
        const auto found = heard_.find(channel);
        return found != heard_.end() && found->second.waits;
    }
    /// Whether it listens on no channel.
    [[nodiscard]] bool empty() const noexcept { return heard_.empty(); }

private:
    struct listening {
        bool waits = false;
        bool was_called = false;
    };

    prepared lock_{"SELECT pg_catalog.pg_advisory_lock_shared($1)"};
    prepared unlock_{"SELECT pg_catalog.pg_advisory_unlock_shared($1)"};
    std::uint64_t life_ = 0;
    int calls_ = 0;
    std::map<std::string, listening, std::less<>> heard_;
};

}  // namespace sinew::postgres::detail
