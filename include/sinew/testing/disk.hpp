// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A disk in memory that forgets what was not synced when the power fails.
///
/// It keeps each file twice: as programs read it, and as it is safe. Between the two lie the
/// changes that nobody has synced, in the order in which they were made. A loss of power decides
/// about them; `losses` lists in which ways it can.
///
/// | when the power fails | the changes that were not synced |
/// | --- | --- |
/// | nothing is lost | are all there |
/// | a tail is lost | are there up to some point |
/// | one is lost | are there but for one in their midst: disks write in any order |
/// | one is torn | are there up to one of which only the first sectors are |
///
/// **What is safe.** `sync` makes what was written to a file safe. It makes the file's name safe
/// too, if that is new, and with it all that was done to names before, as file systems with a
/// journal do. A name that was removed is back after a loss of power unless `sync_folder` was
/// called.
/// **Invariants.** A sector is written whole or not at all, and what lies beside a write is never
/// damaged. What is safe stays so. Without a loss of power a file is a plain file.
/// **Not covered, on purpose.** Bits that rot, sectors that cannot be read, syncs that lie without
/// an error. A change that is lost while a torn one after it is there. Folders.
/// **Bounds.** Of more than `undecided_max` changes, the earlier ones are lost together or not at
/// all.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What a loss of power does to the changes that were not synced.
struct power_loss {
    enum class kind : std::uint8_t {
        nothing,  ///< they are all there
        tail,     ///< those from number `at` on are gone
        one,      ///< number `at` alone is gone
        torn,     ///< those after number `at` are gone, and of that one the first half is there
    };

    kind what = kind::nothing;
    std::size_t at = 0;

    friend bool operator==(power_loss, power_loss) = default;
};

/// What a disk is like.
struct disk_options {
    /// What is written whole or not at all.
    std::size_t sector = 512;
    /// Whether changes reach the disk in the order in which they were made. Most disks promise that
    /// only from one sync to the next.
    bool keeps_order = false;
    /// Whether what a sync failed to make safe stays unsafe for good, though it can be read and the
    /// next sync goes well: so do most file systems of Linux. If not, the next sync tries again.
    bool forgets_failed_syncs = true;
    /// How many bytes all files together may have.
    std::uint64_t capacity = std::numeric_limits<std::uint64_t>::max();
};

/// A disk. It can be copied, as an image of it.
class simulated_disk {
public:
    /// A file, also after its name was removed.
    using file_id = std::size_t;

    static constexpr std::size_t undecided_max = 60;

    simulated_disk() = default;
    explicit simulated_disk(disk_options options) : options_(options) {}

    [[nodiscard]] const disk_options& options() const noexcept { return options_; }
    void set_options(disk_options options) noexcept { options_ = options; }

    [[nodiscard]] std::optional<file_id> find(std::string_view name) const noexcept {
        return look_up(names_, name);
    }

    /// The name of a file; empty if it was removed.
    [[nodiscard]] std::string_view name_of(file_id file) const noexcept {
        for (const auto& one : names_) {
            if (one.file == file) {
                return one.text;
            }
        }
        return {};
    }

    /// The file of that name, made if it is not there.
    file_id open(std::string_view name) {
        if (const auto there = find(name)) {
            return *there;
        }
        const file_id made = files_.size();
        files_.emplace_back();
        names_.push_back({std::string(name), made});
        changes_.push_back({change::kind::name, made, 0, std::string(name)});
        return made;
    }

    /// Removes the name. Whoever has the file open keeps it. False if it is not there.
    bool remove(std::string_view name) {
        const auto there = find(name);
        if (there) {
            forget(names_, name);
            changes_.push_back({change::kind::no_name, *there, 0, std::string(name)});
        }
        return there.has_value();
    }

    /// Up to `size` bytes from `at` on; fewer at the end of the file. Valid until the next change.
    [[nodiscard]] std::string_view read(file_id file, std::uint64_t at, std::size_t size) const {
        const std::string_view all = files_[file].now;
        return at >= all.size() ? std::string_view() : all.substr(at, size);
    }
    [[nodiscard]] std::uint64_t size(file_id file) const { return files_[file].now.size(); }

