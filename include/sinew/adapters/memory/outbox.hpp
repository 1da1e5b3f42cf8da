// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in memory: the reference model of `outbox` and `multi_shard_outbox`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds. Where they leave something open:
/// of two transactions that add to one key at the same time, the one that commits later is aborted;
/// those that add to different keys don't meet. Entries are shown in the order of their numbers,
/// which for one key is the order of its sequence: whoever commits has read the key's last commit.
///
/// **Bounds.** Entries grow until they are published and purged; one number per key is kept for
/// ever. `claim`, `parked` and `lag` look at each entry that waits or is parked, `purge` at each
/// that is settled. Nothing waits: no call looks at its deadline.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/adapters/memory/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::memory {

class store;

using sinew::outbox_options;

class outbox {
public:
    /// The outbox of that name in a database, which is made if it is not there.
    ///
    /// **On failure.** Throws `usage_error` for an empty name, for options that `check` refuses,
    /// and for another number of shards than the outbox was made with.
    outbox(const database& data, std::string name, outbox_options options = {})
        : outbox(data.tables_, std::move(name), options) {}

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;

    std::uint64_t add(transaction& tx, const event_view& e, wall_time now) {
        if (tx.tables_ != tables_) {
            throw usage_error("the transaction belongs to another database than the outbox");
        }
        tx.check_open();
        check_addable(e, options_);
        outbox_entry made{.number = tables_->draw_number(), .version = 1, .what = to_event(e)};
        made.added = now;
        std::int64_t sequence = 0;
        if (!e.partitionkey.empty()) {
            const detail::row_name last{detail::space::outbox_keys, name_, e.partitionkey};
            sequence = tx.value_or<std::int64_t>(last) + 1;
            tx.write(last, sequence);
            made.what.sequence = std::to_string(sequence);
        }
        write(tx, std::move(made));
        return static_cast<std::uint64_t>(sequence);
    }

    [[nodiscard]] shard_id shards() const noexcept { return options_.shards; }

    [[nodiscard]] shard_lease holder(shard_id shard, steady_time /*until*/ = never) const {
        if (shard >= options_.shards) {
            throw usage_error("the outbox has no shard of that number");
        }
        const auto* held = std::get_if<lease_handle>(&tables_->latest(lease_name(shard)));
        return held == nullptr ? shard_lease{.shard = shard} : **held;
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time /*until*/ = never) {
        if (owner.empty()) {
            throw usage_error("whoever takes a shard needs a name");
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

    [[nodiscard]] std::optional<std::vector<outbox_entry>> claim(
        const shard_lease& lease, wall_time now, claim_limits limits,
        steady_time /*until*/ = never) const {
        if (!is_held(lease)) {
            return std::nullopt;
        }
        std::vector<outbox_entry> out;
        std::set<std::string_view> held_back;
        std::size_t bytes = 0;
        each(detail::space::outbox_open, INT64_MIN, [&](const outbox_entry& entry) {
            if (out.size() >= limits.entries || bytes >= limits.bytes) {
                return false;
            }
            const std::string& key = entry.what.partitionkey;
            if (!is_of(entry, lease.shard) || held_back.count(key) != 0) {
                return true;
            }
            if (entry.state == outbox_state::waiting && entry.is_due(now)) {
                bytes += entry.what.view().size_bytes();
                out.push_back(entry);
            } else if (!key.empty() && (entry.state == outbox_state::waiting ||
                                        entry.following == following::park)) {
                held_back.insert(key);
            }
            return true;
        });
        return out;
    }

    /// As `multi_shard_outbox` says.
    [[nodiscard]] std::vector<std::optional<std::vector<outbox_entry>>> claim(
        std::span<const shard_lease> leases, wall_time now, claim_limits limits,
        steady_time until = never) const {
        std::vector<std::optional<std::vector<outbox_entry>>> out;
        for (const auto& lease : leases) {
            out.push_back(claim(lease, now, limits, until));
            if (out.back()) {
                limits.entries -= out.back()->size();
                for (const auto& entry : *out.back()) {
                    const std::size_t size = entry.what.view().size_bytes();
                    limits.bytes -= size < limits.bytes ? size : limits.bytes;
                }
            }
            if (limits.entries == 0 || limits.bytes == 0) {
                break;
            }
        }
        return out;
    }

    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time /*until*/ = never) {
        return write_under(lease, numbers, [now](outbox_entry& entry) { publish(entry, now); });
    }

    /// As `multi_shard_outbox` says.
    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time /*until*/ = never) {
        std::vector<fenced_result> out;
        transaction tx(tables_);
        for (const auto& one : marks) {
            out.push_back(is_held(one.lease) ? fenced_result::done : fenced_result::stale);
            if (out.back() == fenced_result::done) {
                change_entries(tx, one.lease.shard, one.numbers,
                               [now](outbox_entry& entry) { publish(entry, now); });
            }
        }
        finish(tx);
        return out;
    }

