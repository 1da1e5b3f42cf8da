// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The choice tape: every decision that a run could take differently, as small numbers.
///
/// A run asks the tape at each point where the world could go one way or another: how a port call
/// ends, whose turn it is, how far time moves. 0 is always the unremarkable answer, so a tape of
/// zeros, or an empty one, is the run in which nothing goes wrong. That makes three things cheap:
/// a failing run is repeated from its numbers alone, a generator of vectors that shrinks towards
/// zero shrinks the failure, and a runner that knows how many answers each point has can try all.
///
/// **Guarantees.** The same tape gives the same answers to the same questions. Whatever numbers are
/// on it, `choose(n, ...)` answers below n: a tape can come from anywhere.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// A point at which the world could have gone another way.
struct choice {
    std::string_view label;  ///< a static string: what was decided here
    std::uint8_t arity = 1;  ///< how many answers there were
    std::uint8_t taken = 0;  ///< which one it was; 0 is the unremarkable one
    /// A static string: what that number meant here. Empty if whoever asked did not say.
    std::string_view answer{};
};

/// The numbers of a run, read from front to back.
class tape {
public:
    static constexpr unsigned arity_max = 255;

    tape() = default;
    explicit tape(std::vector<std::uint8_t> numbers) : numbers_(std::move(numbers)) {}

    /// The next number, modulo `arity`; 0 once the tape is at its end. With fewer than two answers
    /// there is nothing to choose, and no number is used up.
    unsigned choose(unsigned arity, std::string_view label) {
        if (arity < 2) {
            return 0;
        }
        const unsigned bounded = arity > arity_max ? arity_max : arity;
        const std::size_t at = made_.size();
        const unsigned taken = at < numbers_.size() ? numbers_[at] % bounded : 0;
        made_.push_back(
            {label, static_cast<std::uint8_t>(bounded), static_cast<std::uint8_t>(taken)});
        return taken;
    }

    /// Says, as a static string, what the last choice meant: the same number means one fault here
    /// and another one there.
    void name_last(std::string_view answer) noexcept {
        if (!made_.empty()) {
            made_.back().answer = answer;
        }
    }

    /// What was chosen so far, in order: the tape as this run read it.
    [[nodiscard]] const std::vector<choice>& made() const noexcept { return made_; }

    /// Puts other numbers in and starts at the front. Keeps its memory.
    void load(std::span<const std::uint8_t> numbers) {
        numbers_.assign(numbers.begin(), numbers.end());
        made_.clear();
    }

private:
    std::vector<std::uint8_t> numbers_;
    std::vector<choice> made_;
};

/// A number and where it stands on a tape.
struct tape_number {
    std::size_t at = 0;
    std::uint8_t number = 0;
};

/// A tape of zeros but for these: the short way to write a long one.
[[nodiscard]] inline std::vector<std::uint8_t> sparse_tape(
    std::initializer_list<tape_number> numbers) {
    std::vector<std::uint8_t> out;
    for (const auto& one : numbers) {
        if (out.size() <= one.at) {
            out.resize(one.at + 1, 0);
        }
        out[one.at] = one.number;
    }
    return out;
}

/// The numbers without the zeros at their end, which say nothing.
[[nodiscard]] inline std::span<const std::uint8_t> trimmed(
    std::span<const std::uint8_t> numbers) noexcept {
    while (!numbers.empty() && numbers.back() == 0) {
        numbers = numbers.first(numbers.size() - 1);
    }
    return numbers;
}

/// What a run read, trimmed: the tape that repeats it.
[[nodiscard]] inline std::vector<std::uint8_t> numbers_of(const std::vector<choice>& made) {
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (made[i].taken != 0) {
            out.resize(i, 0);
            out.push_back(made[i].taken);
        }
    }
    return out;
}

/// How many of them are not 0.
[[nodiscard]] inline unsigned count_faults(std::span<const std::uint8_t> numbers) noexcept {
    unsigned out = 0;
    for (const auto one : numbers) {
        out += one != 0 ? 1 : 0;
    }
    return out;
}

/// Numbers as they are printed: `{0, 0, 3}`, trimmed.
[[nodiscard]] inline std::string to_string(std::span<const std::uint8_t> numbers) {
    numbers = trimmed(numbers);
    std::string out = "{";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        out += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
    }
    return out + "}";
}

/// Numbers as code, ready to be pasted: a vector, or a `sparse_tape` where that is shorter to read.
[[nodiscard]] inline std::string to_code(std::span<const std::uint8_t> numbers) {
    constexpr std::size_t plain_max = 16;
    numbers = trimmed(numbers);
    if (numbers.size() <= plain_max) {
        return "std::vector<std::uint8_t>" + to_string(numbers);
    }
    std::string out = "sinew::testing::sparse_tape({";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] != 0) {
            out += (out.back() == '{' ? "{" : ", {") + std::to_string(i) + ", " +
                   std::to_string(numbers[i]) + "}";
        }
    }
    return out + "})";
}

}  // namespace sinew::testing
