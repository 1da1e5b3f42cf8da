// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Reading a spool's file that may be damaged, and making a sound one of what can be read.
///
/// | what is wrong | what is done |
/// | --- | --- |
/// | the file is cut off | what is left of it is read |
/// | a page is damaged | the entries before and behind it are read, one by one near it |
/// | a byte of an entry is flipped | its checksum tells; that entry is left out |
/// | the first page is damaged | it is taken from a new file, as it is the same in all |
/// | the write-ahead log is damaged in its middle | its checksums are made anew on a copy |
/// | the log is there, and the file is not | the log is read over a new file |
///
/// **Guarantees.** The damaged files are only read; all attempts are made on copies, and are set
/// aside as they were found. What is salvaged is in order, and bit for bit.
/// **Bounds.** Room on the disk for two copies of what is there.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/spool_files.hpp>
#include <sinew/adapters/sqlite/spool_table.hpp>
#include <sinew/adapters/sqlite/spool_wal.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/spool.hpp>

#include <sqlite3.h>

#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

/// Whether an error says that the file is damaged, rather than that it cannot be reached.
[[nodiscard]] inline bool says_damaged(const error& e) noexcept {
    if (const auto* io = dynamic_cast<const io_error*>(&e)) {
        return io->code() == SQLITE_IOERR_SHORT_READ || io->code() == SQLITE_IOERR_CORRUPTFS ||
               io->code() == SQLITE_IOERR_DATA;
    }
    return e.reason() == "corrupt" || e.reason() == "sql_error" || e.reason() == "too_big" ||
           e.reason() == "constraint";
}

/// A connection that looks, and leaves files as they are: it writes no log back when it closes.
class looking_connection {
public:
    looking_connection(const std::string& file, const std::string& vfs, bool tolerant) {
        const int code =
            sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                            vfs.empty() ? nullptr : vfs.c_str());
        if (code != SQLITE_OK) {
            const std::string says = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
            sqlite3_close_v2(handle_);
            raise(file, says, code, "open");
        }
        sqlite3_extended_result_codes(handle_, 1);
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        if (tolerant) {
            // Reads a file that is shorter than it says.
            sqlite3_db_config(handle_, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
        }
    }
    looking_connection(const looking_connection&) = delete;
    looking_connection& operator=(const looking_connection&) = delete;
    ~looking_connection() { sqlite3_close_v2(handle_); }

    [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

private:
    sqlite3* handle_ = nullptr;
};

/// What a file holds.
struct spool_contents {
    std::vector<spool_entry> entries{};
    std::uint64_t missing = 0;  ///< rows that were there and could not be read
};

/// Calls `f` with each entry of a file that is whole; answers false if it is not.
template <class F>
[[nodiscard]] bool read_sound(const spool_files& files, const std::string& vfs, F f) {
    if (files.size_of("spool.db").value_or(0) == 0) {
        return files.size_of("spool.db-wal").value_or(0) == 0;
    }
    try {
        looking_connection raw(files.main(), vfs, false);
        connection db(raw.handle());
        const auto verdict = db.query_one<std::string>("PRAGMA quick_check(1)");
        if (!verdict || std::get<0>(*verdict) != "ok") {
            return false;
        }
        spool_table table(db);
        if (!table.is_there()) {
            return true;
        }
        bool sound = true;
        table.each(INT64_MIN, [&](std::int64_t, std::optional<spool_entry>& one) {
            sound = sound && one.has_value();
            if (sound) {
                f(*one);
            }
            return sound;
        });
        return sound;
    } catch (const error& e) {
        if (!says_damaged(e)) {
            throw;
        }
        return false;
    }
}

/// Reads what can be read of a file that is damaged.
class damaged_reader {
public:
    [[nodiscard]] static spool_contents read(const std::string& file, const std::string& vfs) {
        spool_contents out;
        attempt([&] {
            looking_connection raw(file, vfs, true);
            connection db(raw.handle());
            damaged_reader(db, out).run();
        });
        return out;
    }

private:
    /// So many numbers are looked at one by one, behind the last that could be read.
    static constexpr std::int64_t near = 256;
    /// Nothing is looked for that far behind it.
    static constexpr std::int64_t far = std::int64_t{1} << 32U;

    damaged_reader(connection& db, spool_contents& out) : table_(db), out_(&out) {}

    /// Whether something could be read.
    template <class F>
    static bool attempt(F f) {
        try {
            f();
            return true;
        } catch (const error& e) {
            if (!says_damaged(e)) {
                throw;
            }
            return false;
        }
    }

    void run() {
        while (!read_from(after_)) {
            ++out_->missing;
            after_ = after_ < 0 ? 0 : after_;
            if (after_ > INT64_MAX - 2 * far || !(step_over() || leap_over())) {
                return;
            }
        }
    }

    /// Reads all behind a number, until the end or the first damage.
    bool read_from(std::int64_t after) {
        return attempt([&] {
            table_.each(after, [&](std::int64_t number, std::optional<spool_entry>& one) {
                after_ = number;
                if (one) {
                    out_->entries.push_back(*std::move(one));
                } else {
                    ++out_->missing;
                }
                return true;
            });
        });
    }

    /// Reads the next entry near by that can be read alone.
    bool step_over() {
        for (std::int64_t number = after_ + 1; number <= after_ + near; ++number) {
            std::optional<spool_entry> found;
            attempt([&] { found = table_.read(number); });
            if (found) {
                out_->entries.push_back(*std::move(found));
                after_ = number;
                return true;
            }
        }
        return false;
    }

