// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/producer_world.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::testing;
using namespace std::chrono_literals;

namespace {

/// What can be wrong with a relay that somebody wrote by hand.
enum class bug {
    none,
    marks_first,            ///< what is claimed is marked, and then published
    passes_a_failed_event,  ///< the next event of a key is published though the one before was not
    trusts_its_lease,       ///< it works on after its lease is over
    ignores_stale,          ///< it works on though it was told that its lease has ended
    takes_at_once,          ///< it takes a shard whose holder lives
    parks_too_easily,       ///< an event is parked because the topic was down
    sends_again,            ///< a mark without an answer is forgotten, and the event sent again
    is_greedy,              ///< it asks for more than its limits allow
    waits_for_ever,         ///< a publish has no deadline
    stops_at_a_failure,     ///< behind an event that failed, other keys wait until it works
    loses_headers,          ///< it publishes less than it claimed
};

constexpr relay_bounds bounds{.lease = 8s, .batch_max = 4, .batch_bytes_max = 1000};

/// A relay of one shard, in sixty lines.
class handwritten {
public:
    handwritten(relay_ports& ports, std::string owner, bug wrong)
        : time_(ports.home.time()),
          topic_(ports.topic),
          box_(ports.box()),
          watch_(std::move(owner), bounds.lease, 1),
          wrong_(wrong) {
        ports.keeps_to(bounds);
    }

    void step(moment now) {
        next_ = later(now.steady, 500ms);
        try {
            if (hold(now) && confirm(now)) {
                relay(now);
            }
        } catch (const error&) {
            // Something is down: the next step tries again.
        }
    }
    [[nodiscard]] steady_time next_deadline() const noexcept { return next_; }

private:
    /// By when a call that is made now has to be back.
    [[nodiscard]] steady_time by() const { return later(time_.now().steady, 5s); }
    [[nodiscard]] steady_time publish_by() const {
        const steady_time over = later(sent_, bounds.lease);
        return wrong_ == bug::waits_for_ever                    ? never
               : wrong_ == bug::trusts_its_lease || by() < over ? by()
                                                                : over;
    }

    bool hold(moment now) {
        if (lease_ && wrong_ != bug::trusts_its_lease && now.steady >= later(sent_, bounds.lease)) {
            lease_.reset();
        }
        if (!lease_) {
            const auto seen = box_.holder(0, by());
            if (watch_.may_take(seen, now.steady) || wrong_ == bug::takes_at_once) {
                lease_ = box_.take(seen, watch_.owner(), by());
                sent_ = now.steady;
                unconfirmed_.clear();
            }
        } else if (now.steady >= later(sent_, 2s)) {
            const auto how = box_.renew(*lease_, by());
            sent_ = how == fenced_result::done ? now.steady : sent_;
            drop_if(how);
        }
        return lease_.has_value();
    }

    void drop_if(fenced_result how) {
        if (how == fenced_result::stale && wrong_ != bug::ignores_stale) {
            lease_.reset();
        }
    }

    bool confirm(moment now) {
        if (!unconfirmed_.empty() && lease_) {
            const auto how = box_.mark_published(*lease_, unconfirmed_, now.wall, by());
            if (how != fenced_result::unknown || wrong_ == bug::sends_again) {
                unconfirmed_.clear();
            }
            drop_if(how);
        }
        return unconfirmed_.empty() && lease_;
    }

    void relay(moment now) {
        if (blocked_until_ > now.steady) {
            return;
        }
        const std::size_t most = wrong_ == bug::is_greedy ? 100 : bounds.batch_max;
        const auto entries = box_.claim(*lease_, now.wall, {most, bounds.batch_bytes_max}, by());
        if (!entries) {
            drop_if(fenced_result::stale);
            return;
        }
        if (wrong_ == bug::marks_first) {
            for (const auto& one : *entries) {
                unconfirmed_.push_back(one.number);
            }
            if (!confirm(now)) {
                return;
            }
        }
        std::vector<std::string_view> closed;
        for (const auto& one : *entries) {
            if (std::find(closed.begin(), closed.end(), one.what.partitionkey) != closed.end()) {
                continue;
            }
            if (wrong_ != bug::trusts_its_lease &&
                time_.now().steady >= later(sent_, bounds.lease)) {
                return;
            }
            if (!send(one, now)) {
                if (wrong_ != bug::passes_a_failed_event) {
                    closed.push_back(one.what.partitionkey);
                }
                if (!lease_ || blocked_until_ > now.steady) {
                    return;
                }
            }
        }
        confirm(now);
    }

