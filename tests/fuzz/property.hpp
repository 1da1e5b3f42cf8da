// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the fuzz targets share: a property that ends the process when it does not hold, and an
/// input that is cut into fields.
///
/// A target is one function, `LLVMFuzzerTestOneInput`, that must return for any bytes. libFuzzer
/// calls it with inputs that it makes up, `replay.cpp` with those of the corpus.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sinew::fuzz {

/// Says which property does not hold, and ends the process, so that the input is kept.
[[noreturn]] inline void violated(std::string_view property, std::string_view detail = {},
                                  std::source_location at = std::source_location::current()) {
    std::fprintf(stderr, "\n%s:%u: the property does not hold: %.*s\n", at.file_name(), at.line(),
                 static_cast<int>(property.size()), property.data());
    if (!detail.empty()) {
        std::fprintf(stderr, "    %.*s\n", static_cast<int>(detail.size()), detail.data());
    }
    std::abort();
}

/// A property, as a sentence that has to be true.
inline void expect(bool holds, std::string_view property, std::string_view detail = {},
                   std::source_location at = std::source_location::current()) {
    if (!holds) {
        violated(property, detail, at);
    }
}

/// An input that is taken apart from the front. At its end all fields are empty or 0.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) noexcept
        : left_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool is_at_end() const noexcept { return left_.empty(); }

    [[nodiscard]] std::uint8_t byte() noexcept {
        const std::string_view one = bytes(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one[0]);
    }
    /// Eight bytes in little-endian order.
    [[nodiscard]] std::uint64_t number() noexcept {
        std::uint64_t bits = 0;
        unsigned shift = 0;
        for (const char c : bytes(8)) {
            bits |= std::uint64_t{static_cast<unsigned char>(c)} << shift;
            shift += 8;
        }
        return bits;
    }
    /// So many bytes, or as many as are left.
    [[nodiscard]] std::string_view bytes(std::size_t count) noexcept {
        const std::string_view taken = left_.substr(0, count);
        left_.remove_prefix(taken.size());
        return taken;
    }
    /// Bytes behind a byte that says how many.
    [[nodiscard]] std::string_view field() noexcept { return bytes(byte()); }
    [[nodiscard]] std::string_view rest() noexcept { return bytes(left_.size()); }

private:
    std::string_view left_;
};

}  // namespace sinew::fuzz
