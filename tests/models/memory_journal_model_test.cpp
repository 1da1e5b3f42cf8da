// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr shard_id seats = 2;
constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr std::string_view type = "order";

/// An instance as one would remember it.
struct naive_instance {
    instance_state state = instance_state::open;
    std::string input{};
    std::vector<std::tuple<std::string, step_phase, record_kind>> records{};
    std::uint32_t attempts = 0;  ///< of the progress; 0: there is none
    std::uint32_t starts = 0;
    wall_time since{};
    bool waits = false;
    wall_time wait_from{};
    wall_time wait_until{};
    std::string awaits{};  ///< the step whose reply it waits for
    bool is_cancelled = false;
    bool is_woken = false;
    std::uint32_t silent = 0;
    epoch_number epoch = 0;
    int holder = -1;  ///< the seat
    epoch_number holder_epoch = 0;

    [[nodiscard]] bool is_over() const {
        return state != instance_state::open && state != instance_state::parked;
    }
    /// The last word on an action.
    [[nodiscard]] bool has_record(const std::string& step) const {
        bool has = false;
        for (const auto& [name, phase, kind] : records) {
            if (name == step && phase == step_phase::act) {
                has = kind != record_kind::retried;
            }
        }
        return has;
    }
};

struct naive_reply {
    std::string data{};
    wall_time at{};
};

/// Everything, in two parts for each id, which change apart from each other.
struct naive_state {
    std::map<std::string, naive_instance> instances{};
    std::map<std::string, std::map<std::string, naive_reply>> replies{};
};

struct naive_seat {
    epoch_number epoch = 0;
    bool is_held = false;
};

/// What a transaction of the model touched, and whether it changed it.
using touched_parts = std::map<std::string, bool>;

start_result start_in(naive_state& in, touched_parts& touched, const std::string& id,
                      const std::string& input, wall_time now) {
    touched["i" + id] = touched["i" + id] || in.instances.count(id) == 0;
    if (in.instances.count(id) != 0) {
        return in.instances[id].input == input ? start_result::was_there : start_result::differs;
    }
    in.instances[id].input = input;
    in.instances[id].since = now;
    return start_result::started;
}

reply_result reply_in(naive_state& in, touched_parts& touched, const std::string& id,
                      const std::string& step, const std::string& data, wall_time now) {
    touched.try_emplace("i" + id, false);
    const auto its = in.instances.find(id);
    if (its != in.instances.end() && (its->second.is_over() || its->second.has_record(step))) {
        return reply_result::late;
    }
    touched.try_emplace("r" + id, false);
    if (in.replies[id].count(step) != 0) {
        return reply_result::duplicate;
    }
    touched["r" + id] = true;
    in.replies[id][step] = {data, now};
    return its != in.instances.end() && its->second.state == instance_state::open &&
                   its->second.waits && its->second.awaits == step
               ? reply_result::awaited
               : reply_result::early;
}

bool cancel_in(naive_state& in, touched_parts& touched, const std::string& id) {
    touched.try_emplace("i" + id, false);
    const auto its = in.instances.find(id);
    if (its == in.instances.end() || its->second.is_over()) {
        return false;
    }
    if (!its->second.is_cancelled) {
        its->second.is_cancelled = its->second.is_woken = true;
        touched["i" + id] = true;
    }
    return true;
}

void append_in(naive_state& in, touched_parts& touched, const std::string& id,
               const std::vector<step_record>& records, std::size_t known, wall_time now) {
    auto& its = in.instances[id];
    for (std::size_t i = its.records.size() - known; i < records.size(); ++i) {
        its.records.emplace_back(records[i].where.step, records[i].where.phase, records[i].kind);
        its.since = now;
        its.attempts = its.starts = 0;
        its.waits = false;
        its.awaits.clear();
        its.silent = 0;
        if (records[i].kind != record_kind::retried && records[i].where.phase == step_phase::act) {
            const bool is_taken = in.replies[id].erase(records[i].where.step) > 0;
            touched["r" + id] = touched["r" + id] || is_taken;
        } else if (records[i].kind != record_kind::retried) {
            touched.try_emplace("r" + id, false);
        }
    }
}

void forget_replies_in(naive_state& in, touched_parts& touched, const std::string& id) {
    if (in.instances[id].is_over()) {
        touched["r" + id] = touched["r" + id] || !in.replies[id].empty();
        in.replies[id].clear();
    }
}

