// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// When the consumer is killed: at moments drawn from a seed, spread over the whole run.

#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace retail {

/// So many kills, one in each of as many equal parts of the run.
///
/// **Guarantees.** A run ends: there are never more kills than planned, and while anything is left
/// to do, a consumer is killed only after it has brought the ledger on.
class kill_plan {
public:
    /// How long after its part of the run is reached a kill may still wait.
    static constexpr sinew::duration delay_max = std::chrono::milliseconds(8);

    kill_plan(std::uint64_t kills, std::int64_t lines, std::uint64_t seed)
        : random_(seed), lines_(lines) {
        for (std::uint64_t i = 0; i < kills; ++i) {
            const double place =
                (static_cast<double>(i) + sinew::uniform(random_)) / static_cast<double>(kills + 1);
            due_at_.push_back(static_cast<std::int64_t>(place * static_cast<double>(lines)));
        }
    }

    /// Whether a consumer is to be killed that found `before` lines settled when it was started,
    /// now that `settled` are.
    [[nodiscard]] bool is_due(std::int64_t settled, std::int64_t before) const noexcept {
        return !is_done() && settled >= due_at_[done_] && (settled > before || settled >= lines_);
    }

    /// The kill happens, after this delay.
    [[nodiscard]] sinew::duration take() noexcept {
        ++done_;
        return std::chrono::duration_cast<sinew::duration>(delay_max * sinew::uniform(random_));
    }

    [[nodiscard]] std::size_t done() const noexcept { return done_; }
    [[nodiscard]] bool is_done() const noexcept { return done_ == due_at_.size(); }

private:
    sinew::splitmix64 random_;
    std::vector<std::int64_t> due_at_;
    std::int64_t lines_;
    std::size_t done_ = 0;
};

}  // namespace retail
