// SPDX-License-Identifier: BSL-1.0
#include <sinew/process/definition_match.hpp>
#include <sinew/process/definition_text.hpp>

#include "support/test.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

using enum step_kind;
using changes = std::vector<undeclared_change>;
using names = std::vector<std::string>;

std::vector<step_entry> kept(std::initializer_list<const char*> list,
                             step_kind kind = compensable) {
    std::vector<step_entry> out;
    for (const auto* one : list) {
        out.push_back({one, kind});
    }
    return out;
}

/// A list of steps in the code. A step is written "a", "+a" (added), "a<b" (renamed from b).
struct code {
    code(std::initializer_list<std::string_view> list,
         std::initializer_list<std::string_view> is_removed = {}, step_kind kind = compensable)
        : removed(is_removed) {
        former.resize(list.size());
        for (auto one : list) {
            step_definition step{.kind = kind};
            if (one.front() == '+') {
                step.is_added = true;
                one.remove_prefix(1);
            }
            if (const auto at = one.find('<'); at != std::string_view::npos) {
                former[steps.size()].push_back(one.substr(at + 1));
                one = one.substr(0, at);
            }
            step.name = one;
            step.former_names = former[steps.size()];
            steps.push_back(step);
        }
    }
    [[nodiscard]] process_definition view() const { return {"fulfil-order", steps, removed}; }

    std::vector<step_definition> steps{};
    std::vector<std::vector<std::string_view>> former{};
    std::vector<std::string_view> removed;
};

step_record done(std::string step) { return {.where = {std::move(step), step_phase::act}}; }

changes undeclared(const std::vector<step_entry>& stored, const code& now,
                   const std::vector<step_record>& history = {}) {
    return match_definition(stored, now.view(), history).undeclared;
}
names merged(const std::vector<step_entry>& stored, const code& now,
             const std::vector<step_record>& history = {}) {
    names out;
    for (const auto& one : match_definition(stored, now.view(), history).steps) {
        out.push_back((one.in_code ? "" : "-") + std::string(one.is_kept ? "" : "+") + one.name);
    }
    return out;
}

}  // namespace

TEST_CASE("the same steps go on") {
    REQUIRE(undeclared(kept({"a", "b"}), {"a", "b"}).empty());
    REQUIRE(merged(kept({"a", "b"}), {"a", "b"}) == names{"a", "b"});
}

TEST_CASE("a step that was inserted is refused unless it is added") {
    REQUIRE(undeclared(kept({"a", "c"}), {"a", "b", "c"}) ==
            changes{{step_change::inserted, "", "b"}});
    REQUIRE(undeclared(kept({"a"}), {"z", "a"}) == changes{{step_change::inserted, "", "z"}});
    REQUIRE(undeclared(kept({"a"}), {"a", "b"}) == changes{{step_change::inserted, "", "b"}});
    REQUIRE(undeclared(kept({"a", "c"}), {"a", "+b", "c"}).empty());
    REQUIRE(merged(kept({"a", "c"}), {"a", "+b", "c"}) == names{"a", "+b", "c"});
}

TEST_CASE("a step that was removed is refused unless it is declared") {
    REQUIRE(undeclared(kept({"a", "b", "c"}), {"a", "c"}) ==
            changes{{step_change::removed, "b", ""}});
    REQUIRE(undeclared(kept({"a", "b"}), {"b"}) == changes{{step_change::removed, "a", ""}});
    REQUIRE(undeclared(kept({"a", "b", "c"}), code({"a", "c"}, {"b"})).empty());
    REQUIRE(merged(kept({"a", "b", "c"}), code({"a", "c"}, {"b"})) == names{"a", "-b", "c"});
    REQUIRE(merged(kept({"a", "b"}), code({"b"}, {"a"})) == names{"-a", "b"});
}

