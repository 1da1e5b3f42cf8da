// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the program does for each of its commands. Each answers the program's exit code.

#include "database.hpp"
#include "order.hpp"

#include <sinew/core/time.hpp>

#include <string>
#include <vector>

namespace shop {

/// What the program answers with.
enum exit_code : int {
    all_well = 0,
    not_well = 1,     ///< the audit found something, or what was asked for could not be done
    wrong_usage = 2,  ///< wrong options or input
};

/// Where everything is.
struct place {
    database tables{};
    std::string topics = "topics.db";
};

/// Puts goods into the stock.
int receive(const place& where, const std::vector<order_line>& goods);

/// How orders are placed.
struct placing_options {
    sinew::duration pause{};  ///< between each and the next
    bool quiet = false;
};

/// Places orders. One that is there already is passed over, so this can be done again after a
/// crash.
///
/// **On failure.** Throws what `order_desk::place` throws; those before are placed.
int place_orders(const place& where, const std::vector<order>& all, const placing_options& how);

/// The services: each runs until SIGTERM. `name` is the process's own: the same after a restart, so
/// that it takes over at once what it held when it died.
int run_relay(const place& where, const std::string& topic, const std::string& name);
int run_inventory(const place& where, const std::string& name);
int run_notifications(const place& where, const std::string& name);

/// Prints how far everything is.
int show_status(const place& where);

/// Compares all tables and topics, and prints what was found.
int audit(const place& where);

}  // namespace shop
