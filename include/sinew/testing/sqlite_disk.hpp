// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A simulated disk as a file system for SQLite (a VFS), so that what SQLite does when a disk is
/// full, a sync fails or the power goes is a matter of the tape.
///
/// **Guarantees.** What SQLite asks of a file system, with either journal: locks between
/// connections, shared memory for WAL mode, removing with and without a sync of the folder. Time is
/// the world's, and random numbers depend on nothing but the run, so the same tape gives the same
/// files.
///
/// **On crash.** Nothing is thrown through SQLite: from the death of its process on, each call
/// answers an I/O error and has no effect, and its locks are gone. Shared memory is gone when the
/// last living process let go of it, or the power failed.
/// **Not covered, on purpose.** Temporary files, which no process reads after a crash, are plain
/// memory.
/// **Bounds.** One thread at a time for all of a computer. SQLite's source of random numbers is one
/// for the whole program: two computers on two threads still run well, but not byte for byte alike.
///
/// **Example.**
/// ```cpp
/// computer shop(simulated_disk{});
/// sqlite_disk disk(self, shop);  // in each life of the process `self`
/// sqlite::store db(disk.uri("shop.db"), {.busy_timeout = duration::zero()});
/// disk.never_wait(db.connection().handle());
/// ```

#include <sinew/core/error.hpp>
#include <sinew/testing/faulty_disk.hpp>
#include <sinew/testing/sqlite_file.hpp>
#include <sinew/testing/world.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

namespace sinew::testing {

/// A file system for SQLite in one life of a process. It has to outlive the connections that use
/// it.
class sqlite_disk {
public:
    /// Calls end as the tape says.
    sqlite_disk(process& owner, computer& on) : disk_(owner, on) { register_vfs(); }
    /// Nothing goes wrong: for whoever looks on.
    explicit sqlite_disk(computer& on) : disk_(on) { register_vfs(); }
    sqlite_disk(const sqlite_disk&) = delete;
    sqlite_disk& operator=(const sqlite_disk&) = delete;
    ~sqlite_disk() { sqlite3_vfs_unregister(&vfs_); }

    /// What `sqlite3_open_v2` takes as the name of the file system.
    [[nodiscard]] const char* name() const noexcept { return name_.c_str(); }
    /// A file there, as a name that every way of opening a database takes.
    [[nodiscard]] std::string uri(std::string_view file) const {
        return "file:/" + std::string(file) + "?vfs=" + name_;
    }

    /// Lets a connection answer at once that it is locked out. Waiting would be real waiting, and
    /// in a virtual world who holds the lock would wait as well.
    static void never_wait(sqlite3* db) noexcept { sqlite3_busy_handler(db, nullptr, nullptr); }

private:
    void register_vfs() {
        static std::atomic<std::uint64_t> made = 0;
        name_ = "sinew-disk-" + std::to_string(++made);
        numbers_ = disk_.home().next_number();
        vfs_.iVersion = 2;
        vfs_.szOsFile =
            static_cast<int>(std::max(sizeof(detail::sqlite_file), sizeof(detail::sqlite_scratch)));
        vfs_.mxPathname = 512;
        vfs_.zName = name_.c_str();
        vfs_.pAppData = this;
        set_file_calls();
        set_other_calls();
        if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) {
            throw usage_error("the simulated disk cannot be made known to SQLite");
        }
        // Salts and nonces come from one generator for the whole program. It starts anew here, so
        // that the same run writes the same bytes, and other lives other ones.
        sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED,
                             static_cast<int>(numbers_ % 1'000'000'007U) + 1,
                             static_cast<sqlite3*>(nullptr));
        sqlite3_randomness(0, nullptr);
    }

