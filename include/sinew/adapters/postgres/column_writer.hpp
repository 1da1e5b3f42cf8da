// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A column of rows that are to be inserted in one statement: an array, or one value for all rows.
///
/// Of what a service sends much is the same in each event: its source, the type of its data, the
/// time at which a batch was added. To take such a value out of an array again, row by row, costs
/// the server about a tenth of a microsecond, and there are many such columns.
///
/// **Invariants.** While all values are equal, there is only the first, and how often.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/values.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

class column_writer {
public:
    /// A length at which the values can be cut off again.
    struct mark {
        std::size_t rows = 0;
        array_writer::mark in_array{};
        bool is_same = true;
    };

    explicit column_writer(bool has_numbers)
        : array_(has_numbers ? array_of_numbers() : array_of_bytes()),
          element_(has_numbers ? type::int8 : type::bytes) {}

    void add(std::string_view bytes) {
        if (rows_ == 0) {
            first_.assign(bytes);
        } else if (is_same_ && bytes != first_) {
            spread();
        }
        if (!is_same_) {
            array_.add(bytes);
        }
        ++rows_;
    }
    void add(std::int64_t value) {
        char room[sizeof value];
        put_number(room, value);
        add(std::string_view(room, sizeof room));
    }

    [[nodiscard]] mark end() const noexcept { return {rows_, array_.end(), is_same_}; }
    void cut(const mark& at) noexcept {
        rows_ = at.rows;
        is_same_ = at.is_same;
        array_.cut(at.in_array);
    }
    void clear() noexcept {
        rows_ = 0;
        is_same_ = true;
        array_.clear();
    }

    [[nodiscard]] bool is_same() const noexcept { return is_same_; }
    /// The value of all rows.
    [[nodiscard]] array_value one() const noexcept { return {element_, first_}; }
    /// The values of all rows.
    [[nodiscard]] array_value all() {
        spread();
        return array_.value();
    }

private:
    void spread() {
        for (std::size_t i = 0; is_same_ && i < rows_; ++i) {
            array_.add(std::string_view(first_));
        }
        is_same_ = false;
    }

    array_writer array_;
    type element_;
    std::string first_;
    std::size_t rows_ = 0;
    bool is_same_ = true;
};

}  // namespace sinew::postgres::detail
