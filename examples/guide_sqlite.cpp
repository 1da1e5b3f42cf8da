// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/sqlite.md and docs/guide/retries.md.

#include "guide.hpp"

#include <shared/scratch_folder.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using guide::expect;
using namespace std::chrono_literals;

namespace {

sinew::event order(std::string id, std::string amount) {
    return {.id = std::move(id), .source = "/shop", .type = "order", .data = std::move(amount)};
}

/// Runs `work` in a process of its own, and answers whether it ended well.
template <class F>
bool run_apart(F work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

void keep_stock(const example::scratch_folder& folder) {
    // [open]
    sinew::sqlite::log log(folder / "shop.db", {.member = "stock-1"});
    sinew::sqlite::store db(folder / "stock.db");
    db.connection().execute_script(
        "CREATE TABLE stock(sku TEXT PRIMARY KEY, left INTEGER NOT NULL CHECK (left >= 0)) STRICT;"
        "INSERT INTO stock VALUES ('tea', 5)");
    // [/open]

    // [publish]
    auto shop = log.producer("orders");
    const std::vector<sinew::event> orders = {order("1", "2"), order("2", "9"), order("3", "3")};
    const auto sent = shop.publish_all(orders, sinew::machine_clock::now().steady + 5s);
    expect(sent.is_accepted());  // all three, or none
    // [/publish]

    // [consumer]
    auto stock = sinew::subscribe(log, {.topic = "orders", .group = "stock"}) |
                 sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                 sinew::retry() |                         // what if it fails?
                 sinew::once(db) |                        // what if it comes twice?
                 sinew::handle([](const sinew::event_view& e, sinew::sqlite::transaction& tx) {
                     tx.execute(
                         "UPDATE stock SET left = left - CAST(? AS INTEGER) "
                         "WHERE sku = 'tea'",
                         e.text());
                 });
    expect(sinew::drain(stock, sinew::machine_clock::now().steady + 30s));

    const auto left = db.connection().query_one<std::int64_t>("SELECT left FROM stock");
    expect(std::get<0>(left.value()) == 0);  // 5 - 2 - 3

    // The order of nine broke the CHECK: no further attempt can help.
    const auto letters = sinew::triage::list(db.dead_letters());
    expect(letters.size() == 1 && letters.front().letter.original.id == "2");
    expect(letters.front().letter.reason == "constraint");
    // [/consumer]
}

void survive_poison(const example::scratch_folder& folder) {
    // [poison]
    const auto work = [&] {
        sinew::sqlite::log log(folder / "mail.db", {.member = "mailer-1"});
        sinew::sqlite::store db(folder / "mail.db");
        auto mailer =
            sinew::subscribe(log, {.topic = "mails", .group = "mailer"}) |
            sinew::dead_letter(db.dead_letters(), {.deaths_max = 3}) |  // and if it kills us?
            sinew::retry() |                                            // what if it fails?
            sinew::once(db) |                                           // what if it comes twice?
            sinew::handle([](const sinew::event_view& e, sinew::sqlite::transaction& tx) {
                if (e.id == "poison") {
                    ::_exit(1);  // or a segmentation fault, or out of memory
                }
                tx.execute("INSERT INTO sent VALUES (?)", e.id);
            });
        expect(sinew::drain(mailer, sinew::machine_clock::now().steady + 30s));
    };

    int deaths = 0;
    while (!run_apart(work)) {
        ++deaths;
    }
    expect(deaths == 4);  // deaths_max, and the first, of which nothing was known

    sinew::sqlite::store db(folder / "mail.db");
    const auto letters = sinew::triage::list(db.dead_letters());
    expect(letters.size() == 1 && letters.front().letter.original.id == "poison");
    expect(letters.front().letter.reason == "crash_loop");
    // [/poison]
    const auto sent = db.connection().query_one<std::int64_t>("SELECT count(*) FROM sent");
    expect(std::get<0>(sent.value()) == 2);
}

}  // namespace

int main() {
    const example::scratch_folder folder;
    keep_stock(folder);
    {
        sinew::sqlite::store db(folder / "mail.db");
        db.connection().execute_script("CREATE TABLE sent(id TEXT PRIMARY KEY) STRICT");
        const sinew::sqlite::log log(folder / "mail.db");
        const std::vector<sinew::event> mails = {order("hello", ""), order("poison", ""),
                                                 order("bye", "")};
        expect(log.producer("mails").publish_all(mails, sinew::never).is_accepted());
    }
    survive_poison(folder);
}
