// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a member of a log in SQLite delivers: a record that was copied out of the file once.
///
/// **Guarantees.** The view stays valid, at the same address, while the message lives, whatever the
/// log does. Where it lies in memory is used again for later messages.
/// **Bounds.** At most 1,024 records of at most 64 KiB each are kept for that. A message may be
/// read and destroyed on any thread.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite {

namespace detail {

/// A record in memory: all its bytes in one piece, and the view into them.
struct record {
    std::string bytes;
    std::vector<header_view> headers;
    event_view view;
    position where;
    epoch_number epoch = 0;
    std::optional<defect> broken;

    /// Copies an event out of the current row, from column `first` on.
    void read(const statement& from, int first) {
        sqlite3_stmt* row = from.handle();
        std::size_t size = 0;
        for (int i = 0; i < event_column_count; ++i) {
            size += static_cast<std::size_t>(sqlite3_column_bytes(row, first + i));
        }
        bytes.clear();
        bytes.reserve(size);
        for_each_attribute(view, [&](int at, std::string_view& value) {
            value = keep(column_bytes(row, first + at));
        });
        view.data = as_bytes(keep(column_bytes(row, first + data_column)));
        decode_headers(keep(column_bytes(row, first + headers_column)), headers);
        view.headers =
            headers_view(headers.data(), headers.size(), [](const void* owner, std::size_t index) {
                return static_cast<const header_view*>(owner)[index];
            });
        broken = find_defect(view);
    }

    [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes.size(); }

private:
    /// There is room for all of it, so nothing that was kept moves.
    [[nodiscard]] std::string_view keep(std::string_view part) {
        const std::size_t start = bytes.size();
        bytes.append(part);
        return std::string_view(bytes).substr(start);
    }
};

/// Records that are free to be used again.
class record_pool {
public:
    static constexpr std::size_t records_max = 1024;
    static constexpr std::size_t record_bytes_max = std::size_t{64} << 10U;

    record_pool() { free_.reserve(records_max); }

    [[nodiscard]] std::unique_ptr<record> take() {
        {
            const std::scoped_lock lock(mutex_);
            if (!free_.empty()) {
                auto taken = std::move(free_.back());
                free_.pop_back();
                return taken;
            }
        }
        return std::make_unique<record>();
    }

    void give_back(std::unique_ptr<record> used) noexcept {
        if (used->bytes.capacity() > record_bytes_max || used->headers.capacity() > 64) {
            return;
        }
        const std::scoped_lock lock(mutex_);
        if (free_.size() < records_max) {
            free_.push_back(std::move(used));
        }
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<record>> free_;
};

}  // namespace detail

/// A record that was delivered; models `source_message`.
class message {
public:
    message(message&&) noexcept = default;
    message& operator=(message&& other) noexcept {
        if (this != &other) {
            give_back();
            pool_ = std::move(other.pool_);
            record_ = std::move(other.record_);
        }
        return *this;
    }
    message(const message&) = delete;
    message& operator=(const message&) = delete;
    ~message() { give_back(); }

    [[nodiscard]] const event_view& view() const noexcept { return record_->view; }
    [[nodiscard]] position where() const noexcept { return record_->where; }
    [[nodiscard]] epoch_number epoch() const noexcept { return record_->epoch; }
    /// Why the record is no event: a required attribute is missing or malformed.
    [[nodiscard]] std::optional<defect> broken() const noexcept { return record_->broken; }

private:
    friend class member;

    explicit message(std::shared_ptr<detail::record_pool> pool)
        : pool_(std::move(pool)), record_(pool_->take()) {}

    void give_back() noexcept {
        if (record_) {
            pool_->give_back(std::move(record_));
        }
    }

    std::shared_ptr<detail::record_pool> pool_;
    std::unique_ptr<detail::record> record_;
};

}  // namespace sinew::sqlite
