// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What happened in a run: always as a hash, and as text if somebody wants to read it.
///
/// **Guarantees.** Two runs with the same hash wrote the same lines, up to a chance of 2⁻⁶⁴. The
/// hash covers what is written and the times, and nothing that differs from process to process.
/// **Bounds.** Without text a line costs no allocation. Text stops after `lines_max` lines; the
/// hash goes on.

#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

/// The trace of a run.
class history {
public:
    static constexpr std::size_t lines_max = 20'000;

    /// Starts again, with or without text. Keeps its memory.
    void start(bool with_text) {
        hash_ = 0x9e3779b97f4a7c15ULL;
        lines_.clear();
        with_text_ = with_text;
    }

    /// Writes one line: the time, who, and what, given as texts and integers.
    template <class... Parts>
    void add(steady_time at, std::string_view who, const Parts&... parts) {
        mix(static_cast<std::uint64_t>(at.time_since_epoch().count()));
        mix_part(who);
        (mix_part(parts), ...);
        if (with_text_ && lines_.size() < lines_max) {
            write(at, who, parts...);
        }
    }

    /// Writes a line for people, which the hash does not cover: only if there is text at all.
    template <class... Parts>
    void remark(steady_time at, std::string_view who, const Parts&... parts) {
        if (with_text_ && lines_.size() < lines_max) {
            write(at, who, parts...);
        }
    }

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] bool has_text() const noexcept { return with_text_; }
    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

    [[nodiscard]] std::string text() const {
        std::string out;
        for (const auto& line : lines_) {
            out += line;
            out += '\n';
        }
        return out;
    }

private:
    void mix(std::uint64_t word) noexcept {
        hash_ ^= word;
        hash_ *= 0xff51afd7ed558ccdULL;
        hash_ ^= hash_ >> 32U;
    }

    void mix_part(std::string_view text) noexcept {
        mix(text.size());
        for (; text.size() > 8; text.remove_prefix(8)) {
            std::uint64_t word = 0;
            std::memcpy(&word, text.data(), 8);
            mix(word);
        }
        std::uint64_t word = 0;
        if (!text.empty()) {  // an empty view may have no address
            std::memcpy(&word, text.data(), text.size());
        }
        mix(word);
    }

    template <std::integral I>
    void mix_part(I number) noexcept {
        mix(static_cast<std::uint64_t>(number));
    }

    static void append(std::string& line, std::string_view text) { line += text; }

    template <std::integral I>
    static void append(std::string& line, I number) {
        line += std::to_string(number);
    }

    template <class... Parts>
    void write(steady_time at, std::string_view who, const Parts&... parts) {
        const auto ms = at.time_since_epoch().count() / 1'000'000;
        std::string line = std::to_string(ms) + " ms";
        line.resize(line.size() < 10 ? 10 : line.size(), ' ');
        line += ' ';
        line += who;
        line.resize(line.size() < 22 ? 22 : line.size(), ' ');
        ((line += ' ', append(line, parts)), ...);
        lines_.push_back(std::move(line));
    }

    std::uint64_t hash_ = 0x9e3779b97f4a7c15ULL;
    std::vector<std::string> lines_;
    bool with_text_ = false;
};

}  // namespace sinew::testing
