// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A computer of the virtual world, with a disk and a power supply, and the disk as a process sees
/// it: its calls end as the tape says.
///
/// | call | how it can end |
/// | --- | --- |
/// | `write` | no room: nothing is written, or the first half |
/// | `sync`, `sync_folder` | failed, the process dies before or after, the power fails |
/// | any, after something happened in the world | the power fails |
///
/// When the power fails, every process of the computer dies, and what was not synced is lost in one
/// of the ways of `simulated_disk::losses`, each of which is one answer of the tape: `lost_writes`
/// or `torn_tail`.
///
/// **Why this is enough.** Between two syncs nothing is settled: if the power fails at any moment
/// there, the disk is left in a state that is among the losses at the next sync. It matters only
/// what the rest of the world has seen meanwhile, so power can fail as well at the first call after
/// each thing that stirred the world. A process that dies between two writes leaves what a loss of
/// the following ones would leave.
/// **Not covered, on purpose.** Faults of `read`, `resize` and `remove`. Processes that stand still
/// in the midst of a call to the disk.

#include <sinew/testing/disk.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// The faults that a disk can have.
inline constexpr fault_set disk_faults = {fault::disk_full,    fault::sync_failed,
                                          fault::lost_writes,  fault::torn_tail,
                                          fault::crash_before, fault::crash_after};

/// How a call to the disk ended.
enum class disk_result : std::uint8_t {
    done,
    full,    ///< there is no room
    failed,  ///< it could not be made safe
};

/// A computer. It has to outlive what runs on it.
class computer {
public:
    explicit computer(simulated_disk disk = {}, fault_set faults = disk_faults)
        : faults_(faults), disk_(std::move(disk)) {}
    computer(const computer&) = delete;
    computer& operator=(const computer&) = delete;

    [[nodiscard]] simulated_disk& disk() noexcept { return disk_; }
    [[nodiscard]] const simulated_disk& disk() const noexcept { return disk_; }
    [[nodiscard]] fault_set faults() const noexcept { return faults_; }

    /// The power fails: each process here dies, the memory is gone, and so is a part of what was
    /// not synced.
    void lose_power(power_loss how) {
        const auto all = std::exchange(processes_, {});
        for (auto* one : all) {
            if (one->is_alive()) {
                one->note("loses power; of", disk_.unsynced(), "changes that were not synced",
                          describe(how.what), how.at);
                try {
                    one->die("no power");
                } catch (const process_died&) {
                }
            }
        }
        memory_.clear();
        disk_.lose_power(how);
    }

    /// What the programs here share in memory, one of each type. It is gone when the power fails.
    template <class T>
    [[nodiscard]] std::shared_ptr<T> memory() {
        static const char of_type = 0;
        for (const auto& one : memory_) {
            if (one.of_type == &of_type) {
                return std::static_pointer_cast<T>(one.what);
            }
        }
        auto made = std::make_shared<T>();
        memory_.push_back({&of_type, made});
        return made;
    }

    /// A number that this computer never gave before, the same in each run.
    [[nodiscard]] std::uint64_t next_number() noexcept { return disk_.written() + ++numbers_; }

private:
    friend class faulty_disk;

    struct shared {
        const void* of_type;
        std::shared_ptr<void> what;
    };

    [[nodiscard]] static std::string_view describe(power_loss::kind what) noexcept {
        switch (what) {
            case power_loss::kind::nothing: return "none is lost:";
            case power_loss::kind::tail: return "all are lost from number";
            case power_loss::kind::one: return "one is lost, number";
            case power_loss::kind::torn: return "one is torn and the last, number";
        }
        return "invalid";
    }

    fault_set faults_;
    simulated_disk disk_;
    std::vector<process*> processes_;
    std::vector<shared> memory_;
    std::uint64_t numbers_ = 0;
    std::uint64_t seen_stirs_ = UINT64_MAX;
};

/// A computer's disk, as one life of a process sees it; or as somebody does to whom nothing
/// happens.
///
/// **On crash.** Throws `process_died`, and so does each later call.
class faulty_disk {
public:
    using file_id = simulated_disk::file_id;

    faulty_disk(process& owner, computer& on) : owner_(&owner), on_(&on) {
        on.processes_.push_back(&owner);
    }
    explicit faulty_disk(computer& on) noexcept : on_(&on) {}
    faulty_disk(const faulty_disk&) = delete;
    faulty_disk& operator=(const faulty_disk&) = delete;
    ~faulty_disk() { std::erase(on_->processes_, owner_); }

    [[nodiscard]] computer& home() const noexcept { return *on_; }
    [[nodiscard]] process* owner() const noexcept { return owner_; }
    [[nodiscard]] bool is_alive() const noexcept { return owner_ == nullptr || owner_->is_alive(); }

