// SPDX-License-Identifier: BSL-1.0
//
// Records of the log and dead letters as rows with any values in their columns: they are read as
// what stands there, or refused with an error of the adapter's own.

#include "property.hpp"

#include <sinew/adapters/sqlite/letter_rows.hpp>
#include <sinew/adapters/sqlite/message.hpp>

#include <sqlite3.h>

#include <string>

namespace {

namespace rows = sinew::sqlite::detail;
using sinew::fuzz::expect;
using sinew::fuzz::input;

/// A statement that selects so many values that are bound to it.
class values {
public:
    explicit values(int count) : count_(count), sql_(text_of(count)) {
        expect(sqlite3_open(":memory:", &db_) == SQLITE_OK, "a database in memory can be opened");
    }

    [[nodiscard]] sqlite3* db() const noexcept { return db_; }
    [[nodiscard]] rows::prepared& sql() noexcept { return sql_; }
    [[nodiscard]] int count() const noexcept { return count_; }

private:
    static std::string text_of(int count) {
        std::string text = "SELECT ?";
        for (int i = 1; i < count; ++i) {
            text += ", ?";
        }
        return text;
    }

    int count_;
    sqlite3* db_ = nullptr;
    rows::prepared sql_;
};

/// Binds a value of any type that a column can hold.
void bind_any(sqlite3_stmt* to, int at, input& in) {
    const unsigned kind = in.byte() % 8U;
    if (kind == 1) {
        sqlite3_bind_int64(to, at, static_cast<sqlite3_int64>(in.number()));
    } else if (kind == 2) {
        sqlite3_bind_int(to, at, in.byte());
    } else if (kind == 3) {
        sqlite3_bind_double(to, at, static_cast<double>(in.number()) / 1024);
    } else if (kind == 4) {
        const std::string_view text = in.field();
        sqlite3_bind_text(to, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    } else if (kind > 4) {
        const std::string_view bytes = in.field();
        sqlite3_bind_blob(to, at, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
    }
}

void check_same(const sinew::event_view& a, const sinew::event& b) {
    expect(sinew::to_event(a) == b, "an event is read alike as a record and as a letter");
}

/// The event, written as the library does and read again.
void check_event_again(const sinew::event& e) {
    static values columns(rows::event_column_count);
    rows::statement again(columns.db(), columns.sql());
    std::string headers;
    rows::bind_event(again, 1, e.view(), headers);
    expect(again.step(), "a row is there");
    expect(rows::read_event(again, 0) == e, "an event that is written again is read as the same");
}

void check_record(input in) {
    static values columns(rows::event_column_count);
    rows::statement row(columns.db(), columns.sql());
    for (int i = 1; i <= columns.count(); ++i) {
        bind_any(row.handle(), i, in);
    }
    expect(row.step(), "a row is there");
    // A record is used again and again, so what one row left must not shine through.
    static rows::record record;
    try {
        record.read(row, 0);
    } catch (const sinew::sqlite::corrupt_error&) {
        return;
    }
    expect(record.broken.has_value() == sinew::find_defect(record.view).has_value(),
           "a record says whether it is an event");
    const sinew::event e = rows::read_event(row, 0);
    check_same(record.view, e);
    expect(record.size_bytes() >= e.view().size_bytes(), "a record holds all of its event");
    check_event_again(e);
}

void check_letter(input in) {
    constexpr int own_columns = 13;
    static values columns(own_columns + rows::event_column_count);
    rows::statement row(columns.db(), columns.sql());
    for (int i = 1; i <= columns.count(); ++i) {
        bind_any(row.handle(), i, in);
    }
    expect(row.step(), "a row is there");
    try {
        const auto entry = rows::read_entry(row);
        expect(to_string(entry.state) != "invalid", "a letter is in a state that there is");
        expect(to_string(entry.letter.kind) != "invalid", "a letter has a class that there is");
        check_event_again(entry.letter.original);
    } catch (const sinew::error& e) {
        expect(!std::string_view(e.what()).empty(), "an error has a sentence");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_record(input(data, size));
    check_letter(input(data, size));
    return 0;
}
