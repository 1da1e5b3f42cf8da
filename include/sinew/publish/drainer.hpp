// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The driver that moves a spool's events on to their sink, in order per key.
///
/// **Guarantees.** An entry is removed only after the sink accepted it; what is between the two at
/// a crash is published twice. Of one key nothing is published behind an entry that was not
/// accepted; a key that waits holds up no other. A sink that takes batches gets one batch at a
/// time, and keeps the order in it; while it is taken for down, one entry tries it. A refused entry
/// is never dropped: it is parked, with its reason, until people decide. What follows which answer:
/// see `drain_plan`.
///
/// **Bounds.** One batch in memory. One thread at a time; a publisher's thread may put into the
/// same spool meanwhile, where the spool says so. The drainer may have a sink of its own: what is
/// accepted through one before something is published through the other, is read in that order.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/run.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/closed_keys.hpp>
#include <sinew/publish/decoration.hpp>
#include <sinew/publish/drain_plan.hpp>
#include <sinew/publish/relay_batch.hpp>
#include <sinew/publish/spool_observer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// What a drainer has done.
struct drainer_counts {
    std::uint64_t published = 0;  ///< accepted by the sink
    std::uint64_t removed = 0;    ///< accepted, and out of the spool
    std::uint64_t put_off = 0;
    std::uint64_t parked = 0;
    std::uint64_t pauses = 0;        ///< how often the sink was found down
    std::uint64_t drained = 0;       ///< how often nothing was left
    std::uint64_t spool_errors = 0;  ///< calls to the spool that failed, and are made again
};

/// Drains a spool; models `driver`.
///
/// **Example.** `sinew::drainer drain(spool, kafka); sinew::run(drain, stop);`
template <class Spool, class Sink, class Observer = null_spool_observer>
class drainer {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool takes_from_spool = spool<Spool>;
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool is_observed = spool_observer<Observer>;
    static_assert(takes_from_spool,
                  "sinew: drainer takes a spool first, such as a sinew::sqlite::spool");
    static_assert(publishes_to_sink,
                  "sinew: drainer publishes to a sink: it needs publish(event_view, steady_time), "
                  "which answers a publish_result");
    static_assert(is_observed,
                  "sinew: the observer of a drainer needs all the hooks of null_spool_observer");

public:
    static_assert(tells_when_down<Sink>,
                  "sinew: a drainer has to publish to the broker's own sink; one that is spooled "
                  "would put each event back into the spool, and one with a fallback would take "
                  "what the broker never got for published");

    /// Both have to outlive this.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    drainer(Spool& from, Sink& to, const drainer_options& options = {}, Observer observer = {})
        : from_(&from),
          to_(&to),
          plan_(options, options.seed == 0 ? entropy_seed() : options.seed),
          spool_({options.base, options.cap}, options.seed == 0 ? entropy_seed() : options.seed),
          observer_(std::move(observer)) {}
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    drainer(Spool& from, const Sink&& to, const drainer_options& options = {},
            Observer observer = {}) = delete;

    /// Publishes what is due, a batch at most; if there is nothing, waits for something to be put
    /// until `wait_until` at most. Answers whether anything was published or decided.
    ///
    /// **On failure.** Throws what no waiting can mend: an `error` with the class permanent from
    /// the spool. Other errors are counted, and the spool is asked again a while later. After a
    /// throw the drainer can be stepped again.
    bool step(moment now, steady_time wait_until = steady_time::min()) {
        begin(now);
        if (spool_.is_open(now.steady) && remove_accepted(now.steady) &&
            plan_.may_publish(at().steady) && publish_batch()) {
            return true;
        }
        wait(at().steady, wait_until);
        return false;
    }

    /// When it has something to do without anybody's asking.
    [[nodiscard]] steady_time next_deadline() {
        steady_time due = steady_time::min();  // to remove what was accepted needs no sink
        if (accepted_.empty()) {
            due = plan_.resumes_at() > look_at_ ? plan_.resumes_at() : look_at_;
        }
        return spool_.until() > due ? spool_.until() : due;
    }

    /// Removes what was accepted; no batch is under way between steps. Answers true at once, or
    /// after `until` at the latest: what could not be removed by then is published again.
    bool shut_down(moment now, steady_time until) {
        begin(now);
        return remove_accepted(now.steady) || now.steady >= until;
    }

