// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories of a journal, compared with the in-memory one.
///
/// What the concept leaves open takes no part: how instances are numbered, and by how much epochs
/// rise.

#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>
#include <sinew/testing/conformance/random_history.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// The reference, with the options of the journal that is compared with it.
struct memory_journal_environment : virtual_time {
    explicit memory_journal_environment(const journal_options& as) : options(as) {}
    memory::database data;
    journal_options options;
    [[nodiscard]] memory::store open() const { return memory::store(data); }
    [[nodiscard]] memory::journal journal_of(memory::store& s) const {
        return s.journal("reference", options);
    }
};

/// Carries out the steps of one history on a journal. Its instances have the history's name as
/// their type, so that histories on the same journal don't meet.
template <class Env>
class journal_player {
public:
    enum kind : std::uint64_t {
        start,
        claim,
        record,
        fail,
        undo,
        retry_record,
        put_off,
        await,
        park,
        end,
        roll_back,
        reply,
        cancel,
        open_again,
        skip_by_hand,
        abandon,
        wait,
        sweep,
        reopen,
        kinds
    };
    static constexpr std::array<step_name, kinds> names{{{"start", 2},
                                                         {"claim one"},
                                                         {"record", 2},
                                                         {"record a failure", 2},
                                                         {"record a compensation", 2},
                                                         {"record a retry", 2},
                                                         {"put off", 2},
                                                         {"await a reply", 2},
                                                         {"park", 1},
                                                         {"end", 2},
                                                         {"roll back a record", 1},
                                                         {"reply", 2},
                                                         {"cancel", 1},
                                                         {"open again", 1},
                                                         {"skip by hand", 2},
                                                         {"abandon", 1},
                                                         {"wait", 2},
                                                         {"the runner's lease ends"},
                                                         {"open the store again"}}};

    journal_player(Env& env, std::string name) : env_(&env), type_(std::move(name)) { open(); }

