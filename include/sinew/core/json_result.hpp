// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What reading and writing JSON answers, and its limits.

#include <sinew/core/error.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

/// How much of a stranger's JSON is accepted, and how much is written.
struct json_limits {
    std::size_t bytes_max = 16U << 20U;  ///< bytes of the whole text
    std::size_t depth_max = 100;         ///< objects and arrays within each other, in all
    std::size_t headers_max = 1000;      ///< headers of one event
};

/// A value, or why there is none: a permanent failure whose reason is one of
///
/// | reason | means |
/// | --- | --- |
/// | `json_too_large`, `json_too_deep`, `headers_too_many` | beyond the limits |
/// | `not_utf8`, `not_json`, `not_an_object` | not such a text; the detail says at which byte |
/// | `specversion_missing`, `specversion_unsupported` | not a CloudEvents 1.0 event |
/// | `id_missing`, `source_missing`, `type_missing` | it is absent, null or empty |
/// | `attribute_not_utf8` | `id`, `source` or `type` is not UTF-8: such an event is not written |
/// | `attribute_malformed` | a name, type or character that CloudEvents does not allow |
/// | `attribute_twice` | two members have one name |
/// | `data_malformed`, `data_twice` | no base64, no string where one is needed; both forms given |
/// | `headers_malformed` | `sinewheaders` or `sinewattributes` is not what sinew writes |
///
/// The detail names the attribute. It quotes nothing but names, shortened and made printable.
template <class T>
class [[nodiscard]] json_result {
public:
    // Implicit on purpose: a function returns either.
    json_result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
    json_result(failure why) : why_(std::move(why)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    /// The value, which has to be there.
    [[nodiscard]] const T& value() const& noexcept { return *value_; }
    [[nodiscard]] T&& value() && noexcept { return *std::move(value_); }
    /// Why there is no value.
    [[nodiscard]] const failure& why() const noexcept { return why_; }

private:
    std::optional<T> value_;
    failure why_;
};

namespace detail {

[[nodiscard]] inline failure json_failure(std::string reason, std::string detail) {
    return {failure_class::permanent, std::move(reason), std::move(detail), std::nullopt};
}

/// A name in a message: short, and printable whatever it holds.
[[nodiscard]] inline std::string quoted(std::string_view name) {
    constexpr std::size_t length_max = 40;
    std::string out = "`";
    for (const char c : name.substr(0, length_max)) {
        out += c >= 0x20 && c < 0x7f && c != '`' ? c : '?';
    }
    return out += name.size() > length_max ? "...`" : "`";
}

}  // namespace detail

}  // namespace sinew