    /// Whether nothing is to be published. Parked entries, and those behind them, are not.
    [[nodiscard]] bool is_idle() { return accepted_.empty() && from_->size().waiting == 0; }

    /// A clock by which a step sees how long its own calls take.
    void measure_with(steady_time (*stopwatch)()) noexcept { stopwatch_ = stopwatch; }

    [[nodiscard]] const drainer_counts& counts() const noexcept { return counts_; }
    [[nodiscard]] bool is_sink_down() const noexcept { return plan_.is_down(); }

private:
    void begin(moment now) {
        begun_ = now;
        started_ = stopwatch_ == nullptr ? now.steady : stopwatch_();
    }
    /// When the step began, moved on by what its calls have taken.
    [[nodiscard]] moment at() const {
        const duration took = stopwatch_ == nullptr ? duration::zero() : stopwatch_() - started_;
        return took <= duration::zero()
                   ? begun_
                   : moment{later(begun_.steady, took),
                            begun_.wall + std::chrono::duration_cast<wall_time::duration>(took)};
    }
    [[nodiscard]] bool is_over(steady_time now) const noexcept {
        return stopwatch_ != nullptr && now >= later(begun_.steady, plan_.options().step_time_max);
    }

    /// Writes to the spool; answers false if it is not done. It is asked again a while later.
    template <class F>
    bool write(steady_time now, F f) {
        const bool done = call(now, f);
        if (done) {
            spool_.answered();
        }
        return done;
    }

    /// Calls the spool. That it can be read does not say that it can be written.
    template <class F>
    bool call(steady_time now, F f) {
        try {
            if (f()) {
                return true;
            }
        } catch (const error& thrown) {
            if (thrown.kind() == failure_class::permanent) {
                throw;
            }
        }
        ++counts_.spool_errors;
        spool_.close(now);
        return false;
    }

    void tell_if_drained() {
        const auto size = from_->size();
        if (busy_ && size.waiting == 0) {
            busy_ = false;
            ++counts_.drained;
            observer_.on_drained({.size = size});
        }
    }

    bool remove_accepted(steady_time now) {
        if (accepted_.empty()) {
            return true;
        }
        const bool done = write(
            now, [&] { return from_->remove(accepted_, call_until(now)) == spool_change::done; });
        if (!done) {
            return false;
        }
        counts_.removed += accepted_.size();
        accepted_.clear();
        tell_if_drained();
        return true;
    }

    bool publish_batch() {
        const auto& options = plan_.options();
        const steady_time now = at().steady;
        std::vector<spool_entry> batch;
        const bool answered = call(now, [&] {
            batch =
                from_->claim(now, {plan_.batch_max(), options.batch_bytes_max}, call_until(now));
            return true;
        });
        if (!answered) {
            return false;
        }
        look_at_ = later(now, batch.empty() ? options.poll_interval : duration::zero());
        busy_ = busy_ || !batch.empty();
        if (!publish_together(batch)) {
            publish_one_by_one(batch);
        }
        if (remove_accepted(at().steady)) {
            tell_if_drained();
        }
        return !batch.empty();
    }

    void publish_one_by_one(const std::vector<spool_entry>& batch) {
        closed_keys closed;
        for (const auto& one : batch) {
            const steady_time then = at().steady;
            if (!plan_.may_publish(then) || !spool_.is_open(then) || is_over(then)) {
                return;
            }
            if (!closed.has(one.what.partitionkey) &&
                !take_answer(one, ask(*to_, one.what.view(), publish_until(then)))) {
                closed.close(one.what.partitionkey);
            }
        }
    }

    /// Publishes all of them in one call, if the sink can. Answers whether it did.
    bool publish_together(const std::vector<spool_entry>& batch) {
        if constexpr (batch_sink<Sink>) {
            if (batch.size() > 1) {
                std::vector<event_view> events;
                events.reserve(batch.size());
                for (const auto& one : batch) {
                    events.push_back(one.what.view());
                }
                take_answers(batch, ask(*to_, std::span<const event_view>(events),
                                        publish_until(at().steady)));
                return true;
            }
        }
        return false;
    }

