// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A spool in an SQLite file of its own; models `spool`, `waking_spool` and `spool_desk`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds. What was stored survives the end
/// of the process and a loss of power: each `put` is synced. The folder is 0700 and its files are
/// 0600; it is locked while the spool is open. Whatever a crash or a failing disk left of the
/// files, the spool opens: what is damaged is set aside (see `spool_files.hpp`), and what can be
/// read of it is kept in order (see `spool_salvage.hpp`).
///
/// **Bounds.** Any thread may call at any time: publishers and a drainer share one object. A call
/// waits for the others', and for the disk, which no deadline can interrupt. In memory there is a
/// fixed size for each entry. Opening reads all entries once.
///
/// **On a full disk.** `put` refuses with `disk_full`. To remove needs room for a few pages in the
/// write-ahead log, which is used again once it was written back.
///
/// **Example.** `sinew::sqlite::spool spool("/var/lib/orders/spool");`

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/spool_files.hpp>
#include <sinew/adapters/sqlite/spool_salvage.hpp>
#include <sinew/adapters/sqlite/spool_table.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/spool_index.hpp>
#include <sinew/core/time.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite {

/// Options of a spool in SQLite.
struct spool_options : sinew::spool_options {
    /// The name of SQLite's file system to use; empty for the usual one.
    std::string vfs{};
};

class spool {
public:
    /// Opens the spool in a folder, which is made if it is not there; the folder above has to be.
    /// `now` is what the ages of its entries are counted from.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses,
    /// `folder_not_private_error`, `spool_in_use_error`, or the `unavailable_error` that fits. A
    /// damaged file is no failure.
    explicit spool(std::string folder, const spool_options& options = {},
                   moment now = machine_clock::now())
        : files_((check(options), std::move(folder))),
          index_(options, {entropy_seed(), entropy_seed()}) {
        files_.clear_work();
        files_.take_salvaged();
        load(options, now);
        last_ = spool_numbers_from(last_, now.wall);
        files_.make("spool.db");
        db_.emplace(files_.main(), connection_options{.create = false},
                    options.vfs.empty() ? nullptr : options.vfs.c_str());
        table_.emplace(*db_);
        if (!table_->is_there()) {
            table_->make();
        }
        damaged_ = files_.damaged();
    }

    spool(const spool&) = delete;
    spool& operator=(const spool&) = delete;
    ~spool() = default;

    spool_result put(const event_view& e, moment now, steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        try {
            const connection::deadline wait(*db_, until);
            settle();
        } catch (const error& why) {
            return spool_result::refused(why.as_failure());
        }
        if (auto why = index_.refusal(e, now.steady)) {
            return spool_result::refused(*std::move(why));
        }
        const bool first = !index_.has_waiting();
        const std::int64_t number = last_ + 1;
        try {
            const connection::deadline wait(*db_, until);
            table_->insert(number, now.wall, e);
        } catch (const io_error& why) {
            doubt_.emplace(e.partitionkey);
            return spool_result::unknown(why.as_failure());
        } catch (const error& why) {
            return spool_result::refused(why.as_failure());
        }
        last_ = number;
        index_.add(number, e.partitionkey, spool_weight(e), now.steady);
        tell();
        return spool_result::stored(first);
    }

    [[nodiscard]] bool holds(std::string_view key) const {
        const std::scoped_lock lock(mutex_);
        return index_.holds(key) || (!key.empty() && doubt_ == key);
    }

    [[nodiscard]] std::vector<spool_entry> claim(steady_time now, claim_limits limits,
                                                 steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        const connection::deadline wait(*db_, until);
        return read(index_.claim(now, limits));
    }

    spool_change remove(std::span<const std::int64_t> numbers, steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        std::vector<std::int64_t> gone;
        for (const auto number : numbers) {
            if (index_.is_in(number, spool_state::waiting)) {
                gone.push_back(number);
            }
        }
        return change(until, [&] { erase(gone); });
    }

    spool_change put_off(std::int64_t number, const failure_note& note, steady_time due,
                         steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        return change(until, [&] {
            if (index_.is_in(number, spool_state::waiting)) {
                fail(number, note, [](spool_entry&) {});
                index_.put_off(number, due);
            }
        });
    }

    spool_change park(std::int64_t number, const failure_note& note, following what_follows,
                      steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        return change(until, [&] {
            if (index_.is_in(number, spool_state::waiting)) {
                fail(number, note, [&](spool_entry& one) {
                    one.state = spool_state::parked;
                    one.following = what_follows;
                });
                index_.park(number, what_follows);
            }
        });
    }

    [[nodiscard]] spool_size size() const {
        const std::scoped_lock lock(mutex_);
        spool_size out = index_.size();
        out.damaged = damaged_;
        return out;
    }

