// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An open file of a simulated disk, as SQLite holds it: what it reads and writes, its lock, and
/// the memory that connections share in WAL mode.
///
/// **Guarantees.** Locks are those of SQLite's own file systems: one writer, readers beside it
/// until it is exclusive, and no new readers while it waits for that. A dead process holds none.
/// **Not covered, on purpose.** What a dead process still writes into shared memory is seen by
/// others; SQLite only puts its own unfinished business away there, as its successor would.

#include <sinew/testing/faulty_disk.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

namespace detail {

class sqlite_file;

/// What connections share in memory for one database file in WAL mode.
struct sqlite_shared_memory {
    std::vector<std::unique_ptr<std::byte[]>> regions;
};

/// Who has a file open, and the shared memory of these.
struct sqlite_openers {
    std::vector<sqlite_file*> files;
    std::shared_ptr<sqlite_shared_memory> memory;
};

/// All files of a computer that are open.
struct sqlite_open_files {
    std::map<simulated_disk::file_id, sqlite_openers> by_file;
};

/// An open file, as SQLite holds it.
class sqlite_file : public sqlite3_file {
public:
    sqlite_file(faulty_disk& disk, simulated_disk::file_id file, bool sync_folder)
        : disk_(&disk), file_(file), sync_folder_(sync_folder) {
        open_files_ = disk.home().memory<sqlite_open_files>();
        openers().files.push_back(this);
    }
    sqlite_file(const sqlite_file&) = delete;
    sqlite_file& operator=(const sqlite_file&) = delete;
    ~sqlite_file() { std::erase(openers().files, this); }

    int read(char* to, std::size_t size, std::uint64_t at) {
        const auto got = disk_->read(file_, at, size);
        got.copy(to, got.size());
        std::fill(to + got.size(), to + size, '\0');
        return got.size() == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    }
    int write(std::string_view bytes, std::uint64_t at) {
        return disk_->write(file_, at, bytes) == disk_result::done ? SQLITE_OK : SQLITE_FULL;
    }
    int truncate(std::uint64_t size) {
        return disk_->resize(file_, size) == disk_result::done ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
    }
    int sync() {
        if (disk_->sync(file_) != disk_result::done) {
            return SQLITE_IOERR_FSYNC;
        }
        if (sync_folder_ && disk_->sync_folder() != disk_result::done) {
            return SQLITE_IOERR_DIR_FSYNC;
        }
        sync_folder_ = false;
        return SQLITE_OK;
    }
    int size(sqlite3_int64& to) {
        to = static_cast<sqlite3_int64>(disk_->size(file_));
        return SQLITE_OK;
    }

