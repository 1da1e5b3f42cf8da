// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A record that is kept in memory, and the handle by which a reader holds it.
///
/// **Guarantees.** A record never changes and never moves. Its view stands beside it, so that
/// delivering it copies one pointer and allocates nothing; the view stays valid until the last
/// handle is gone, whatever the log does in the meantime.

#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sinew::memory {

/// One stored record.
class record {
public:
    record(event what, position where) : where_(where), what_(std::move(what)) { look(); }

    /// A record that could not be read as an event: its raw bytes, and why.
    record(std::string raw, std::string reason, position where)
        : where_(where),
          broken_(true),
          what_({.id = {}, .source = {}, .type = {}, .data = std::move(raw)}),
          reason_(std::move(reason)) {
        look();
    }

    record(const record&) = delete;
    record& operator=(const record&) = delete;

    [[nodiscard]] const event_view& view() const noexcept { return view_; }
    [[nodiscard]] const position& where() const noexcept { return where_; }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool is_broken() const noexcept { return broken_; }
    /// Why it could not be read. The texts live as long as the record.
    [[nodiscard]] std::optional<defect> broken() const noexcept {
        if (!broken_) {
            return std::nullopt;
        }
        return defect{reason_, "the record could not be read as an event"};
    }
    /// Whether it only says that its key is gone.
    [[nodiscard]] bool is_tombstone() const noexcept { return !broken_ && view_.data.empty(); }

private:
    void look() {
        view_ = what_.view();
        bytes_ = view_.size_bytes();
    }

    // What each reader looks at stands together, and first.
    position where_;
    std::size_t bytes_ = 0;
    bool broken_ = false;
    event_view view_{};
    event what_;
    std::string reason_{};
};

using record_handle = std::shared_ptr<const record>;

/// A record that was delivered, and the assignment under which it was.
class message {
public:
    message(record_handle what, epoch_number epoch) noexcept
        : what_(std::move(what)), epoch_(epoch) {}

    [[nodiscard]] const event_view& view() const noexcept { return what_->view(); }
    [[nodiscard]] position where() const noexcept { return what_->where(); }
    [[nodiscard]] epoch_number epoch() const noexcept { return epoch_; }
    [[nodiscard]] std::optional<defect> broken() const noexcept { return what_->broken(); }
    /// What `view().size_bytes()` answers, counted once for all readers.
    [[nodiscard]] std::size_t size_bytes() const noexcept { return what_->size_bytes(); }

private:
    record_handle what_;
    epoch_number epoch_;
};

}  // namespace sinew::memory
