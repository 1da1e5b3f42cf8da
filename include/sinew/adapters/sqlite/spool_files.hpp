// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The folder and the files of a spool in SQLite: who may see them, who has them open, and how a
/// damaged one is set aside.
///
/// | file | is |
/// | --- | --- |
/// | `spool.db`, `spool.db-wal` | the entries |
/// | `spool.lock` | locked by the one who has the spool open |
/// | `spool.db.damaged-N`, `spool.db.damaged-N-wal` | what was damaged, as it was found |
/// | `spool.db.salvaged` | what could be read of it, complete: it is about to take the name |
/// | `spool.db.fresh`, `spool.db.reading` | work that was cut off; made anew |
///
/// **Guarantees.** The folder is 0700 and the files are 0600, and no name comes from an event. A
/// damaged file is renamed, never deleted and never overwritten. The change to the salvaged file
/// can be cut off anywhere and is finished at the next start; the write-ahead log goes first, so it
/// never stands beside a file that it does not belong to.

#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/spool.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::sqlite {

/// The folder of a spool can be entered by others, or belongs to somebody else.
class folder_not_private_error : public usage_error {
public:
    using usage_error::usage_error;
};

namespace detail {

/// An open file of the operating system.
class file_handle {
public:
    file_handle() noexcept = default;
    explicit file_handle(int number) noexcept : number_(number) {}
    file_handle(file_handle&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    file_handle& operator=(file_handle&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    file_handle(const file_handle&) = delete;
    file_handle& operator=(const file_handle&) = delete;
    ~file_handle() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }

    [[nodiscard]] int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }

private:
    int number_ = -1;
};

/// Throws what a call to the operating system failed with.
[[noreturn]] inline void raise_errno(const std::string& file, std::string_view doing) {
    const int code = errno;
    std::string text = "spool: " + file + ": cannot ";
    text.append(doing).append(": ").append(std::strerror(code));
    if (code == ENOSPC || code == EDQUOT) {
        throw disk_full_error(text + ". Make room on the disk.", SQLITE_FULL);
    }
    if (code == EACCES || code == EPERM || code == EROFS) {
        throw read_only_error(text + ". Give the process the right to write there.",
                              SQLITE_READONLY);
    }
    if (code == EIO) {
        throw io_error(text + ". Look into the system log.", SQLITE_IOERR);
    }
    throw cannot_open_error(text, SQLITE_CANTOPEN);
}

/// The files of one spool, which is locked as long as this lives.
class spool_files {
public:
    /// **On failure.** Throws `folder_not_private_error`, `spool_in_use_error`, or the
    /// `unavailable_error` that fits.
    explicit spool_files(std::string folder) : folder_(std::move(folder)) {
        while (folder_.size() > 1 && folder_.back() == '/') {
            folder_.pop_back();
        }
        if (folder_.empty()) {
            throw usage_error("spool: the folder has no name");
        }
        open_folder();
        lock_ = make("spool.lock");
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) {
                throw spool_in_use_error("spool: " + folder_ +
                                         ": another process, or another object of this one, has "
                                         "it open; give each its own folder");
            }
            raise_errno(path("spool.lock"), "lock");
        }
    }

    [[nodiscard]] std::string path(std::string_view name) const {
        std::string out = folder_;
        return out.append("/").append(name);
    }
    [[nodiscard]] std::string main() const { return path("spool.db"); }
    [[nodiscard]] std::string wal() const { return path("spool.db-wal"); }

    /// Opens a file of the spool, which is made if it is not there, readable by nobody else.
    file_handle make(std::string_view name) const {
        const std::string file = path(name);
        file_handle out(::openat(folder_file_.get(), std::string(name).c_str(),
                                 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        struct stat found{};
        if (!out || ::fstat(out.get(), &found) != 0) {
            raise_errno(file, "open");
        }
        if (!S_ISREG(found.st_mode)) {
            throw folder_not_private_error("spool: " + file + " is not a regular file");
        }
        if ((found.st_mode & 0777U) != 0600 && ::fchmod(out.get(), 0600) != 0) {
            raise_errno(file, "make private");
        }
        return out;
    }

    /// The size of a file of the spool, if it is there.
    [[nodiscard]] std::optional<std::uint64_t> size_of(std::string_view name) const {
        struct stat found{};
        if (::fstatat(folder_file_.get(), std::string(name).c_str(), &found, AT_SYMLINK_NOFOLLOW) !=
            0) {
            if (errno == ENOENT) {
                return std::nullopt;
            }
            raise_errno(path(name), "look at");
        }
        return static_cast<std::uint64_t>(found.st_size);
    }

    void copy(std::string_view from, std::string_view to) const {
        const file_handle source = make(from);
        const file_handle target = make(to);
        if (::ftruncate(target.get(), 0) != 0) {
            raise_errno(path(to), "empty");
        }
        char bytes[1U << 16U];
        for (;;) {
            const ssize_t got = ::read(source.get(), bytes, sizeof bytes);
            if (got < 0) {
                raise_errno(path(from), "read");
            }
            if (got == 0) {
                return;
            }
            for (ssize_t done = 0; done < got;) {
                const ssize_t put =
                    ::write(target.get(), bytes + done, static_cast<std::size_t>(got - done));
                if (put < 0) {
                    raise_errno(path(to), "write");
                }
                done += put;
            }
        }
    }

    void sync(std::string_view name) const {
        if (::fsync(make(name).get()) != 0) {
            raise_errno(path(name), "sync");
        }
    }
    void sync_folder() const {
        if (::fsync(folder_file_.get()) != 0) {
            raise_errno(folder_, "sync");
        }
    }
    void rename(std::string_view from, std::string_view to) const {
        if (::renameat(folder_file_.get(), std::string(from).c_str(), folder_file_.get(),
                       std::string(to).c_str()) != 0) {
            raise_errno(path(from), "rename");
        }
    }

    /// Takes away work files: copies, and what was never complete.
    void clear_work() const {
        for (const char* name :
             {"spool.db.fresh", "spool.db.fresh-wal", "spool.db.fresh-shm",
              "spool.db.fresh-journal", "spool.db.reading", "spool.db.reading-wal",
              "spool.db.reading-shm", "spool.db.reading-journal"}) {
            if (::unlinkat(folder_file_.get(), name, 0) != 0 && errno != ENOENT) {
                raise_errno(path(name), "remove");
            }
        }
    }

    /// Sets the damaged files aside and puts the salvaged one into their place, or goes on where
    /// that was cut off. Does nothing if there is no salvaged file.
    void take_salvaged() const {
        if (!size_of("spool.db.salvaged")) {
            return;
        }
        const std::string aside = aside_name();
        for (const char* part : {"-wal", "-journal", ""}) {
            std::string name = "spool.db";
            name += part;
            if (size_of(name)) {
                rename(name, aside + part);
                sync_folder();
            }
        }
        rename("spool.db.salvaged", "spool.db");
        sync_folder();
    }

    /// How many files are set aside.
    [[nodiscard]] std::uint64_t damaged() const {
        const int again = ::openat(folder_file_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR* list = again < 0 ? nullptr : ::fdopendir(again);
        if (list == nullptr) {
            raise_errno(folder_, "list");
        }
        constexpr std::string_view start = "spool.db.damaged-";
        std::uint64_t out = 0;
        while (const dirent* one = ::readdir(list)) {
            const std::string_view name = one->d_name;
            out += name.substr(0, start.size()) == start &&
                           name.find('-', start.size()) == std::string_view::npos
                       ? 1U
                       : 0U;
        }
        ::closedir(list);
        return out;
    }

private:
    void open_folder() {
        const bool made = ::mkdir(folder_.c_str(), 0700) == 0;
        if (!made && errno != EEXIST) {
            raise_errno(folder_, "make the folder");
        }
        folder_file_ =
            file_handle(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (!folder_file_) {
            if (errno == ELOOP || errno == ENOTDIR) {
                throw folder_not_private_error("spool: " + folder_ +
                                               " is not a folder; a symbolic link is not followed");
            }
            raise_errno(folder_, "open the folder");
        }
        struct stat found{};
        if (::fstat(folder_file_.get(), &found) != 0) {
            raise_errno(folder_, "look at");
        }
        if (found.st_uid != ::geteuid()) {
            throw folder_not_private_error("spool: " + folder_ +
                                           " belongs to another user; the spool needs a folder of "
                                           "its own");
        }
        if ((found.st_mode & 0077U) != 0) {
            throw folder_not_private_error(
                "spool: " + folder_ +
                " is open to others, and events are not for them; use a folder of its own, or "
                "chmod 700 it");
        }
        const std::unique_ptr<char, void (*)(void*)> full(::realpath(folder_.c_str(), nullptr),
                                                          &std::free);
        if (full == nullptr) {
            raise_errno(folder_, "find");
        }
        folder_ = full.get();
        if (made) {
            const file_handle above(::open((folder_ + "/..").c_str(), O_RDONLY | O_CLOEXEC));
            if (above) {
                ::fsync(above.get());
            }
        }
    }

    [[nodiscard]] static std::string numbered(unsigned n) {
        return "spool.db.damaged-" + std::to_string(n);
    }
    [[nodiscard]] bool is_taken(unsigned n) const {
        return size_of(numbered(n)) || size_of(numbered(n) + "-wal") ||
               size_of(numbered(n) + "-journal");
    }
    /// A name that is free, or the one that a change began to use which was cut off.
    [[nodiscard]] std::string aside_name() const {
        unsigned n = 1;
        while (is_taken(n)) {
            ++n;
        }
        const bool begun =
            n > 1 && !size_of(numbered(n - 1)) && size_of("spool.db") && !size_of("spool.db-wal");
        return numbered(begun ? n - 1 : n);
    }

    std::string folder_;
    file_handle folder_file_;
    file_handle lock_;
};

}  // namespace detail

}  // namespace sinew::sqlite