    /// Raises the lock to SHARED, RESERVED or EXCLUSIVE.
    int lock(int to) {
        if (to <= lock_) {
            return SQLITE_OK;
        }
        const int others = lock_of_others();
        if (to == SQLITE_LOCK_SHARED) {
            return others >= SQLITE_LOCK_PENDING ? SQLITE_BUSY : become(to);
        }
        if (others >= SQLITE_LOCK_RESERVED) {
            return SQLITE_BUSY;
        }
        if (to == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
            // Readers may finish, and no further ones come.
            lock_ = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
        return become(to);
    }
    int unlock(int to) {
        lock_ = std::min(lock_, to);
        return SQLITE_OK;
    }
    int is_reserved(int& to) {
        to = std::max(lock_, lock_of_others()) >= SQLITE_LOCK_RESERVED ? 1 : 0;
        return SQLITE_OK;
    }

    int map(std::size_t number, std::size_t size, bool extend, void volatile** to) {
        if (!memory_) {
            join_memory();
        }
        auto& regions = memory_->regions;
        while (extend && regions.size() <= number) {
            regions.push_back(std::make_unique<std::byte[]>(size));
        }
        *to = number < regions.size() ? regions[number].get() : nullptr;
        return SQLITE_OK;
    }
    int lock_memory(unsigned slots, bool exclusive) {
        for (const auto* other : openers().files) {
            if (other != this && other->is_alive() &&
                ((other->exclusive_ | (exclusive ? other->shared_ : 0U)) & slots) != 0) {
                return SQLITE_BUSY;
            }
        }
        (exclusive ? exclusive_ : shared_) |= slots;
        return SQLITE_OK;
    }
    int unlock_memory(unsigned slots) {
        exclusive_ &= ~slots;
        shared_ &= ~slots;
        return SQLITE_OK;
    }
    int leave_memory() {
        memory_.reset();
        exclusive_ = 0;
        shared_ = 0;
        return SQLITE_OK;
    }

    [[nodiscard]] bool is_alive() const noexcept { return disk_->is_alive(); }

private:
    [[nodiscard]] sqlite_openers& openers() const { return open_files_->by_file[file_]; }

    int become(int to) noexcept {
        lock_ = to;
        return SQLITE_OK;
    }

    [[nodiscard]] int lock_of_others() const {
        int most = SQLITE_LOCK_NONE;
        for (const auto* other : openers().files) {
            if (other != this && other->is_alive()) {
                most = std::max(most, other->lock_);
            }
        }
        return most;
    }

    /// The first one finds it empty, whatever the dead have left.
    void join_memory() {
        auto& all = openers();
        const bool first = std::none_of(all.files.begin(), all.files.end(), [](const auto* one) {
            return one->memory_ != nullptr && one->is_alive();
        });
        if (first) {
            all.memory = std::make_shared<sqlite_shared_memory>();
        }
        memory_ = all.memory;
    }

    faulty_disk* disk_;
    simulated_disk::file_id file_;
    std::shared_ptr<sqlite_open_files> open_files_;
    std::shared_ptr<sqlite_shared_memory> memory_;
    int lock_ = SQLITE_LOCK_NONE;
    unsigned shared_ = 0;
    unsigned exclusive_ = 0;
    bool sync_folder_;
};

/// Runs what must not throw; for a dead process the answer is `code`.
template <class Do>
int answer(int code, Do what) noexcept {
    try {
        return what();
    } catch (const std::bad_alloc&) {
        return SQLITE_NOMEM;
    } catch (...) {
        return code;
    }
}

[[nodiscard]] inline sqlite_file& as_file(sqlite3_file* f) noexcept {
    return *static_cast<sqlite_file*>(f);
}

/// The same for a file: one of a dead process is not touched.
template <class Do>
int answer(sqlite3_file* f, int code, Do what) noexcept {
    return answer(code, [&] {
        auto& file = as_file(f);
        return file.is_alive() ? what(file) : code;
    });
}

[[nodiscard]] inline sqlite3_io_methods make_sqlite_file_methods() noexcept {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) {
        as_file(f).~sqlite_file();
        return SQLITE_OK;
    };
    m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
        return answer(f, SQLITE_IOERR_READ, [&](sqlite_file& file) {
            return file.read(static_cast<char*>(to), static_cast<std::size_t>(size),
                             static_cast<std::uint64_t>(at));
        });
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
        return answer(f, SQLITE_IOERR_WRITE, [&](sqlite_file& file) {
            return file.write({static_cast<const char*>(from), static_cast<std::size_t>(size)},
                              static_cast<std::uint64_t>(at));
        });
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        return answer(f, SQLITE_IOERR_TRUNCATE, [&](sqlite_file& file) {
            return file.truncate(static_cast<std::uint64_t>(size));
        });
    };
    m.xSync = [](sqlite3_file* f, int) {
        return answer(f, SQLITE_IOERR_FSYNC, [](sqlite_file& file) { return file.sync(); });
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* to) {
        return answer(f, SQLITE_IOERR_FSTAT, [&](sqlite_file& file) { return file.size(*to); });
    };
    m.xLock = [](sqlite3_file* f, int to) {
        return answer(f, SQLITE_IOERR_LOCK, [to](sqlite_file& file) { return file.lock(to); });
    };
    m.xUnlock = [](sqlite3_file* f, int to) { return as_file(f).unlock(to); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* to) {
        return answer(f, SQLITE_IOERR_CHECKRESERVEDLOCK,
                      [to](sqlite_file& file) { return file.is_reserved(*to); });
    };
    m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    m.xSectorSize = [](sqlite3_file*) { return 0; };
    m.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
    m.xShmMap = [](sqlite3_file* f, int number, int size, int extend, void volatile** to) {
        return answer(f, SQLITE_IOERR_SHMMAP, [&](sqlite_file& file) {
            return file.map(static_cast<std::size_t>(number), static_cast<std::size_t>(size),
                            extend != 0, to);
        });
    };
    m.xShmLock = [](sqlite3_file* f, int first, int count, int flags) {
        const unsigned slots = ((1U << static_cast<unsigned>(count)) - 1U)
                               << static_cast<unsigned>(first);
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            return as_file(f).unlock_memory(slots);
        }
        return answer(f, SQLITE_IOERR_SHMLOCK, [&](sqlite_file& file) {
            return file.lock_memory(slots, (flags & SQLITE_SHM_EXCLUSIVE) != 0);
        });
    };
    m.xShmBarrier = [](sqlite3_file*) {};
    m.xShmUnmap = [](sqlite3_file* f, int) { return as_file(f).leave_memory(); };
    return m;
}

/// A file without a name: a part of memory.
class sqlite_scratch : public sqlite3_file {
public:
    std::string bytes;
};

[[nodiscard]] inline sqlite_scratch& as_scratch(sqlite3_file* f) noexcept {
    return *static_cast<sqlite_scratch*>(f);
}

[[nodiscard]] inline sqlite3_io_methods make_sqlite_scratch_methods() noexcept {
    sqlite3_io_methods m{};
    m.iVersion = 1;
    m.xClose = [](sqlite3_file* f) {
        as_scratch(f).~sqlite_scratch();
        return SQLITE_OK;
    };
    m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
        const auto& bytes = as_scratch(f).bytes;
        const auto from = std::min(bytes.size(), static_cast<std::size_t>(at));
        const auto wanted = static_cast<std::size_t>(size);
        const auto got = bytes.copy(static_cast<char*>(to), wanted, from);
        std::fill(static_cast<char*>(to) + got, static_cast<char*>(to) + wanted, '\0');
        return got == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
        return answer(SQLITE_IOERR_WRITE, [&] {
            auto& bytes = as_scratch(f).bytes;
            const auto start = static_cast<std::size_t>(at);
            bytes.resize(std::max(bytes.size(), start + static_cast<std::size_t>(size)));
            std::memcpy(bytes.data() + start, from, static_cast<std::size_t>(size));
            return SQLITE_OK;
        });
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        as_scratch(f).bytes.resize(static_cast<std::size_t>(size));
        return SQLITE_OK;
    };
    m.xSync = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* to) {
        *to = static_cast<sqlite3_int64>(as_scratch(f).bytes.size());
        return SQLITE_OK;
    };
    m.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xCheckReservedLock = [](sqlite3_file*, int* to) {
        *to = 0;
        return SQLITE_OK;
    };
    m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    m.xSectorSize = [](sqlite3_file*) { return 0; };
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    return m;
}

}  // namespace detail

}  // namespace sinew::testing