    std::string play(const step& one, std::string_view /*expected*/ = {}) {
        id_ = std::string(1, static_cast<char>('a' + one.a));
        const std::string name = "s" + std::to_string(one.b % 2);
        switch (static_cast<kind>(one.kind)) {
            case start: return start_one(one.b);
            case claim: return claim_some();
            case record: return append(at_->record(name));
            case fail: return append(with_note(at_->record(name, record_kind::failed)));
            case undo: return append(undone(at_->record(name, some_kind(one.b))));
            case retry_record: return append(at_->record(name, record_kind::retried));
            case put_off: return put_off_for(one.b, {});
            case await: return put_off_for(20, name);
            case park: return finish(claim_end::parked);
            case end: return finish(one.b < 2 ? claim_end::completed : claim_end::compensated);
            case roll_back: return roll_back_one(name);
            case reply: return bring(name);
            case cancel: return cancel_one();
            case open_again: return decide(instance_state::open, {});
            case skip_by_hand:
                return decide(instance_state::open, {at_->record(name, record_kind::skipped)});
            case abandon: return decide(instance_state::abandoned, {});
            case wait:
                at_->now += std::chrono::seconds(one.b * 4) - std::chrono::seconds(2);
                return {};
            case sweep: at_->stand_up(); return show_all();
            default: open(); return show_all();
        }
    }

private:
    void open() {
        const auto now = at_ ? std::optional(at_->now) : std::nullopt;
        at_.reset();
        at_.emplace(c_, *env_);
        at_->now = now.value_or(wall_time(std::chrono::hours(24 * 20'000)));
        static_cast<void>(at_->lease());
    }

    std::string start_one(std::uint64_t input) {
        return show(at_->start(id_, std::to_string(input / 2), type_)) + show_one();
    }
    std::string claim_some() {
        std::string out;
        for (auto& one : at_->claim(1 + type_.size() % 2, type_)) {
            out += one.what.id + " " + std::to_string(one.unsettled) +
                   (one.reply ? " " + *one.reply : "") + ", ";
            held_[one.what.id] = std::move(one);
        }
        return out + show_all();
    }

    /// What the runner believes: the claim that it had of the instance last, ended or not.
    template <class F>
    std::string write(F f) {
        const auto held = held_.find(id_);
        if (held == held_.end()) {
            return "nothing";
        }
        auto one = at_->plain(held->second);
        f(one);
        const auto came = at_->write(one);
        if (came.how == fenced_result::done) {
            for (auto& made : one.records) {
                held->second.history.push_back(std::move(made));
            }
        }
        return show(came) + show_one();
    }
    std::string append(const step_record& what) {
        return write([&](journal_write& one) { one.records.push_back(what); });
    }
    std::string finish(claim_end how) {
        return write([&](journal_write& one) {
            one.end = how;
            one.why = at_->note("why");
        });
    }
    std::string put_off_for(std::uint64_t seconds, const std::string& for_reply) {
        return write([&](journal_write& one) {
            one = at_->waiting(held_[id_], std::chrono::seconds(seconds * 3), for_reply);
            one.progress = step_progress{.where = {"s0", step_phase::act},
                                         .attempts = static_cast<std::uint32_t>(seconds),
                                         .in_doubt = seconds == 2};
        });
    }
    std::string roll_back_one(const std::string& name) {
        const auto held = held_.find(id_);
        if (held == held_.end()) {
            return "nothing";
        }
        auto tx = begin(*env_, at_->s);
        const auto came = at_->book.write(tx, at_->with_record(held->second, name), at_->now);
        tx.rollback();
        return show(came) + show_one();
    }
    std::string bring(const std::string& name) {
        auto tx = begin(*env_, at_->s);
        const std::string data = "r" + std::to_string(++replies_);
        const auto came = at_->book.reply(
            tx, {.type = type_, .id = id_, .to = {name, step_phase::act}, .data = data}, at_->now);
        commit(c_, tx);
        return show(came) + show_one();
    }
    std::string cancel_one() {
        auto tx = begin(*env_, at_->s);
        const bool came = at_->book.cancel(tx, type_, id_, at_->note("cancelled"));
        commit(c_, tx);
        return show(came) + show_one();
    }
    std::string decide(instance_state becomes, std::vector<step_record> records) {
        const auto found = at_->book.find(type_, id_, at_->until());
        if (!found) {
            return "nothing";
        }
        const bool came = at_->book.decide(
            found->what.number, found->what.epoch,
            {.becomes = becomes, .records = std::move(records), .why = at_->note("decided")},
            at_->now, at_->until());
        return show(came) + show_one();
    }

    [[nodiscard]] static record_kind some_kind(std::uint64_t b) {
        return b < 2 ? record_kind::done : record_kind::failed;
    }
    [[nodiscard]] step_record with_note(step_record what) const {
        what.why = at_->note("no");
        return what;
    }
    [[nodiscard]] static step_record undone(step_record what) {
        what.where.phase = step_phase::undo;
        return what;
    }

    [[nodiscard]] std::string show_one() {
        const auto found = at_->book.find(type_, id_, at_->until());
        if (!found) {
            return "; " + id_ + " is not there";
        }
        const auto& what = found->what;
        return "; " + id_ + " " + show(what.state) + ", since " +
               std::to_string(what.since.time_since_epoch().count()) + ", " + show(what.progress) +
               ", " + show(what.wait) + ", " + show(what.cancelled) + ", " + show(what.why) + ", " +
               show(found->reply) + ", " + std::to_string(found->unsettled) + " silent, " +
               show(found->history);
    }
    [[nodiscard]] std::string show_all() {
        std::string out;
        for (const auto* id : {"a", "b", "c"}) {
            id_ = id;
            out += show_one();
        }
        return out;
    }

    Env* env_;
    std::string type_;
    std::string id_{};
    check c_{"the journal's answers"};
    std::optional<journal_scene<Env>> at_;
    std::map<std::string, journal_entry> held_;
    int replies_ = 0;
};

/// Compares a journal with the reference.
template <class Env>
void check_journal_histories(check& c, Env& env) {
    memory_journal_environment model(journal_scene(c, env).book.options());
    compare_histories<journal_player<Env>, journal_player<memory_journal_environment>>(
        c, on(env), on(model), [](const step&) { return true; }, 60);
}

}  // namespace sinew::testing::conformance::detail