    /// Does what follows the answers of one call. Of a key, only the first that was not accepted is
    /// heeded. What there is no time to write down is published again, and refused again.
    void take_answers(const std::vector<spool_entry>& batch,
                      const std::vector<publish_result>& answers) {
        closed_keys closed;
        std::vector<std::size_t> down;  // what pauses the sink comes last: other answers resume it
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const auto& key = batch[i].what.partitionkey;
            if (answers[i].is_accepted()) {
                take_answer(batch[i], answers[i]);
            } else if (!closed.has(key)) {
                closed.close(key);
                const bool is_down = answers[i].how() == publish_result::end::refused &&
                                     answers[i].why().kind == failure_class::unavailable;
                const steady_time then = at().steady;
                if (is_down) {
                    down.push_back(i);
                } else if (spool_.is_open(then) && !is_over(then)) {
                    take_answer(batch[i], answers[i]);
                }
            }
        }
        for (const auto i : down) {
            take_answer(batch[i], answers[i]);
        }
    }

    /// Does what follows the answer for an entry; whether its key may go on in this batch.
    bool take_answer(const spool_entry& one, const publish_result& answer) {
        const bool was_down = plan_.is_down();
        const moment then = at();
        const auto decided = plan_.decide(answer, one, then);
        tell_of_sink(was_down, answer, then.steady);
        auto told = detail::note_of(one.what.view(), answer.why());
        told.kind = decided.note.kind;
        told.attempts = decided.note.attempt;
        switch (decided.fate) {
            case entry_fate::mark:
                accepted_.push_back(one.number);
                ++counts_.published;
                observer_.on_published(detail::note_of(one.what.view()));
                return true;
            case entry_fate::put_off:
                if (put_off(one, decided, then.steady)) {
                    told.retry_in = decided.delay;
                    observer_.on_put_off(told);
                }
                return false;
            case entry_fate::park:
                if (park(one, decided.note, then.steady)) {
                    observer_.on_parked(told);
                    return plan_.options().follow == following::pass;
                }
                return false;
            case entry_fate::leave: break;
        }
        return false;
    }

    bool put_off(const spool_entry& one, const relay_decision& decided, steady_time now) {
        const bool done = write(now, [&] {
            return from_->put_off(one.number, decided.note, later(now, decided.delay),
                                  call_until(now)) == spool_change::done;
        });
        counts_.put_off += done ? 1U : 0U;
        return done;
    }
    bool park(const spool_entry& one, const failure_note& note, steady_time now) {
        const bool done = write(now, [&] {
            return from_->park(one.number, note, plan_.options().follow, call_until(now)) ==
                   spool_change::done;
        });
        counts_.parked += done ? 1U : 0U;
        return done;
    }

    void tell_of_sink(bool was_down, const publish_result& answer, steady_time now) {
        if (!was_down && plan_.is_down()) {
            ++counts_.pauses;
            observer_.on_sink_down({.size = from_->size(),
                                    .reason = answer.why().reason,
                                    .retry_in = plan_.resumes_at() - now});
        } else if (was_down && !plan_.is_down()) {
            observer_.on_sink_up({.size = from_->size()});
        }
    }

    void wait(steady_time now, steady_time wait_until) {
        if constexpr (waking_spool<Spool>) {
            const steady_time due = next_deadline();
            const steady_time end = due < wait_until ? due : wait_until;
            if (end > now && from_->wait_for_put(end) && plan_.may_publish(now)) {
                look_at_ = now;
            }
        }
    }

    [[nodiscard]] steady_time publish_until(steady_time now) const noexcept {
        return later(now, plan_.options().publish_timeout);
    }
    [[nodiscard]] steady_time call_until(steady_time now) const noexcept {
        return later(now, plan_.options().call_timeout);
    }

    Spool* from_;
    Sink* to_;
    drain_plan plan_;
    port_gate spool_;  ///< how the spool is
    Observer observer_;
    drainer_counts counts_;
    std::vector<std::int64_t> accepted_;  ///< published, and perhaps still in the spool
    bool busy_ = false;                   ///< something was there since it was drained last
    steady_time look_at_ = steady_time::min();
    moment begun_{};         ///< when the step began
    steady_time started_{};  ///< what the stopwatch showed then
    steady_time (*stopwatch_)() = nullptr;
};

}  // namespace sinew
