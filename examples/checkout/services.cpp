// SPDX-License-Identifier: BSL-1.0
#include "services.hpp"

#include "choreographed.hpp"
#include "orchestrated.hpp"

#include <shared/stop_signal.hpp>
#include <sinew/core/commit_within.hpp>

#include <stdexcept>
#include <thread>

namespace checkout {

namespace {

using sinew::sqlite::store;
using transaction = store::transaction_type;

[[nodiscard]] int code_of(sinew::run_end end) noexcept {
    return end == sinew::run_end::stopped ? 0 : 1;
}

/// Makes a consumer of `make(log, db)` and runs it.
template <class Make>
int consume(const std::string& name, const run_folder& files, Make make) {
    const example::stop_signal stop;
    store db(files.shop());
    auto log = open_topics(files.topics(), name);
    auto consumer = make(log, db);
    return code_of(sinew::run(consumer, stop));
}

int relay(const std::string& topic, const run_folder& files) {
    const example::stop_signal stop;
    store db(files.shop());
    const auto log = open_topics(files.topics(), {});
    return code_of(relay_to(topic, db, log, stop));
}

int run_sagas(const std::string& name, const run_folder& files) {
    const example::stop_signal stop;
    store db(files.shop());
    payment_provider provider(files.provider());
    carrier parcels(files.carrier());
    return code_of(run_sagas(db, provider, parcels, name, stop));
}

constexpr std::string_view relay_prefix = "relay-of-";

}  // namespace

std::vector<std::string> services_of(style how) {
    if (how == style::saga) {
        return {"runner-1",
                "runner-2",
                "loyalty",
                "reply-desk",
                "relay-of-loyalty-commands",
                "relay-of-loyalty-replies"};
    }
    return {"inventory", "payments", "points", "shipping", "desk", "relay-of-checkout-events"};
}

int serve(const std::string& name, const run_folder& files) {
    const auto with = [&](auto make) { return consume(name, files, make); };
    if (name.starts_with("runner-")) {
        return run_sagas(name, files);
    }
    if (name.starts_with(relay_prefix)) {
        return relay(name.substr(relay_prefix.size()), files);
    }
    if (name == "loyalty") {
        return with([](auto& log, auto& db) { return make_loyalty(log, db); });
    }
    if (name == "reply-desk") {
        return with([](auto& log, auto& db) { return make_reply_desk(log, db); });
    }
    if (name == "inventory") {
        return with([](auto& log, auto& db) { return make_inventory(log, db); });
    }
    if (name == "payments") {
        payment_provider provider(files.provider());
        return with([&](auto& log, auto& db) { return make_payments(log, db, provider); });
    }
    if (name == "points") {
        return with([](auto& log, auto& db) { return make_points(log, db); });
    }
    if (name == "shipping") {
        carrier parcels(files.carrier());
        return with([&](auto& log, auto& db) { return make_shipping(log, db, parcels); });
    }
    if (name == "desk") {
        return with([](auto& log, auto& db) { return make_order_desk(log, db); });
    }
    throw std::invalid_argument("there is no process \"" + name + "\"");
}

int place(style how, const run_folder& files, std::size_t carts, std::uint64_t seed,
          double pause_ms) {
    const example::stop_signal stop;
    store db(files.shop());
    payment_provider provider(files.provider());
    carrier parcels(files.carrier());
    const auto checkout = make_checkout<transaction>(provider, parcels);
    auto journal = db.journal(journal_name);
    sinew::emitter emit(db.outbox(events_topic));
    for (const auto& one : make_carts(carts, seed)) {
        if (stop.stop_requested()) {
            return 1;
        }
        sinew::commit_within(db, soon(), [&](transaction& tx) {
            if (how == style::saga) {
                // [start]
                // Once, however often the customer presses the button: the order's number is the
                // id.
                static_cast<void>(sinew::start(journal, tx, checkout, one.number, one));
                // [/start]
            } else if (!tx.query_one<std::int64_t>("SELECT 1 FROM orders WHERE number = $1",
                                                   one.number)) {
                create_order(one, tx);
                emit.add(tx, event_of(one, said::cart_placed, "/desk"));
            }
        });
        std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pause_ms));
    }
    return 0;
}

}  // namespace checkout