    /// Writes; a gap before it is filled with zeros. False, and nothing is done, if there is no
    /// room.
    bool write(file_id file, std::uint64_t at, std::string_view bytes) {
        if (!has_room(file, at + bytes.size())) {
            return false;
        }
        put(files_[file].now, at, bytes);
        changes_.push_back({change::kind::bytes, file, at, std::string(bytes)});
        written_ += bytes.size();
        return true;
    }

    /// Makes the file shorter, or longer with zeros. False if there is no room.
    bool resize(file_id file, std::uint64_t size) {
        if (!has_room(file, size)) {
            return false;
        }
        files_[file].now.resize(size);
        changes_.push_back({change::kind::size, file, size, {}});
        return true;
    }

    /// Makes the file safe.
    void sync(file_id file) {
        std::size_t names = 0;
        for (std::size_t i = 0; i < changes_.size(); ++i) {
            if (changes_[i].what == change::kind::name && changes_[i].file == file) {
                names = i + 1;
            }
        }
        settle([&](const change& one, std::size_t number) {
            return one.is_of_names() ? number < names : one.file == file;
        });
    }

    /// Makes all names safe, and no file's content.
    void sync_folder() {
        settle([](const change& one, std::size_t) { return one.is_of_names(); });
    }

    /// What a sync that fails leaves (see `disk_options::forgets_failed_syncs`).
    void fail_sync(file_id file) {
        if (!options_.forgets_failed_syncs) {
            return;
        }
        std::erase_if(changes_,
                      [file](const change& one) { return !one.is_of_names() && one.file == file; });
    }

    /// How many changes were not synced: all of them, those of a file, those of names.
    [[nodiscard]] std::size_t unsynced() const noexcept { return changes_.size(); }
    [[nodiscard]] std::size_t unsynced(file_id file) const noexcept {
        std::size_t count = 0;
        for (const auto& one : changes_) {
            count += one.file == file && one.what != change::kind::no_name ? 1U : 0U;
        }
        return count;
    }
    [[nodiscard]] std::size_t unsynced_names() const noexcept {
        std::size_t count = 0;
        for (const auto& one : changes_) {
            count += one.is_of_names() ? 1U : 0U;
        }
        return count;
    }

    /// In which ways a loss of power can end now, each another state of the disk; the first is that
    /// nothing is lost.
    [[nodiscard]] std::vector<power_loss> losses() const {
        using enum power_loss::kind;
        std::vector<power_loss> all = {{nothing, 0}};
        const std::size_t end = changes_.size();
        if (end == 0) {
            return all;
        }
        const std::size_t from = end > undecided_max ? end - undecided_max : 0;
        all.push_back({tail, 0});
        for (std::size_t i = from; i < end; ++i) {
            if (i != 0) {
                all.push_back({tail, i});
            }
            if (tear_of(changes_[i]) != 0) {
                all.push_back({torn, i});
            }
            if (i + 1 < end && !options_.keeps_order) {
                all.push_back({one, i});
            }
        }
        return all;
    }

    /// The power fails. What is left is safe.
    void lose_power(power_loss how) {
        for (std::size_t i = 0; i < changes_.size(); ++i) {
            if (how.what == power_loss::kind::torn && i == how.at) {
                changes_[i].bytes.resize(tear_of(changes_[i]));
            } else if (how.what != power_loss::kind::nothing &&
                       (how.what == power_loss::kind::one ? i == how.at : i >= how.at)) {
                continue;
            }
            make_safe(changes_[i]);
        }
        changes_.clear();
        names_ = safe_names_;
        for (auto& one : files_) {
            one.now = one.safe;
        }
    }