write_result write_in(naive_state& in, touched_parts& touched, const std::string& id,
                      const journal_write& one, wall_time now) {
    touched.try_emplace("i" + id, false);
    const auto found = in.instances.find(id);
    if (found == in.instances.end() || found->second.epoch != one.claim.epoch ||
        found->second.holder < 0) {
        return {fenced_result::stale, false};
    }
    touched["i" + id] = true;
    append_in(in, touched, id, one.records, one.known, now);
    auto& its = found->second;
    if (one.progress) {
        its.attempts = one.progress->attempts;
        its.starts = one.progress->starts;
    }
    if (one.end != claim_end::none) {
        ++its.epoch;
        its.holder = -1;
        its.silent = 0;
        its.waits = one.end == claim_end::released && one.wait.has_value();
        its.awaits.clear();
        if (its.waits) {
            its.wait_from = one.wait->time.from;
            its.wait_until = one.wait->time.due;
            its.awaits = one.wait->reply ? one.wait->reply->step : std::string();
        }
        if (one.end != claim_end::released) {
            its.state = one.end == claim_end::parked      ? instance_state::parked
                        : one.end == claim_end::completed ? instance_state::completed
                                                          : instance_state::compensated;
            its.since = now;
        }
    }
    forget_replies_in(in, touched, id);
    return {fenced_result::done, its.is_cancelled};
}

/// The real one and its model, two services with transactions and two runners with seats.
class both {
public:
    both() {
        for (shard_id seat = 0; seat < seats; ++seat) {
            sit_down(seat);
        }
    }

    void step(std::uint8_t what, std::uint8_t a, std::uint8_t b) {
        switch (what % 16) {
            case 0:
            case 1: start(a, b); break;
            case 2: reply(a, b); break;
            case 3: cancel(a, b); break;
            case 4:
            case 5:
            case 6: claim(a, b); break;
            case 7:
            case 8:
            case 9: write(a, b); break;
            case 10: write_in_transaction(a, b); break;
            case 11: commit(a % 2, b); break;
            case 12: decide(a, b); break;
            case 13: seat(a % seats, b); break;
            case 14: purge(b); break;
            default: now_ += std::chrono::seconds(b % 16) - 5s; break;
        }
        compare();
    }

    [[nodiscard]] std::size_t instances() const { return state_.instances.size(); }

    /// Whatever is left can be brought to an end.
    void drain() {
        slots_[0].tx.reset();
        slots_[1].tx.reset();
        for (const auto& one : book_.stuck(wall_time::max(), 0, 1000)) {
            RC_ASSERT(book_.decide(one.number, one.epoch, {}, now_));
        }
        sit_down(0);
        for (;;) {
            const auto some = book_.claim(leases_[0], {&type, 1}, now_, 3).value();
            if (some.empty()) {
                break;
            }
            for (const auto& one : some) {
                journal_write last{.claim = claim_of(one.what), .known = one.history.size()};
                last.end = claim_end::completed;
                RC_ASSERT(book_.write({&last, 1}, now_).front().how == fenced_result::done);
            }
        }
        const auto left = book_.counts();
        RC_ASSERT(left.open == 0U);
        RC_ASSERT(left.parked == 0U);
        RC_ASSERT(book_.stuck(wall_time::max(), 0, 1000).empty());
        RC_ASSERT(data_.open_transactions() == 0U);
    }

private:
    struct slot {
        explicit slot(const memory::database& data) : store(data) {}
        memory::store store;
        std::optional<memory::transaction> tx{};
        naive_state state{};
        touched_parts touched{};
        std::map<std::string, int> versions{};
    };

    static std::string id_of(std::uint8_t a) { return std::string(1, "wxyz"[a % 4]); }
    static std::string step_of(std::uint8_t b) { return b % 2 == 0 ? "s0" : "s1"; }

