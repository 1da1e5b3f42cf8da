// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An SQLite file on a simulated disk, as the scenarios on disks use it.

#include "laws/scenarios/named.hpp"

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/sqlite_disk.hpp>

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::laws {

using namespace std::chrono_literals;

namespace law {
using namespace sinew::testing::law;
inline constexpr std::string_view file_whole = "the file is whole";
}  // namespace law

inline constexpr const char* shop = "shop.db";

/// How a process opens its database.
struct sqlite_shape {
    bool wal = true;           ///< the adapter's own connection; else the service's, with a journal
    const char* pragmas = "";  ///< run after opening
    partition_id partitions = 1;
    disk_options disk{.forgets_failed_syncs = false};
    fault_set disk_faults = testing::disk_faults;
    fault_set faults = fault_set::all();
};

/// A database that one process has open.
class open_database {
public:
    open_database(const sqlite_disk& disk, const sqlite_shape& shape) {
        if (shape.wal) {
            store_.emplace(disk.uri(shop), sqlite::store_options{.busy_timeout = 0ms});
        } else {
            sqlite3* made = nullptr;
            const int code = sqlite3_open_v2(
                disk.uri(shop).c_str(), &made,
                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                nullptr);
            handle_.reset(made);
            if (code != SQLITE_OK) {
                throw sqlite::cannot_open_error("it cannot be opened", code);
            }
            store_.emplace(made, sqlite::store_options{.busy_timeout = 0ms});
        }
        sqlite_disk::never_wait(store_->connection().handle());
        store_->connection().execute_script(shape.pragmas);
        store_->connection().execute_script(
            "CREATE TABLE IF NOT EXISTS effects(n INTEGER PRIMARY KEY, key TEXT, id TEXT)");
    }

    [[nodiscard]] sqlite::store& store() noexcept { return *store_; }

    /// Empty if all is well.
    [[nodiscard]] std::string damage() {
        const auto said =
            store_->connection().query_one<std::string>("PRAGMA integrity_check(1)").value();
        return std::get<0>(said) == "ok" ? std::string() : std::get<0>(said);
    }

private:
    struct closer {
        void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    };

    std::unique_ptr<sqlite3, closer> handle_;
    std::optional<sqlite::store> store_;
};

/// A disk with a database on it that has all its tables, made without faults.
[[nodiscard]] inline simulated_disk made_disk(const sqlite_shape& shape) {
    computer maker(simulated_disk(shape.disk));
    {
        const sqlite_disk disk(maker);
        open_database make(disk, shape);
    }
    maker.lose_power({});
    return maker.disk();
}

}  // namespace sinew::laws
