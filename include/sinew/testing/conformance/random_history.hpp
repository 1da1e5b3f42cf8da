// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories, played on an adapter and on the in-memory reference, answer by answer.
///
/// **Guarantees.** The same seed gives the same histories. A history on which the two differ is
/// made shorter for as long as they still do, so that what is shown holds nothing that is not
/// needed.

#include <sinew/core/error.hpp>
#include <sinew/core/random.hpp>
#include <sinew/testing/conformance/claims.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// One step: what is done, and two small numbers that say to what.
struct step {
    std::uint64_t kind = 0;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
};

inline constexpr int histories_max = 150;
inline constexpr std::size_t steps_max = 30;

/// Where two players differ.
struct disagreement {
    std::string expected;
    std::string came;
};

/// Plays a step; an exception is an answer, too. Who has to wait for an answer knows from
/// `expected` when to stop; the reference, which plays first, is told nothing.
template <class Player>
[[nodiscard]] std::string play(Player& player, const step& one, std::string_view expected = {}) {
    try {
        return player.play(one, expected);
    } catch (const error& e) {
        return "threw " + std::string(to_string(e.kind())) + " " + e.reason() + ": " +
               one_line(e.what());
    }
}

/// What a kind of step is called, and how many of its two numbers take part.
struct step_name {
    std::string_view name;
    int numbers = 0;
};

template <class Player>
[[nodiscard]] std::string show_step(const step& one) {
    const step_name& what = Player::names[one.kind];
    std::string out(what.name);
    if (what.numbers > 0) {
        out += '(';
        out += static_cast<char>('a' + one.a);
        out += what.numbers > 1 ? ", " + std::to_string(one.b) + ")" : ")";
    }
    return out;
}

/// All histories are played on one environment, each with names of its own.
template <class Env>
[[nodiscard]] auto on(Env& env) {
    return [&env]() -> Env& { return env; };
}

/// Plays histories on two environments and compares each answer. `fits` says which steps both can
/// do. A player is made of an environment and a name that no other history has; `make` and
/// `make_model` give the environments.
template <class Player, class Model, class Make, class MakeModel, class Fits>
void compare_histories(check& c, Make make, MakeModel make_model, Fits fits,
                       int histories = histories_max) {
    int played = 0;
    const auto differ = [&](const std::vector<step>& steps) -> std::optional<disagreement> {
        const std::string name = "h" + std::to_string(++played);
        auto&& env = make();
        auto&& model_env = make_model();
        Player player(env, name);
        Model model(model_env, name);
        for (const auto& one : steps) {
            const std::string expected = play(model, one);
            const std::string came = play(player, one, expected);
            if (came != expected) {
                return disagreement{expected, came};
            }
        }
        return std::nullopt;
    };

    splitmix64 random(0xc0f02a);
    for (int h = 0; h < histories; ++h) {
        std::vector<step> steps;
        while (steps.size() < steps_max) {
            const step one{random() % Player::kinds, random() % 3, random() % 4};
            if (fits(one)) {
                steps.push_back(one);
            }
        }
        if (!differ(steps)) {
            continue;
        }
        for (bool shorter = true; shorter;) {
            shorter = false;
            for (std::size_t i = steps.size(); i-- > 0;) {
                auto without = steps;
                without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
                if (differ(without)) {
                    steps = std::move(without);
                    shorter = true;
                }
            }
        }
        std::string text;
        for (const auto& one : steps) {
            text += (text.empty() ? "" : "; ") + show_step<Player>(one);
        }
        // A history that differs once may depend on what came before it.
        const auto found = differ(steps);
        c.look_at("the shortest history that differs: " + text);
        c.fail(found ? "the reference's answer: " + found->expected : "the same answer each time",
               found ? found->came : "another one");
    }
}

}  // namespace sinew::testing::conformance::detail
