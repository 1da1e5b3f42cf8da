// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How stores of one process tell each other that something was added to an outbox.
///
/// **Guarantees.** Whoever waits is told of each raise since the count that it names, from
/// whichever thread. All handles of one outbox in one file share a signal, whatever connections
/// they have.
/// **Bounds.** One entry for each outbox that is open.

#include <sinew/core/time.hpp>

#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sinew::sqlite::detail {

class added_signal {
public:
    void raise() {
        {
            const std::scoped_lock lock(mutex_);
            ++count_;
        }
        raised_.notify_all();
    }

    /// How often it was raised.
    [[nodiscard]] std::uint64_t count() const {
        const std::scoped_lock lock(mutex_);
        return count_;
    }

    /// Waits until it was raised since `seen`, or it is `until`.
    void wait(std::uint64_t seen, steady_time until) const {
        std::unique_lock lock(mutex_);
        raised_.wait_until(lock, until, [&] { return count_ != seen; });
    }

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable raised_;
    std::uint64_t count_ = 0;
};

/// The signal of that name, which lives as long as somebody holds it.
[[nodiscard]] inline std::shared_ptr<added_signal> signal_of(const std::string& name) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<added_signal>> all;
    const std::scoped_lock lock(mutex);
    for (auto one = all.begin(); one != all.end();) {
        one = one->second.expired() ? all.erase(one) : std::next(one);
    }
    auto& kept = all[name];
    auto signal = kept.lock();
    if (!signal) {
        signal = std::make_shared<added_signal>();
        kept = signal;
    }
    return signal;
}

}  // namespace sinew::sqlite::detail