    /// The disk as it would be if the power failed now and took all along that is not safe.
    [[nodiscard]] simulated_disk after_the_worst() const {
        simulated_disk image(options_);
        image.names_ = safe_names_;
        image.safe_names_ = safe_names_;
        image.files_.resize(files_.size());
        for (const auto& one : safe_names_) {
            image.files_[one.file] = {files_[one.file].safe, files_[one.file].safe};
        }
        image.written_ = written_;
        return image;
    }

    /// How many bytes a write from `at` on leaves of itself if it is torn in the middle, at the
    /// border of a sector; 0 if it lies within one.
    [[nodiscard]] std::size_t tear(std::uint64_t at, std::size_t size) const noexcept {
        const std::uint64_t first = at / options_.sector;
        const std::uint64_t last = size == 0 ? first : (at + size - 1) / options_.sector;
        return last == first ? 0
                             : static_cast<std::size_t>(
                                   (first + (last - first + 1) / 2) * options_.sector - at);
    }

    /// How many bytes all files have together, and how many were ever written.
    [[nodiscard]] std::uint64_t used() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& one : names_) {
            sum += files_[one.file].now.size();
        }
        return sum;
    }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
    /// How many changes were ever made safe: while it stays the same, so does what is safe.
    [[nodiscard]] std::uint64_t made_safe() const noexcept { return made_safe_; }

private:
    struct content {
        std::string now;
        std::string safe;
    };
    struct entry {
        std::string text;
        file_id file;
    };
    struct change {
        enum class kind : std::uint8_t { bytes, size, name, no_name };

        kind what;
        file_id file;
        std::uint64_t at;   ///< where bytes were written, or the size
        std::string bytes;  ///< or the name

        [[nodiscard]] bool is_of_names() const noexcept {
            return what == kind::name || what == kind::no_name;
        }
    };

    [[nodiscard]] static std::optional<file_id> look_up(const std::vector<entry>& in,
                                                        std::string_view text) noexcept {
        for (const auto& one : in) {
            if (one.text == text) {
                return one.file;
            }
        }
        return std::nullopt;
    }
    static void forget(std::vector<entry>& in, std::string_view text) {
        std::erase_if(in, [text](const entry& one) { return one.text == text; });
    }

    static void put(std::string& into, std::uint64_t at, std::string_view bytes) {
        if (into.size() < at + bytes.size()) {
            into.resize(at + bytes.size());
        }
        bytes.copy(into.data() + at, bytes.size());
    }

    [[nodiscard]] bool has_room(file_id file, std::uint64_t size) const noexcept {
        return size <= files_[file].now.size() ||
               size - files_[file].now.size() + used() <= options_.capacity;
    }

    [[nodiscard]] std::size_t tear_of(const change& one) const noexcept {
        return one.what == change::kind::bytes ? tear(one.at, one.bytes.size()) : 0;
    }

    void make_safe(const change& one) {
        ++made_safe_;
        switch (one.what) {
            case change::kind::bytes: put(files_[one.file].safe, one.at, one.bytes); break;
            case change::kind::size: files_[one.file].safe.resize(one.at); break;
            case change::kind::name:
                forget(safe_names_, one.bytes);
                safe_names_.push_back({one.bytes, one.file});
                break;
            case change::kind::no_name: forget(safe_names_, one.bytes); break;
        }
    }

    /// Makes those changes safe which `wanted` wants.
    template <class Wanted>
    void settle(Wanted wanted) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < changes_.size(); ++i) {
            if (wanted(changes_[i], i)) {
                make_safe(changes_[i]);
            } else if (kept++ != i) {
                changes_[kept - 1] = std::move(changes_[i]);
            }
        }
        changes_.erase(changes_.begin() + static_cast<std::ptrdiff_t>(kept), changes_.end());
    }

    disk_options options_;
    std::vector<content> files_;
    std::vector<entry> names_;
    std::vector<entry> safe_names_;
    std::vector<change> changes_;
    std::uint64_t written_ = 0;
    std::uint64_t made_safe_ = 0;
};

}  // namespace sinew::testing
