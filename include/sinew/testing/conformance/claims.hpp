// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Claims: what a port promises, sentence by sentence, and whether an adapter keeps it.
///
/// A suite is a row of claims. Each has a name in plain words, stands for one numbered sentence of
/// the port's concept, and is a scenario of its own on a fresh environment. What comes out is a
/// table, not an assertion, so no test framework is needed.
///
/// | a claim is | when |
/// | --- | --- |
/// | kept | its scenario went as the concept says |
/// | broken | it did not, or threw what nobody expected, or the type lacks what was declared |
/// | not claimed | the adapter does not declare it, or the environment cannot provoke it |
///
/// **Guarantees.** A claim that goes wrong does not keep the others from being looked at. The same
/// adapter gives the same table.
/// **Bounds.** A call of the adapter that never returns hangs the suite: give the test that runs it
/// a time limit.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/testing/conformance/show.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

/// What came of a claim.
enum class claim_state : std::uint8_t { kept, broken, not_claimed };

[[nodiscard]] constexpr std::string_view to_string(claim_state s) noexcept {
    switch (s) {
        case claim_state::kept: return "kept";
        case claim_state::broken: return "BROKEN";
        case claim_state::not_claimed: return "not claimed";
    }
    return "invalid";
}

/// One claim, and what came of it.
struct claim {
    std::string rule{};  ///< the concept and the number of its sentence, such as "transaction 4"
    std::string name{};  ///< in plain words; unique within a suite
    claim_state state = claim_state::kept;
    std::string expected{};  ///< if broken
    std::string came{};      ///< if broken
    std::string look_at{};   ///< if broken: where the mistake usually is
    std::string reason{};    ///< if not claimed: why

    friend bool operator==(const claim&, const claim&) = default;
};

/// The outcome of a suite.
class claims_table {
public:
    claims_table(std::string port, std::string adapter)
        : port_(std::move(port)), adapter_(std::move(adapter)) {}

    [[nodiscard]] const std::string& port() const noexcept { return port_; }
    [[nodiscard]] const std::string& adapter() const noexcept { return adapter_; }
    [[nodiscard]] const std::vector<claim>& claims() const noexcept { return claims_; }
    [[nodiscard]] std::size_t count(claim_state state) const noexcept {
        std::size_t out = 0;
        for (const auto& one : claims_) {
            out += one.state == state ? 1U : 0U;
        }
        return out;
    }
    /// Whether nothing is broken and something is kept.
    [[nodiscard]] bool all_kept() const noexcept {
        return count(claim_state::broken) == 0 && count(claim_state::kept) != 0;
    }
    /// The names of all claims in that state, in order.
    [[nodiscard]] std::vector<std::string> names(claim_state state) const {
        std::vector<std::string> out;
        for (const auto& one : claims_) {
            if (one.state == state) {
                out.push_back(one.name);
            }
        }
        return out;
    }
    /// The claim of that name; null if the suite has none.
    [[nodiscard]] const claim* find(std::string_view name) const noexcept {
        for (const auto& one : claims_) {
            if (one.name == name) {
                return &one;
            }
        }
        return nullptr;
    }

    /// The reference is good until the next one is added.
    claim& add(claim one) { return claims_.emplace_back(std::move(one)); }

    /// All of it, for people.
    [[nodiscard]] std::string text() const { return lines(true); }
    /// Only what is broken, and the counts.
    [[nodiscard]] std::string brief() const { return lines(false); }

private:
    [[nodiscard]] std::string lines(bool all) const {
        std::string out = port_ + ": " + adapter_ + "\n";
        for (const auto& one : claims_) {
            if (!all && one.state != claim_state::broken) {
                continue;
            }
            out += "  ";
            out += padded(to_string(one.state), 13);
            out += padded(one.rule, 29);
            out += one.name;
            out += '\n';
            const std::string in(6, ' ');
            if (one.state == claim_state::broken) {
                out += in + "expected  " + one.expected + "\n";
                out += in + "came      " + one.came + "\n";
                out += in + "look at   " + one.look_at + "\n";
            } else if (one.state == claim_state::not_claimed) {
                out += in + one.reason + "\n";
            }
        }
        return out + "  " + std::to_string(count(claim_state::kept)) + " kept, " +
               std::to_string(count(claim_state::broken)) + " broken, " +
               std::to_string(count(claim_state::not_claimed)) + " not claimed\n";
    }

