// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A world with a topic and a spool, in which a service publishes, lives and dies; and the laws of
/// publishing, checked while it does.
///
/// The service publishes its list of events, each until it is accepted, and drains its spool. A
/// life that dies is followed by one that goes on behind what was accepted: what had no answer is
/// published again.
///
/// **Example.**
/// ```cpp
/// const auto scenario = [](trial& t) {
///     spool_world w(t);
///     w.publish(w.make_event("Ada", "placed-1"));
///     w.topic().down_between(0s, 5s);
///     w.serve("shop", {.seed = 1}, {.seed = 1});
///     w.run();
/// };
/// REQUIRE(every_fault(scenario, 2).all_hold());
/// ```

#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/spool.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/faulty_spool.hpp>
#include <sinew/testing/publishing_judge.hpp>
#include <sinew/testing/publishing_laws.hpp>
#include <sinew/testing/scripted_topic.hpp>
#include <sinew/testing/trial.hpp>
#include <sinew/testing/world.hpp>
#include <sinew/testing/world_clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a world with a spool is like.
struct spool_world_options {
    world_options world{};
    spool_options spool{};
    /// How long the service waits between one event and the next, or its next try.
    duration pace = std::chrono::milliseconds(500);
    /// How long one publish may take.
    duration publish_timeout = std::chrono::seconds(5);
    duration patience = std::chrono::seconds(20);
    duration afterwards = std::chrono::seconds(20);
};

/// What was seen in all lives together.
struct spool_tally {
    std::uint64_t live = 0;
    std::uint64_t spooled = 0;
    std::uint64_t full = 0;  ///< refused at a limit
    std::uint64_t drained = 0;
    std::uint64_t most = 0;  ///< entries at one time
};

/// The world.
class spool_world {
public:
    using topic_type = scripted_topic<memory::producer>;

    explicit spool_world(trial& run, spool_world_options options = {})
        : options_(options),
          world_(run, options.world),
          topic_(world_, log_.producer("orders"),
                 [this](const event_view& e) {
                     world_.note("topic", "gets", e.id, "of", e.partitionkey);
                     arrive(found(), facts_, e);
                     apart_.disturb(world_);
                 }),
          apart_(world_, options.patience) {}
    spool_world(const spool_world&) = delete;
    spool_world& operator=(const spool_world&) = delete;

    [[nodiscard]] world& time() noexcept { return world_; }
    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] topic_type& topic() noexcept { return topic_; }
    [[nodiscard]] const publishing_record& facts() const noexcept { return facts_; }
    [[nodiscard]] const spool_tally& tally() const noexcept { return tally_; }

    [[nodiscard]] static event make_event(std::string_view key, std::string_view id) {
        return make_keyed_event(key, id);
    }

    /// The service publishes that event, after those before it were accepted.
    void publish(event e) { list_.push_back(std::move(e)); }
    /// Says what an event has to come to, where it is not to be published.
    void expect(std::string_view id, outbox_fate what) { facts_.expected.emplace_back(id, what); }

    /// The process that publishes and drains.
    void serve(std::string_view name, spooled_options spools, drainer_options drains) {
        world_.add(name, [this, spools, drains](process& self) {
            return std::make_unique<service>(self, *this, spools, drains);
        });
    }

    /// People give a parked event up, or let it be tried again, `after` a while.
    void decide_after(duration after, std::string_view id, bool again) {
        world_.at(after, [this, id = std::string(id), again] { decide(id, again); });
    }

    /// Runs until everything is accepted and published, then a while longer, and judges.
    void run() {
        world_.settled_when([this] { return has_settled(); });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        if (settled) {
            world_.run_for(options_.afterwards);
        }
        judge(settled);
    }

