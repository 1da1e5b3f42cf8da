// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink that goes on while its broker is down: what cannot be published goes to a spool.
///
/// | what comes back | the event | the gate |
/// | --- | --- | --- |
/// | (its key is in the spool) | into the spool, behind its key | not asked |
/// | (the gate is shut) | into the spool | not asked |
/// | accepted | published | opens |
/// | refused, permanent | refused: no attempt can succeed, and the caller learns at once | opens |
/// | refused, transient | into the spool: the drainer tries again | stays |
/// | refused, unavailable | into the spool | shuts |
/// | unknown | into the spool; it may come twice | shuts |
///
/// **Guarantees.** Events of one key that were accepted one after the other are read in that order,
/// spooled or live: once one of a key is in the spool, its next ones go there too, until the last
/// of them is published. After the sink was found down, publishes do not wait for its time-out:
/// they go to the spool at once, and now and then one tries the sink. An answer is `refused` only
/// if the event is nowhere: after an attempt without an answer it is `unknown` instead. Only what
/// the broker refuses for good is refused as permanent: an event that is too large for the spool
/// alone is refused as unavailable, because the broker may take it later.
///
/// Of a batch, what need not go to the spool is published in one call, and then each event has its
/// answer as above; behind one of its key that is accepted nowhere it is refused as `behind`.
///
/// **What `accepted` means here.** The event is durable on this machine and will be published, also
/// after a crash of this process, as soon as a drainer runs and the broker is back. It is not yet
/// there for readers, and it is lost with the disk.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/check_pauses.hpp>
#include <sinew/publish/closed_keys.hpp>
#include <sinew/publish/decoration.hpp>
#include <sinew/publish/port_gate.hpp>
#include <sinew/publish/spool_observer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// Options of `spooled`.
struct spooled_options {
    /// How long the sink may take, before the event goes to the spool. It gets half of what is left
    /// until the caller's deadline at most, so that there is time for the spool.
    duration publish_timeout = std::chrono::seconds(2);
    /// About the first pause after which the sink is tried again, and the longest.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(5);
    /// The seed of the pauses; 0: from the operating system.
    std::uint64_t seed = 0;
};

/// What `spooled` has done.
struct spooled_counts {
    std::uint64_t live = 0;            ///< accepted by the sink
    std::uint64_t spooled = 0;         ///< stored in the spool
    std::uint64_t refused = 0;         ///< refused by the sink for good
    std::uint64_t full_count = 0;      ///< `spool_full_count`
    std::uint64_t full_bytes = 0;      ///< `spool_full_bytes`
    std::uint64_t too_old = 0;         ///< `spool_too_old`
    std::uint64_t too_large = 0;       ///< `payload_too_large`
    std::uint64_t not_spooled = 0;     ///< refused by the spool for another reason
    std::uint64_t without_answer = 0;  ///< the spool gave none
};

/// A sink with a spool; models `sink`, and `batch_sink` if the one inside does.
///
/// **Bounds.** One thread at a time, unless both clock and sink can take more; several threads have
/// a `spooled` each, on one spool. An answer takes until `until`, plus what the disk takes for one
/// write.
/// **Example.** `sinew::spooled out(kafka, spool); out.publish(e, until);` and on a thread of its
/// own `sinew::drainer drain(spool, kafka); sinew::run(drain, stop);`
template <class Sink, class Spool, class Observer = null_spool_observer,
          class Clock = machine_clock>
class spooled {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool keeps_in_spool = spool<Spool>;
    static constexpr bool is_observed = spool_observer<Observer>;
    static constexpr bool has_clock = clock<Clock>;
    static_assert(publishes_to_sink,
                  "sinew: spooled stands around a sink: it needs publish(event_view, steady_time), "
                  "which answers a publish_result");
    static_assert(keeps_in_spool,
                  "sinew: spooled takes a spool second, such as a sinew::sqlite::spool");
    static_assert(is_observed,
                  "sinew: the observer of spooled needs all the hooks of null_spool_observer");
    static_assert(has_clock, "sinew: the clock of spooled needs now(), which answers a moment");

public:
    static_assert(tells_when_down<Sink>,
                  "sinew: a sink that is spooled, or has a fallback, never says that its broker is "
                  "down, so nothing would reach this spool; put spooled directly around the "
                  "broker's sink, and with_fallback around spooled");
    static constexpr unsigned decorations = decorations_of<Sink>() | decoration::spool;

    /// All have to outlive this.
    ///
    /// **On failure.** Throws `usage_error` for an option that is out of its range.
    spooled(Sink& to, Spool& in, const spooled_options& options = {}, Observer observer = {},
            Clock clock = {})
        : to_(&to),
          in_(&in),
          options_(checked(options)),
          observer_(std::move(observer)),
          clock_(std::move(clock)),
          gate_({options.base, options.cap}, options.seed == 0 ? entropy_seed() : options.seed) {}
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    spooled(const Sink&& to, Spool& in, const spooled_options& options = {}, Observer observer = {},
            Clock clock = {}) = delete;

