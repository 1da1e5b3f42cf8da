// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the suite for journals needs of an environment, and the steps that its scenarios are made
/// of.
///
/// | member | means | |
/// | --- | --- | --- |
/// | `open()` | a store on the environment's data; the data outlives it | required |
/// | `journal_of(store&)` | the journal in that store | required |
/// | `crash()` | the process dies: `open` shows what a new one would find | optional |
/// | `lose_reply()` | the next `write` outside of a transaction gets no answer | optional |
///
/// All stores of an environment have the same journal. With at least two seats, and with
/// `early_replies_max` of at most `early_replies_shown`, all claims can be looked at.

#include <sinew/core/journal.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>
#include <sinew/testing/conformance/store_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew {

// Beside their types, so that whoever shows a value finds them.

[[nodiscard]] inline std::string show(start_result r) { return std::string(to_string(r)); }
[[nodiscard]] inline std::string show(reply_result r) { return std::string(to_string(r)); }
[[nodiscard]] inline std::string show(instance_state s) { return std::string(to_string(s)); }
[[nodiscard]] inline std::string show(const write_result& r) {
    return std::string(to_string(r.how)) + (r.is_cancelled ? ", cancelled" : "");
}
[[nodiscard]] inline std::string show(const step_entry& step) {
    return testing::conformance::show(step.name) + " " + std::string(to_string(step.kind));
}
[[nodiscard]] inline std::string show(const step_record& record) {
    return testing::conformance::show(record.where.step) + " " +
           std::string(to_string(record.where.phase)) + " " + std::string(to_string(record.kind)) +
           " after " + std::to_string(record.attempts) + ", from " +
           std::to_string(record.begun.time_since_epoch().count()) + " to " +
           std::to_string(record.at.time_since_epoch().count()) + ": " +
           testing::conformance::show(record.result) + ", " +
           testing::conformance::show(record.why);
}
[[nodiscard]] inline std::string show(const step_progress& p) {
    return testing::conformance::show(p.where.step) + " " + std::string(to_string(p.where.phase)) +
           ", " + std::to_string(p.attempts) + " attempts, " + std::to_string(p.waits) +
           " waits, " + std::to_string(p.starts) + " starts" + (p.in_doubt ? ", in doubt" : "") +
           ", " + testing::conformance::show(p.last_failure);
}
[[nodiscard]] inline std::string show(const instance_wait& w) {
    return std::to_string(w.time.from.time_since_epoch().count()) + " to " +
           std::to_string(w.time.due.time_since_epoch().count()) +
           (w.reply ? ", reply to " + testing::conformance::show(w.reply->step) : std::string());
}
[[nodiscard]] inline std::string show(const journal_counts& counts) {
    return std::to_string(counts.open) + " open, " + std::to_string(counts.parked) + " parked, " +
           std::to_string(counts.early_replies) + " early replies";
}

}  // namespace sinew

namespace sinew::testing::conformance {

/// What the adapter promises beyond `journal`.
struct journal_features {
    bool connections = false;  ///< several stores can be open on the same data at a time
};

/// How many early replies the suite is ready to bring.
inline constexpr std::size_t early_replies_shown = 100;

template <class Env>
using journal_of_t =
    std::remove_cvref_t<decltype(std::declval<Env&>().journal_of(std::declval<store_of<Env>&>()))>;

template <class Env>
concept journal_environment = requires(Env& env) {
    { env.open() } -> store;
} && journal<journal_of_t<Env>, store_of<Env>>;

namespace detail {

inline constexpr std::string_view order_type = "order";
inline constexpr std::size_t all_instances = 100'000;

[[nodiscard]] inline texts ids_of(const std::vector<journal_entry>& entries) {
    texts out;
    for (const auto& one : entries) {
        out.push_back(one.what.id);
    }
    return out;
}
[[nodiscard]] inline texts ids_of(const std::vector<process_instance>& instances) {
    texts out;
    for (const auto& one : instances) {
        out.push_back(one.id);
    }
    return out;
}

/// One process: a service with its store, and a runner with a seat.
template <class Env>
class journal_scene {
public:
    journal_scene(const check& c, Env& env)
        : c_(&c), env_(&env), s(env.open()), book(env.journal_of(s)), now(wall_of(env)) {}