    void set_file_calls() noexcept {
        vfs_.xOpen = [](sqlite3_vfs* v, sqlite3_filename path, sqlite3_file* to, int flags,
                        int* flags_out) {
            to->pMethods = nullptr;
            return detail::answer(SQLITE_CANTOPEN, [&] {
                if (flags_out != nullptr) {
                    *flags_out = flags;
                }
                return of(v).open(path, to, flags);
            });
        };
        vfs_.xDelete = [](sqlite3_vfs* v, const char* path, int sync_folder) {
            return detail::answer(SQLITE_IOERR_DELETE, [&] {
                auto& disk = of(v).disk_;
                if (!disk.remove(path)) {
                    return SQLITE_IOERR_DELETE_NOENT;
                }
                return sync_folder == 0 || disk.sync_folder() == disk_result::done
                           ? SQLITE_OK
                           : SQLITE_IOERR_DIR_FSYNC;
            });
        };
        vfs_.xAccess = [](sqlite3_vfs* v, const char* path, int how, int* to) {
            return detail::answer(SQLITE_IOERR_ACCESS, [&] {
                auto& disk = of(v).disk_;
                const auto there = disk.find(path);
                // A journal without anything in it is none.
                *to = there && (how != SQLITE_ACCESS_EXISTS || disk.size(*there) != 0) ? 1 : 0;
                return SQLITE_OK;
            });
        };
        vfs_.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* to) {
            const std::string_view text = path;
            if (text.size() >= static_cast<std::size_t>(size)) {
                return SQLITE_CANTOPEN;
            }
            text.copy(to, text.size());
            to[text.size()] = '\0';
            return SQLITE_OK;
        };
    }

    void set_other_calls() noexcept {
        vfs_.xRandomness = [](sqlite3_vfs* v, int size, char* to) {
            for (int i = 0; i < size; ++i) {
                auto& number = of(v).numbers_;
                number = number * 6364136223846793005ULL + 1442695040888963407ULL;
                to[i] = static_cast<char>(number >> 56U);
            }
            return size;
        };
        vfs_.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
        vfs_.xCurrentTimeInt64 = [](sqlite3_vfs* v, sqlite3_int64* to) {
            *to = of(v).julian_milliseconds();
            return SQLITE_OK;
        };
        vfs_.xCurrentTime = [](sqlite3_vfs* v, double* to) {
            *to = static_cast<double>(of(v).julian_milliseconds()) / 86'400'000.0;
            return SQLITE_OK;
        };
        vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
        vfs_.xDlOpen = [](sqlite3_vfs*, const char*) -> void* { return nullptr; };
        vfs_.xDlError = [](sqlite3_vfs*, int size, char* to) {
            if (size > 0) {
                *to = '\0';
            }
        };
        vfs_.xDlClose = [](sqlite3_vfs*, void*) {};
    }

    [[nodiscard]] static sqlite_disk& of(sqlite3_vfs* v) noexcept {
        return *static_cast<sqlite_disk*>(v->pAppData);
    }

    int open(const char* path, sqlite3_file* to, int flags) {
        static const sqlite3_io_methods file_methods = detail::make_sqlite_file_methods();
        static const sqlite3_io_methods scratch_methods = detail::make_sqlite_scratch_methods();
        if (path == nullptr) {
            (new (to) detail::sqlite_scratch())->pMethods = &scratch_methods;
            return SQLITE_OK;
        }
        const bool there = disk_.find(path).has_value();
        if (!there && (flags & SQLITE_OPEN_CREATE) == 0) {
            return SQLITE_CANTOPEN;
        }
        constexpr int journals =
            SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
        const auto file = disk_.open(path);
        (new (to) detail::sqlite_file(disk_, file, !there && (flags & journals) != 0))->pMethods =
            &file_methods;
        return SQLITE_OK;
    }

    [[nodiscard]] sqlite3_int64 julian_milliseconds() const noexcept {
        constexpr sqlite3_int64 epoch = 210'866'760'000'000;
        constexpr sqlite3_int64 onlooker = 1'700'000'000'000;
        const auto* owner = disk_.owner();
        return epoch + (owner == nullptr
                            ? onlooker
                            : owner->home().now().wall.time_since_epoch().count() / 1000);
    }

    faulty_disk disk_;
    std::string name_;
    sqlite3_vfs vfs_{};
    std::uint64_t numbers_ = 0;
};

}  // namespace sinew::testing
