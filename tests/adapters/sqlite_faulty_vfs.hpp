// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A file system for SQLite whose n-th write or sync fails.

#include <sqlite3.h>

#include <cstddef>
#include <new>

namespace sinew::test {

/// What goes wrong, and when.
struct io_fault {
    int after = -1;          ///< so many calls go well first; below 0 none fails
    bool disk_full = false;  ///< writes find no room (syncs go well); if not, both report an error
    bool lasting = false;    ///< all further calls fail too
    int happened = 0;        ///< how many failed

    [[nodiscard]] int next(bool is_sync) {
        if (after < 0 || (disk_full && is_sync)) {
            return SQLITE_OK;
        }
        if (after > 0) {
            --after;
            return SQLITE_OK;
        }
        after = lasting ? 0 : -1;
        ++happened;
        return disk_full ? SQLITE_FULL : is_sync ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
    }
};

/// The file system "faulty", which does what the usual one does, but for the fault that is set.
class faulty_vfs {
public:
    static io_fault& fault() {
        static io_fault one;
        return one;
    }

    static const char* name() {
        static const bool registered = make();
        return registered ? "faulty" : nullptr;
    }

private:
    struct file {
        sqlite3_file base;
        sqlite3_file* real;
    };

    static sqlite3_file* real(sqlite3_file* f) { return reinterpret_cast<file*>(f)->real; }

    static sqlite3_vfs*& usual() {
        static sqlite3_vfs* one = sqlite3_vfs_find(nullptr);
        return one;
    }

    static bool make() {
        static sqlite3_vfs mine = *usual();
        mine.pNext = nullptr;
        mine.zName = "faulty";
        mine.szOsFile = static_cast<int>(sizeof(file)) + usual()->szOsFile;
        mine.xOpen = open;
        return sqlite3_vfs_register(&mine, 0) == SQLITE_OK;
    }

    static int open(sqlite3_vfs*, sqlite3_filename path, sqlite3_file* to, int flags, int* out) {
        auto* mine = reinterpret_cast<file*>(to);
        mine->base.pMethods = nullptr;
        mine->real =
            reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(to) + sizeof(file));
        const int code = usual()->xOpen(usual(), path, mine->real, flags, out);
        if (mine->real->pMethods != nullptr) {
            mine->base.pMethods = &methods();
        }
        return code;
    }

    static const sqlite3_io_methods& methods() {
        static const sqlite3_io_methods all = [] {
            sqlite3_io_methods m{};
            m.iVersion = 2;
            m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
            m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
                return real(f)->pMethods->xRead(real(f), to, size, at);
            };
            m.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
                const int wrong = fault().next(false);
                return wrong != SQLITE_OK ? wrong
                                          : real(f)->pMethods->xWrite(real(f), from, size, at);
            };
            m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
                return real(f)->pMethods->xTruncate(real(f), size);
            };
            m.xSync = [](sqlite3_file* f, int flags) {
                const int wrong = fault().next(true);
                return wrong != SQLITE_OK ? wrong : real(f)->pMethods->xSync(real(f), flags);
            };
            m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
                return real(f)->pMethods->xFileSize(real(f), size);
            };
            m.xLock = [](sqlite3_file* f, int how) {
                return real(f)->pMethods->xLock(real(f), how);
            };
            m.xUnlock = [](sqlite3_file* f, int how) {
                return real(f)->pMethods->xUnlock(real(f), how);
            };
            m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
                return real(f)->pMethods->xCheckReservedLock(real(f), out);
            };
            m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
                return real(f)->pMethods->xFileControl(real(f), op, arg);
            };
            m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
            m.xDeviceCharacteristics = [](sqlite3_file* f) {
                return real(f)->pMethods->xDeviceCharacteristics(real(f));
            };
            m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
                return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
            };
            m.xShmLock = [](sqlite3_file* f, int offset, int count, int flags) {
                return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
            };
            m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
            m.xShmUnmap = [](sqlite3_file* f, int remove) {
                return real(f)->pMethods->xShmUnmap(real(f), remove);
            };
            return m;
        }();
        return all;
    }
};

}  // namespace sinew::test
