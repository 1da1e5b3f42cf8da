// SPDX-License-Identifier: BSL-1.0
/// @file
/// An order is fulfilled in six steps, each with an effect outside of the database. The program is
/// killed in the third, and the fourth times out. Nothing is done twice that can't be.

#include "guide.hpp"

#include <shared/scratch_folder.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/run.hpp>
#include <sinew/process.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using guide::expect;
using namespace std::chrono_literals;

namespace {

/// The warehouse: robots, a scale, a label printer, a van. It is asked under a key, and knows a
/// second call under the same one. Its books are in a file of their own.
class warehouse {
public:
    explicit warehouse(const std::string& file) : db_(file) {
        db_.connection().execute_script(
            "CREATE TABLE IF NOT EXISTS effects(key text PRIMARY KEY, calls bigint NOT NULL)");
    }

    /// Has something done once for each key. Answers how often it was called with it.
    std::int64_t call(std::string_view key) {
        db_.connection().execute(
            "INSERT INTO effects VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET calls = calls + 1",
            key);
        return calls(key);
    }
    [[nodiscard]] std::int64_t calls(std::string_view key) {
        const auto row = db_.connection().query_one<std::int64_t>(
            "SELECT calls FROM effects WHERE key = $1", key);
        return row ? std::get<0>(*row) : 0;
    }

private:
    sinew::sqlite::store db_;
};

// [steps]
using order_view = sinew::step_view<std::string>;  // the input: what is ordered

/// What the label printer does at first: it prints, and says so too late.
std::string print_label(warehouse& at_work, const order_view& at) {
    if (at_work.call(at.idempotency_key) == 1) {
        std::this_thread::sleep_until(at.until);
        throw sinew::error(sinew::failure_class::unknown, "timed_out",
                           "the label printer did not answer in time");
    }
    return "label-of-" + std::string(at.id);
}

auto fulfilment(warehouse& at_work, bool power_fails) {
    return sinew::steps<"fulfil-order", std::string>(
        sinew::step<"pick">([&](const order_view& at) { at_work.call(at.idempotency_key); }),
        sinew::step<"pack">([&](const order_view& at) { at_work.call(at.idempotency_key); }),
        sinew::step<"weigh">([&at_work, power_fails](const order_view& at) {
            at_work.call(at.idempotency_key);
            if (power_fails) {
                ::_exit(9);  // the effect is there, and no record of it
            }
            return std::int64_t{1250};
        }),
        sinew::step<"label">([&](const order_view& at) { return print_label(at_work, at); })
            .timeout(50ms)
            .retry({.max_attempts = 5, .base = 10ms, .cap = 100ms}),
        sinew::step<"load">([&](const auto& at) {
            expect(sinew::result<"weigh">(at) == 1250);  // a result feeds a later step
            at_work.call(at.idempotency_key);
        }),
        sinew::step<"notify">([&](const auto& at) {
            expect(sinew::result<"label">(at) == "label-of-4711");  // and so does this one
            at_work.call(at.idempotency_key);
        }));
}
// [/steps]

/// Takes orders through their steps until there is nothing more to do.
// [runner]
void work(const std::string& file, warehouse& at_work, bool power_fails) {
    sinew::sqlite::store db(file);
    sinew::runner orders(db, db.journal("orders"), {.owner = "runner-1"},
                         fulfilment(at_work, power_fails));
    sinew::drain(orders, sinew::later(sinew::machine_clock::now().steady, 30s));
}
// [/runner]

}  // namespace

int main() {
    const example::scratch_folder folder;
    const std::string file = folder / "shop.db";
    const std::string books = folder / "warehouse.db";
    {
        sinew::sqlite::store db(file);
        auto journal = db.journal("orders");
        warehouse at_work(books);
        const auto now = sinew::machine_clock::now();
        const auto began = sinew::start_process(db, journal, fulfilment(at_work, false), "4711",
                                                "a lamp", now.wall, sinew::later(now.steady, 10s));
        expect(began == sinew::start_result::started);  // the order is started
    }

    // The first process dies in the third step.
    const pid_t pid = ::fork();
    if (pid == 0) {
        warehouse at_work(books);
        work(file, at_work, true);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 9);  // it died in the middle

    // The next one, under the same name, goes on where that one was.
    warehouse at_work(books);
    work(file, at_work, false);

    sinew::sqlite::store db(file);
    const auto entry = db.journal("orders").find("fulfil-order", "4711", sinew::never).value();
    std::printf("%s\n", sinew::describe(entry).c_str());
    expect(entry.what.state == sinew::instance_state::completed);  // the order is fulfilled
    const auto calls = [&](const char* step) {
        return at_work.calls("fulfil-order/4711/" + std::string(step) + "/act");
    };
    expect(calls("pick") == 1 && calls("pack") == 1);  // what was recorded is not done again
    expect(calls("weigh") == 2);  // what had no record is done again, under the same key
    expect(calls("label") == 2);  // and so is what timed out
    expect(calls("load") == 1 && calls("notify") == 1);  // the rest is done once
}
