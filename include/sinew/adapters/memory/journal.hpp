// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A journal in memory: the reference model of `journal`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds. Where they leave something open:
/// a transaction that writes of an instance, and one that changes the same instance meanwhile,
/// contradict each other, and the one that commits later is aborted. Instances that are due for
/// equally long come in the order of their numbers.
///
/// **Bounds.** Instances grow until they have ended and are purged. `claim`, `stuck` and `counts`
/// look at each instance, a reply at each reply that is kept. A write copies its instance. Nothing
/// waits: no call looks at its deadline.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/adapters/memory/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::memory {

class store;

using sinew::journal_options;

class journal {
public:
    /// The journal of that name in a database, which is made if it is not there.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses, and for another
    /// number of seats than the journal was made with.
    journal(const database& data, std::string name, journal_options options = {})
        : journal(data.tables_, std::move(name), options) {}

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;
    [[nodiscard]] const journal_options& options() const noexcept { return options_; }

    start_result start(transaction& tx, const new_instance& one, wall_time now) {
        check_mine(tx);
        check_startable(one, options_);
        const auto known = tx.value_or<std::int64_t>(id_name(one.type, one.id));
        if (known != 0) {
            return get(tx, known)->entry.what.input == one.input ? start_result::was_there
                                                                 : start_result::differs;
        }
        instance made;
        auto& what = made.entry.what;
        what.number = tables_->draw_number();
        what.type = one.type;
        what.id = one.id;
        what.steps.assign(one.steps.begin(), one.steps.end());
        what.input = one.input;
        what.started = what.since = now;
        tx.write(id_name(one.type, one.id), what.number);
        put(tx, std::move(made));
        return start_result::started;
    }

    reply_result reply(transaction& tx, const process_reply& one, wall_time now) {
        check_mine(tx);
        check_reply(one, options_);
        const auto its = get(tx, tx.value_or<std::int64_t>(id_name(one.type, one.id)));
        if (its && (has_ended(its->entry.what.state) || find_record(its->entry.history, one.to))) {
            return reply_result::late;
        }
        auto kept = replies(tx, one.type, one.id);
        if (find(kept, one.to) != nullptr) {
            return reply_result::duplicate;
        }
        const bool is_awaited = its && awaits(its->entry.what, one.to);
        if (!is_awaited && early(never_before).size() >= options_.early_replies_max) {
            return reply_result::refused;
        }
        kept.push_back({one.to, std::string(one.data), now});
        put_replies(tx, one.type, one.id, std::move(kept));
        return is_awaited ? reply_result::awaited : reply_result::early;
    }

    bool cancel(transaction& tx, std::string_view type, std::string_view id,
                const failure_note& note) {
        check_mine(tx);
        const auto its = get(tx, tx.value_or<std::int64_t>(id_name(type, id)));
        if (!its || has_ended(its->entry.what.state)) {
            return false;
        }
        if (!its->entry.what.cancelled) {
            instance after = *its;
            after.entry.what.cancelled = kept_note(note);
            after.is_woken = true;
            put(tx, std::move(after));
        }
        return true;
    }

    /// How many seats there are.
    [[nodiscard]] shard_id shards() const noexcept { return options_.seats; }

    [[nodiscard]] shard_lease holder(shard_id seat, steady_time /*until*/ = never) const {
        if (seat >= options_.seats) {
            throw usage_error("the journal has no seat of that number");
        }
        const auto* held = std::get_if<lease_handle>(&tables_->latest(lease_name(seat)));
        return held == nullptr ? shard_lease{.shard = seat} : **held;
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time /*until*/ = never) {
        if (owner.empty()) {
            throw usage_error("whoever takes a seat needs a name");
        }
        const shard_lease held = holder(seen.shard);
        if (held.epoch != seen.epoch || held.beat != seen.beat) {
            return std::nullopt;
        }
        shard_lease taken{seen.shard, held.epoch + 1, 0, std::string(owner)};
        keep(taken);
        return taken;
    }

    fenced_result renew(const shard_lease& lease, steady_time /*until*/ = never) {
        return change(lease, [](shard_lease& held) { ++held.beat; });
    }

    fenced_result release(const shard_lease& lease, steady_time /*until*/ = never) {
        return change(lease, [](shard_lease& held) { held.owner.clear(); });
    }