    fenced_result put_off(const shard_lease& lease, std::int64_t number, const failure_note& note,
                          duration delay, steady_time /*until*/ = never) {
        return write_under(lease, {&number, 1}, [&](outbox_entry& entry) {
            add_failure(entry, note);
            entry.waits = put_off_by(note.at, delay);
        });
    }

    fenced_result park(const shard_lease& lease, std::int64_t number, const failure_note& note,
                       following what_follows, steady_time /*until*/ = never) {
        return write_under(lease, {&number, 1}, [&](outbox_entry& entry) {
            add_failure(entry, note);
            entry.state = outbox_state::parked;
            entry.following = what_follows;
            entry.waits.reset();
        });
    }

    [[nodiscard]] outbox_lag lag(steady_time /*until*/ = never) const {
        outbox_lag out;
        each(detail::space::outbox_open, INT64_MIN, [&](const outbox_entry& entry) {
            if (entry.state == outbox_state::parked) {
                ++out.parked;
                return true;
            }
            ++out.waiting;
            if (!out.oldest || entry.added < *out.oldest) {
                out.oldest = entry.added;
            }
            return true;
        });
        return out;
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time /*until*/ = never) {
        std::vector<std::int64_t> old;
        each(detail::space::outbox_settled, INT64_MIN, [&](const outbox_entry& entry) {
            if (old.size() < limit && entry.settled < older_than) {
                old.push_back(entry.number);
            }
            return old.size() < limit;
        });
        transaction tx(tables_);
        for (const auto number : old) {
            tx.write(entry_name(detail::space::outbox_settled, number), std::monostate());
        }
        finish(tx);
        return old.size();
    }

    [[nodiscard]] std::vector<outbox_entry> parked(std::int64_t after, std::size_t limit,
                                                   steady_time /*until*/ = never) const {
        std::vector<outbox_entry> out;
        each(detail::space::outbox_open, after, [&](const outbox_entry& entry) {
            if (out.size() < limit && entry.number > after && entry.state == outbox_state::parked) {
                out.push_back(entry);
            }
            return out.size() < limit;
        });
        return out;
    }

    bool unpark(std::int64_t number, std::uint64_t version, steady_time /*until*/ = never) {
        return decide(number, version,
                      [](outbox_entry& entry) { entry.state = outbox_state::waiting; });
    }

    bool discard(std::int64_t number, std::uint64_t version, const failure_note& note,
                 steady_time /*until*/ = never) {
        return decide(number, version, [&](outbox_entry& entry) {
            entry.state = outbox_state::discarded;
            entry.settled = note.at;
            entry.last_failure = kept_note(note);
        });
    }

private:
    friend class store;

    using entry_handle = std::shared_ptr<const outbox_entry>;
    using lease_handle = std::shared_ptr<const shard_lease>;

    outbox(std::shared_ptr<detail::tables> tables, std::string name, outbox_options options)
        : tables_(std::move(tables)), name_(std::move(name)), options_(options) {
        check_opening(name_, options_);
        transaction tx(tables_);
        const detail::row_name row{detail::space::outbox_shards, name_};
        const auto made_with = tx.value_or<std::int64_t>(row);
        if (made_with == 0) {
            tx.write(row, std::int64_t{options_.shards});
            finish(tx);
        } else {
            check_shards(name_, static_cast<shard_id>(made_with), options_.shards);
        }
    }

