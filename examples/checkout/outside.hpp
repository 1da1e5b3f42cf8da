// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Two services of other firms, which are as unreliable as such services are: a payment provider
/// and a carrier. Both are busy at times, and at times do what they were asked and never say so.
/// Both keep a second call under the same idempotency key from doing it twice.
///
/// What they did is in files of their own, so that the audit can ask them what really happened.

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/codec.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace checkout {

/// What somebody else was asked to do under a key, once.
class outside_service {
public:
    /// Opens what was done until now.
    outside_service(const std::string& file, std::string name);

    /// Does it, if it is not done yet and was not called off. `permanent` says why it never will
    /// be; empty if it will. Answers the name of what was done: always the same for a key.
    ///
    /// **On failure.** Throws `sinew::permanent_error` where it never will be done,
    /// `sinew::unavailable_error` where it was not done now, and an `sinew::error` of class unknown
    /// where nobody says.
    std::string do_once(std::string_view key, std::string_view order, std::int64_t amount,
                        std::string_view permanent, sinew::steady_time until);

    /// Undoes it. If it comes first, what was asked under that key will never be done.
    void call_off(std::string_view key, std::string_view order, sinew::steady_time until);

    /// Whether something was done under that key, and not called off.
    [[nodiscard]] bool has_done(std::string_view key);

    [[nodiscard]] sinew::sqlite::store& books() noexcept { return db_; }

private:
    struct mood {
        bool is_busy = false;
        bool is_silent = false;
    };

    /// How it takes this call: each call under a key is another one.
    [[nodiscard]] mood next_mood(std::string_view key, sinew::steady_time until);
    [[noreturn]] void say_nothing() const;

    std::string name_;
    sinew::sqlite::store db_;
};

/// A payment that was taken.
struct payment {
    std::string id{};
    std::int64_t pence = 0;

    friend bool operator==(const payment&, const payment&) = default;
};

class payment_provider {
public:
    explicit payment_provider(const std::string& file) : calls_(file, "payment provider") {}

    /// Takes money. **On failure.** As `outside_service::do_once`.
    payment charge(std::string_view key, std::string_view order, std::int64_t pence,
                   sinew::steady_time until);
    void refund(std::string_view key, std::string_view order, sinew::steady_time until) {
        calls_.call_off(key, order, until);
    }

    [[nodiscard]] outside_service& calls() noexcept { return calls_; }

private:
    outside_service calls_;
};

class carrier {
public:
    explicit carrier(const std::string& file) : calls_(file, "carrier") {}

    /// Has a parcel fetched, and answers its number. It can't be called back.
    std::string fetch(std::string_view key, std::string_view order, sinew::steady_time until);
    [[nodiscard]] bool knows(std::string_view key) { return calls_.has_done(key); }

    [[nodiscard]] outside_service& calls() noexcept { return calls_; }

private:
    outside_service calls_;
};

}  // namespace checkout

template <>
struct sinew::codec<checkout::payment> {
    [[nodiscard]] static std::string encode(const checkout::payment& one);
    [[nodiscard]] static checkout::payment decode(std::string_view text);
};