    [[nodiscard]] std::optional<std::vector<journal_entry>> claim(
        const shard_lease& lease, std::span<const std::string_view> types, wall_time now,
        std::size_t limit, steady_time /*until*/ = never) {
        if (!is_held(lease.shard, lease.epoch)) {
            return std::nullopt;
        }
        std::multimap<wall_time, std::int64_t> due;
        each([&](const instance& one) {
            if (is_one_of(one.entry.what.type, types) && is_free(one)) {
                if (const auto at = due_since(one, now)) {
                    due.emplace(*at, one.entry.what.number);
                }
            }
            return true;
        });
        std::vector<journal_entry> out;
        transaction tx(tables_);
        for (const auto& [at, number] : due) {
            if (out.size() == limit) {
                break;
            }
            instance taken = *get(tx, number);
            ++taken.entry.what.epoch;
            ++taken.entry.unsettled;
            taken.seat = lease.shard;
            taken.seat_epoch = lease.epoch;
            taken.is_woken = false;
            out.push_back(with_reply(taken.entry));
            put(tx, std::move(taken));
        }
        finish(tx);
        return out;
    }

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time /*until*/ = never) {
        for (const auto& one : writes) {
            check_writable(one, options_);
        }
        std::vector<write_result> out;
        transaction tx(tables_);
        for (const auto& one : writes) {
            out.push_back(write(tx, one, now));
        }
        finish(tx);
        return out;
    }

    write_result write(transaction& tx, const journal_write& one, wall_time now) {
        check_mine(tx);
        check_writable(one, options_);
        const auto before = get(tx, one.claim.number);
        if (!before || before->entry.what.epoch != one.claim.epoch || before->seat_epoch == 0) {
            return {fenced_result::stale, false};
        }
        instance after = *before;
        auto& [what, history, reply_there, unsettled] = after.entry;
        append(tx, after.entry, one.known, one.records, now);
        if (one.progress) {
            what.progress = one.progress;
            keep_note(what.progress->last_failure);
        }
        if (one.end != claim_end::none) {
            end_claim(after);
            unsettled = 0;
            what.wait = one.end == claim_end::released ? one.wait : std::nullopt;
            what.state = state_after(one.end);
            if (what.state != instance_state::open) {
                what.since = now;
                what.why = one.why;
                keep_note(what.why);
            }
        }
        drop_replies_of_ended(tx, what);
        const bool is_cancelled = what.cancelled.has_value();
        put(tx, std::move(after));
        return {fenced_result::done, is_cancelled};
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time /*until*/ = never) {
        std::vector<process_instance> old;
        each([&](const instance& one) {
            const auto& what = one.entry.what;
            if (old.size() < limit && has_ended(what.state) && what.since < older_than) {
                old.push_back(what);
            }
            return old.size() < limit;
        });
        transaction tx(tables_);
        for (const auto& one : old) {
            tx.write(entry_name(one.number), std::monostate());
            tx.write(id_name(one.type, one.id), std::monostate());
        }
        finish(tx);
        return old.size();
    }

    std::size_t purge_replies(wall_time older_than, std::size_t limit,
                              steady_time /*until*/ = never) {
        auto old = early(older_than);
        old.resize(old.size() < limit ? old.size() : limit);
        transaction tx(tables_);
        for (const auto& one : old) {
            drop_reply(tx, one.type, one.id, one.to);
        }
        finish(tx);
        return old.size();
    }

    [[nodiscard]] std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                                    steady_time /*until*/ = never) const {
        const auto* number = std::get_if<std::int64_t>(&tables_->latest(id_name(type, id)));
        if (number == nullptr) {
            return std::nullopt;
        }
        return with_reply(std::get<handle>(tables_->latest(entry_name(*number)))->entry);
    }

    [[nodiscard]] std::vector<process_instance> stuck(wall_time older_than, std::int64_t after,
                                                      std::size_t limit,
                                                      steady_time /*until*/ = never) const {
        std::vector<process_instance> out;
        each([&](const instance& one) {
            const auto& what = one.entry.what;
            if (out.size() < limit && what.number > after && !has_ended(what.state) &&
                what.since < older_than) {
                out.push_back(what);
            }
            return out.size() < limit;
        });
        return out;
    }

    bool decide(std::int64_t number, epoch_number epoch, const desk_decision& decision,
                wall_time now, steady_time /*until*/ = never) {
        if (decision.becomes == instance_state::completed ||
            decision.becomes == instance_state::compensated) {
            throw usage_error("journal: people open, park or abandon an instance");
        }
        transaction tx(tables_);
        const auto before = get(tx, number);
        if (!before || before->entry.what.epoch != epoch || has_ended(before->entry.what.state) ||
            decision.known.value_or(before->entry.history.size()) != before->entry.history.size()) {
            return false;
        }
        instance after = *before;
        auto& what = after.entry.what;
        append(tx, after.entry, after.entry.history.size(), decision.records, now);
        end_claim(after);
        what.state = decision.becomes;
        what.since = now;
        if (what.state == instance_state::open) {
            what.why.reset();
            what.progress = begun_anew(std::move(what.progress));
            after.is_woken = true;
        } else {
            what.why = kept_note(decision.why);
            what.wait.reset();
        }
        drop_replies_of_ended(tx, what);
        put(tx, std::move(after));
        finish(tx);
        return true;
    }

    [[nodiscard]] journal_counts counts(steady_time /*until*/ = never) const {
        journal_counts out;
        each([&](const instance& one) {
            out.open += one.entry.what.state == instance_state::open ? 1U : 0U;
            out.parked += one.entry.what.state == instance_state::parked ? 1U : 0U;
            return true;
        });
        out.early_replies = early(never_before).size();
        return out;
    }

