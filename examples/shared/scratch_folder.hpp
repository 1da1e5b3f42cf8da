// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A folder for the files of one run, which goes with it.

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace example {

class scratch_folder {
public:
    /// **On failure.** Throws `std::system_error`.
    scratch_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "sinew-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::system_error(errno, std::generic_category(), name);
        }
        path_ = name;
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    /// The path of a file in it.
    [[nodiscard]] std::string operator/(const char* file) const { return (path_ / file).string(); }

private:
    std::filesystem::path path_;
};

}  // namespace example
