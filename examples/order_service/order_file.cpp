// SPDX-License-Identifier: BSL-1.0
#include "order_file.hpp"

#include <sinew/core/error.hpp>

#include <csv.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace shop {

namespace {

/// The columns that matter here, by their place among the eight.
constexpr std::size_t columns = 8;
constexpr std::size_t number_column = 0;
constexpr std::size_t stock_code_column = 1;
constexpr std::size_t quantity_column = 3;
constexpr std::size_t price_column = 5;
constexpr std::size_t customer_column = 6;

[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, problem] = std::from_chars(text.data(), end, value);
    return problem == std::errc() && stopped == end ? std::optional(value) : std::nullopt;
}

/// "2.1" is 210 pence. More than two decimals would have to be rounded, which makes money appear.
[[nodiscard]] std::optional<std::int64_t> pence(std::string_view text) {
    const std::size_t point = std::min(text.find('.'), text.size());
    const auto pounds = whole_number(text.substr(0, point));
    std::string decimals(text.substr(std::min(point + 1, text.size())));
    decimals.append(decimals.size() < 2 ? 2 - decimals.size() : 0, '0');
    const auto rest = whole_number(decimals);
    if (!pounds || *pounds < 0 || *pounds > price_pence_max / 100 || !rest || *rest < 0 ||
        decimals.size() != 2) {
        return std::nullopt;
    }
    return *pounds * 100 + *rest;
}

/// Gathers orders from the fields that libcsv finds.
class collector {
public:
    explicit collector(const std::string& path) : path_(&path) {}

    /// Called by C code, through which no exception may pass: it is kept, and thrown afterwards.
    static void on_field(void* bytes, std::size_t size, void* self) noexcept {
        auto& me = *static_cast<collector*>(self);
        me.guarded([&] {
            if (me.count_ < columns) {
                me.fields_[me.count_].assign(static_cast<const char*>(bytes), size);
            }
            ++me.count_;
        });
    }
    static void on_record(int, void* self) noexcept {
        auto& me = *static_cast<collector*>(self);
        me.guarded([&] { me.take_record(); });
    }

    [[noreturn]] void refuse(const std::string& why) const {
        throw input_error(*path_ + ": record " + std::to_string(record_) + ": " + why);
    }
    void rethrow() const {
        if (problem_) {
            std::rethrow_exception(problem_);
        }
    }

    /// The orders: the invoices that are one.
    [[nodiscard]] order_file finish() && {
        order_file out{.other_invoices = others_.size()};
        for (auto& one : invoices_) {
            if (!others_.contains(one.number)) {
                out.orders.push_back(std::move(one));
            }
        }
        return out;
    }

private:
    template <class F>
    void guarded(F f) noexcept {
        if (problem_) {
            return;
        }
        try {
            f();
        } catch (...) {
            problem_ = std::current_exception();
        }
    }

    void take_record() {
        const std::size_t count = std::exchange(count_, 0);
        if (++record_ == 1) {
            return;  // the header
        }
        if (count != columns) {
            refuse("does not have eight fields");
        }
        const auto quantity = whole_number(fields_[quantity_column]);
        const auto price = pence(fields_[price_column]);
        if (!quantity) {
            refuse("the quantity is not a whole number");
        }
        if (!price) {
            refuse("the price is not in pounds and pence");
        }
        order& to = invoice(fields_[number_column], fields_[customer_column]);
        if (*quantity < 1) {
            others_.insert(to.number);
            return;
        }
        to.lines.push_back({fields_[stock_code_column], *quantity, *price});
        try {
            check({to.number, to.customer, {to.lines.back()}});
        } catch (const sinew::permanent_error& problem) {
            refuse(problem.what());
        }
    }

    [[nodiscard]] order& invoice(const std::string& number, const std::string& customer) {
        const auto [found, is_new] = places_.try_emplace(number, invoices_.size());
        if (is_new) {
            invoices_.push_back({.number = number, .customer = customer});
        }
        return invoices_[found->second];
    }

    const std::string* path_;
    std::array<std::string, columns> fields_;
    std::size_t count_ = 0;
    std::size_t record_ = 0;
    std::exception_ptr problem_;
    std::vector<order> invoices_;
    std::unordered_map<std::string, std::size_t> places_;
    std::set<std::string> others_;
};

/// libcsv's parser.
class csv_reader {
public:
    csv_reader() {
        if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) {
            throw std::bad_alloc();
        }
    }
    csv_reader(const csv_reader&) = delete;
    csv_reader& operator=(const csv_reader&) = delete;
    ~csv_reader() { csv_free(&parser_); }

    /// Whether the quotes are in order.
    [[nodiscard]] bool read(std::string_view bytes, collector& into) {
        const bool good =
            csv_parse(&parser_, bytes.data(), bytes.size(), &collector::on_field,
                      &collector::on_record, &into) == bytes.size() &&
            csv_fini(&parser_, &collector::on_field, &collector::on_record, &into) == 0;
        if (csv_error(&parser_) == CSV_ENOMEM) {
            throw std::bad_alloc();
        }
        return good;
    }

private:
    csv_parser parser_{};
};

}  // namespace

order_file read_order_file(const std::string& path) {
    std::error_code problem;
    if (std::filesystem::is_directory(path, problem)) {
        throw input_error(path + ": is a folder; name the CSV file in it");
    }
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in.is_open() || in.bad()) {
        throw input_error(path + ": " + std::generic_category().message(errno));
    }
    return parse_orders(bytes, path);
}

order_file parse_orders(std::string_view bytes, const std::string& path) {
    constexpr std::string_view mark = "\xef\xbb\xbf";  // spreadsheets begin a UTF-8 file with it
    bytes.remove_prefix(bytes.starts_with(mark) ? mark.size() : 0);
    if (!bytes.starts_with(file_header)) {
        throw input_error(path + ": its first line has to be " + std::string(file_header));
    }
    collector found(path);
    const bool good = csv_reader().read(bytes, found);
    found.rethrow();
    if (!good) {
        found.refuse("the next one has a quote that is not closed, or stands within a field");
    }
    auto out = std::move(found).finish();
    if (out.orders.empty()) {
        throw input_error(path + ": holds no order");
    }
    return out;
}

order_line parse_item(std::string_view text) {
    const std::size_t first = std::min(text.find(':'), text.size());
    const std::string_view numbers = text.substr(std::min(first + 1, text.size()));
    const std::size_t second = std::min(numbers.find(':'), numbers.size());
    const auto quantity = whole_number(numbers.substr(0, second));
    const auto price = second == numbers.size() ? std::optional(std::int64_t{0})
                                                : whole_number(numbers.substr(second + 1));
    if (first == 0 || !quantity || *quantity < 1 || !price) {
        throw input_error("\"" + std::string(text) +
                          "\" is no item: write CODE:QUANTITY or CODE:QUANTITY:PENCE");
    }
    return {std::string(text.substr(0, first)), *quantity, *price};
}

}  // namespace shop
