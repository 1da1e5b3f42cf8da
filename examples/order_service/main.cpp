// SPDX-License-Identifier: BSL-1.0
/// @file
/// A shop of four services that speak to each other in events alone (a choreography), as a pattern
/// to copy.
///
/// ```
/// place --> orders + outbox ==relay==> topic orders --> inventory: stock + outbox
///                                                                          |
///               notifications <-- topic stock <==relay=====================+
/// ```
///
/// | file | what it shows |
/// | --- | --- |
/// | order.hpp, order_events.hpp | the order; the events, which are all that services share |
/// | order_desk.hpp | an order and its event in one transaction, and a commit's three ends |
/// | transport.hpp | the topics, and the relay that carries events from an outbox to one |
/// | inventory.hpp | a consumer that applies once, and answers through an outbox of its own |
/// | notifications.hpp | a consumer at the end of the line |
/// | database.hpp, tables.hpp | SQLite or PostgreSQL: the services know nothing of the choice |
/// | audit.hpp, audit_facts.hpp | what has to agree in the end |
/// | supervisor.cpp | all of it as processes that are killed again and again |

#include "commands.hpp"
#include "order_events.hpp"
#include "order_file.hpp"
#include "supervisor.hpp"

#include <shared/scratch_folder.hpp>
#include <sinew/core/error.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace {

/// What all commands together can be told, and what came of the one that was called.
struct arguments {
    arguments() { run.input = ORDER_SERVICE_INPUT; }

    shop::place where;
    shop::run_plan run;
    shop::order order{};
    std::vector<std::string> items{};
    std::string input{};
    std::size_t orders = 0;
    double pause_ms = 0;
    bool quiet = false;
    std::string topic{};
    std::string name{};
    int exit_code = shop::all_well;
};

/// Adds a command that does `body(command)`. Each knows where the tables and the topics are.
template <class Body>
CLI::App& add_command(CLI::App& to, arguments& given, const char* name, const char* what,
                      Body body) {
    CLI::App& made = *to.add_subcommand(name, what);
    auto* file = made.add_option("--data", given.where.tables.file, "The services' SQLite file");
    file->type_name("FILE")->capture_default_str();
    made.add_option("--postgres", given.where.tables.conninfo,
                    "Keep the services' tables in PostgreSQL instead, such as \"dbname=shop\"")
        ->type_name("CONNINFO")
        ->check([](const std::string& text) {
            return std::string(text.empty() ? "is empty; write at least dbname=..." : "");
        })
        ->excludes(file);
    made.add_option("--topics", given.where.topics, "The file of the topics, an SQLite log")
        ->type_name("FILE")
        ->capture_default_str();
    made.callback([&given, &made, body] { given.exit_code = body(made); });
    return made;
}

[[nodiscard]] std::vector<shop::order_line> parse_items(const arguments& from) {
    if (from.items.empty()) {
        throw shop::input_error("no item is named: write CODE:QUANTITY or CODE:QUANTITY:PENCE");
    }
    std::vector<shop::order_line> out;
    for (const auto& text : from.items) {
        out.push_back(shop::parse_item(text));
    }
    return out;
}

void add_items(CLI::App& to, arguments& given) {
    to.add_option("items", given.items, "CODE:QUANTITY, or CODE:QUANTITY:PENCE")->type_name("ITEM");
}

int place(const arguments& given) {
    using namespace std::chrono;
    std::vector<shop::order> orders{given.order};
    if (given.input.empty()) {
        orders.front().lines = parse_items(given);
    } else {
        orders = shop::read_order_file(given.input).orders;
        orders.resize(given.orders == 0 ? orders.size() : std::min(given.orders, orders.size()));
    }
    const auto pause = duration_cast<sinew::duration>(duration<double, std::milli>(given.pause_ms));
    return shop::place_orders(given.where, orders, {.pause = pause, .quiet = given.quiet});
}

/// The commands of people.
void add_desk_commands(CLI::App& to, arguments& given) {
    auto& receive = add_command(
        to, given, "receive", "Put goods into the stock",
        [&](const CLI::App&) { return shop::receive(given.where, parse_items(given)); });
    add_items(receive, given);
    auto& placing = add_command(to, given, "place", "Place an order, or those of a file",
                                [&](const CLI::App&) { return place(given); });
    placing.add_option("--number", given.order.number, "The order's number")->type_name("NUMBER");
    placing.add_option("--customer", given.order.customer, "Whose; without it, a guest's")
        ->type_name("NAME");
    placing.add_option("--input", given.input, "Place the orders of this CSV file instead")
        ->type_name("FILE");
    placing.add_option("--orders", given.orders, "How many of the file; 0: all")
        ->type_name("NUMBER");
    placing.add_option("--pause", given.pause_ms, "Milliseconds between one and the next")
        ->type_name("NUMBER")
        ->check(CLI::Range(0.0, 1e6));
    placing.add_flag("--quiet", given.quiet, "Do not say how many were placed");
    add_items(placing, given);
}

