// SPDX-License-Identifier: BSL-1.0
//
// The demonstration's file as events: each line is one event with exactly its bytes, and the events
// of one key are numbered without gaps.

#include "property.hpp"

#include <retail_ledger/invoice_file.hpp>
#include <retail_ledger/sale.hpp>

#include <map>
#include <string>

using sinew::fuzz::expect;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view lines(reinterpret_cast<const char*>(data), size);
    const auto events =
        retail::make_events(std::string(retail::file_header) + "\n" + std::string(lines));
    std::map<std::string, std::uint64_t> numbers;
    std::string_view left = lines;
    std::size_t number = 2;
    for (const auto& e : events) {
        expect(e.id == std::to_string(number++), "an event's id is its line's number");
        expect(left.starts_with(e.data), "an event's data is its line, byte for byte");
        left.remove_prefix(e.data.size());
        left.remove_prefix(left.starts_with("\r\n") ? 2 : left.empty() ? 0 : 1);
        expect(e.data.find('\n') == e.data.npos, "a line ends at its line feed");
        expect(!sinew::find_defect(e.view()), "each line is a usable event");
        const bool is_sale = retail::parse_sale(e.data).value.has_value();
        expect(is_sale != e.partitionkey.empty() && is_sale != e.sequence.empty(),
               "a line that can be read has a key and a number, another has neither");
        if (is_sale) {
            expect(sinew::parse_sequence(e.sequence) == ++numbers[e.partitionkey],
                   "the lines of a key are numbered 1, 2, 3");
        }
    }
    expect(left.empty(), "no line is left out");
    return 0;
}
