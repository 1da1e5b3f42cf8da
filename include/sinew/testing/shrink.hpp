// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Makes a failing tape small: what is left is what the failure needs.
///
/// A tape is smaller than another if it has fewer faults; then, if they stand earlier; then, if
/// their numbers are lower. The shrinker tries smaller tapes until none of its changes fails any
/// more:
///
/// | pass | what it tries |
/// | --- | --- |
/// | cut | nothing after some fault |
/// | drop | some faults less, half of them first, then fewer, then one |
/// | realign | the same, with the faults that follow moved to where their calls may stand then |
/// | move | a fault earlier, to a call of the same name, alone or with all that follow |
/// | lower | a lower number in the same place |
///
/// A fault changes which calls are made after it, so a tape without it asks other questions. That
/// is what *realign* is for. After each success the tape is replaced by what its run really read,
/// so numbers that nobody asked for are gone at once.
///
/// **Guarantees.** What comes out fails, breaks the same law (unless any law will do), and is never
/// larger than what went in. The same input gives the same output.
/// **Bounds.** At most `runs_max` runs; `complete` says whether that was enough.

#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::testing {

/// How far `shrink` goes.
struct shrink_options {
    std::string_view law = {};  ///< the law that has to stay broken; empty: the first broken one
    bool any_law = false;       ///< whether a tape that breaks another law will do as well
    std::uint64_t runs_max = 20'000;
};

/// What `shrink` came to.
struct shrunk {
    counterexample smallest;
    bool fails = false;    ///< false if the tape did not fail to begin with
    bool complete = true;  ///< false if `runs_max` ended it: a smaller one may be near
    std::uint64_t runs = 0;
};

namespace detail {

/// The search itself. `Probe` runs a tape: it answers whether the tape fails as it should, and
/// fills in the choices that were made.
template <class Probe>
class tape_shrinker {
public:
    tape_shrinker(Probe probe, std::uint64_t runs_max)
        : probe_(std::move(probe)), runs_max_(runs_max) {}

    /// Answers whether the tape fails at all.
    bool begin(std::span<const std::uint8_t> tape) {
        ++runs_;
        if (!probe_(tape, made_)) {
            return false;
        }
        take();
        return true;
    }

    void shrink() {
        do {
            improved_ = false;
            cut();
            drop();
            if (faults_.size() <= few) {
                move();
                lower();
            }
        } while (improved_ && complete_);
    }

    [[nodiscard]] const std::vector<std::uint8_t>& best() const noexcept { return best_; }
    [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }
    [[nodiscard]] bool complete() const noexcept { return complete_; }

private:
    using numbers = std::vector<std::uint8_t>;

    static constexpr std::size_t few = 40;  ///< so many faults can be looked at one by one
    /// How many places are tried for a fault that moves: while there are many faults, and later.
    static constexpr std::size_t places_min = 8;
    static constexpr std::size_t places_max = 64;

    /// The current tape is the one that was run last.
    void take() {
        best_ = numbers_of(made_);
        faults_.clear();
        for (std::size_t i = 0; i < best_.size(); ++i) {
            if (best_[i] != 0) {
                faults_.push_back(i);
            }
        }
        best_made_ = made_;
    }

    /// Fewer faults, then earlier ones, then lower numbers.
    static auto size_of(const numbers& tape) {
        std::uint64_t faults = 0;
        std::uint64_t places = 0;
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < tape.size(); ++i) {
            faults += tape[i] != 0 ? 1 : 0;
            places += tape[i] != 0 ? i : 0;
            sum += tape[i];
        }
        return std::tuple(faults, places, sum);
    }

    bool run(const numbers& tape) {
        if (runs_ >= runs_max_) {
            complete_ = false;
            return false;
        }
        ++runs_;
        return probe_(tape, made_);
    }

    /// Runs a smaller tape, and goes on from it if it fails.
    bool accept(const numbers& tape) {
        const auto size = size_of(best_);
        if (size_of(tape) >= size || !run(tape) || size_of(numbers_of(made_)) >= size) {
            return false;
        }
        take();
        improved_ = true;
        return true;
    }

    /// The tape without the faults from number `from` up to `to`.
    [[nodiscard]] numbers without(std::size_t from, std::size_t to) const {
        numbers out = best_;
        for (std::size_t i = from; i < to; ++i) {
            out[faults_[i]] = 0;
        }
        return out;
    }

    /// The tape up to `length`, then zeros, and from `to` on what stands from `from` on.
    [[nodiscard]] numbers shifted(std::size_t length, std::size_t from, std::size_t to) const {
        numbers out(best_.begin(), best_.begin() + static_cast<std::ptrdiff_t>(length));
        out.resize(to, 0);
        out.insert(out.end(), best_.begin() + static_cast<std::ptrdiff_t>(from), best_.end());
        return out;
    }

    /// Looks for the shortest front that fails, as if each longer one failed, too.
    void cut() {
        std::size_t low = 0;
        while (low < faults_.size() && complete_) {
            const std::size_t middle = low + (faults_.size() - low) / 2;
            if (!accept(without(middle, faults_.size()))) {
                low = middle + 1;
            }
        }
    }

