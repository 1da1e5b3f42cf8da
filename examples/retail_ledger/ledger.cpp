// SPDX-License-Identifier: BSL-1.0
#include "ledger.hpp"

#include "sale.hpp"
#include "shared_counts.hpp"

#include <sinew/sinew.hpp>

#include <chrono>
#include <csignal>
#include <string_view>

namespace retail {

namespace {

using namespace std::chrono_literals;

constexpr const char* schema = R"(
    CREATE TABLE IF NOT EXISTS stock(
        stock_code TEXT PRIMARY KEY,
        lines INTEGER NOT NULL,
        units INTEGER NOT NULL,  -- sold less returned
        pence INTEGER NOT NULL,  -- revenue
        trail INTEGER NOT NULL   -- tells in which order the lines came
    ) STRICT, WITHOUT ROWID)";

/// Books one line. All it does is in the transaction that sinew opened, so what it did is undone
/// with it, and is done once.
void book(const sale& s, sinew::sqlite::transaction& tx) {
    tx.execute(
        "INSERT INTO stock(stock_code, lines, units, pence, trail) VALUES (?1, 1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET lines = lines + 1, units = units + ?2, pence = pence + ?3, "
        "trail = (trail * ?5 + ?4) % ?6",
        s.stock_code, s.quantity, s.amount_pence(), s.line, account::trail_factor,
        account::trail_modulus);
}

/// Whether this version of the handler books a line of that price.
[[nodiscard]] constexpr bool takes(std::int64_t price_pence, goods_policy policy) noexcept {
    return price_pence > 0 || (price_pence == 0 && policy == goods_policy::free);
}

/// Counts what the run goes through.
class watcher : public sinew::null_observer {
public:
    explicit watcher(counts& into) noexcept : into_(&into) {}

    void on_duplicate(const sinew::event_note&) const noexcept { ++into_->duplicates; }
    void on_held(const sinew::event_note&) const noexcept { ++into_->held; }

private:
    counts* into_;
};

/// Set by SIGTERM.
volatile std::sig_atomic_t asked_to_stop = 0;

struct stop_signal {
    [[nodiscard]] static bool stop_requested() noexcept { return asked_to_stop != 0; }
};

}  // namespace

sinew::sqlite::log open_log(const run_folder& folder) {
    // A member with a name of its own takes its partitions over at once when it comes back after a
    // crash; without one the group would wait until the dead member's lease has run out.
    sinew::sqlite::log log(folder.log(), {.topic = {.partitions = 4},
                                          .member = "ledger-1",
                                          .synchronous = sinew::sqlite::synchronous::normal});
    log.create_topic(topic, {.partitions = 4});
    return log;
}

bool is_read_to_its_end(const sinew::sqlite::log& log) {
    for (sinew::partition_id one = 0; one < log.partitions(topic); ++one) {
        if (log.committed(topic, group, one) + 1 < log.end(topic, one)) {
            return false;
        }
    }
    return true;
}

sinew::sqlite::store open_ledger(const run_folder& folder) {
    // A commit need not wait for the disk here: what a process has written survives its SIGKILL. A
    // service that is to survive a loss of power too leaves the default, `synchronous::full`.
    sinew::sqlite::store db(folder.ledger(), {.synchronous = sinew::sqlite::synchronous::normal});
    db.connection().execute_script(schema);
    return db;
}

int keep_ledger(const run_folder& folder, goods_policy policy) {
    std::signal(SIGTERM, [](int) { asked_to_stop = 1; });
    const shared_counts all = shared_counts::open(folder.counts());
    watcher watch(*all);
    auto log = open_log(folder);
    auto db = open_ledger(folder);

    // After a crash, what may have been under way is handled one by one, to find out whether one of
    // the events had caused it. A small window keeps that short.
    const sinew::subscription_options sales{
        .topic = topic, .group = group, .in_flight_max = 512, .window_max = 512};
    const sinew::resequencer_options order{.gap_timeout = 20s, .held_max = 256};
    const sinew::dead_letter_options triage{.replay_interval = 100ms};
    const auto keep = [policy](const sale& s, sinew::sqlite::transaction& tx) {
        if (!takes(s.price_pence, policy)) {
            return sinew::outcome::reject(not_positive);
        }
        book(s, tx);
        return sinew::outcome::done();
    };

    auto ledger =
        sinew::subscribe(log, sales) |                   //
        sinew::observed_by(watch) |                      //
        sinew::in_sequence(order) |                      // what if lines come out of order?
        sinew::dead_letter(db.dead_letters(), triage) |  // what if one can never be booked?
        sinew::retry({.max_attempts = 5}) |              // what if booking one fails?
        sinew::once(db) |                                // what if one comes twice?
        sinew::handle<sale>(sale_codec{}, keep);
    static_assert(ledger.guarantee() == sinew::guarantee::effectively_once);

    return sinew::run(ledger, stop_signal{}) == sinew::run_end::stopped ? 0 : 1;
}

books read_books(sinew::sqlite::store& db) {
    books all;
    db.connection()
        .for_each<std::string_view, std::int64_t, std::int64_t, std::int64_t, std::int64_t>(
            "SELECT stock_code, lines, units, pence, trail FROM stock",
            [&](std::string_view stock_code, std::int64_t lines, std::int64_t units,
                std::int64_t pence, std::int64_t trail) {
                all[std::string(stock_code)] = {lines, units, pence, trail};
            });
    return all;
}

ledger_state look_at(sinew::sqlite::store& db) {
    ledger_state state;
    state.applied = std::get<0>(
        *db.connection().query_one<std::int64_t>("SELECT coalesce(sum(lines), 0) FROM stock"));
    for (const auto& one : db.dead_letters().counts({.consumer = group})) {
        const auto entries = static_cast<std::int64_t>(one.entries);
        switch (one.state) {
            case sinew::dead_letter_state::waiting: state.dead_letters += entries; break;
            case sinew::dead_letter_state::requested:
            case sinew::dead_letter_state::replaying:
                state.dead_letters += entries;
                state.to_replay += entries;
                break;
            case sinew::dead_letter_state::resolved:
            case sinew::dead_letter_state::discarded: break;
        }
    }
    return state;
}

}  // namespace retail
