// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/consumer_world.hpp>
#include <sinew/testing/every_fault.hpp>

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::testing;

namespace {

/// What can be wrong with a consumer that somebody wrote by hand.
enum class bug {
    none,
    commits_first,         ///< the offset is committed before the event is handled
    forgets_the_inbox,     ///< nothing is remembered with the effects
    trusts_unknown,        ///< a commit without an answer is taken for done
    handles_what_it_lost,  ///< what was read before a partition was lost is handled after it
};

/// A consumer of forty lines: one event after the other, in a transaction with an inbox.
class handwritten {
public:
    handwritten(consumer_ports& ports, bug wrong)
        : ports_(ports), source_(ports.source()), wrong_(wrong) {}

    void step(moment now) {
        next_ = now.steady + std::chrono::seconds(1);
        try {
            source_.poll({.events = 4, .bytes = 1U << 20U}, now.steady, *this);
            if (wrong_ == bug::commits_first && !queue_.empty()) {
                commit_offset(queue_.back());
            }
            while (!queue_.empty() && handle(queue_.front(), now)) {
                queue_.pop_front();
            }
            if (done_ && wrong_ != bug::commits_first) {
                commit_offset(*done_);
            }
            leave();
        } catch (const error&) {
            // Something is down: the next step tries again.
        }
    }
    [[nodiscard]] steady_time next_deadline() const noexcept { return next_; }

    void assigned(assignment) {}
    void revoked(revocation r) { leaving_.push_back({r.partition, r.epoch}); }
    void lost(assignment a) {
        // It is gone already: giving it back later would give back what came after it.
        std::erase_if(leaving_, [&](assignment one) { return one.partition == a.partition; });
        drop(a);
    }
    void message(memory::message&& m) { queue_.push_back(std::move(m)); }

private:
    bool handle(const memory::message& m, moment now) {
        auto tx = ports_.store.begin(never);
        const event_view e = m.view();
        if (wrong_ == bug::forgets_the_inbox || tx.remember("c", e.identity(), now.wall)) {
            tx.effect(e.partitionkey, e.id);
        }
        const auto how = tx.commit();
        if (how == commit_result::committed ||
            (how == commit_result::unknown && wrong_ == bug::trusts_unknown)) {
            done_ = {m.where(), m.epoch()};
            return true;
        }
        return false;
    }

    struct place {
        position where;
        epoch_number epoch;
    };
    void commit_offset(const memory::message& m) { commit_offset({m.where(), m.epoch()}); }
    void commit_offset(place p) {
        if (source_.commit(p.where.partition, p.epoch, p.where.offset, never) !=
            commit_result::unknown) {
            done_.reset();
        }
    }

    void leave() {
        for (const auto& one : std::exchange(leaving_, {})) {
            drop(one);
            source_.release(one.partition, one.epoch);
        }
    }
    void drop(assignment) {
        if (wrong_ != bug::handles_what_it_lost) {
            queue_.clear();
        }
        done_.reset();
    }

    consumer_ports& ports_;
    consumer_ports::source_type source_;
    std::deque<memory::message> queue_;
    std::vector<assignment> leaving_;
    std::optional<place> done_;
    steady_time next_{};
    bug wrong_;
};

auto scenario_with(bug wrong) {
    return [wrong](trial& t) {
        consumer_world w(t);
        for (const auto* id : {"1", "2", "3"}) {
            w.produce(0, consumer_world::make_event("k", id));
        }
        w.consume("worker", [wrong](consumer_ports& p) { return handwritten(p, wrong); });
        w.run();
    };
}

std::set<std::string_view> broken_laws(const fault_report& report) {
    std::set<std::string_view> out;
    for (const auto& one : report.examples) {
        out.insert(one.law);
    }
    return out;
}

}  // namespace

TEST_CASE("a consumer that does it right holds under every pair of faults") {
    const auto scenario = scenario_with(bug::none);
    const auto report = every_fault(scenario, 2);
    INFO(explain(scenario, report));
    REQUIRE(report.all_hold());
    REQUIRE(report.complete);
    REQUIRE(report.schedules > 1000);
    for (const auto f : {fault::refused, fault::request_lost, fault::reply_lost,
                         fault::crash_before, fault::crash_after, fault::delayed, fault::zombie,
                         fault::kicked, fault::revoked, fault::clock_jump}) {
        CAPTURE(std::string(to_string(f)));
        REQUIRE(report.happened[static_cast<std::size_t>(f)] > 0);
    }
}

TEST_CASE("a planted bug is found with few faults, and named by its law") {
    const auto laws_broken_by = [](bug wrong) {
        return broken_laws(every_fault(scenario_with(wrong), 2));
    };
    SECTION("committing first loses events") {
        const auto laws = laws_broken_by(bug::commits_first);
        REQUIRE(laws.contains(law::no_commit_ahead));
        REQUIRE(laws.contains(law::nothing_lost));
    }
    SECTION("without an inbox events are applied twice") {
        const auto laws = laws_broken_by(bug::forgets_the_inbox);
        REQUIRE(laws.contains(law::nothing_twice));
        REQUIRE_FALSE(laws.contains(law::nothing_lost));
    }
    SECTION("trusting a commit without an answer loses events") {
        const auto laws = laws_broken_by(bug::trusts_unknown);
        REQUIRE(laws.contains(law::nothing_lost));
        REQUIRE_FALSE(laws.contains(law::nothing_twice));
    }
}

TEST_CASE("a tape run twice gives the same trace, whatever is on it") {
    const auto scenario = scenario_with(bug::none);
    sinew::test::prop("equal hashes", [&](const std::vector<std::uint8_t>& tape) {
        const auto once = run_tape(scenario, tape, false);
        RC_ASSERT(once.trace.hash() == run_tape(scenario, tape, true).trace.hash());
        RC_ASSERT(once.found.all_hold());
    });
}