private:
    friend class store;

    using instance = detail::kept_instance;
    using handle = std::shared_ptr<const instance>;
    using lease_handle = std::shared_ptr<const shard_lease>;
    using reply_list = std::vector<detail::kept_reply>;
    using replies_handle = std::shared_ptr<const reply_list>;

    struct early_reply {
        std::string type;
        std::string id;
        step_address to;
    };

    /// A bound that all stamps lie below.
    static constexpr wall_time never_before = wall_time::max();

    journal(std::shared_ptr<detail::tables> tables, std::string name, journal_options options)
        : tables_(std::move(tables)), name_(std::move(name)), options_(options) {
        check(options_);
        transaction tx(tables_);
        const detail::row_name row{detail::space::journal_seats, name_};
        const auto made_with = tx.value_or<std::int64_t>(row);
        if (made_with != 0 && made_with != options_.seats) {
            throw usage_error("journal: it was made with " + std::to_string(made_with) +
                              " seats, and is opened with " + std::to_string(options_.seats));
        }
        if (made_with == 0) {
            tx.write(row, std::int64_t{options_.seats});
            finish(tx);
        }
    }

    [[nodiscard]] detail::row_name entry_name(std::int64_t number) const noexcept {
        return {detail::space::journal_entries, name_, {}, {}, number};
    }
    [[nodiscard]] detail::row_name id_name(std::string_view type,
                                           std::string_view id) const noexcept {
        return {detail::space::journal_ids, name_, type, id};
    }
    [[nodiscard]] detail::row_name replies_name(std::string_view type,
                                                std::string_view id) const noexcept {
        return {detail::space::journal_replies, name_, type, id};
    }
    [[nodiscard]] detail::row_name lease_name(shard_id seat) const noexcept {
        return {detail::space::journal_leases, name_, {}, {}, seat};
    }

    void check_mine(const transaction& tx) const {
        if (tx.tables_ != tables_) {
            throw usage_error("the transaction belongs to another database than the journal");
        }
        tx.check_open();
    }
    static void finish(transaction& tx) {
        if (tx.commit() != commit_result::committed) {
            throw unavailable_error("journal_unavailable", "out of memory");
        }
    }

    [[nodiscard]] handle get(transaction& tx, std::int64_t number) const {
        return number == 0 ? handle() : tx.value_or<handle>(entry_name(number));
    }
    void put(transaction& tx, instance one) const {
        const auto number = one.entry.what.number;
        tx.write(entry_name(number), std::make_shared<const instance>(std::move(one)));
    }
    [[nodiscard]] reply_list replies(transaction& tx, std::string_view type,
                                     std::string_view id) const {
        const auto kept = tx.value_or<replies_handle>(replies_name(type, id));
        return kept ? *kept : reply_list();
    }
    void put_replies(transaction& tx, std::string_view type, std::string_view id,
                     reply_list kept) const {
        if (kept.empty()) {
            tx.write(replies_name(type, id), std::monostate());
        } else {
            tx.write(replies_name(type, id), std::make_shared<const reply_list>(std::move(kept)));
        }
    }
    void drop_reply(transaction& tx, std::string_view type, std::string_view id,
                    const step_address& to) const {
        auto kept = replies(tx, type, id);
        if (std::erase_if(kept, [&](const auto& one) { return one.to == to; }) != 0) {
            put_replies(tx, type, id, std::move(kept));
        }
    }
    void drop_replies_of_ended(transaction& tx, const process_instance& what) const {
        if (has_ended(what.state) && !replies(tx, what.type, what.id).empty()) {
            put_replies(tx, what.type, what.id, {});
        }
    }

    [[nodiscard]] static const detail::kept_reply* find(const reply_list& kept,
                                                        const step_address& to) noexcept {
        for (const auto& one : kept) {
            if (one.to == to) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] static bool awaits(const process_instance& what,
                                     const step_address& to) noexcept {
        return what.state == instance_state::open && what.wait && what.wait->reply == to;
    }
    /// The reply that an instance waits for, if it is there.
    [[nodiscard]] const detail::kept_reply* reply_to(const process_instance& what) const {
        if (what.state != instance_state::open || !what.wait || !what.wait->reply) {
            return nullptr;
        }
        const auto* kept =
            std::get_if<replies_handle>(&tables_->latest(replies_name(what.type, what.id)));
        return kept == nullptr ? nullptr : find(**kept, *what.wait->reply);
    }
    [[nodiscard]] journal_entry with_reply(journal_entry entry) const {
        const auto* there = reply_to(entry.what);
        entry.reply = there == nullptr ? std::nullopt : std::optional(there->data);
        return entry;
    }
    /// The replies that came before `older_than` and that nobody waits for.
    [[nodiscard]] std::vector<early_reply> early(wall_time older_than) const {
        std::vector<early_reply> out;
        tables_->scan(replies_name({}, {}), [&](const detail::row_key& key,
                                                const detail::cell& cell) {
            if (key.in != detail::space::journal_replies || key.a != name_) {
                return false;
            }
            const auto* number = std::get_if<std::int64_t>(&tables_->latest(id_name(key.b, key.c)));
            for (const auto& one : *std::get<replies_handle>(cell)) {
                const bool is_awaited =
                    number != nullptr &&
                    awaits(std::get<handle>(tables_->latest(entry_name(*number)))->entry.what,
                           one.to);
                if (!is_awaited && one.at < older_than) {
                    out.push_back({key.b, key.c, one.to});
                }
            }
            return true;
        });
        return out;
    }

    [[nodiscard]] static bool is_one_of(std::string_view type,
                                        std::span<const std::string_view> types) noexcept {
        for (const auto one : types) {
            if (one == type) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool is_held(shard_id seat, epoch_number epoch) const {
        const shard_lease held = holder(seat);
        return held.epoch == epoch && !held.owner.empty();
    }
    [[nodiscard]] bool is_free(const instance& one) const {
        return one.entry.what.state == instance_state::open &&
               (one.seat_epoch == 0 || !is_held(one.seat, one.seat_epoch));
    }
    /// Since when an instance is due; nothing if it is not.
    [[nodiscard]] std::optional<wall_time> due_since(const instance& one, wall_time now) const {
        const auto& what = one.entry.what;
        if (one.is_woken || !what.wait) {
            return what.since;
        }
        if (const auto* there = reply_to(what)) {
            return there->at;
        }
        if (one.entry.unsettled != 0) {
            return what.since;  // it was due when whoever fell silent claimed it
        }
        return what.wait->is_due(now) ? std::optional(what.wait->time.due) : std::nullopt;
    }

    /// Appends what is not there yet of records that follow the first `known`.
    void append(transaction& tx, journal_entry& to, std::size_t known,
                const std::vector<step_record>& records, wall_time now) const {
        if (known > to.history.size()) {
            throw usage_error("journal: a write knows more records than there are");
        }
        for (std::size_t i = to.history.size() - known; i < records.size(); ++i) {
            to.history.push_back(records[i]);
            keep_note(to.history.back().why);
            to.what.since = now;
            to.what.progress.reset();
            to.what.wait.reset();
            to.unsettled = 0;
            if (records[i].kind != record_kind::retried) {
                drop_reply(tx, to.what.type, to.what.id, records[i].where);
            }
        }
    }
    static void keep_note(std::optional<failure_note>& note) {
        if (note) {
            note = kept_note(*note);
        }
    }
    static void end_claim(instance& one) {
        ++one.entry.what.epoch;
        one.seat_epoch = 0;
    }
    [[nodiscard]] static instance_state state_after(claim_end end) noexcept {
        switch (end) {
            case claim_end::none:
            case claim_end::released: return instance_state::open;
            case claim_end::parked: return instance_state::parked;
            case claim_end::completed: return instance_state::completed;
            case claim_end::compensated: return instance_state::compensated;
        }
        return instance_state::parked;
    }

    void keep(const shard_lease& lease) {
        transaction tx(tables_);
        tx.write(lease_name(lease.shard), std::make_shared<const shard_lease>(lease));
        finish(tx);
    }

    template <class F>
    fenced_result change(const shard_lease& lease, F f) {
        if (!is_held(lease.shard, lease.epoch)) {
            return fenced_result::stale;
        }
        shard_lease held = holder(lease.shard);
        f(held);
        keep(held);
        return fenced_result::done;
    }

    template <class F>
    void each(F f) const {
        tables_->scan(entry_name(INT64_MIN),
                      [&](const detail::row_key& key, const detail::cell& one) {
                          return key.in == detail::space::journal_entries && key.a == name_ &&
                                 f(*std::get<handle>(one));
                      });
    }

    std::shared_ptr<detail::tables> tables_;
    std::string name_;
    journal_options options_;
};

}  // namespace sinew::memory
