// SPDX-License-Identifier: BSL-1.0
//
// parse_sequence against a check by text: digits alone, and as a number from 1 to 2^64 - 2.

#include "property.hpp"

#include <sinew/core/event.hpp>

#include <string>

namespace {

using sinew::fuzz::expect;

/// The digits without leading zeros, if the text is made of up to 40 digits.
std::optional<std::string> digits_of(std::string_view text) {
    if (text.empty() || text.size() > 40 || text.find_first_not_of("0123456789") != text.npos) {
        return std::nullopt;
    }
    const auto first = text.find_first_not_of('0');
    return std::string(first == text.npos ? std::string_view() : text.substr(first));
}

/// Whether a number of these digits is within the range of sequences, by comparing text.
bool is_in_range(const std::string& digits) {
    constexpr std::string_view last = "18446744073709551614";
    return !digits.empty() &&
           (digits.size() < last.size() || (digits.size() == last.size() && digits <= last));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = sinew::parse_sequence(text);
    const auto digits = digits_of(text);
    expect(parsed.has_value() == (digits && is_in_range(*digits)),
           "a sequence is a number of up to 40 digits from 1 to 2^64 - 2, and nothing else is one");
    if (parsed) {
        expect(std::to_string(*parsed) == *digits, "a sequence is read as the number it spells");
        expect(sinew::parse_sequence(std::to_string(*parsed)) == parsed,
               "a sequence that is written again is read as the same number");
    }
    return 0;
}
