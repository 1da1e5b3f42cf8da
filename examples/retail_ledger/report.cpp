// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>

#include <unistd.h>

namespace retail {

std::string grouped(std::int64_t number) {
    std::string digits = std::to_string(number);
    const std::size_t first = number < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string money(std::int64_t pence) {
    const std::int64_t rest = pence % 100;
    const std::string pounds = grouped(pence / 100);
    return fmt::format("{}{}.{:02}", pence < 0 && pence > -100 ? "-" : "", pounds,
                       rest < 0 ? -rest : rest);
}

std::string printable(std::string_view bytes, std::size_t bytes_max) {
    const bool all = bytes.size() <= bytes_max;
    std::string out;
    for (const char c : bytes.substr(0, bytes_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", byte);
        }
    }
    return all ? out : out + "...";
}

progress::progress(std::int64_t goal) : goal_(goal), on_terminal_(::isatty(STDOUT_FILENO) == 1) {}

void progress::show(std::int64_t done, std::uint64_t kills) {
    constexpr std::int64_t width = 24;
    const std::int64_t shown = std::clamp<std::int64_t>(done, 0, goal_);
    std::string text = fmt::format("{:>{}} of {} lines settled, {:>2} kills", grouped(shown),
                                   grouped(goal_).size(), grouped(goal_), kills);
    if (on_terminal_) {
        const auto full = static_cast<std::size_t>(goal_ == 0 ? width : shown * width / goal_);
        text = fmt::format("[{:-<{}}] {}", std::string(full, '#'), width, text);
        if (text != last_) {
            fmt::print("\r{}", text);
            std::fflush(stdout);
        }
    } else if (goal_ != 0 && shown * 10 / goal_ > tenths_) {
        tenths_ = shown * 10 / goal_;
        fmt::print("{}\n", text);
        std::fflush(stdout);
    }
    last_ = text;
}

void progress::finish() {
    if (on_terminal_ && !last_.empty()) {
        std::putchar('\n');  // called by a destructor, so it must not throw
        last_.clear();
    }
}

void comparison::title(std::string_view text, std::string_view wanted) const {
    fmt::print("\n{:<28}{:>14}  {:>18}\n", text, "this run", wanted);
}

void comparison::row(std::string_view what, const std::string& found, const std::string& wanted,
                     bool good) {
    mismatches_ += good ? 0 : 1;
    fmt::print("  {:<26}{:>14}  {:>18}  {}\n", what, found, wanted, good ? "ok" : "MISMATCH");
}

void comparison::equal(std::string_view what, std::int64_t found, std::int64_t wanted) {
    row(what, grouped(found), grouped(wanted), found == wanted);
}

void comparison::equal_money(std::string_view what, std::int64_t found, std::int64_t wanted) {
    row(what, money(found), money(wanted), found == wanted);
}

void comparison::at_least(std::string_view what, std::int64_t found, std::int64_t wanted) {
    row(what, grouped(found), "at least " + grouped(wanted), found >= wanted);
}

}  // namespace retail
