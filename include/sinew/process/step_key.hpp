// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The idempotency key of a step: `type/id/step/act`, and `type/id/step/undo` for its compensation.
///
/// A step that acts outside of a transaction may be made twice. What makes that harmless is a key
/// that is the same each time, by which whoever is asked recognises the second. A command has the
/// key as its id, so its receiver's inbox knows it; and a reply that names its cause
/// (`causationid`, which `caused_by` sets) names the step that it is for.
///
/// **Guarantees.** Two steps, phases, instances or processes never have the same key. A key reads
/// back as what it was made of. It stays the same when a step is renamed: it is made of the name
/// with which the instance was started.

#include <sinew/core/encode.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew {

/// What a key is made of.
struct step_key {
    std::string type{};
    std::string id{};
    step_address where{};

    friend bool operator==(const step_key&, const step_key&) = default;
};

/// The key as text. All but letters, digits, `-`, `.`, `_` and `~` in the names is percent-encoded.
[[nodiscard]] inline std::string make_step_key(std::string_view type, std::string_view id,
                                               std::string_view step, step_phase phase) {
    std::string out;
    out.reserve(type.size() + id.size() + step.size() + 8);
    append_percent(out, type);
    out += '/';
    append_percent(out, id);
    out += '/';
    append_percent(out, step);
    out += '/';
    out += to_string(phase);
    return out;
}

/// The name of a step that does not change while its instance lives: the one with which the
/// instance was started, or the code's if the step was added since. Keys, and waits for replies,
/// are made of it.
[[nodiscard]] inline std::string_view lasting_name(const process_instance& of,
                                                   const matched_step& step) noexcept {
    for (const auto& kept : of.steps) {
        for (const auto& known : step.known_as) {
            if (kept.name == known) {
                return kept.name;
            }
        }
    }
    return step.name;
}

/// The key of a step of an instance.
[[nodiscard]] inline std::string make_step_key(const process_instance& of, const matched_step& step,
                                               step_phase phase) {
    return make_step_key(of.type, of.id, lasting_name(of, step), phase);
}

/// What a key was made of; nothing, if the text is none.
[[nodiscard]] inline std::optional<step_key> parse_step_key(std::string_view text) {
    std::string_view parts[4];
    for (std::size_t i = 0; i < 4; ++i) {
        const auto slash = text.find('/');
        if ((slash == std::string_view::npos) != (i == 3)) {
            return std::nullopt;
        }
        parts[i] = text.substr(0, slash);
        text.remove_prefix(i == 3 ? text.size() : slash + 1);
    }
    auto type = from_percent(parts[0]);
    auto id = from_percent(parts[1]);
    auto step = from_percent(parts[2]);
    const bool is_undo = parts[3] == to_string(step_phase::undo);
    if (!type || !id || !step || type->empty() || id->empty() || step->empty() ||
        (!is_undo && parts[3] != to_string(step_phase::act))) {
        return std::nullopt;
    }
    return step_key{std::move(*type),
                    std::move(*id),
                    {std::move(*step), is_undo ? step_phase::undo : step_phase::act}};
}

}  // namespace sinew
