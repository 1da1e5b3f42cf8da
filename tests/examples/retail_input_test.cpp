// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <retail_ledger/invoice_file.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

using namespace retail;

namespace {

/// A file that is there as long as this lives.
class file_with {
public:
    explicit file_with(const std::string& bytes)
        : path_(std::filesystem::temp_directory_path() /
                ("retail_input_test." + std::to_string(::getpid()) + ".csv")) {
        std::ofstream(path_, std::ios::binary) << bytes;
    }
    ~file_with() { std::filesystem::remove(path_); }

    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

/// What is said of a file with these bytes; nothing if it is taken.
std::string complaint(const std::string& bytes) {
    const file_with file(bytes);
    try {
        static_cast<void>(read_invoice_file(file.path()));
        return {};
    } catch (const input_error& problem) {
        return problem.what();
    }
}

}  // namespace

TEST_CASE("a file of invoice lines is taken, with and without a byte-order mark") {
    const std::string header(file_header);
    CHECK(complaint(header + "\r\nx\r\n").empty());
    CHECK(complaint("\xef\xbb\xbf" + header + "\nx").empty());
}

TEST_CASE("any other file is refused, and the message says why") {
    const std::string header(file_header);
    CHECK_THAT(complaint(""), Catch::Contains("is not a file of invoice lines"));
    CHECK_THAT(complaint("a,b,c\n1,2,3\n"), Catch::Contains("is not a file of invoice lines"));
    CHECK_THAT(complaint(header + "\n"), Catch::Contains("has no line after its header"));
    CHECK_THAT(complaint(header + "\nx\n" + std::string(line_bytes_max + 1, 'x') + "\n"),
               Catch::Contains("line 3 is longer than 1 MiB"));
}

TEST_CASE("a file that cannot be read is named") {
    CHECK_THROWS_WITH(read_invoice_file("no such file"),
                      "no such file: cannot be opened: No such file or directory");
    CHECK_THROWS_WITH(read_invoice_file("/"), Catch::Contains("is a folder"));
}
