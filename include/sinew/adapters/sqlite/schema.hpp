// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables that the library makes: their prefix and their version.
///
/// Each part (the consumer's tables, the log's) has a version in the table `<prefix>meta`.
///
/// **Guarantees.** Two processes that open a new file at once make the tables once. Tables of an
/// older version are brought to this one, and nothing that is in them is lost. Tables of a newer
/// version are refused, with both versions in the message, and not touched.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::sqlite::detail {

/// Names of tables under the user's prefix.
class naming {
public:
    /// **On failure.** Throws `usage_error` unless the prefix is a letter or `_`, followed by at
    /// most 40 letters, digits and `_`; names that begin with `sqlite_` belong to SQLite.
    explicit naming(std::string prefix) : prefix_(std::move(prefix)) {
        const auto is_letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        };
        bool good = !prefix_.empty() && prefix_.size() <= 41 && is_letter(prefix_.front());
        for (const char c : prefix_) {
            good = good && (is_letter(c) || (c >= '0' && c <= '9'));
        }
        if (!good || sqlite3_strnicmp(prefix_.c_str(), "sqlite_", 7) == 0) {
            throw usage_error(
                "sqlite: option prefix has to be a letter or _ and at most 40 "
                "letters, digits and _, and not begin with sqlite_");
        }
    }

    /// Puts the tables' names into a statement: `~inbox` becomes `"<prefix>inbox"`.
    [[nodiscard]] std::string operator()(std::string_view sql) const {
        std::string out;
        out.reserve(sql.size() + 64);
        for (std::size_t i = 0; i < sql.size(); ++i) {
            if (sql[i] != '~') {
                out += sql[i];
                continue;
            }
            out += '"';
            out += prefix_;
            while (i + 1 < sql.size() &&
                   (sql[i + 1] == '_' || (sql[i + 1] >= 'a' && sql[i + 1] <= 'z'))) {
                out += sql[++i];
            }
            out += '"';
        }
        return out;
    }

private:
    std::string prefix_;
};

/// Tables that belong together and have one version.
struct schema_part {
    std::string_view name;
    std::int64_t version = 0;
    std::string_view script;
    /// What makes version 2 of version 1, version 3 of version 2, and so on.
    std::span<const std::string_view> upgrades{};
};

[[nodiscard]] inline std::optional<std::int64_t> schema_version(connection& db, const naming& named,
                                                                const schema_part& part) {
    // The name in quotes; what is compared with is the name alone.
    const std::string quoted = named("~meta");
    const std::string_view table = std::string_view(quoted).substr(1, quoted.size() - 2);
    if (!db.query_one<std::int64_t>(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
            table)) {
        return std::nullopt;
    }
    const auto found =
        db.query_one<std::int64_t>(named("SELECT version FROM ~meta WHERE name = ?"), part.name);
    return found ? std::optional(std::get<0>(*found)) : std::nullopt;
}

/// The version of the tables, or 0 if they are not there.
[[nodiscard]] inline std::int64_t checked_schema_version(connection& db, const naming& named,
                                                         const schema_part& part) {
    const auto version = schema_version(db, named, part);
    if (version && *version > part.version) {
        throw schema_error("sqlite: " + file_of(db.handle()) + ": its tables of '" +
                           std::string(part.name) + "' are of version " + std::to_string(*version) +
                           ", and this program knows version " + std::to_string(part.version) +
                           ". Run a program that was built with the newer sinew.");
    }
    return version.value_or(0);
}

/// Makes the tables, or what is missing of the older version that is there.
inline void bring_up_schema(connection& db, const naming& named, const schema_part& part,
                            std::int64_t from) {
    if (from == 0) {
        db.execute_script(
            named("CREATE TABLE IF NOT EXISTS ~meta(name TEXT PRIMARY KEY NOT "
                  "NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID"));
        db.execute_script(named(part.script));
        db.execute(named("INSERT INTO ~meta(name, version) VALUES (?, ?)"), part.name,
                   part.version);
        return;
    }
    for (auto at = from; at < part.version; ++at) {
        db.execute_script(named(part.upgrades[static_cast<std::size_t>(at) - 1]));
    }
    db.execute(named("UPDATE ~meta SET version = ? WHERE name = ?"), part.version, part.name);
}

/// Makes the tables unless they are there, in this version.
inline void ensure_schema(connection& db, const naming& named, const schema_part& part) {
    if (checked_schema_version(db, named, part) == part.version) {
        return;
    }
    if (db.is_in_transaction()) {
        throw usage_error(
            "sqlite: the connection is inside a transaction; end it before its "
            "tables are made");
    }
    db.execute_script("BEGIN IMMEDIATE");
    try {
        const auto found = checked_schema_version(db, named, part);
        if (found != part.version) {
            bring_up_schema(db, named, part, found);
        }
        db.execute_script("COMMIT");
    } catch (...) {
        if (db.is_in_transaction()) {
            sqlite3_exec(db.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
        throw;
    }
}

}  // namespace sinew::sqlite::detail
