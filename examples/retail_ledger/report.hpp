// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the user sees: progress while it runs, and tables of what was found and what it has to be.

#include <cstdint>
#include <string>
#include <string_view>

namespace retail {

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t number);
/// Pence as pounds: 18065925 as "180,659.25".
[[nodiscard]] std::string money(std::int64_t pence);
/// Bytes as text for a terminal: all but printable ASCII is shown as `\x1b`. At most `bytes_max`
/// bytes of the text are shown.
[[nodiscard]] std::string printable(std::string_view bytes, std::size_t bytes_max);

/// Shows how far a run is: on a terminal as a bar that stays in its line, elsewhere as a line for
/// each tenth.
class progress {
public:
    explicit progress(std::int64_t goal);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { finish(); }

    void show(std::int64_t done, std::uint64_t kills);
    /// Ends the bar's line; what is printed next begins below it.
    void finish();

private:
    std::int64_t goal_;
    std::int64_t tenths_ = 0;
    std::string last_;
    bool on_terminal_;
};

/// Compares, prints, and remembers whether everything was as it has to be.
class comparison {
public:
    /// Begins a table; `wanted` says where the numbers come from that it is compared with.
    void title(std::string_view text, std::string_view wanted) const;
    /// A number of this run, and what it has to be.
    void equal(std::string_view what, std::int64_t found, std::int64_t wanted);
    void equal_money(std::string_view what, std::int64_t found, std::int64_t wanted);
    void at_least(std::string_view what, std::int64_t found, std::int64_t wanted);

    [[nodiscard]] int mismatches() const noexcept { return mismatches_; }

private:
    void row(std::string_view what, const std::string& found, const std::string& wanted, bool good);

    int mismatches_ = 0;
};

}  // namespace retail
