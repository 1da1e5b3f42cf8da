// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios of a service whose spool is in SQLite on a simulated disk. The topic stands on another
/// computer, and so does whoever was told that an event is accepted: neither forgets with the disk.
///
/// A spool looks at its folder before it opens its file, and mends there what a crash has left; it
/// does that with the calls of the operating system, which no simulated disk sees. So each life
/// begins with the mending, on a copy in a real folder and without faults, and then works on the
/// simulated disk.

#include "laws/scenarios/sqlite_file.hpp"

#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/sqlite/spool.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/testing/faulty_sink.hpp>
#include <sinew/testing/publishing_judge.hpp>
#include <sinew/testing/scripted_topic.hpp>
#include <sinew/testing/world_clock.hpp>

#include <unistd.h>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::laws {

/// A real folder, and the files of the same names on a simulated disk.
class mirrored_folder {
public:
    mirrored_folder() {
        // In memory, if there is such a place: nothing here is to be safe, and syncs take time.
        const std::filesystem::path in_memory = "/dev/shm";
        std::string name =
            (std::filesystem::exists(in_memory) ? in_memory
                                                : std::filesystem::temp_directory_path()) /
            "sinew-spool-disk-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw usage_error("no folder can be made for a spool");
        }
        path_ = std::filesystem::canonical(name).string();
    }
    mirrored_folder(const mirrored_folder&) = delete;
    mirrored_folder& operator=(const mirrored_folder&) = delete;
    ~mirrored_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Lets a spool open what is on the disk and mend it. Then both hold the same, and it is safe.
    void mend(simulated_disk& disk, moment now) const {
        for (const auto& one : std::filesystem::directory_iterator(path_)) {
            std::filesystem::remove(one.path());
        }
        for (const char* part : parts) {
            if (const auto there = disk.find(file(part))) {
                std::ofstream(file(part), std::ios::binary) << disk.read(*there, 0, SIZE_MAX);
            }
        }
        {
            const sqlite::spool mending(path_, {}, now);
        }
        for (const char* part : parts) {
            disk.remove(file(part));
        }
        std::ifstream from(file(parts[0]), std::ios::binary);
        const std::string mended{std::istreambuf_iterator<char>(from), {}};
        const auto to = disk.open(file(parts[0]));
        disk.write(to, 0, mended);
        disk.sync(to);
        disk.sync_folder();
    }

private:
    static constexpr const char* parts[] = {"spool.db", "spool.db-wal", "spool.db-journal"};

    [[nodiscard]] std::string file(const char* part) const { return path_ + "/" + part; }

    std::string path_;
};

/// The world: a topic elsewhere, and a computer with a disk, on which a service publishes its list.
class spool_disk_world {
public:
    using topic_type = scripted_topic<memory::producer>;

    explicit spool_disk_world(trial& run, const mirrored_folder& folder)
        : folder_(folder),
          computer_(simulated_disk({.forgets_failed_syncs = false})),
          world_(run, {.faults = fault_set::all().without({fault::zombie})}),
          topic_(world_, log_.producer("orders"), [this](const event_view& e) {
              world_.note("topic", "gets", e.id, "of", e.partitionkey);
              arrive(found(), facts_, e);
          }) {}

    [[nodiscard]] findings& found() noexcept { return world_.run().found; }
    [[nodiscard]] topic_type& topic() noexcept { return topic_; }
    /// How many events were stored and, after a crash, found again.
    [[nodiscard]] std::uint64_t found_again() const noexcept { return found_again_; }

    void publish(std::string_view key, std::string_view id) {
        list_.push_back(make_keyed_event(key, id));
    }

    void run() {
        world_.add("service",
                   [this](process& self) { return std::make_unique<service>(self, *this); });
        world_.settled_when([this] { return next_ == list_.size() && rests_; });
        const bool settled = world_.run_until_settled();
        check_drains(found(), settled, world_.steps());
        judge_published(world_, facts_, settled);
    }

private:
    class service : public process_body {
    public:
        service(process& self, spool_disk_world& home)
            : self_(self), home_(home), disk_(self, home.computer_), to_(self, home.topic_) {
            home.folder_.mend(home.computer_.disk(), home.world_.now());
            try {
                sqlite::spool_options options;
                options.vfs = disk_.name();
                spool_.emplace(home.folder_.path(), options, home.world_.now());
            } catch (const unavailable_error& why) {
                home.found().check(law::file_whole, why.reason() != "corrupt", why.what());
                self.die("it cannot open its spool");
            }
            home.found_again_ += spool_->size().waiting;
            out_.emplace(to_, *spool_, spooled_options{.base = 200ms, .cap = 1s, .seed = 7},
                         null_spool_observer{}, world_clock{&home.world_});
            drain_.emplace(*spool_, to_,
                           drainer_options{.batch_max = 3,
                                           .max_attempts = 50,
                                           .base = 200ms,
                                           .cap = 1s,
                                           .poll_interval = 500ms,
                                           .seed = 7});
        }

        steady_time step(moment now) override {
            publish(now);
            drain_->step(home_.world_.now());
            home_.rests_ = spool_->size().waiting == 0;
            const auto next = home_.next_ < home_.list_.size() ? due_ : never;
            const auto drains = drain_->next_deadline();
            return next < drains ? next : drains;
        }

    private:
        using sink_type = faulty_sink<topic_type>;

        void publish(moment now) {
            if (now.steady < due_ || home_.next_ == home_.list_.size()) {
                return;
            }
            const auto& e = home_.list_[home_.next_];
            if (home_.facts_.index_of(e.id) == home_.facts_.committed.size()) {
                home_.facts_.committed.push_back({e});
            }
            const auto how = out_->publish(e.view(), later(now.steady, 5s));
            if (self_.is_alive()) {
                self_.note(how.is_accepted() ? "published" : "could not publish", e.id,
                           how.why().reason);
                home_.world_.stir();
                home_.next_ += how.is_accepted() ? 1 : 0;
                due_ = later(home_.world_.now().steady, 300ms);
            }
        }

        process& self_;
        spool_disk_world& home_;
        sqlite_disk disk_;
        sink_type to_;
        std::optional<sqlite::spool> spool_;
        std::optional<spooled<sink_type, sqlite::spool, null_spool_observer, world_clock>> out_;
        std::optional<drainer<sqlite::spool, sink_type>> drain_;
        steady_time due_{};
    };

    const mirrored_folder& folder_;
    memory::log log_;
    publishing_record facts_;
    std::vector<event> list_;
    std::size_t next_ = 0;  ///< the first that was not accepted
    bool rests_ = false;
    std::uint64_t found_again_ = 0;
    computer computer_;  ///< outlives what runs on it
    world world_;
    topic_type topic_;
};

/// The topic is down while the service publishes: what it was told is accepted outlives the power.
inline void sqlite_spool(trial& t) {
    static const mirrored_folder folder;
    spool_disk_world w(t, folder);
    w.topic().down_between(0s, 1500ms);
    w.publish("a", "a1");
    w.publish("a", "a2");
    w.publish("b", "b1");
    w.run();
    w.found().sometimes("an event outlived a loss of power in the spool", w.found_again() != 0);
}

}  // namespace sinew::laws