    /// From the back: what stands before a dropped fault is not touched by dropping it.
    void drop() {
        std::size_t many = 1;
        while (many * 2 <= faults_.size()) {
            many *= 2;
        }
        for (; many != 0 && complete_; many /= 2) {
            const std::size_t places = faults_.size() <= few ? places_max : places_min;
            for (std::size_t end = faults_.size(); end != 0 && complete_;) {
                const std::size_t begin = end > many ? end - many : 0;
                if (!accept(without(begin, end))) {
                    realign(begin, end, places);
                }
                end = begin < faults_.size() ? begin : faults_.size();
            }
        }
    }

    /// Drops faults, looks where the next one's call may stand then, and moves the rest there.
    void realign(std::size_t begin, std::size_t end, std::size_t places) {
        if (end >= faults_.size()) {
            return;
        }
        const std::size_t front = faults_[begin];
        const std::size_t next = faults_[end];
        const choice wanted = best_made_[next];
        // What would be asked if nothing went wrong from there on.
        run(without(begin, faults_.size()));
        std::vector<std::size_t> found;
        std::size_t near = 0;  // the first one that is not before the old place
        for (std::size_t at = front; at < made_.size(); ++at) {
            if (is_same_call(made_[at], wanted)) {
                near += at < next ? 1 : 0;
                found.push_back(at);
            }
        }
        // Half of the tries near the old place, half of them as early as can be.
        const std::size_t half = places / 2;
        for (std::size_t i = near > half / 2 ? near - half / 2 : 0;
             i < found.size() && i < near + half / 2; ++i) {
            if (accept(shifted(front, next, found[i]))) {
                return;
            }
        }
        for (std::size_t i = 0; i < found.size() && i < half; ++i) {
            if (accept(shifted(front, next, found[i]))) {
                return;
            }
        }
    }

    void move() {
        for (std::size_t i = faults_.size(); i-- > 0 && complete_;) {
            if (i < faults_.size()) {
                move_one(i);
            }
        }
    }

    void move_one(std::size_t i) {
        const std::size_t now = faults_[i];
        const choice wanted = best_made_[now];
        std::size_t tried = 0;
        for (std::size_t at = i == 0 ? 0 : faults_[i - 1] + 1; at < now && tried < places_max;
             ++at) {
            if (!is_same_call(best_made_[at], wanted)) {
                continue;
            }
            ++tried;
            numbers alone = best_;
            std::swap(alone[at], alone[now]);
            if (accept(shifted(at, now, at)) || accept(alone)) {
                return;
            }
        }
    }

    void lower() {
        for (std::size_t i = 0; i < faults_.size() && complete_; ++i) {
            const std::size_t at = faults_[i];
            for (std::uint8_t number = 1; at < best_.size() && number < best_[at]; ++number) {
                numbers tape = best_;
                tape[at] = number;
                if (accept(tape)) {
                    break;
                }
            }
        }
    }

    [[nodiscard]] static bool is_same_call(const choice& one, const choice& wanted) noexcept {
        return one.label == wanted.label && wanted.taken < one.arity;
    }

    Probe probe_;
    std::uint64_t runs_max_;
    std::uint64_t runs_ = 0;
    std::vector<choice> made_;  ///< in the last run
    std::vector<choice> best_made_;
    numbers best_;
    std::vector<std::size_t> faults_;  ///< where they stand in `best_`
    bool improved_ = false;
    bool complete_ = true;
};

}  // namespace detail

/// Makes a failing tape small. A tape that does not fail, or breaks another law than the one that
/// was asked for, comes back as it was, with `fails` false.
template <scenario S>
[[nodiscard]] shrunk shrink(S&& run, std::span<const std::uint8_t> tape,
                            shrink_options options = {}) {
    trial one;
    const auto broken = [&]() -> const breach* {
        for (const auto& each : one.found.breaches()) {
            if (options.any_law || options.law.empty() || each.law == options.law) {
                return &each;
            }
        }
        return nullptr;
    };
    const auto start = [&](std::span<const std::uint8_t> numbers) {
        one.start(numbers, false);
        run(one);
    };
    start(tape);
    const auto* first = broken();
    if (first == nullptr) {
        return {.smallest = {.tape = {tape.begin(), tape.end()}}, .runs = 1};
    }
    if (options.law.empty()) {
        options.law = first->law;
    }
    detail::tape_shrinker search(
        [&](std::span<const std::uint8_t> numbers, std::vector<choice>& made) {
            start(numbers);
            made = one.choices.made();
            return broken() != nullptr;
        },
        options.runs_max);
    if (search.begin(tape)) {
        search.shrink();
    }
    start(search.best());
    first = broken();
    if (first == nullptr) {
        // It is not a matter of the tape alone: see `law::repeatable` in random_tapes.hpp.
        return {.smallest = {.tape = {tape.begin(), tape.end()}}, .runs = search.runs() + 2};
    }
    return {.smallest = {first->law, first->how, search.best(), count_faults(search.best()), 1},
            .fails = true,
            .complete = search.complete(),
            .runs = search.runs() + 2};
}

}  // namespace sinew::testing