    slot& open(std::size_t who) {
        auto& at = slots_[who];
        if (!at.tx) {
            at.tx.emplace(at.store.begin());
            at.state = state_;
            at.touched.clear();
            at.versions = versions_;
        }
        return at;
    }
    void commit(std::size_t who, std::uint8_t b) {
        auto& at = slots_[who];
        if (!at.tx) {
            return;
        }
        if (b % 4 == 0) {
            at.tx.reset();
            return;
        }
        bool is_unchanged = true;
        for (const auto& [part, changed] : at.touched) {
            is_unchanged = is_unchanged && versions_[part] == at.versions[part];
        }
        RC_ASSERT((at.tx->commit() == commit_result::committed) == is_unchanged);
        at.tx.reset();
        if (is_unchanged) {
            take_over(at.state, at.touched);
        }
    }
    /// Takes what was changed into the state that everybody sees.
    void take_over(const naive_state& from, const touched_parts& touched) {
        for (const auto& [part, changed] : touched) {
            const std::string id = part.substr(1);
            if (!changed) {
                continue;
            }
            ++versions_[part];
            if (part[0] == 'i') {
                state_.instances[id] = from.instances.at(id);
            } else {
                state_.replies[id] = from.replies.at(id);
            }
        }
    }
    /// The same for a call that has its own transaction.
    template <class F>
    auto at_once(F f) {
        touched_parts touched;
        naive_state next = state_;
        const auto out = f(next, touched);
        take_over(next, touched);
        return out;
    }

    void start(std::uint8_t a, std::uint8_t b) {
        auto& at = open(b % 2);
        const std::vector<step_entry> steps{{"s0", step_kind::compensable}};
        const std::string input = b % 16 < 14 ? "x" : "y";
        const auto came = book_.start(*at.tx, {type, id_of(a), steps, input}, now_);
        RC_ASSERT(came == start_in(at.state, at.touched, id_of(a), input, now_));
    }
    void reply(std::uint8_t a, std::uint8_t b) {
        auto& at = open(b / 2 % 2);
        const std::string data = std::to_string(++replies_);
        const auto came = book_.reply(
            *at.tx,
            {.type = type, .id = id_of(a), .to = {step_of(b), step_phase::act}, .data = data},
            now_);
        RC_ASSERT(came == reply_in(at.state, at.touched, id_of(a), step_of(b), data, now_));
    }
    void cancel(std::uint8_t a, std::uint8_t b) {
        auto& at = open(b % 2);
        RC_ASSERT(book_.cancel(*at.tx, type, id_of(a), {}) ==
                  cancel_in(at.state, at.touched, id_of(a)));
    }

    [[nodiscard]] bool is_good(const shard_lease& lease) const {
        return seats_[lease.shard].is_held && seats_[lease.shard].epoch == lease.epoch;
    }
    [[nodiscard]] std::optional<wall_time> due_since(const std::string& id) {
        const auto& one = state_.instances[id];
        const bool is_free = one.holder < 0 ||
                             !seats_[static_cast<std::size_t>(one.holder)].is_held ||
                             seats_[static_cast<std::size_t>(one.holder)].epoch != one.holder_epoch;
        if (one.state != instance_state::open || !is_free) {
            return std::nullopt;
        }
        if (!one.waits || one.is_woken) {
            return one.since;
        }
        if (!one.awaits.empty() && state_.replies[id].count(one.awaits) != 0) {
            return state_.replies[id][one.awaits].at;
        }
        if (one.silent != 0) {
            return one.since;
        }
        const bool is_in_its_wait = one.wait_from <= now_ && now_ < one.wait_until;
        return is_in_its_wait ? std::nullopt : std::optional(one.wait_until);
    }
    void claim(std::uint8_t a, std::uint8_t b) {
        const auto lease = leases_[a % seats];
        const std::size_t limit = b % 4;
        const auto came = book_.claim(lease, {&type, 1}, now_, limit);
        RC_ASSERT(came.has_value() == is_good(lease));
        if (!came) {
            return;
        }
        std::vector<std::tuple<wall_time, std::int64_t, std::string>> due;
        for (const auto& [id, one] : state_.instances) {
            if (const auto since = due_since(id)) {
                due.emplace_back(*since, numbers_[id], id);
            }
        }
        std::sort(due.begin(), due.end());
        due.resize(std::min(limit, due.size()));
        RC_ASSERT(came->size() == due.size());
        for (std::size_t i = 0; i < due.size(); ++i) {
            const auto& id = std::get<2>(due[i]);
            const auto& entry = (*came)[i];
            auto& one = state_.instances[id];
            RC_ASSERT(entry.what.id == id);
            RC_ASSERT(entry.what.epoch > one.epoch);
            ++versions_["i" + id];
            one.epoch = entry.what.epoch;
            one.holder = static_cast<int>(lease.shard);
            one.holder_epoch = lease.epoch;
            one.is_woken = false;
            ++one.silent;
            RC_ASSERT(entry.unsettled == one.silent);
            RC_ASSERT(entry.reply.has_value() == (one.waits && !one.awaits.empty() &&
                                                  state_.replies[id].count(one.awaits) != 0));
            held_[id].push_back(entry);
        }
    }