/// The commands that look, and make nothing that is not there.
void add_looking_commands(CLI::App& to, arguments& given) {
    const auto add = [&](const char* name, const char* what, auto look) {
        add_command(to, given, name, what, [&given, look](const CLI::App&) {
            given.where.tables.create = false;
            return look(given.where);
        });
    };
    add("status", "Show how far everything is", shop::show_status);
    add("audit", "Compare all tables and topics, once all is at rest", shop::audit);
}

/// The services, each of which runs until it is told to stop.
void add_services(CLI::App& to, arguments& given) {
    const auto add = [&](const char* name, const char* what, const char* usual_name, auto run) {
        auto& made = add_command(to, given, name, what, [&given, run, usual_name](const auto&) {
            return run(given.where, given.name.empty() ? usual_name : given.name);
        });
        made.add_option("--name", given.name,
                        "Names this process among those that run at once; keep it over restarts")
            ->type_name("NAME");
        return &made;
    };
    add("relay", "Publish what stands in an outbox", "relay-1",
        [&](const shop::place& where, const std::string& name) {
            return shop::run_relay(where, given.topic, name);
        })
        ->add_option("topic", given.topic, "Which: orders or stock")
        ->check(CLI::IsMember({shop::orders_topic, shop::stock_topic}))
        ->required();
    add("inventory", "Reserve stock for orders", "inventory-1", shop::run_inventory);
    add("notifications", "Tell customers", "notifications-1", shop::run_notifications);
}

/// Runs everything; files that are not named are made for the run alone.
int run_all(arguments& given, const CLI::App& command) {
    const example::scratch_folder folder;
    if (command.count("--data") == 0) {
        given.where.tables.file = folder / "shop.db";
    }
    if (command.count("--topics") == 0) {
        given.where.topics = folder / "topics.db";
    }
    return shop::run_all(given.where, given.run);
}

void add_run(CLI::App& to, arguments& given) {
    auto& all = add_command(to, given, "run",
                            "Run everything, kill it again and again, and audit what came of it",
                            [&](const CLI::App& command) { return run_all(given, command); });
    all.add_option("--input", given.run.input, "The CSV file with the orders")
        ->type_name("FILE")
        ->capture_default_str();
    all.add_option("--orders", given.run.orders, "How many of them are placed; 0: all")
        ->type_name("NUMBER");
    all.add_option("--stock", given.run.stock, "How many pieces of each article are there")
        ->type_name("NUMBER")
        ->check(CLI::Range(std::int64_t{0}, shop::quantity_max))
        ->capture_default_str();
    all.add_option("--kills", given.run.kills, "How often a process is killed")
        ->type_name("NUMBER")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    all.add_option("--seed", given.run.seed, "Decides about the moments of the kills")
        ->type_name("NUMBER")
        ->capture_default_str();
    all.add_option("--seconds", given.run.seconds, "Over how long the orders are placed")
        ->type_name("NUMBER")
        ->check(CLI::Range(0.0, 600.0))
        ->capture_default_str();
}

int run(int argc, char** argv) {
    arguments given;
    CLI::App app(
        "A shop of four services: orders are placed, stock is reserved, customers are told; each\n"
        "step is applied once, whatever is killed. \"run\" runs it all, and audits it.");
    app.require_subcommand(1);
    app.footer(
        "Exit code: 0 if all went well, 1 if something could not be done or the audit found\n"
        "something, 2 for wrong options or input.");
    add_run(app, given);
    add_desk_commands(app, given);
    add_services(app, given);
    add_looking_commands(app, given);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? shop::all_well : shop::wrong_usage;
    }
    return given.exit_code;
}

int complain(const std::exception& problem, int code) {
    fmt::print(stderr, "order_service: {}\n", problem.what());
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const shop::input_error& problem) {
        return complain(problem, shop::wrong_usage);
    } catch (const sinew::usage_error& problem) {
        return complain(problem, shop::wrong_usage);
    } catch (const std::exception& problem) {
        return complain(problem, shop::not_well);
    }
}
