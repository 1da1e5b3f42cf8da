// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Failures, and the class that decides what becomes of them.
///
/// **Guarantees.** Every failure that sinew meets ends up as a `failure` with a class; what happens
/// next depends on the class alone.
///
/// | class | means | what happens |
/// | --- | --- | --- |
/// | transient | this attempt failed | retried by policy; counts as an attempt |
/// | permanent | no attempt can succeed | dead letter now |
/// | unavailable | a dependency is down | the consumer waits and pauses its source; never counts |
/// | unknown | it may have happened | resolved by looking, then it goes on |

#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

/// What a failure says about the next attempt.
enum class failure_class : std::uint8_t { transient, permanent, unavailable, unknown };

[[nodiscard]] constexpr std::string_view to_string(failure_class kind) noexcept {
    switch (kind) {
        case failure_class::transient: return "transient";
        case failure_class::permanent: return "permanent";
        case failure_class::unavailable: return "unavailable";
        case failure_class::unknown: return "unknown";
    }
    return "invalid";
}

/// One failure, as a value.
struct failure {
    failure_class kind = failure_class::transient;
    /// A short, stable code by which failures are counted, such as `price_not_positive`.
    std::string reason{};
    /// A sentence for people. It may quote data: it goes to the dead letter, never to a metric.
    std::string detail{};
    /// How long whoever failed asks to be left alone, if it said so.
    std::optional<duration> retry_after{};
};

/// What sinew throws, and what a handler or an adapter can throw to name the class of its failure.
class error : public std::runtime_error {
public:
    error(failure_class kind, std::string reason, const std::string& detail,
          std::optional<duration> retry_after = std::nullopt)
        : std::runtime_error(detail),
          reason_(std::move(reason)),
          retry_after_(retry_after),
          kind_(kind) {}

    [[nodiscard]] failure_class kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    [[nodiscard]] std::optional<duration> retry_after() const noexcept { return retry_after_; }

    [[nodiscard]] failure as_failure() const { return {kind_, reason_, what(), retry_after_}; }

private:
    std::string reason_;
    std::optional<duration> retry_after_;
    failure_class kind_;
};

/// A dependency is down: wait, and do not count it against the event.
class unavailable_error : public error {
public:
    unavailable_error(std::string reason, const std::string& detail,
                      std::optional<duration> retry_after = std::nullopt)
        : error(failure_class::unavailable, std::move(reason), detail, retry_after) {}
};

/// Nothing can make this succeed.
class permanent_error : public error {
public:
    permanent_error(std::string reason, const std::string& detail)
        : error(failure_class::permanent, std::move(reason), detail) {}
};

/// This attempt failed; another may succeed.
class transient_error : public error {
public:
    transient_error(std::string reason, const std::string& detail,
                    std::optional<duration> retry_after = std::nullopt)
        : error(failure_class::transient, std::move(reason), detail, retry_after) {}
};

/// The program asked for something that cannot be: an option out of its range, a store that is
/// handed to the wrong consumer. Thrown while things are being set up, never while events flow.
class usage_error : public error {
public:
    explicit usage_error(const std::string& detail)
        : error(failure_class::permanent, "usage", detail) {}
};

}  // namespace sinew