    [[nodiscard]] static std::string padded(std::string_view text, std::size_t width) {
        std::string out(text);
        out.resize(out.size() < width ? width : out.size() + 1, ' ');
        return out;
    }

    std::string port_;
    std::string adapter_;
    std::vector<claim> claims_;
};

[[nodiscard]] inline std::string to_string(const claims_table& table) { return table.text(); }

/// What a scenario says what it expects with. The first expectation that does not hold ends it.
class check {
public:
    explicit check(std::string_view look_at) : look_at_(look_at) {}

    /// That something holds.
    void that(bool holds, std::string_view expected, std::string_view came) const {
        if (!holds) {
            fail(std::string(expected), std::string(came));
        }
    }
    /// That what came is what was expected; `of` says what it is.
    template <class A, class B>
    void equal(const A& came, const B& expected, std::string_view of) const {
        if (!(came == expected)) {
            fail(to_be(of, show(expected)), show(came));
        }
    }
    /// The same for lists, of which a long one is told by the first item that differs.
    template <class T>
    void equal(const std::vector<T>& came, const std::vector<T>& expected,
               std::string_view of) const {
        if (came == expected) {
            return;
        }
        if (came.size() <= items_max && expected.size() <= items_max) {
            fail(to_be(of, show(expected)), show(came));
        }
        std::size_t at = 0;
        while (at < came.size() && at < expected.size() && came[at] == expected[at]) {
            ++at;
        }
        const auto item = [at](const std::vector<T>& list) {
            return at < list.size() ? show(list[at]) : std::string("nothing more");
        };
        fail(std::string(of) + " to have " + item(expected) + " after " + show(at) + " others",
             item(came));
    }
    /// That something is thrown which is an `E`; another exception ends the scenario as unexpected.
    template <class E, class F>
    void throws(F f, std::string_view expected) const {
        try {
            f();
        } catch (const E&) {
            return;
        }
        fail(std::string(expected), "nothing was thrown");
    }
    [[noreturn]] void fail(std::string expected, std::string came) const {
        throw broken_claim{std::move(expected), std::move(came)};
    }
    /// Ends the scenario without a verdict: this environment cannot provoke what it is about.
    [[noreturn]] void not_claimed(std::string reason) const {
        throw nothing_to_see{std::move(reason)};
    }

    /// Where the mistake usually is; a scenario may know it better than its title.
    void look_at(std::string_view where) { look_at_ = where; }
    [[nodiscard]] const std::string& look_at() const noexcept { return look_at_; }

private:
    template <class Make>
    friend class suite;

    [[nodiscard]] static std::string to_be(std::string_view what, const std::string& value) {
        std::string out(what);
        out += " to be ";
        out += value;
        return out;
    }

    // Not derived from std::exception, so that no handler of the adapter takes them for its own.
    struct broken_claim {
        std::string expected;
        std::string came;
    };
    struct nothing_to_see {
        std::string reason;
    };

    std::string look_at_;
};

/// What a claim says, and where to look if it is broken.
struct claim_title {
    std::string_view rule;
    std::string_view name;
    std::string_view look_at;
};

/// Runs claims, each on an environment that `Make` makes afresh.
///
/// **Example.** `suite run("store", "my::store", make);
/// run.claim({"store 1", "begin opens a transaction", "begin"}, [](check& c, auto& env) {...});`
/// `return run.finish();`
template <class Make>
class suite {
public:
    using environment = decltype(std::declval<Make&>()());