    /// Waits until something was put, or `until`.
    [[nodiscard]] bool wait_for_put(steady_time until) {
        std::unique_lock lock(mutex_);
        const auto is_put = [this] { return put_; };
        if (until == never) {
            changed_.wait(lock, is_put);
        } else if (until > machine_clock::now().steady) {
            changed_.wait_until(lock, until, is_put);
        }
        return std::exchange(put_, false);
    }

    [[nodiscard]] std::vector<spool_entry> parked(std::int64_t after, std::size_t limit,
                                                  steady_time until = never) {
        const std::scoped_lock lock(mutex_);
        const connection::deadline wait(*db_, until);
        return read(index_.parked(after, limit));
    }

    bool unpark(std::int64_t number, std::uint64_t version, steady_time until = never) {
        return decide(number, version, until, [&](spool_entry& one) {
            one.state = spool_state::waiting;
            ++one.version;
            table_->write_mark(one);
            index_.unpark(number);
        });
    }

    bool discard(std::int64_t number, std::uint64_t version, steady_time until = never) {
        return decide(number, version, until, [&](spool_entry&) { erase({number}); });
    }

    /// How many entries were read out of a damaged file when the spool was opened.
    [[nodiscard]] std::uint64_t salvaged() const noexcept { return salvaged_; }

private:
    /// Reads what is there into the index; sets damage aside first.
    void load(const spool_options& options, moment now) {
        const auto take = [&](const spool_entry& one) {
            index_.load(one, now);
            last_ = one.number;
        };
        detail::spool_salvage salvage(files_, options.vfs);
        bool broken_log = false;
        if (files_.size_of("spool.db-wal")) {
            std::string log = salvage.read_all("spool.db-wal");
            broken_log = detail::wal_bytes(log).is_broken();
        }
        const spool_index empty = index_;
        if (!broken_log && detail::read_sound(files_, options.vfs, take)) {
            return;
        }
        index_ = empty;
        last_ = 0;
        salvaged_ = salvage.run();
        if (!detail::read_sound(files_, options.vfs, take)) {
            throw corrupt_error("spool: " + files_.main() +
                                    ": what was just written cannot be read. Look at the disk.",
                                SQLITE_CORRUPT);
        }
    }

    void tell() {
        put_ = true;
        changed_.notify_all();
    }

    /// An insert whose answer was lost is undone by the next write that is done.
    void settle() {
        if (doubt_) {
            table_->settle();
            doubt_.reset();
        }
    }

    [[nodiscard]] std::vector<spool_entry> read(const std::vector<std::int64_t>& numbers) {
        std::vector<spool_entry> out;
        out.reserve(numbers.size());
        for (const auto number : numbers) {
            auto one = table_->read(number);
            if (!one) {
                detail::refuse_damaged("an entry");
            }
            out.push_back(*std::move(one));
        }
        return out;
    }

    void erase(const std::vector<std::int64_t>& numbers) {
        if (numbers.empty()) {
            return;
        }
        table_->erase(numbers);
        for (const auto number : numbers) {
            index_.remove(number);
        }
    }

    template <class F>
    void fail(std::int64_t number, const failure_note& note, F f) {
        auto one = read({number}).front();
        one.attempts += counts_as_attempt(note.kind) && one.attempts != UINT32_MAX ? 1U : 0U;
        one.last_failure = kept_note(note);
        ++one.version;
        f(one);
        table_->write_mark(one);
    }

    /// Makes a change; if the disk is full, once more after the log was written back, as it is then
    /// used from its beginning again.
    template <class F>
    spool_change change(steady_time until, F f) {
        const connection::deadline wait(*db_, until);
        try {
            try {
                settle();
                f();
            } catch (const disk_full_error&) {
                static_cast<void>(db_->query_one<std::int64_t>("PRAGMA wal_checkpoint(RESTART)"));
                f();
            }
            return spool_change::done;
        } catch (const io_error&) {
            return spool_change::unknown;
        }
    }

    template <class F>
    bool decide(std::int64_t number, std::uint64_t version, steady_time until, F f) {
        const std::scoped_lock lock(mutex_);
        const connection::deadline wait(*db_, until);
        if (!index_.is_in(number, spool_state::parked)) {
            return false;
        }
        auto one = read({number}).front();
        if (one.version != version) {
            return false;
        }
        f(one);
        tell();
        return true;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    detail::spool_files files_;
    spool_index index_;
    std::optional<connection> db_;
    std::optional<detail::spool_table> table_;
    std::optional<std::string> doubt_;  ///< the key of an insert without an answer
    std::int64_t last_ = 0;
    std::uint64_t damaged_ = 0;
    std::uint64_t salvaged_ = 0;
    bool put_ = false;
};

}  // namespace sinew::sqlite
