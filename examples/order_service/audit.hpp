// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The audit: whether everything that has to agree does, in all tables and topics.
///
/// It has two halves. `collect` (audit_facts.hpp) reads, and `judge` compares what was read: so the
/// tests can show it facts that never happen, and see that it notices each.

#include "order.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

/// A row of `decisions`.
struct decision_row {
    std::string order_number{};
    std::string missing{};
};

/// A row of `notifications`.
struct notification_row {
    std::string order_number{};
    std::string customer{};
    std::string message{};
};

/// A row of `stock`.
struct stock_row {
    std::int64_t received = 0;
    std::int64_t reserved = 0;
};

/// A record of a topic, as far as the audit looks at it.
struct topic_record {
    std::string id{};
    std::string key{};
    std::string sequence{};
    std::string type{};
    std::string data{};
    std::string correlationid{};
    std::string causationid{};
};

/// All that is there when everything has come to rest.
struct facts {
    std::map<std::string, order> orders{};  ///< what the order desk has, by number
    std::map<std::string, stock_row> stock{};
    std::vector<decision_row> decisions{};
    std::vector<notification_row> notifications{};
    std::vector<topic_record> orders_topic{};  ///< of one key in the order of the topic
    std::vector<topic_record> stock_topic{};
    std::int64_t unpublished = 0;   ///< entries of both outboxes that wait or are parked
    std::int64_t dead_letters = 0;  ///< of both consumers
};

/// One comparison.
struct finding {
    std::string what{};
    std::int64_t found = 0;
    std::int64_t wanted = 0;

    [[nodiscard]] bool is_good() const noexcept { return found == wanted; }
};

/// Compares everything with the orders that were committed.
[[nodiscard]] std::vector<finding> judge(const facts& all);

/// How many records of a topic are copies: a relay that dies between publishing and marking makes
/// one, and so it has to be.
[[nodiscard]] std::int64_t count_copies(const std::vector<topic_record>& topic);

/// Prints a table of findings; answers how many of them are bad.
int print(std::string_view title, const std::vector<finding>& all);

}  // namespace shop