    /// Some write under the last claim of an instance, or under one before.
    [[nodiscard]] std::optional<journal_write> some_write(std::uint8_t a, std::uint8_t b) {
        auto& claims = held_[id_of(a)];
        if (claims.empty()) {
            return std::nullopt;
        }
        const std::size_t back = b % 16 == 15 && claims.size() > 1 ? 2 : 1;
        const auto& entry = claims[claims.size() - back];
        journal_write out{.claim = claim_of(entry.what), .known = entry.history.size()};
        const auto its = state_.instances.find(id_of(a));
        const bool is_mine = its != state_.instances.end() && its->second.epoch == out.claim.epoch;
        // Sometimes what it wrote before, again.
        out.known = is_mine && b % 8 != 3 ? its->second.records.size() : out.known;
        switch (b / 16) {
            case 0: out.progress = step_progress{.where = {"s0", {}}, .attempts = 3}; break;
            case 1: out.progress = step_progress{.where = {"s0", {}}, .starts = 1}; break;
            case 2: out.end = claim_end::released; break;
            case 3: out.end = claim_end::parked; break;
            case 4: out.end = claim_end::completed; break;
            case 5: out.end = claim_end::compensated; break;
            case 6:
            case 7:
            case 8:
                out.end = claim_end::released;
                out.wait = instance_wait{put_off_by(now_, std::chrono::seconds(b % 8)), {}};
                break;
            case 9:
            case 10:
                out.end = claim_end::released;
                out.wait = instance_wait{put_off_by(now_, 20s), step_address{step_of(b), {}}};
                break;
            default: {
                out.records.push_back(
                    {.where = {step_of(b), b % 4 == 2 ? step_phase::undo : step_phase::act},
                     .kind = static_cast<record_kind>(b / 4 % 4)});
                if (b % 8 == 3) {
                    repeat(out, its == state_.instances.end() ? nullptr : &its->second);
                }
                break;
            }
        }
        return out;
    }
    /// Makes the records those that are there already.
    static void repeat(journal_write& one, const naive_instance* its) {
        if (its == nullptr) {
            return;
        }
        one.records.clear();
        for (std::size_t i = one.known; i < its->records.size(); ++i) {
            const auto& [step, phase, kind] = its->records[i];
            one.records.push_back({.where = {step, phase}, .kind = kind});
        }
    }
    void write(std::uint8_t a, std::uint8_t b) {
        if (const auto one = some_write(a, b)) {
            RC_ASSERT(book_.write({&*one, 1}, now_).front() ==
                      at_once([&](naive_state& in, touched_parts& touched) {
                          return write_in(in, touched, id_of(a), *one, now_);
                      }));
        }
    }
    void write_in_transaction(std::uint8_t a, std::uint8_t b) {
        auto one = some_write(a, b);
        auto& at = open(a / 4 % 2);
        const auto its = at.state.instances.find(id_of(a));
        if (one && its != at.state.instances.end()) {
            one->known = its->second.records.size();
            RC_ASSERT(book_.write(*at.tx, *one, now_) ==
                      write_in(at.state, at.touched, id_of(a), *one, now_));
        }
    }

    void decide(std::uint8_t a, std::uint8_t b) {
        const auto its = state_.instances.find(id_of(a));
        if (its == state_.instances.end()) {
            return;
        }
        auto& one = its->second;
        const epoch_number epoch = one.epoch - (b % 8 == 7 && one.epoch > 0 ? 1 : 0);
        const bool may = !one.is_over() && epoch == one.epoch;
        desk_decision decision;
        decision.becomes = b % 4 == 0   ? instance_state::abandoned
                           : b % 4 == 1 ? instance_state::parked
                                        : instance_state::open;
        if (b % 3 == 0) {
            decision.records.push_back(
                {.where = {step_of(b), step_phase::act}, .kind = record_kind::skipped});
        }
        RC_ASSERT(book_.decide(numbers_[id_of(a)], epoch, decision, now_) == may);
        if (!may) {
            return;
        }
        at_once([&](naive_state& in, touched_parts& touched) {
            touched["i" + id_of(a)] = true;
            append_in(in, touched, id_of(a), decision.records,
                      in.instances[id_of(a)].records.size(), now_);
            auto& after = in.instances[id_of(a)];
            ++after.epoch;
            after.holder = -1;
            after.state = decision.becomes;
            after.since = now_;
            if (after.state == instance_state::open) {
                after.attempts = after.starts = 0;
                after.is_woken = true;
            } else {
                after.waits = false;
                after.awaits.clear();
            }
            forget_replies_in(in, touched, id_of(a));
            return true;
        });
    }

