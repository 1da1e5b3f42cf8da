// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a handler says of an event.
///
/// A handler returns nothing (done), returns an `outcome`, or throws. `skip` is not a failure: the
/// handler looked at the event and has nothing to do with it; it is counted under its reason.

#include <sinew/core/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

/// The four answers.
enum class verdict : std::uint8_t { done, retry, reject, skip };

[[nodiscard]] constexpr std::string_view to_string(verdict v) noexcept {
    switch (v) {
        case verdict::done: return "done";
        case verdict::retry: return "retry";
        case verdict::reject: return "reject";
        case verdict::skip: return "skip";
    }
    return "invalid";
}

/// A handler's answer, with its reason.
///
/// **Bounds.** `done()` allocates nothing.
class [[nodiscard]] outcome {
public:
    /// Applied.
    static outcome done() noexcept { return outcome(sinew::verdict::done, {}); }

    /// This attempt failed; try again by the consumer's policy, not before `after` if given.
    static outcome retry(std::string reason, std::string detail = {},
                         std::optional<duration> after = std::nullopt) {
        return outcome(sinew::verdict::retry,
                       {failure_class::transient, std::move(reason), std::move(detail), after});
    }

    /// No attempt can succeed: to the dead letters, now.
    static outcome reject(std::string reason, std::string detail = {}) {
        return outcome(sinew::verdict::reject, {failure_class::permanent, std::move(reason),
                                                std::move(detail), std::nullopt});
    }

    /// Nothing to do for this consumer; counted under `reason`.
    static outcome skip(std::string reason, std::string detail = {}) {
        return outcome(sinew::verdict::skip, {failure_class::permanent, std::move(reason),
                                              std::move(detail), std::nullopt});
    }

    /// A failure with a class of the caller's choosing. A permanent one is `reject`, any other
    /// `retry`.
    static outcome failed(failure why) {
        const auto kind = why.kind;
        return outcome(
            kind == failure_class::permanent ? sinew::verdict::reject : sinew::verdict::retry,
            std::move(why));
    }

    [[nodiscard]] sinew::verdict verdict() const noexcept { return verdict_; }
    [[nodiscard]] bool is_done() const noexcept { return verdict_ == sinew::verdict::done; }
    /// Why not done. Empty after `done()`.
    [[nodiscard]] const failure& why() const& noexcept { return why_; }
    [[nodiscard]] failure&& why() && noexcept { return std::move(why_); }

private:
    outcome(sinew::verdict v, failure why) noexcept : why_(std::move(why)), verdict_(v) {}

    failure why_;
    sinew::verdict verdict_;
};

}  // namespace sinew
