// SPDX-License-Identifier: BSL-1.0
/// @file
/// A checkout over the shop's own tables and the services of other firms, once led by a saga and
/// once by nobody, as patterns to copy and to compare.
///
/// | file | what it shows |
/// | --- | --- |
/// | orchestrated.hpp | the saga: steps, their undoing, a command and its reply |
/// | choreographed.hpp | the same as five services that react to each other's events |
/// | loyalty.hpp | a service that takes commands once, and replies |
/// | shop_floor.hpp | what both do to the shop's tables |
/// | outside.hpp | a payment provider and a carrier that fail, and do not always say so |
/// | audit.hpp | what has to agree in the end |
/// | services.cpp, supervisor.cpp | all of it as processes that are killed again and again |

#include "run_folder.hpp"
#include "services.hpp"
#include "supervisor.hpp"

#include <shared/scratch_folder.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace {

/// What the program answers with.
enum exit_code : int { all_well = 0, not_well = 1, wrong_usage = 2, not_finished = 3 };

struct arguments {
    checkout::run_plan plan;
    checkout::style how = checkout::style::saga;
    std::string style = "both";
    std::string folder{};
    std::string name{};
    double pause_ms = 0;
    int code = all_well;
};

int run(const arguments& given) {
    const example::scratch_folder scratch;
    bool is_good = true;
    for (const auto how : {checkout::style::saga, checkout::style::events}) {
        const std::string name = how == checkout::style::saga ? "saga" : "events";
        if (given.style != "both" && given.style != name) {
            continue;
        }
        const std::string folder =
            given.folder.empty() ? scratch / name.c_str() : given.folder + "/" + name;
        std::filesystem::create_directories(folder);
        is_good &= checkout::run_all(how, {folder}, given.plan);
    }
    return is_good ? all_well : not_well;
}

void add_plan(CLI::App& to, arguments& given) {
    to.add_option("--carts", given.plan.carts, "How many carts are bought")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    to.add_option("--seed", given.plan.seed, "Repeats a run: the carts, and the moments of kills")
        ->capture_default_str();
}

void add_commands(CLI::App& app, arguments& given) {
    auto& whole = *app.add_subcommand("run", "Run everything, kill it, and audit (the default)");
    add_plan(whole, given);
    whole.add_option("--style", given.style, "saga, events or both")
        ->check(CLI::IsMember({"saga", "events", "both"}))
        ->capture_default_str();
    whole.add_option("--kills", given.plan.kills, "How many processes are killed in each style")
        ->check(CLI::Range(0, 10'000))
        ->capture_default_str();
    whole.add_option("--seconds", given.plan.seconds, "How long carts are placed for")
        ->check(CLI::Range(0.0, 600.0))
        ->capture_default_str();
    whole.add_option("--folder", given.folder, "Leave the files here, to look at them")
        ->type_name("FOLDER");
    whole.callback([&given] { given.code = run(given); });

    auto& look = *app.add_subcommand("show", "Show what one saga has gone through");
    look.add_option("number", given.name, "The order's number")->required();
    look.add_option("--folder", given.folder, "Of the run, with /saga behind it")
        ->required()
        ->check(CLI::ExistingDirectory);
    look.callback([&given] {
        given.code = checkout::show({given.folder}, given.name) ? all_well : not_well;
    });

    auto& serve = *app.add_subcommand("serve", "One of the processes of a run");
    serve.add_option("name", given.name)->required();
    serve.add_option("--folder", given.folder)->required();
    serve.callback([&given] { given.code = checkout::serve(given.name, {given.folder}); });

    auto& place = *app.add_subcommand("place", "The process of a run that places carts");
    add_plan(place, given);
    const std::map<std::string, checkout::style> styles{{"saga", checkout::style::saga},
                                                        {"events", checkout::style::events}};
    place.add_option("--style", given.how)->transform(CLI::CheckedTransformer(styles));
    place.add_option("--pause", given.pause_ms);
    place.add_option("--folder", given.folder)->required();
    place.callback([&given] {
        given.code = checkout::place(given.how, {given.folder}, given.plan.carts, given.plan.seed,
                                     given.pause_ms);
    });
}

}  // namespace

int main(int argc, char** argv) {
    arguments given;
    CLI::App app("A checkout as a saga, and as a choreography");
    app.require_subcommand(0, 1);
    add_commands(app, given);
    try {
        app.parse(argc, argv);
        return app.get_subcommands().empty() ? run(given) : given.code;
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? all_well : wrong_usage;
    } catch (const std::exception& problem) {
        fmt::print(stderr, "checkout: {}\n", problem.what());
        return not_finished;
    }
}