    suite(std::string_view port, std::string_view adapter, Make make)
        : table_(std::string(port), std::string(adapter)), make_(std::move(make)) {}

    /// Claims that can be looked at only if something is there. A scenario of a part whose
    /// condition is false at compile time is not instantiated, so it may use what is not there.
    template <bool Possible>
    class part {
    public:
        part(suite& in, std::string broken, std::string not_claimed)
            : in_(&in), broken_(std::move(broken)), not_claimed_(std::move(not_claimed)) {}

        /// Beyond what this part needs: that the environment has something, which is named.
        template <bool Has>
        [[nodiscard]] part<Possible && Has> needs(std::string_view hook) const {
            std::string reason = not_claimed_;
            if (!Has && reason.empty()) {
                reason = "the environment has no " + std::string(hook);
            }
            return {*in_, broken_, std::move(reason)};
        }
        /// Beyond what this part needs: that the adapter declares a further feature.
        [[nodiscard]] part declared(bool is_declared, std::string_view feature) const {
            std::string reason = not_claimed_;
            if (!is_declared && reason.empty()) {
                reason = "not declared: " + std::string(feature);
            }
            return {*in_, broken_, std::move(reason)};
        }

        template <class Scenario>
        void claim(const claim_title& title, Scenario scenario) const {
            if (!not_claimed_.empty()) {
                in_->add(title, claim_state::not_claimed).reason = not_claimed_;
            } else if (!broken_.empty()) {
                auto& one = in_->add(title, claim_state::broken);
                one.expected = "the declared feature to be there";
                one.came = broken_;
            } else if constexpr (Possible) {
                in_->run(title, scenario);
            }
        }

    private:
        suite* in_;
        std::string broken_;
        std::string not_claimed_;
    };

    /// An optional feature: not claimed unless it is declared, broken if it is declared and the
    /// type does not model it.
    template <bool Modelled>
    [[nodiscard]] part<Modelled> feature(std::string_view name, bool is_declared) {
        return {*this, Modelled ? std::string() : "the type does not model " + std::string(name),
                is_declared ? std::string() : "not declared: " + std::string(name)};
    }
    /// What every model has to keep.
    [[nodiscard]] part<true> always() { return {*this, {}, {}}; }

    template <class Scenario>
    void claim(const claim_title& title, Scenario scenario) {
        run(title, scenario);
    }

    [[nodiscard]] claims_table finish() { return std::move(table_); }

private:
    conformance::claim& add(const claim_title& title, claim_state state) {
        return table_.add({.rule = std::string(title.rule),
                           .name = std::string(title.name),
                           .state = state,
                           .look_at = std::string(title.look_at)});
    }

    template <class Scenario>
    void run(const claim_title& title, Scenario& scenario) {
        check c(title.look_at);
        conformance::claim found{.rule = std::string(title.rule), .name = std::string(title.name)};
        const auto broken = [&](std::string expected, std::string came) {
            found.state = claim_state::broken;
            found.expected = std::move(expected);
            found.came = std::move(came);
        };
        const std::string no_exception = "no exception";
        try {
            environment env = make_();
            scenario(c, env);
        } catch (const check::broken_claim& e) {
            broken(e.expected, e.came);
        } catch (const check::nothing_to_see& e) {
            found.state = claim_state::not_claimed;
            found.reason = e.reason;
        } catch (const error& e) {
            broken(no_exception, std::string(sinew::to_string(e.kind())) + " error " + e.reason() +
                                     ": " + one_line(e.what()));
        } catch (const std::exception& e) {
            broken(no_exception, "an exception: " + one_line(e.what()));
        } catch (...) {
            broken(no_exception, "an exception of an unknown type");
        }
        if (found.state == claim_state::broken) {
            found.look_at = c.look_at();
        }
        table_.add(std::move(found));
    }

    claims_table table_;
    Make make_;
};

}  // namespace sinew::testing::conformance