    [[nodiscard]] detail::row_name entry_name(detail::space in,
                                              std::int64_t number) const noexcept {
        return {in, name_, {}, {}, number};
    }
    [[nodiscard]] detail::row_name lease_name(shard_id shard) const noexcept {
        return {detail::space::outbox_leases, name_, {}, {}, shard};
    }
    [[nodiscard]] bool is_of(const outbox_entry& entry, shard_id shard) const noexcept {
        return shard_of(entry.what.view(), options_.shards) == shard;
    }
    [[nodiscard]] bool is_held(const shard_lease& lease) const {
        const shard_lease held = holder(lease.shard);
        return held.epoch == lease.epoch && !held.owner.empty();
    }

    static void finish(transaction& tx) {
        if (tx.commit() != commit_result::committed) {
            throw unavailable_error("outbox_unavailable", "out of memory");
        }
    }

    static void publish(outbox_entry& entry, wall_time now) {
        entry.state = outbox_state::published;
        entry.settled = now;
        entry.waits.reset();
    }

    static void add_failure(outbox_entry& entry, const failure_note& note) {
        if (counts_as_attempt(note.kind) && entry.attempts != UINT32_MAX) {
            ++entry.attempts;
        }
        entry.last_failure = kept_note(note);
    }

    /// Writes an entry to where its state belongs.
    void write(transaction& tx, outbox_entry entry) const {
        const auto number = entry.number;
        const bool settled =
            entry.state == outbox_state::published || entry.state == outbox_state::discarded;
        if (settled) {
            tx.write(entry_name(detail::space::outbox_open, number), std::monostate());
        }
        if (entry.state == outbox_state::published && !options_.keep_published) {
            return;
        }
        tx.write(entry_name(settled ? detail::space::outbox_settled : detail::space::outbox_open,
                            number),
                 std::make_shared<const outbox_entry>(std::move(entry)));
    }

    void keep(const shard_lease& lease) {
        transaction tx(tables_);
        tx.write(lease_name(lease.shard), std::make_shared<const shard_lease>(lease));
        finish(tx);
    }

    template <class F>
    fenced_result change(const shard_lease& lease, F f) {
        if (!is_held(lease)) {
            return fenced_result::stale;
        }
        shard_lease held = holder(lease.shard);
        f(held);
        keep(held);
        return fenced_result::done;
    }

    /// Changes those of the entries that wait and are of the lease's shard.
    template <class F>
    fenced_result write_under(const shard_lease& lease, std::span<const std::int64_t> numbers,
                              F f) {
        if (!is_held(lease)) {
            return fenced_result::stale;
        }
        transaction tx(tables_);
        change_entries(tx, lease.shard, numbers, f);
        finish(tx);
        return fenced_result::done;
    }
    template <class F>
    void change_entries(transaction& tx, shard_id shard, std::span<const std::int64_t> numbers,
                        F f) const {
        for (const auto number : numbers) {
            const auto before =
                tx.value_or<entry_handle>(entry_name(detail::space::outbox_open, number));
            if (before && before->state == outbox_state::waiting && is_of(*before, shard)) {
                outbox_entry after = *before;
                ++after.version;
                f(after);
                write(tx, std::move(after));
            }
        }
    }

    template <class F>
    bool decide(std::int64_t number, std::uint64_t version, F f) {
        transaction tx(tables_);
        const auto before =
            tx.value_or<entry_handle>(entry_name(detail::space::outbox_open, number));
        if (!before || before->state != outbox_state::parked || before->version != version) {
            return false;
        }
        outbox_entry after = *before;
        ++after.version;
        f(after);
        write(tx, std::move(after));
        finish(tx);
        return true;
    }

    template <class F>
    void each(detail::space in, std::int64_t from, F f) const {
        tables_->scan(entry_name(in, from),
                      [&](const detail::row_key& key, const detail::cell& one) {
                          return key.in == in && key.a == name_ && f(*std::get<entry_handle>(one));
                      });
    }

    std::shared_ptr<detail::tables> tables_;
    std::string name_;
    outbox_options options_;
};

}  // namespace sinew::memory
