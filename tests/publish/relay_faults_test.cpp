// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "publish/relay_parts.hpp"

#include <memory>
#include <set>

using namespace sinew;
using namespace sinew::test;

namespace {

constexpr const char* calls[] = {"holder", "take", "renew",   "release", "claim",
                                 "mark",   "park", "put_off", "purge"};

/// An outbox and a sink that fail by chance, and relays that come, go, and stand still for a while.
template <class Sink>
class troubled {
public:
    troubled(std::uint64_t seed, shard_id shards, std::size_t relays, following follow)
        : here_({.shards = shards}), random_(seed), follow_(follow) {
        for (std::size_t i = 0; i < relays; ++i) {
            join();
        }
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            at_ += std::chrono::milliseconds(random_() % 4000);
            if (random_() % 3 == 0) {
                add();
            }
            if (random_() % 2 == 0) {
                fail();
            }
            if (random_() % 40 == 0) {
                all_[random_() % all_.size()].reset();  // killed
            }
            auto& one = all_[random_() % all_.size()];
            if (!one) {
                one = made();
            } else if (random_() % 30 == 0) {
                static_cast<void>(one->shut_down(after(at_), after(at_ + 1s).steady));
            } else {
                one->step(after(at_));
            }
        }
    }

    /// No more trouble: everything is published, or parked, or behind what is parked.
    void recover() {
        here_.script.ends.clear();
        calm_ = true;
        for (int i = 0; i < 300; ++i) {
            at_ += 1s;
            for (auto& one : all_) {
                if (one) {
                    settle_at(*one, after(at_));
                    for (const auto& entry : here_.box.parked(0, 1000)) {
                        static_cast<void>(here_.box.unpark(entry.number, entry.version));
                    }
                }
            }
        }
    }

    [[nodiscard]] bool is_in_order() const {
        std::map<std::string, std::uint64_t> highest;
        for (const auto& e : to_.events()) {
            const auto number = parse_sequence(e.sequence).value_or(0);
            auto& known = highest[e.partitionkey];
            if (number > known + 1) {
                return false;
            }
            known = number > known ? number : known;
        }
        return true;
    }
    [[nodiscard]] bool is_complete() const {
        const auto accepted = to_.accepted();
        return std::set<std::string>(accepted.begin(), accepted.end()) == added_ &&
               here_.lag() == outbox_lag{};
    }
    [[nodiscard]] std::size_t failed() const { return failed_; }
    [[nodiscard]] std::size_t added() const { return added_.size(); }

private:
    struct chancy_sink : Sink {
        explicit chancy_sink(troubled& owner) : owner_(&owner) {}
        publish_result publish(const event_view& e, steady_time until) {
            owner_->script_for(std::string(e.id));
            return Sink::publish(e, until);
        }
        std::vector<publish_result> publish_batch(std::span<const event_view> events,
                                                  steady_time until)
            requires batch_sink<Sink>
        {
            for (const auto& e : events) {
                owner_->script_for(std::string(e.id));
            }
            return Sink::publish_batch(events, until);
        }
        troubled* owner_;
    };
    using relay_type = relay<scripted_outbox, chancy_sink>;

    void script_for(const std::string& id) {
        const auto what = calm_ ? 9 : random_() % 12;
        if (what < 4) {
            to_.plan(id, {what == 3 ? silence() : refusal(static_cast<failure_class>(what))});
        } else {
            to_.plan(id, {});
        }
    }
    std::unique_ptr<relay_type> made() {
        auto options = relay_named("relay-" + std::to_string(++names_ % 7));
        options.follow = follow_;
        options.batch_max = 1 + random_() % 6;
        options.max_attempts = 3;
        return std::make_unique<relay_type>(here_.handle(), to_, options);
    }
    void join() { all_.push_back(made()); }
    void add() {
        const auto id = std::to_string(added_.size());
        here_.add(id, "k" + std::to_string(random_() % 4), after(at_));
        added_.insert(id);
    }
    void fail() {
        auto& ends = here_.script.ends[calls[random_() % std::size(calls)]];
        ends.push_back(static_cast<call_end>(1 + random_() % 4));
        ++failed_;
    }

    service here_;
    splitmix64 random_;
    following follow_;
    chancy_sink to_{*this};
    std::vector<std::unique_ptr<relay_type>> all_{};
    std::set<std::string> added_{};
    duration at_{};
    std::size_t failed_ = 0;
    std::size_t names_ = 0;
    bool calm_ = false;
};

template <class Sink>
void check_under_trouble(std::uint64_t seed) {
    const auto shards = *rc::gen::inRange<shard_id>(1, 5);
    const auto relays = *rc::gen::inRange<std::size_t>(1, 4);
    const auto steps = *rc::gen::inRange(1, 400);
    troubled<Sink> all(seed, shards, relays, following::park);
    all.run(steps);
    RC_ASSERT(all.is_in_order());
    all.recover();
    RC_ASSERT(all.is_in_order());
    RC_ASSERT(all.is_complete());
    RC_CLASSIFY(all.failed() > 20 && all.added() > 20, "much trouble");
}

}  // namespace

TEST_CASE("whatever fails, all is published in order in the end, one by one") {
    sinew::test::prop("law: the outbox tells the truth", check_under_trouble<scripted_sink>);
}

TEST_CASE("whatever fails, all is published in order in the end, in batches") {
    sinew::test::prop("law: the outbox tells the truth, in batches",
                      check_under_trouble<scripted_batch_sink>);
}