    bool send(const outbox_entry& one, moment now) {
        event what = one.what;
        if (wrong_ == bug::loses_headers) {
            what.headers.clear();
        }
        const auto how = topic_.publish(what.view(), publish_by());
        if (how.is_accepted()) {
            unconfirmed_.push_back(one.number);
            return true;
        }
        const auto kind = how.why().kind;
        const failure_note note{.at = now.wall, .kind = kind, .reason = how.why().reason};
        if (how.how() == publish_result::end::refused && kind == failure_class::transient &&
            wrong_ == bug::stops_at_a_failure) {
            blocked_until_ = later(now.steady, 30s);
        } else if (how.how() == publish_result::end::refused &&
                   (kind == failure_class::permanent || wrong_ == bug::parks_too_easily)) {
            drop_if(box_.park(*lease_, one.number, note, following::park, by()));
        } else if (kind == failure_class::transient) {
            drop_if(box_.put_off(*lease_, one.number, note, 1s, by()));
        }
        return false;
    }

    const world& time_;
    relayed_topic& topic_;
    relay_ports::outbox_type box_;
    lease_watch watch_;
    std::optional<shard_lease> lease_;
    std::vector<std::int64_t> unconfirmed_;
    steady_time sent_{};
    steady_time next_{};
    steady_time blocked_until_{};
    bug wrong_;
};

event with_header(event e) {
    e.headers = {{"x", "1"}};
    return e;
}

/// Two writers, two relays, one shard. The second transaction of Ada is refused for a while.
auto shop(bug wrong) {
    return [wrong](trial& t) {
        producer_world w(t);
        const auto order = [](std::string_view key, std::string_view id) {
            return with_header(producer_world::make_event(key, id));
        };
        w.write("ada", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2")}},
                        {.name = "2", .adds = {order("a", "a3")}, .gives_up = true},
                        {.name = "3", .adds = {order("a", "a4")}}});
        w.write("bob", {{.name = "4", .adds = {order("b", "b1")}, .takes = 100ms}});
        w.write("eve", {{.name = "5", .adds = {order("e", "e1")}}});
        w.topic().refuse("a2", failure_class::transient, 2);
        for (const auto* name : {"one", "two"}) {
            w.relay(name, [wrong, name](relay_ports& p) { return handwritten(p, name, wrong); });
        }
        w.run();
    };
}

void find_out(bug wrong, std::string_view law, unsigned faults) {
    CAPTURE(static_cast<int>(wrong));
    const auto report = every_fault(shop(wrong), faults);
    const auto* const found = report.example_of(law);
    if (found == nullptr) {
        FAIL(law << " saw nothing");
    }
    CHECK(found->faults == faults);
}

}  // namespace

TEST_CASE("a relay of sixty lines keeps all laws under every pair of faults") {
    const auto report = every_fault(shop(bug::none), 2);
    if (!report.all_hold()) {
        FAIL(explain(shop(bug::none), report));
    }
    CHECK(report.schedules > 5'000);
    std::uint64_t checked = 0;
    for (const auto& one : report.laws) {
        checked += one.law == law::only_committed || one.law == law::numbered ||
                           one.law == law::not_again || one.law == law::waits_end
                       ? 1U
                       : 0U;
    }
    CHECK(checked == 4);
}

TEST_CASE("a relay that does one thing wrong is found out by the law that is for it") {
    find_out(bug::marks_first, law::no_commit_ahead, 0);
    find_out(bug::passes_a_failed_event, law::order, 0);
    find_out(bug::takes_at_once, law::fences, 0);
    find_out(bug::is_greedy, law::memory_bounded, 0);
    find_out(bug::waits_for_ever, law::waits_end, 0);
    find_out(bug::stops_at_a_failure, law::keys_apart, 0);
    find_out(bug::loses_headers, law::as_without_faults, 0);
    find_out(bug::parks_too_easily, law::only_hopeless, 0);
    find_out(bug::sends_again, law::not_again, 1);
    find_out(bug::trusts_its_lease, law::fences, 1);
    find_out(bug::ignores_stale, law::fences, 1);
}
