// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Listening: which channels a connection was called on (`LISTEN` and `NOTIFY`).
///
/// **Guarantees.** What was called while nobody listened, because the connection is a new one, is
/// made up for: the first wait on it answers at once. Calls that nobody waits for do not pile up.
///
/// A call costs a transaction of its own, so it is left out where nobody listens. Whoever does holds a
/// lock with the other listeners (`lock_of_listeners`): who would call tries to take it for itself.

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

/// The number of the lock that whoever listens on a channel holds with others, as long as its session
/// lasts.
[[nodiscard]] inline std::int64_t lock_of_listeners(std::string_view channel) noexcept {
    std::uint64_t hash = 0x6c62272e07bb0142U;
    for (const char c : channel) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return static_cast<std::int64_t>(hash);
}

class notices {
public:
    /// Waits until somebody called on the channel since the last wait, or until it is `until`.
    [[nodiscard]] bool wait(wire& on, const std::string& channel, steady_time until) {
        collect(on);
        const auto [at, is_new] = called_.try_emplace(channel, false);
        if (is_new) {
            try {
                const std::string sql = "LISTEN \"" + channel + "\"";
                // Whoever has committed before the lock is there need not call: what it added is seen
                // by the claim that follows.
                on.queue(sql.c_str());
                on.queue_once("SELECT pg_catalog.pg_advisory_lock_shared($1)",
                              parameters(lock_of_listeners(channel)));
                static_cast<void>(on.run(on.usual_deadline()));
            } catch (...) {
                called_.erase(channel);
                throw;
            }
            return true;
        }
        while (!std::exchange(at->second, false)) {
            if (!on.wait_for_input(until)) {
                return false;
            }
            collect(on);
        }
        return true;
    }

    /// Takes what the connection has heard.
    void collect(wire& from) {
        if (life_ != from.life()) {
            life_ = from.life();
            called_.clear();
        }
        if (called_.empty()) {
            return;
        }
        from.each_notice([&](std::string_view channel) {
            if (const auto found = called_.find(channel); found != called_.end()) {
                found->second = true;
            }
        });
    }

    [[nodiscard]] bool listens(const std::string& channel) const {
        return called_.contains(channel);
    }
    /// Whether it listens on no channel.
    [[nodiscard]] bool empty() const noexcept { return called_.empty(); }

private:
    std::uint64_t life_ = 0;
    std::map<std::string, bool, std::less<>> called_;
};

}  // namespace sinew::postgres::detail