    start_result start(std::string_view id, std::string_view input = "input",
                       std::string_view type = order_type) {
        auto tx = begin(*env_, s);
        const std::vector<step_entry> steps{{"reserve", step_kind::compensable},
                                            {"charge", step_kind::compensable},
                                            {"ship", step_kind::pivot}};
        const auto came =
            book.start(tx, {.type = type, .id = id, .steps = steps, .input = input}, now);
        commit(*c_, tx);
        return came;
    }
    reply_result reply(std::string_view id, const std::string& step,
                       std::string_view data = "reply") {
        auto tx = begin(*env_, s);
        const auto came = book.reply(tx, reply_of(id, step, data), now);
        commit(*c_, tx);
        return came;
    }
    [[nodiscard]] static process_reply reply_of(std::string_view id, const std::string& step,
                                                std::string_view data = "reply") {
        return {.type = order_type, .id = id, .to = {step, step_phase::act}, .data = data};
    }
    bool cancel(std::string_view id, std::string reason = "cancelled") {
        auto tx = begin(*env_, s);
        const bool came = book.cancel(tx, order_type, id, note(std::move(reason)));
        commit(*c_, tx);
        return came;
    }

    /// The lease of the runner's seat, taken at the first call.
    const shard_lease& lease() {
        if (!lease_) {
            lease_ = take(0, "runner");
        }
        return *lease_;
    }
    shard_lease take(shard_id seat, std::string_view owner) {
        auto taken = book.take(book.holder(seat, until()), owner, until());
        c_->that(taken.has_value(), "a seat whose lease was just looked at to be given", "nothing");
        return *taken;
    }
    /// What a runner does that found another one dead, or that stops itself.
    void stand_up() {
        done(book.release(book.holder(lease().shard, until()), until()), "the answer of release");
        lease_.reset();
    }

    [[nodiscard]] std::vector<journal_entry> claim(std::size_t limit = all_instances,
                                                   std::string_view type = order_type) {
        auto some = book.claim(lease(), {&type, 1}, now, limit, until());
        c_->that(some.has_value(), "a claim under a lease that has not ended to be answered",
                 "nothing, as for one that has ended");
        return std::move(*some);
    }
    [[nodiscard]] texts ids() { return ids_of(claim()); }
    [[nodiscard]] journal_entry claim_one(std::string_view id) {
        for (auto& one : claim()) {
            if (one.what.id == id) {
                return std::move(one);
            }
        }
        c_->fail("the instance " + show(id) + " to be given", "it was not");
    }
    [[nodiscard]] journal_entry look(std::string_view id) {
        auto found = book.find(order_type, id, until());
        c_->that(found.has_value(), "the instance " + show(id) + " to be found", "nothing");
        return std::move(*found);
    }

    /// A write that ends the claim, or not, and no more.
    [[nodiscard]] static journal_write plain(const journal_entry& entry,
                                             claim_end end = claim_end::none) {
        journal_write out;
        out.claim = claim_of(entry.what);
        out.known = entry.history.size();
        out.end = end;
        return out;
    }
    [[nodiscard]] journal_write with_record(const journal_entry& entry, const std::string& step,
                                            claim_end end = claim_end::none,
                                            record_kind kind = record_kind::done) const {
        auto out = plain(entry, end);
        out.records.push_back(record(step, kind));
        return out;
    }
    [[nodiscard]] journal_write waiting(const journal_entry& entry, duration delay,
                                        const std::string& for_reply = {}) const {
        auto out = plain(entry, claim_end::released);
        out.wait = instance_wait{put_off_by(now, delay), std::nullopt};
        if (!for_reply.empty()) {
            out.wait->reply = step_address{for_reply, step_phase::act};
        }
        return out;
    }
    [[nodiscard]] step_record record(std::string step, record_kind kind = record_kind::done) const {
        step_record out{.where = {std::move(step), step_phase::act}, .kind = kind};
        out.attempts = 2;
        out.begun = now - std::chrono::seconds(1);
        out.at = now;
        out.result = "a result";
        return out;
    }
    [[nodiscard]] write_result write(const journal_write& one) {
        const auto came = book.write({&one, 1}, now, until());
        c_->equal(came.size(), std::size_t{1}, "the number of answers to one write");
        return came.front();
    }
    void write_done(const journal_write& one) { done(write(one).how, "the answer of write"); }
    void done(fenced_result result, std::string_view of) const {
        c_->equal(result, fenced_result::done, of);
    }
    [[nodiscard]] failure_note note(std::string reason) const {
        return {now, failure_class::transient, 1, std::move(reason), "a detail"};
    }

    [[nodiscard]] steady_time until() const { return soon(*env_); }

private:
    const check* c_;
    Env* env_;
    std::optional<shard_lease> lease_{};

public:
    // The journal ends before its store does.
    store_of<Env> s;
    journal_of_t<Env> book;
    wall_time now;  ///< moved by scenarios
};

}  // namespace detail

}  // namespace sinew::testing::conformance
