// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Names that are part of a type.
///
/// The name of a step, a saga or an event type is an identity in stores: it has to stay the same
/// when a class is renamed or moved. So it is written out, as a template argument.
///
/// **Example.** `on<"order.placed">(f)`.

#include <cstddef>
#include <string_view>

namespace sinew {

/// A string that can be a template argument.
///
/// **Bounds.** Its length is part of its type; an empty name, or one with a control character,
/// does not compile.
template <std::size_t N>
struct name {
    char text[N]{};

    // Implicit on purpose: this is what lets a literal stand as a template argument.
    consteval name(const char (&literal)[N]) {  // NOLINT(google-explicit-constructor)
        static_assert(N > 1, "sinew: a name must not be empty");
        for (std::size_t i = 0; i < N; ++i) {
            text[i] = literal[i];
            if (i + 1 < N &&
                (static_cast<unsigned char>(literal[i]) < 0x20 || literal[i] == 0x7f)) {
                throw "a sinew name must not hold control characters";
            }
        }
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {text, N - 1}; }

    template <std::size_t M>
    [[nodiscard]] constexpr bool operator==(const name<M>& other) const noexcept {
        return view() == other.view();
    }
};

}  // namespace sinew
