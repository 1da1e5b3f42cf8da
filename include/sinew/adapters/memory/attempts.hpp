// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The record of attempts in memory; models `attempt_log`.
///
/// **Guarantees.** It is part of a database and survives whatever is destroyed of the handles on
/// it, as a file survives the process. What is written stands at once; no transaction has a say.
///
/// **Bounds.** A number per event that was begun and neither ended nor closed.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::memory {

class attempts {
public:
    explicit attempts(const database& data) : tables_(data.tables_) {}

    bool opened(std::string_view consumer, std::string_view topic, partition_id partition) {
        return std::exchange(book(consumer, topic, partition).open, true);
    }

    void closed(std::string_view consumer, std::string_view topic, partition_id partition) {
        tables_->attempts().erase({std::string(consumer), std::string(topic), partition});
    }

    std::uint32_t begun(std::string_view consumer, std::string_view topic, position where,
                        wall_time /*now*/) {
        auto& count = book(consumer, topic, where.partition).starts[where.offset];
        return count == UINT32_MAX ? count : ++count;
    }

    void ended(std::string_view consumer, std::string_view topic, position where) {
        auto& books = tables_->attempts();
        const auto found = books.find({std::string(consumer), std::string(topic), where.partition});
        if (found == books.end()) {
            return;
        }
        found->second.starts.erase(where.offset);
        if (!found->second.open && found->second.starts.empty()) {
            books.erase(found);
        }
    }

private:
    friend class store;

    explicit attempts(std::shared_ptr<detail::tables> tables) noexcept
        : tables_(std::move(tables)) {}

    detail::attempt_book& book(std::string_view consumer, std::string_view topic,
                               partition_id partition) {
        return tables_->attempts()[{std::string(consumer), std::string(topic), partition}];
    }

    std::shared_ptr<detail::tables> tables_;
};

}  // namespace sinew::memory