private:
    class service : public process_body {
    public:
        using spool_type = faulty_spool<memory::spool>;
        using sink_type = faulty_sink<topic_type>;

        service(process& self, spool_world& home, const spooled_options& spools,
                const drainer_options& drains)
            : self_(self),
              home_(home),
              drains_(drains),
              kept_(home.data_, "spool", home.options_.spool, home.world_.now()),
              spool_(self, kept_, hooks()),
              sink_(self, home.topic_),
              out_(sink_, spool_, spools, {}, {&home.world_}),
              drain_(spool_, sink_, drains) {
            home.kept_ = &kept_;
            drain_.measure_with(&world_stopwatch::read);
        }
        ~service() override { home_.kept_ = nullptr; }

        steady_time step(moment now) override {
            publish(now);
            drain_.step(home_.world_.now());
            look();
            const auto next = home_.next_ < home_.list_.size() ? due_ : never;
            const auto drains = drain_.next_deadline();
            return next < drains ? next : drains;
        }

    private:
        void publish(moment now) {
            if (now.steady < due_ || home_.next_ == home_.list_.size()) {
                return;
            }
            const auto& e = home_.list_[home_.next_];
            home_.offer(e);
            const auto before = out_.counts();
            const auto how =
                out_.publish(e.view(), later(now.steady, home_.options_.publish_timeout));
            if (!self_.is_alive()) {
                return;
            }
            self_.note(how.is_accepted() ? "published" : "could not publish", e.id,
                       how.why().reason);
            const bool hopeless = how.how() == publish_result::end::refused &&
                                  how.why().kind == failure_class::permanent;
            if (hopeless) {
                check_parking(home_.found(), home_.facts_, e.id);
                home_.refused_.push_back(e.id);
            }
            home_.next_ += how.is_accepted() || hopeless ? 1 : 0;
            due_ = later(home_.world_.now().steady, home_.options_.pace);
            auto& tally = home_.tally_;
            const auto& after = out_.counts();
            tally.live += after.live - before.live;
            tally.spooled += after.spooled - before.spooled;
            tally.full += after.full_count - before.full_count + after.full_bytes -
                          before.full_bytes + after.too_old - before.too_old;
        }

        /// What is in the spool keeps to its limits, and nothing rests in it without cause.
        void look() {
            const auto size = kept_.size();
            const auto& limits = home_.options_.spool;
            check_bound(home_.found(), "the number of spooled entries", size.entries(),
                        limits.entries_max);
            check_bound(home_.found(), "the number of spooled bytes", size.bytes, limits.bytes_max);
            home_.tally_.most = std::max(home_.tally_.most, size.entries());
            home_.tally_.drained += drain_.counts().drained - drained_;
            drained_ = drain_.counts().drained;
            home_.apart_.look(home_.world_, home_.facts_, home_.topic_);
        }

        [[nodiscard]] spool_hooks hooks() {
            return {.asks =
                        [this](std::string_view call, steady_time until) {
                            const auto most =
                                std::max(drains_.call_timeout, home_.options_.publish_timeout);
                            home_.found().check(
                                law::waits_end, until <= later(home_.world_.now().steady, most),
                                [&] { return std::string(call) + " may wait for too long"; });
                        },
                    .claimed =
                        [this](claim_limits limits, const std::vector<spool_entry>& entries) {
                            check_bound(home_.found(), "the number of entries asked for",
                                        limits.entries, drains_.batch_max);
                            check_bound(home_.found(), "the number of bytes asked for",
                                        limits.bytes, drains_.batch_bytes_max);
                            for (const auto& one : entries) {
                                home_.name(one);
                            }
                        },
                    .removes =
                        [this](std::span<const std::int64_t> numbers) {
                            for (const auto number : numbers) {
                                home_.check_removal(number);
                            }
                        },
                    .parked =
                        [this](std::int64_t number) {
                            check_parking(home_.found(), home_.facts_, home_.id_of(number));
                        }};
        }

        process& self_;
        spool_world& home_;
        drainer_options drains_;
        memory::spool kept_;
        spool_type spool_;
        sink_type sink_;
        spooled<sink_type, spool_type, null_spool_observer, world_clock> out_;
        drainer<spool_type, sink_type> drain_;
        steady_time due_{};
        std::uint64_t drained_ = 0;
    };

    /// It may arrive from now on, and has its place in its key's order.
    void offer(const event& e) {
        if (facts_.index_of(e.id) == facts_.committed.size()) {
            facts_.committed.push_back({e, facts_.expected_of(e.id)});
            apart_.disturb(world_);
        }
    }

    /// A number that is free again may be given anew.
    void name(const spool_entry& one) {
        std::erase_if(numbers_, [&](const auto& known) { return known.first == one.number; });
        numbers_.emplace_back(one.number, one.what.id);
    }
    [[nodiscard]] std::string_view id_of(std::int64_t number) const noexcept {
        for (const auto& one : numbers_) {
            if (one.first == number) {
                return one.second;
            }
        }
        return {};
    }
    void check_removal(std::int64_t number) {
        const auto id = id_of(number);
        found().check(law::no_commit_ahead, facts_.has_arrived(id), [&] {
            return std::string(id) + " is removed from the spool, and has not arrived";
        });
    }

    void decide(const std::string& id, bool again) {
        if (kept_ != nullptr) {
            for (const auto& one : kept_->parked(INT64_MIN, SIZE_MAX)) {
                if (one.what.id == id) {
                    world_.note("people", "decide on", id);
                    if (again) {
                        topic_.mend(id);
                        kept_->unpark(one.number, one.version);
                    } else {
                        kept_->discard(one.number, one.version);
                    }
                    world_.stir();
                    apart_.disturb(world_);
                    return;
                }
            }
        }
        // It is not parked yet: they come again, unless the service was told at once.
        if (std::find(refused_.begin(), refused_.end(), id) == refused_.end()) {
            world_.at(std::chrono::seconds(10), [this, id, again] { decide(id, again); });
        }
    }

    [[nodiscard]] bool has_settled() const {
        return next_ == list_.size() && kept_ != nullptr && kept_->size().waiting == 0;
    }

    void judge(bool settled) {
        facts_.parked = refused_;
        if (kept_ != nullptr) {
            for (const auto& one : kept_->parked(INT64_MIN, SIZE_MAX)) {
                facts_.parked.push_back(one.what.id);
                world_.note("end", one.what.id, "is parked");
            }
        }
        judge_published(world_, facts_, settled);
    }

    spool_world_options options_;
    memory::log log_;
    memory::database data_;
    publishing_record facts_;
    std::vector<event> list_;
    std::size_t next_ = 0;  ///< the first that was not accepted
    std::vector<std::string> refused_;
    std::vector<std::pair<std::int64_t, std::string>> numbers_;
    spool_tally tally_;
    memory::spool* kept_ = nullptr;  ///< of the life that has it open
    world world_;
    world_stopwatch stopwatch_{world_};
    topic_type topic_;
    keys_apart_watch apart_;
};

}  // namespace sinew::testing
