// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A file of SQLite that outlives the process which works on it.

#include "adapters/sqlite_support.hpp"

#include <sinew/testing/conformance/environment.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace sinew::test {

/// A file, and what the process that works on it leaves behind when it dies: the file and its
/// write-ahead log as they are at that instant.
struct file_that_crashes : testing::conformance::real_time {
    std::unique_ptr<temp_folder> folder = std::make_unique<temp_folder>();
    int lives = 0;

    // What a local file does not answer at once, it does not answer.
    [[nodiscard]] duration patience() const { return std::chrono::seconds(1); }
    [[nodiscard]] std::string file() const { return folder->file(std::to_string(lives) + ".db"); }
    void crash() {
        const std::string before = file();
        ++lives;
        for (const char* part : {"", "-wal"}) {
            if (std::filesystem::exists(before + part)) {
                std::filesystem::copy_file(before + part, file() + part);
            }
        }
    }
};

}  // namespace sinew::test
