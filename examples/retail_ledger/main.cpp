// SPDX-License-Identifier: BSL-1.0
/// @file
/// A stock-and-revenue ledger that stays exact while everything around it goes wrong.
///
/// Three processes: a producer puts the lines of a real shop's invoices into an embedded, durable
/// log, through a transport that duplicates, shuffles and delays them; a consumer keeps a ledger in
/// SQLite; a supervisor kills the consumer again and again. At the end all numbers are compared
/// with those of one plain pass over the file.
///
/// | file | what it shows |
/// | --- | --- |
/// | ledger.cpp | the consumer, as a service would write it |
/// | sale.cpp | the codec: events that cannot be read, and exact money |
/// | producer.cpp, hostile_transport.hpp | the producer, and what stands between it and the log |
/// | supervisor.cpp, kill_plan.hpp | the kills; looking through dead letters, and replaying them |
/// | plain_pass.cpp | what the numbers have to be |

#include "invoice_file.hpp"
#include "ledger.hpp"
#include "producer.hpp"
#include "supervisor.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace {

/// What the program answers with.
enum exit_code : int {
    all_as_expected = 0,
    mismatch = 1,
    wrong_usage = 2,
    not_finished = 3,
    cut_short = 130,
};

/// What all commands together can be told.
struct arguments {
    retail::demo_options demo{.input = RETAIL_LEDGER_INPUT};
    bool take_free_goods = false;
};

void add_transport_options(CLI::App& to, arguments& into) {
    to.add_option("--input", into.demo.input, "The CSV file with the invoice lines")
        ->type_name("FILE")
        ->capture_default_str();
    to.add_option("--seed", into.demo.seed, "Repeats a run: transport and moments of the kills")
        ->type_name("NUMBER")
        ->capture_default_str();
    to.add_option("--kills", into.demo.kills, "How often the consumer is killed")
        ->type_name("NUMBER")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    to.add_option("--seconds", into.demo.seconds, "How long the transport takes")
        ->type_name("NUMBER")
        ->check(CLI::Range(0.0, 600.0))
        ->capture_default_str();
}

int produce(const arguments& from) {
    using namespace std::chrono;
    const auto lasts = duration_cast<sinew::duration>(duration<double>(from.demo.seconds));
    return retail::produce({from.demo.folder}, {.input = from.demo.input,
                                                .seed = from.demo.seed,
                                                .kills = from.demo.kills,
                                                .transport = {.lasts = lasts}});
}

int consume(const arguments& from) {
    return retail::keep_ledger({from.demo.folder}, from.take_free_goods
                                                       ? retail::goods_policy::free
                                                       : retail::goods_policy::priced);
}

int run_demo(const arguments& from) {
    const int mismatches = retail::run_demo(from.demo);
    if (mismatches == 0) {
        fmt::print("\nEvery number is as it has to be.\n");
        return all_as_expected;
    }
    fmt::print("\n{} of the numbers are not as they have to be.\n", mismatches);
    return mismatch;
}

/// Parses, and then does `body()`.
template <class Body>
int parse_and(CLI::App& app, int argc, char** argv, Body body) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? all_as_expected : wrong_usage;
    }
    return body();
}

/// What a user calls.
int main_of_demo(int argc, char** argv) {
    arguments given;
    CLI::App app(
        "Keeps an exact stock-and-revenue ledger of 9,999 real invoice lines, while a\n"
        "transport duplicates, shuffles and delays them, and the consumer is killed again\n"
        "and again. Then compares all sums with those of one plain pass over the file.");
    app.footer(
        "Exit code: 0 if all numbers are as they have to be, 1 if not, 2 for wrong options or\n"
        "input, 3 if the run could not be finished, 130 after Ctrl-C.");
    add_transport_options(app, given);
    app.add_option("--folder", given.demo.folder,
                   "Where to put log and ledger, which stay there; without it they are put into a "
                   "temporary folder")
        ->type_name("FOLDER");
    app.add_flag("--keep", given.demo.keep, "Leave the temporary folder there, to look at it");
    return parse_and(app, argc, argv, [&] { return run_demo(given); });
}

/// What the supervisor starts its processes with; nobody else needs it.
int main_of_child(int argc, char** argv) {
    arguments given;
    CLI::App app("A process of retail_ledger");
    app.require_subcommand(1);
    auto* producer = app.add_subcommand("produce");
    add_transport_options(*producer, given);
    auto* consumer = app.add_subcommand("consume");
    consumer->add_flag("--take-free-goods", given.take_free_goods);
    for (auto* command : {producer, consumer}) {
        command->add_option("--folder", given.demo.folder)->required();
    }
    return parse_and(app, argc, argv, [&] { return *producer ? produce(given) : consume(given); });
}

int run(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    const bool is_child = first == "produce" || first == "consume";
    return is_child ? main_of_child(argc, argv) : main_of_demo(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const retail::input_error& problem) {
        fmt::print(stderr, "retail_ledger: {}\n", problem.what());
        return wrong_usage;
    } catch (const std::overflow_error& problem) {
        fmt::print(stderr, "retail_ledger: {}\n", problem.what());
        return wrong_usage;
    } catch (const retail::interrupted& problem) {
        fmt::print(stderr, "retail_ledger: {}\n", problem.what());
        return cut_short;
    } catch (const std::exception& problem) {
        fmt::print(stderr, "retail_ledger: {}\n", problem.what());
        return not_finished;
    }
}