    [[nodiscard]] std::optional<file_id> find(std::string_view name) {
        begin("disk look");
        return disk().find(name);
    }
    [[nodiscard]] file_id open(std::string_view name) {
        begin("disk open");
        return disk().open(name);
    }
    bool remove(std::string_view name) {
        begin("disk remove");
        note("removes", name);
        return disk().remove(name);
    }
    [[nodiscard]] std::string_view read(file_id file, std::uint64_t at, std::size_t size) {
        begin("disk read");
        return disk().read(file, at, size);
    }
    [[nodiscard]] std::uint64_t size(file_id file) {
        begin("disk size");
        return disk().size(file);
    }
    disk_result resize(file_id file, std::uint64_t size) {
        begin("disk resize");
        return disk().resize(file, size) ? disk_result::done : disk_result::full;
    }

    disk_result write(file_id file, std::uint64_t at, std::string_view bytes) {
        must_live();
        ends_.clear();
        add_losses_if_stirred();
        add({fault::disk_full, {}, 0});
        const std::size_t part = disk().tear(at, bytes.size());
        if (part != 0) {
            add({fault::disk_full, {}, part});
        }
        const end how = choose("disk write");
        if (how.what == fault::disk_full) {
            static_cast<void>(how.part == 0 || disk().write(file, at, bytes.substr(0, how.part)));
            return disk_result::full;
        }
        return disk().write(file, at, bytes) ? disk_result::done : disk_result::full;
    }

    /// Makes the file safe, and its name.
    disk_result sync(file_id file) {
        note("syncs", disk().name_of(file), disk().unsynced(file), "changes");
        return sync("disk sync", disk().unsynced(file) != 0,
                    [&](bool works) { works ? disk().sync(file) : disk().fail_sync(file); });
    }
    /// Makes all names safe.
    disk_result sync_folder() {
        note("syncs the names,", disk().unsynced_names(), "changes");
        return sync("disk sync of names", disk().unsynced_names() != 0, [&](bool works) {
            if (works) {
                disk().sync_folder();
            }
        });
    }

private:
    /// One way in which a call can end.
    struct end {
        fault what = fault::none;
        power_loss loss{};
        std::size_t part = 0;  ///< how many bytes of a write find room
    };

    [[nodiscard]] simulated_disk& disk() const noexcept { return on_->disk_; }

    void must_live() const {
        if (owner_ != nullptr) {
            owner_->must_live();
        }
    }

    /// What each call begins with, and most consist of: the moment at which the power can fail.
    void begin(std::string_view label) {
        must_live();
        ends_.clear();
        add_losses_if_stirred();
        static_cast<void>(choose(label));
    }

    template <class Do>
    disk_result sync(std::string_view label, bool matters, Do make_safe) {
        must_live();
        ends_.clear();
        if (matters) {
            add_losses();
            add({fault::sync_failed, {}, 0});
            add({fault::crash_before, {}, 0});
            add({fault::crash_after, {}, 0});
        } else {
            add_losses_if_stirred();
        }
        const end how = choose(label);
        make_safe(how.what != fault::sync_failed);
        if (how.what == fault::crash_after) {
            owner_->die(label);
        }
        return how.what == fault::sync_failed ? disk_result::failed : disk_result::done;
    }

    void add(end one) {
        if (owner_ != nullptr && on_->faults_.has(one.what) &&
            owner_->home().options().faults.has(one.what)) {
            ends_.push_back(one);
        }
    }

    void add_losses() {
        if (owner_ == nullptr) {
            return;
        }
        on_->seen_stirs_ = owner_->home().stirs();
        for (const auto loss : disk().losses()) {
            if (loss.what != power_loss::kind::nothing) {
                add({loss.what == power_loss::kind::torn ? fault::torn_tail : fault::lost_writes,
                     loss, 0});
            }
        }
    }

    void add_losses_if_stirred() {
        if (owner_ != nullptr && on_->seen_stirs_ != owner_->home().stirs()) {
            add_losses();
        }
    }

    /// Asks the tape, and dies if it says so.
    end choose(std::string_view label) {
        if (ends_.empty()) {
            return {};
        }
        auto& run = owner_->home().run();
        fault_set offered;
        for (const auto& one : ends_) {
            offered = offered | fault_set{one.what};
        }
        run.found.offer(offered);
        const unsigned number = run.choices.choose(static_cast<unsigned>(ends_.size()) + 1, label);
        if (number == 0) {
            return {};
        }
        const end how = ends_[number - 1];
        run.found.happened[static_cast<std::size_t>(how.what)] += 1;
        run.choices.name_last(to_string(how.what));
        owner_->note(label, "meets:", to_string(how.what), "after", disk().written(), "bytes");
        if (how.what == fault::lost_writes || how.what == fault::torn_tail) {
            on_->lose_power(how.loss);
            throw process_died{};
        }
        if (how.what == fault::crash_before) {
            owner_->die(label);
        }
        return how;
    }

    template <class... Parts>
    void note(const Parts&... parts) const {
        if (owner_ != nullptr) {
            owner_->note(parts...);
        }
    }

    process* owner_ = nullptr;
    computer* on_;
    std::vector<end> ends_;
};

}  // namespace sinew::testing
