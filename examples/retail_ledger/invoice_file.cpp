// SPDX-License-Identifier: BSL-1.0
#include "invoice_file.hpp"

#include "sale.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

#include <sys/stat.h>

namespace retail {

namespace {

using file_handle = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw input_error(path + ": " + why);
}

[[nodiscard]] std::string read_bytes(const std::string& path) {
    const file_handle file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
    }
    struct stat about{};
    if (::fstat(::fileno(file.get()), &about) == 0 && S_ISDIR(about.st_mode)) {
        refuse(path, "is a folder; name the CSV file in it");
    }
    std::string bytes;
    char buffer[1U << 16U];
    while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) {
        bytes.append(buffer, count);
        if (bytes.size() > file_bytes_max) {
            refuse(path, "is larger than 256 MiB, the most that this program takes");
        }
    }
    if (std::ferror(file.get()) != 0) {
        refuse(path, std::string("cannot be read: ") + std::strerror(errno));
    }
    return bytes;
}

/// Cuts the next line off, without its line ending.
[[nodiscard]] std::string_view take_line(std::string_view& rest) noexcept {
    const std::size_t feed = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, feed);
    rest.remove_prefix(std::min(feed + 1, rest.size()));
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// Spreadsheets begin a file in UTF-8 with a byte-order mark.
void skip_byte_order_mark(std::string_view& file) noexcept {
    constexpr std::string_view mark = "\xef\xbb\xbf";
    file.remove_prefix(file.starts_with(mark) ? mark.size() : 0);
}

}  // namespace

std::string read_invoice_file(const std::string& path) {
    std::string bytes = read_bytes(path);
    std::string_view rest = bytes;
    skip_byte_order_mark(rest);
    if (take_line(rest) != file_header) {
        refuse(path, "is not a file of invoice lines: its first line has to be " +
                         std::string(file_header));
    }
    if (rest.empty()) {
        refuse(path, "has no line after its header, so there is nothing to do");
    }
    for (std::size_t number = 2; !rest.empty(); ++number) {
        if (take_line(rest).size() > line_bytes_max) {
            refuse(path, "line " + std::to_string(number) + " is longer than 1 MiB");
        }
    }
    return bytes;
}

std::vector<sinew::event> make_events(std::string_view file) {
    std::vector<sinew::event> events;
    std::unordered_map<std::string, std::uint64_t> sequences;
    skip_byte_order_mark(file);
    static_cast<void>(take_line(file));
    for (std::size_t number = 2; !file.empty(); ++number) {
        const std::string_view line = take_line(file);
        sinew::event one{.id = std::to_string(number),
                         .source = std::string(line_source),
                         .type = std::string(line_type),
                         .datacontenttype = "text/csv",
                         .data = std::string(line)};
        if (auto parsed = parse_sale(line); parsed.value) {
            one.partitionkey = std::move(parsed.value->stock_code);
            one.sequence = std::to_string(++sequences[one.partitionkey]);
        }
        events.push_back(std::move(one));
    }
    return events;
}

}  // namespace retail
