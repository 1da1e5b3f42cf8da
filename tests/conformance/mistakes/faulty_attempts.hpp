// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The record of attempts in memory behind one that can make one mistake at a time.

#include "conformance/environments.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace sinew::test {

enum class attempts_mistake {
    none,
    never_found_open,
    closed_keeps_it_open,
    closing_forgets_nothing,
    one_partition,
    kept_in_memory,
    lost_in_a_crash,
    ends_nothing,
    ends_everything,
};

struct faulty_attempts_data {
    attempts_mistake wrong = attempts_mistake::none;
    std::unique_ptr<memory::database> db = std::make_unique<memory::database>();
};

class faulty_attempts {
public:
    using mistake = attempts_mistake;

    explicit faulty_attempts(faulty_attempts_data& in) : in_(&in), inner_(*in.db) {}

    bool opened(std::string_view consumer, std::string_view topic, partition_id p) {
        return inner_.opened(consumer, topic, p) && in_->wrong != mistake::never_found_open;
    }
    void closed(std::string_view consumer, std::string_view topic, partition_id p) {
        if (in_->wrong != mistake::closing_forgets_nothing) {
            inner_.closed(consumer, topic, p);
        }
        if (in_->wrong == mistake::closed_keeps_it_open) {
            static_cast<void>(inner_.opened(consumer, topic, p));
        }
    }
    std::uint32_t begun(std::string_view consumer, std::string_view topic, position where,
                        wall_time at) {
        where.partition = in_->wrong == mistake::one_partition ? 0 : where.partition;
        return inner_.begun(consumer, topic, where, at);
    }
    void ended(std::string_view consumer, std::string_view topic, position where) {
        if (in_->wrong == mistake::ends_everything) {
            inner_.closed(consumer, topic, where.partition);
        } else if (in_->wrong != mistake::ends_nothing) {
            inner_.ended(consumer, topic, where);
        }
    }

private:
    faulty_attempts_data* in_;
    memory::attempts inner_;
};

struct faulty_attempts_environment {
    std::unique_ptr<faulty_attempts_data> data = std::make_unique<faulty_attempts_data>();

    explicit faulty_attempts_environment(attempts_mistake wrong) { data->wrong = wrong; }
    [[nodiscard]] faulty_attempts open() const {
        if (data->wrong == attempts_mistake::kept_in_memory) {
            data->db = std::make_unique<memory::database>();
        }
        return faulty_attempts(*data);
    }
    void crash() const {
        if (data->wrong == attempts_mistake::lost_in_a_crash) {
            data->db = std::make_unique<memory::database>();
        }
    }
};

}  // namespace sinew::test