    /// Goes on to the first number farther away behind which there is something to be read.
    bool leap_over() {
        std::int64_t bad = near;
        std::int64_t good = 2 * near;
        while (good < far && !is_readable(after_ + good)) {
            bad = good;
            good *= 2;
        }
        if (good >= far) {
            return false;
        }
        while (good - bad > 1) {
            const std::int64_t middle = bad + (good - bad) / 2;
            (is_readable(after_ + middle) ? good : bad) = middle;
        }
        after_ += good;
        return true;
    }
    [[nodiscard]] bool is_readable(std::int64_t after) {
        bool any = false;
        return attempt([&] {
                   table_.each(after, [&](std::int64_t, std::optional<spool_entry>&) {
                       any = true;
                       return false;
                   });
               }) &&
               any;
    }

    spool_table table_;
    spool_contents* out_;
    std::int64_t after_ = INT64_MIN;
};

/// Makes sound files of damaged ones.
class spool_salvage {
public:
    spool_salvage(const spool_files& files, std::string vfs)
        : files_(&files), vfs_(std::move(vfs)) {}

    /// Afterwards `spool.db` is sound, and what was there is set aside. Answers how many entries
    /// were salvaged.
    std::uint64_t run() {
        files_->clear_work();
        files_->make("spool.db");
        std::string first_page;
        write_fresh({}, &first_page);
        spool_contents best = read_copy(first_page, false, false);
        for (const unsigned mended : {1U, 2U, 3U}) {
            if (auto other = read_copy(first_page, (mended & 1U) != 0, (mended & 2U) != 0);
                other.entries.size() > best.entries.size()) {
                best = std::move(other);
            }
        }
        files_->clear_work();
        write_fresh(best.entries, nullptr);
        files_->sync("spool.db.fresh");
        files_->rename("spool.db.fresh", "spool.db.salvaged");
        files_->sync_folder();
        files_->clear_work();
        files_->take_salvaged();
        return best.entries.size();
    }

private:
    /// A new file with these entries, which is closed and has no log beside it.
    void write_fresh(const std::vector<spool_entry>& entries, std::string* first_page) const {
        const file_handle file = files_->make("spool.db.fresh");
        {
            connection db(files_->path("spool.db.fresh"), {.create = false},
                          vfs_.empty() ? nullptr : vfs_.c_str());
            spool_table table(db);
            table.make();
            db.execute("BEGIN IMMEDIATE");
            for (const auto& one : entries) {
                table.insert(one.number, one.added, one.what.view());
                if (one.last_failure) {
                    table.write_mark(one);
                }
            }
            db.execute("COMMIT");
            const auto done = db.query_one<std::int64_t>("PRAGMA wal_checkpoint(TRUNCATE)");
            if (!done || std::get<0>(*done) != 0) {
                throw busy_error("spool: " + db.file() + ": cannot be written back", SQLITE_BUSY);
            }
        }
        if (first_page != nullptr) {
            first_page->resize(4096);
            if (::pread(file.get(), first_page->data(), first_page->size(), 0) != 4096) {
                raise_errno(files_->path("spool.db.fresh"), "read");
            }
        }
    }

    /// Reads a copy of the damaged files, mended in these places.
    [[nodiscard]] spool_contents read_copy(const std::string& first_page, bool mend_page,
                                           bool mend_log) const {
        files_->copy("spool.db", "spool.db.reading");
        if (files_->size_of("spool.db-wal")) {
            files_->copy("spool.db-wal", "spool.db.reading-wal");
            if (mend_log) {
                mend_wal();
            }
        }
        const auto size = files_->size_of("spool.db.reading").value_or(0);
        if (mend_page || size < first_page.size()) {
            graft(first_page);
        }
        auto out = damaged_reader::read(files_->path("spool.db.reading"), vfs_);
        remove_shared_memory();
        return out;
    }

    void mend_wal() const {
        std::string bytes = read_all("spool.db.reading-wal");
        wal_bytes(bytes).mend();
        const file_handle file = files_->make("spool.db.reading-wal");
        if (::ftruncate(file.get(), static_cast<off_t>(bytes.size())) != 0 ||
            ::pwrite(file.get(), bytes.data(), bytes.size(), 0) !=
                static_cast<ssize_t>(bytes.size())) {
            raise_errno(files_->path("spool.db.reading-wal"), "write");
        }
    }

    /// Puts the first page of a new file over that of the copy. The number of pages that stands in
    /// it is made invalid, so that SQLite looks at the sizes of the file and the log instead.
    void graft(std::string page) const {
        constexpr std::size_t size_valid_for = 92;
        page[size_valid_for + 3] = static_cast<char>(~page[size_valid_for + 3]);
        const file_handle file = files_->make("spool.db.reading");
        if (::pwrite(file.get(), page.data(), page.size(), 0) !=
            static_cast<ssize_t>(page.size())) {
            raise_errno(files_->path("spool.db.reading"), "write");
        }
    }

    void remove_shared_memory() const { ::unlink(files_->path("spool.db.reading-shm").c_str()); }

public:
    [[nodiscard]] std::string read_all(std::string_view name) const {
        std::string out(files_->size_of(name).value_or(0), '\0');
        const file_handle file = files_->make(name);
        for (std::size_t done = 0; done < out.size();) {
            const ssize_t got =
                ::pread(file.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
            if (got <= 0) {
                raise_errno(files_->path(name), "read");
            }
            done += static_cast<std::size_t>(got);
        }
        return out;
    }

private:
    const spool_files* files_;
    std::string vfs_;
};

}  // namespace sinew::sqlite::detail