TEST_CASE("a step that was renamed is refused unless it says from what") {
    REQUIRE(undeclared(kept({"a", "charge", "c"}), {"a", "pay", "c"}) ==
            changes{{step_change::renamed, "charge", "pay"}});
    REQUIRE(undeclared(kept({"a", "b"}), {"x", "y"}) ==
            changes{{step_change::renamed, "a", "x"}, {step_change::renamed, "b", "y"}});
    REQUIRE(undeclared(kept({"a", "charge", "c"}), {"a", "pay<charge", "c"}).empty());
    const auto match =
        match_definition(kept({"a", "charge", "c"}), code({"a", "pay<charge", "c"}).view());
    REQUIRE(match.find("charge") == std::optional<std::size_t>(1));
    REQUIRE(match.find("pay") == std::optional<std::size_t>(1));
    REQUIRE(match.steps[1].name == "pay");
}

TEST_CASE("a renamed step and an inserted one are told apart as far as can be") {
    REQUIRE(undeclared(kept({"a", "b"}), {"a", "x", "y"}) ==
            changes{{step_change::renamed, "b", "x"}, {step_change::inserted, "", "y"}});
    REQUIRE(undeclared(kept({"a", "b", "c"}), {"a", "x"}) ==
            changes{{step_change::renamed, "b", "x"}, {step_change::removed, "c", ""}});
    REQUIRE(undeclared(kept({"a", "r", "b"}), code({"a", "x"}, {"r"})) ==
            changes{{step_change::renamed, "b", "x"}});
}

TEST_CASE("steps in another order are refused, whatever is declared") {
    REQUIRE(undeclared(kept({"a", "b"}), {"b", "a"}) ==
            changes{{step_change::reordered, "b", "b"}});
    REQUIRE(undeclared(kept({"a", "b", "c"}), {"c", "a", "b"}) ==
            changes{{step_change::reordered, "c", "c"}});
    REQUIRE_FALSE(undeclared(kept({"a", "b"}), {"+b", "+a"}).empty());
    REQUIRE_FALSE(undeclared(kept({"a", "b"}), {"b", "z<a"}).empty());
}

TEST_CASE("what was reordered goes on under a new name") {
    REQUIRE(undeclared(kept({"a", "b", "c"}), code({"c", "a", "+b2"}, {"b"})).size() == 1);
    REQUIRE(undeclared(kept({"a", "b", "c"}), code({"a", "c", "+b2"}, {"b"})).empty());
}

TEST_CASE("a step of another kind is refused, whatever is declared") {
    REQUIRE(undeclared(kept({"a"}, retriable), {"a"}) ==
            changes{{step_change::of_another_kind, "a", "a"}});
    REQUIRE(undeclared(kept({"a"}, retriable), {"b<a"}) ==
            changes{{step_change::of_another_kind, "a", "b"}});
    REQUIRE(undeclared(kept({"a"}, retriable), code({"+a2"}, {"a"})).empty());
}

TEST_CASE("what an instance does not need to have declared does no harm") {
    REQUIRE(undeclared(kept({"a", "b", "c"}), code({"a", "+b", "c<b0"}, {"x", "y"})).empty());
    // Started after the rename, before it, and long before it.
    for (const auto* name : {"c", "b", "a"}) {
        code now{"c<b"};
        now.former[0].push_back("a");
        now.steps[0].former_names = now.former[0];
        REQUIRE(undeclared(kept({name}), now).empty());
    }
}

TEST_CASE("a former name that is still a step's own stays its own") {
    // An instance from before: b was split off, and took over the name.
    const code now{"new<old", "+old"};
    REQUIRE(undeclared(kept({"new", "old"}), now).empty());
    const auto match = match_definition(kept({"new", "old"}), now.view());
    REQUIRE(match.find("old") == std::optional<std::size_t>(1));
    REQUIRE(match.find("new") == std::optional<std::size_t>(0));
}

TEST_CASE("a record of a step that nobody knows is refused: the instance has seen newer code") {
    REQUIRE(undeclared(kept({"a"}), {"a"}, {done("a"), done("b")}) ==
            changes{{step_change::removed, "b", ""}});
    REQUIRE(undeclared(kept({"a"}), {"a", "+b"}, {done("a"), done("b")}).empty());
    REQUIRE(undeclared(kept({"a"}), {"a", "+c<b"}, {done("a"), done("b")}).empty());
    REQUIRE(undeclared(kept({"a"}), code({"a"}, {"b"}), {done("a"), done("b")}).empty());
    REQUIRE(merged(kept({"a"}), code({"a"}, {"b"}), {done("a"), done("b")}) == names{"a", "-+b"});
    REQUIRE(merged(kept({"a"}), {"a", "+c<b"}, {done("a"), done("b")}) == names{"a", "+c"});
}

