// SPDX-License-Identifier: BSL-1.0
//
// Runs a fuzz target over files without libFuzzer, so that any compiler can: each file whole, and
// each of its beginnings, as what is cut off is the commonest damage.

#include "property.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& where) {
    std::vector<fs::path> files;
    if (!fs::is_directory(where)) {
        files.push_back(where);
        return files;
    }
    for (const auto& one : fs::directory_iterator(where)) {
        files.push_back(one.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string bytes_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        throw std::runtime_error("cannot be read: " + file.string());
    }
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A copy of its own of exactly that size, so that a sanitizer sees who reads beyond it.
void run(const std::string& bytes, std::size_t size) {
    const std::vector<std::uint8_t> input(bytes.begin(),
                                          bytes.begin() + static_cast<std::ptrdiff_t>(size));
    static_cast<void>(LLVMFuzzerTestOneInput(input.data(), input.size()));
}

int replay(const std::vector<std::string>& places) {
    std::size_t files = 0;
    std::size_t runs = 0;
    for (const auto& place : places) {
        for (const auto& file : files_of(place)) {
            const std::string bytes = bytes_of(file);
            // Written ahead, as a property that does not hold ends the process.
            std::printf("%s, %zu bytes\n", file.filename().c_str(), bytes.size());
            std::fflush(stdout);
            for (std::size_t size = 0; size <= bytes.size(); ++size, ++runs) {
                run(bytes, size);
            }
            ++files;
        }
    }
    std::printf("%zu files, %zu inputs with their beginnings\n", files, runs);
    return files == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    try {
        return replay({argv + 1, argv + argc});
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