    void sit_down(shard_id seat) {
        leases_[seat] = book_.take(book_.holder(seat), "runner").value();
        seats_[seat] = {leases_[seat].epoch, true};
    }
    void seat(shard_id seat, std::uint8_t b) {
        const bool is_held = seats_[seat].is_held;
        switch (b % 3) {
            case 0: sit_down(seat); break;
            case 1:
                RC_ASSERT(book_.renew(leases_[seat]) ==
                          (is_held ? fenced_result::done : fenced_result::stale));
                break;
            default:
                RC_ASSERT(book_.release(leases_[seat]) ==
                          (is_held ? fenced_result::done : fenced_result::stale));
                seats_[seat].is_held = false;
                break;
        }
    }

    void purge(std::uint8_t b) {
        const wall_time older_than = now_ - std::chrono::seconds(b % 8);
        const std::size_t limit = b % 3;
        std::map<std::int64_t, std::string> old;
        for (const auto& [id, one] : state_.instances) {
            if (one.is_over() && one.since < older_than) {
                old[numbers_[id]] = id;
            }
        }
        const std::size_t count = std::min(limit, old.size());
        RC_ASSERT(book_.purge(older_than, limit) == count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto id = old.begin()->second;
            old.erase(old.begin());
            ++versions_["i" + id];
            state_.instances.erase(id);
            held_.erase(id);
        }
    }

    void compare() {
        journal_counts counts;
        for (const char c : std::string_view("wxyz")) {
            const std::string id(1, c);
            const auto found = book_.find(type, id);
            const auto its = state_.instances.find(id);
            RC_ASSERT(found.has_value() == (its != state_.instances.end()));
            std::size_t early = state_.replies[id].size();
            if (found) {
                numbers_[id] = found->what.number;
                const auto& one = its->second;
                RC_ASSERT(found->what.state == one.state);
                RC_ASSERT(found->what.since == one.since);
                RC_ASSERT(found->what.cancelled.has_value() == one.is_cancelled);
                RC_ASSERT(found->what.wait.has_value() == one.waits);
                RC_ASSERT((found->what.progress ? found->what.progress->attempts : 0U) ==
                          one.attempts);
                RC_ASSERT((found->what.progress ? found->what.progress->starts : 0U) == one.starts);
                RC_ASSERT(found->unsettled == one.silent);
                RC_ASSERT(found->history.size() == one.records.size());
                counts.open += one.state == instance_state::open ? 1U : 0U;
                counts.parked += one.state == instance_state::parked ? 1U : 0U;
                early -= one.state == instance_state::open && one.waits &&
                                 state_.replies[id].count(one.awaits) != 0
                             ? 1U
                             : 0U;
            }
            counts.early_replies += early;
        }
        RC_ASSERT(book_.counts() == counts);
    }

    memory::database data_;
    slot slots_[2]{slot(data_), slot(data_)};
    memory::journal book_ = slots_[0].store.journal("processes", {.seats = seats});
    naive_state state_;
    naive_seat seats_[seats]{};
    shard_lease leases_[seats]{};
    std::map<std::string, std::vector<journal_entry>> held_;
    std::map<std::string, std::int64_t> numbers_;
    std::map<std::string, int> versions_;
    wall_time now_ = day;
    int replies_ = 0;
};

}  // namespace

TEST_CASE("memory::journal model: services, runners and people see what plain lists would show") {
    sinew::test::prop("and whatever is left can be brought to an end", [] {
        const auto tape = *rc::gen::scale(8, rc::gen::arbitrary<std::vector<std::uint8_t>>());
        both at;
        for (std::size_t i = 0; i + 2 < tape.size(); i += 3) {
            at.step(tape[i], tape[i + 1], tape[i + 2]);
        }
        RC_CLASSIFY(at.instances() > 1, "more than one instance");
        at.drain();
    });
}
