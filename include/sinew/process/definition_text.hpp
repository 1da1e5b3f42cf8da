// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Two lists of steps side by side, for whoever has to decide what becomes of an instance that was
/// started with other steps than the code has.
///
/// ```
///     kept                      code
///     reserve (compensable)     reserve (compensable)
///     charge (compensable)      pay (compensable)          renamed: say renamed_from<"charge">
///     ship (pivot)              ship (pivot)
///                               email (retriable)          inserted: say added
/// ```
///
/// **Guarantees.** One line for each step of either list. Names are shown as printable ASCII.

#include <sinew/core/error.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/definition_match.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

namespace detail {

[[nodiscard]] inline std::string printable(std::string_view name) {
    std::string out;
    for (const char c : name) {
        out += c >= 0x20 && c < 0x7f ? c : '?';
    }
    return out;
}

[[nodiscard]] inline std::string shown_step(const step_entry& step) {
    std::string out = printable(step.name);
    out += " (";
    out += to_string(step.kind);
    return out + ")";
}

[[nodiscard]] inline std::string advice_on(const undeclared_change& change) {
    std::string out(to_string(change.what));
    switch (change.what) {
        case step_change::inserted: return out + ": say added";
        case step_change::removed: return out + ": say removed<\"" + printable(change.kept) + "\">";
        case step_change::renamed:
            return out + ": say renamed_from<\"" + printable(change.kept) + "\">";
        case step_change::reordered:
        case step_change::of_another_kind:
            out += ": give it a new name, say added, and removed<\"";
            return out + printable(change.kept) + "\">";
    }
    return out;
}

inline void append_padded(std::string& to, const std::string& text, std::size_t width) {
    to += text;
    to.append(width > text.size() ? width - text.size() : 0, ' ');
}

}  // namespace detail

namespace detail {

/// Makes the lines, one for each step.
class lists_as_text {
public:
    lists_as_text(std::span<const step_entry> kept, const process_definition& code,
                  const definition_match& match)
        : kept_(kept), match_(&match) {
        lines_.push_back({"kept", "code", ""});
        for (const auto& step : code.steps) {
            const auto partner = partner_of(step);
            if (partner) {
                show_kept_alone(*partner);
            }
            lines_.push_back({partner ? shown_step(kept_[*partner]) : std::string(),
                              shown_step({std::string(step.name), step.kind}),
                              advice_for(&undeclared_change::code, step.name)});
        }
        show_kept_alone(kept_.size());
        show_records();
    }

    [[nodiscard]] std::string text() const {
        std::size_t left = 0;
        std::size_t right = 0;
        for (const auto& one : lines_) {
            left = one.left.size() > left ? one.left.size() : left;
            right = one.right.size() > right ? one.right.size() : right;
        }
        std::string out;
        for (const auto& one : lines_) {
            std::string row = "    ";
            append_padded(row, one.left, left + 4);
            append_padded(row, one.right, right + 4);
            row += one.advice;
            row.resize(row.find_last_not_of(' ') + 1);
            out += row + "\n";
        }
        return out;
    }

private:
    struct line {
        std::string left{};
        std::string right{};
        std::string advice{};
    };

    [[nodiscard]] std::string advice_for(std::string undeclared_change::* side,
                                         std::string_view name) const {
        std::string out;
        for (const auto& one : match_->undeclared) {
            if (one.*side == name) {
                out += (out.empty() ? "" : "; ") + advice_on(one);
            }
        }
        return out;
    }
    /// Which step of the code a kept one is, or may be under another name.
    [[nodiscard]] std::string_view in_code(const step_entry& kept) const {
        for (const auto& one : match_->undeclared) {
            if (one.what == step_change::renamed && one.kept == kept.name) {
                return one.code;
            }
        }
        const auto at = match_->find(kept.name);
        return at && match_->steps[*at].in_code ? match_->steps[*at].name : std::string_view();
    }
    [[nodiscard]] std::optional<std::size_t> partner_of(const step_definition& step) const {
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            if (in_code(kept_[i]) == step.name) {
                return i;
            }
        }
        return std::nullopt;
    }
    /// The kept steps before `end` that the code has not.
    void show_kept_alone(std::size_t end) {
        for (; next_ < end; ++next_) {
            if (in_code(kept_[next_]).empty()) {
                lines_.push_back({shown_step(kept_[next_]),
                                  {},
                                  advice_for(&undeclared_change::kept, kept_[next_].name)});
            }
        }
    }
    void show_records() {
        for (const auto& one : match_->undeclared) {
            bool is_shown = one.kept.empty();
            for (const auto& step : kept_) {
                is_shown = is_shown || step.name == one.kept;
            }
            if (!is_shown) {
                lines_.push_back({"a record of " + printable(one.kept), {}, advice_on(one)});
            }
        }
    }

    std::span<const step_entry> kept_;
    const definition_match* match_;
    std::vector<line> lines_{};
    std::size_t next_ = 0;
};

}  // namespace detail

/// Both lists, and what is to be declared.
[[nodiscard]] inline std::string side_by_side(std::span<const step_entry> kept,
                                              const process_definition& code,
                                              const definition_match& match) {
    return detail::lists_as_text(kept, code, match).text();
}

/// The failure with which an instance is parked that can't go on under the code.
[[nodiscard]] inline failure changed_definition(std::span<const step_entry> kept,
                                                const process_definition& code,
                                                const definition_match& match) {
    std::string detail = "the process " + std::string(code.type) +
                         " has other steps than the instance was started with:\n" +
                         side_by_side(kept, code, match);
    return {failure_class::permanent, "changed_definition", std::move(detail), std::nullopt};
}

}  // namespace sinew