    publish_result publish(const event_view& e, steady_time until) {
        const moment now = clock_.now();
        if (in_->holds(e.partitionkey)) {
            return store(e, now, until, std::nullopt);
        }
        if (!gate_.is_open(now.steady)) {
            return store(e, now, until, std::nullopt);
        }
        auto answer = ask(*to_, e, live_until(now.steady, until));
        heed({&answer, 1});
        return conclude(e, std::move(answer), until);
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time until)
        requires batch_sink<Sink>
    {
        const steady_time now = clock_.now().steady;
        std::vector<event_view> live;
        std::vector<bool> is_live(events.size(), false);
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (gate_.is_open(now) && !in_->holds(events[i].partitionkey)) {
                is_live[i] = true;
                live.push_back(events[i]);
            }
        }
        std::vector<publish_result> answers;
        if (!live.empty()) {
            answers = ask(*to_, std::span<const event_view>(live), live_until(now, until));
            heed(answers);
        }
        std::vector<publish_result> out;
        out.reserve(events.size());
        closed_keys closed;
        for (std::size_t i = 0, next = 0; i < events.size(); ++i) {
            const auto& e = events[i];
            publish_result* const answer = is_live[i] ? &answers[next++] : nullptr;
            const bool is_there = answer != nullptr && answer->is_accepted();
            if (closed.has(e.partitionkey) && !is_there) {
                const bool unknown =
                    answer != nullptr && answer->how() == publish_result::end::unknown;
                out.push_back(unknown ? std::move(*answer) : closed_keys::behind());
            } else if (answer != nullptr) {
                out.push_back(conclude(e, std::move(*answer), until));
            } else {
                out.push_back(store(e, clock_.now(), until, std::nullopt));
            }
            if (!out.back().is_accepted()) {
                closed.close(e.partitionkey);
            }
        }
        return out;
    }

    [[nodiscard]] const spooled_counts& counts() const noexcept { return counts_; }
    /// When the sink is tried again; in the past, if it is not known to be down.
    [[nodiscard]] steady_time sink_tried_at() const noexcept { return gate_.until(); }

private:
    [[nodiscard]] static const spooled_options& checked(const spooled_options& options) {
        if (options.publish_timeout <= duration::zero()) {
            throw usage_error("spooled: option publish_timeout has to be above 0");
        }
        detail::check_pauses("spooled", options.base, options.cap);
        return options;
    }

    [[nodiscard]] static bool is_permanent(const publish_result& answer) noexcept {
        return answer.how() == publish_result::end::refused &&
               answer.why().kind == failure_class::permanent;
    }

    /// What the answers to one call say of the sink: it is down if one of them says so.
    void heed(std::span<const publish_result> answers) {
        bool answered = false;
        for (const auto& one : answers) {
            const bool fine = one.is_accepted() || is_permanent(one);
            if (!fine && (one.how() == publish_result::end::unknown ||
                          one.why().kind != failure_class::transient)) {
                gate_.close(clock_.now().steady, one.why().retry_after);
                return;
            }
            answered = answered || fine;
        }
        if (answered) {
            gate_.answered();
        }
    }

    /// What becomes of an event, by what the sink answered for it.
    publish_result conclude(const event_view& e, publish_result answer, steady_time until) {
        if (answer.is_accepted()) {
            ++counts_.live;
            observer_.on_live(detail::note_of(e));
            return answer;
        }
        if (is_permanent(answer)) {
            ++counts_.refused;
            return answer;
        }
        const bool unknown = answer.how() == publish_result::end::unknown;
        return store(e, clock_.now(), until, unknown ? std::optional(answer.why()) : std::nullopt);
    }

    [[nodiscard]] steady_time live_until(steady_time now, steady_time until) const noexcept {
        const steady_time most = later(now, options_.publish_timeout);
        if (until <= now) {
            return until;
        }
        const steady_time half = until == never ? never : now + (until - now) / 2;
        return half < most ? half : most;
    }

    /// `maybe`: the sink gave no answer, so the event may be there already.
    publish_result store(const event_view& e, moment now, steady_time until,
                         const std::optional<failure>& maybe) {
        const auto answer = in_->put(e, now, until);
        if (answer.is_stored()) {
            ++counts_.spooled;
            if (answer.is_first()) {
                observer_.on_first_spooled(detail::note_of(e));
            }
            observer_.on_spooled(detail::note_of(e));
            return publish_result::accepted();
        }
        failure why = answer.why();
        count(answer);
        if (answer.how() == spool_result::end::refused && why.reason == "payload_too_large") {
            why.kind = failure_class::unavailable;
        }
        observer_.on_spool_refused(detail::note_of(e, why));
        if (maybe || answer.how() == spool_result::end::unknown) {
            why.kind = failure_class::unknown;
            return publish_result::unknown(std::move(why));
        }
        return publish_result::refused(std::move(why));
    }

    void count(const spool_result& answer) noexcept {
        const auto& reason = answer.why().reason;
        ++(answer.how() == spool_result::end::unknown ? counts_.without_answer
           : reason == "spool_full_count"             ? counts_.full_count
           : reason == "spool_full_bytes"             ? counts_.full_bytes
           : reason == "spool_too_old"                ? counts_.too_old
           : reason == "payload_too_large"            ? counts_.too_large
                                                      : counts_.not_spooled);
    }

    Sink* to_;
    Spool* in_;
    spooled_options options_;
    Observer observer_;
    Clock clock_;
    port_gate gate_;
    spooled_counts counts_;
};

}  // namespace sinew