TEST_CASE("a refusal shows both lists side by side, and what to declare") {
    const std::vector<step_entry> stored{{"reserve", compensable},
                                         {"points", compensable},
                                         {"charge", compensable},
                                         {"ship", pivot}};
    code now{"reserve", "pay", "ship", "email"};
    now.steps[2].kind = pivot;
    now.steps[3].kind = retriable;
    const auto match = match_definition(stored, now.view(), std::vector{done("gift")});
    REQUIRE_FALSE(match.goes_on());
    REQUIRE("\n" + side_by_side(stored, now.view(), match) == R"(
    kept                     code
    reserve (compensable)    reserve (compensable)
    points (compensable)     pay (compensable)        renamed: say renamed_from<"points">
    charge (compensable)                              removed: say removed<"charge">
    ship (pivot)             ship (pivot)
                             email (retriable)        inserted: say added
    a record of gift                                  removed: say removed<"gift">
)");
    const auto why = changed_definition(stored, now.view(), match);
    REQUIRE(why.kind == failure_class::permanent);
    REQUIRE(why.reason == "changed_definition");
    REQUIRE(why.detail.find("fulfil-order") != std::string::npos);
}

TEST_CASE("a refusal shows reordered steps once, in the order of the code") {
    const auto stored = kept({"a", "b\n"});
    const code now{"b\n", "a"};
    REQUIRE("\n" + side_by_side(stored, now.view(), match_definition(stored, now.view())) == R"(
    kept                code
    b? (compensable)    b? (compensable)    reordered: give it a new name, say added, and removed<"b?">
    a (compensable)     a (compensable)
)");
}

TEST_CASE("definitions: any two lists go on or are refused as a whole") {
    sinew::test::prop(
        "a list made from another by declared changes goes on, and knows each kept step once",
        [](const std::vector<std::uint8_t>& tape) {
            std::vector<step_entry> stored;
            code now({});
            now.former.resize(tape.size());
            static const std::vector<std::string> pool = [] {
                std::vector<std::string> all;
                for (int i = 0; i < 2000; ++i) {
                    all.push_back("s" + std::to_string(i));
                }
                return all;
            }();
            std::size_t next = 0;
            for (std::size_t i = 0; i < tape.size() && next + 2 < pool.size(); ++i) {
                const auto& name = pool[next++];
                switch (tape[i] % 4) {
                    case 0:
                        stored.push_back({name, compensable});
                        now.steps.push_back({name, compensable, tape[i] > 128, {}});
                        break;
                    case 1: now.steps.push_back({name, compensable, true, {}}); break;
                    case 2:
                        stored.push_back({name, compensable});
                        now.removed.push_back(name);
                        break;
                    default:
                        stored.push_back({name, compensable});
                        now.former[i] = {name};
                        now.steps.push_back({pool[next++], compensable, false, now.former[i]});
                        break;
                }
            }
            const auto match = match_definition(stored, now.view());
            RC_ASSERT(match.goes_on());
            std::size_t last = 0;
            for (const auto& one : stored) {
                const auto at = match.find(one.name);
                RC_ASSERT(at.has_value());
                RC_ASSERT(*at + 1 > last);
                last = *at + 1;
            }
            std::size_t next_in_code = 0;
            for (const auto& one : match.steps) {
                RC_ASSERT((!one.in_code || *one.in_code == next_in_code));
                next_in_code += one.in_code ? 1U : 0U;
            }
            RC_ASSERT(next_in_code == now.steps.size());

            // Without its declarations, each change is refused.
            code bare = now;
            bare.removed.clear();
            for (auto& step : bare.steps) {
                step.is_added = false;
                step.former_names = {};
            }
            bool is_same = stored.size() == bare.steps.size();
            for (std::size_t i = 0; is_same && i < stored.size(); ++i) {
                is_same = stored[i].name == bare.steps[i].name;
            }
            const auto refused = match_definition(stored, bare.view());
            RC_ASSERT(refused.goes_on() == is_same);
            RC_ASSERT(!side_by_side(stored, bare.view(), refused).empty());
        });
}
