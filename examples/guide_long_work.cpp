// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/long-work.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/process.hpp>
#include <sinew/sinew.hpp>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

using guide::expect;
using namespace std::chrono_literals;

// [codec]
struct order {
    std::string item;
    int total = 0;
};

template <>
struct sinew::codec<order> {
    static std::string encode(const order& one) {
        return one.item + "," + std::to_string(one.total);
    }
    static order decode(std::string_view bytes) {
        const auto comma = bytes.find(',');
        if (comma == std::string_view::npos) {
            throw std::invalid_argument("no order");
        }
        return {std::string(bytes.substr(0, comma)),
                std::stoi(std::string(bytes.substr(comma + 1)))};
    }
};
// [/codec]

namespace {

/// Stands for a provider of payments, who knows by its key what he was asked before.
struct provider {
    std::map<std::string, int, std::less<>> charges{};
    int answers_lost = 0;

    int charge(int total, std::string_view key) {
        charges.emplace(key, total);
        if (answers_lost > 0) {
            --answers_lost;
            throw std::runtime_error("no answer");
        }
        return total + 1000;
    }
    void refund(std::string_view key) { charges.erase(std::string(key)); }
};

/// Stands for a carrier.
struct carrier {
    bool takes_orders = true;
    std::string parcels{};

    std::string order_parcel(std::string_view item, std::string_view /*key*/) {
        if (!takes_orders) {
            throw sinew::permanent_error("strike", "no parcels today");
        }
        parcels += std::string(item) + " ";
        return "track-" + std::string(item);
    }
};

// [plain]
/// A step that needs no results can be an ordinary function.
void pack(const sinew::step_view<order>& at) {
    expect(at.idempotency_key == "fulfil/o-1/pack/act");
}
// [/plain]

}  // namespace

int main() {
    const sinew::memory::database data;
    sinew::memory::store db(data);
    const guide::fast_clock clock;
    provider payments;
    carrier post;
    std::string mails;

    // [steps]
    auto fulfil = sinew::steps<"fulfil", order>(
        sinew::step<"pick">([](auto& at, sinew::memory::transaction& tx) {
            tx.put(at.input.item, "picked");  // committed together with the step's record
        }),
        sinew::step<"pack">(pack),
        sinew::step<"label">([&](auto& at) {  // at least once, under one key
            return post.order_parcel(at.input.item, at.idempotency_key);
        })
            .retry({.max_attempts = 5})
            .timeout(10s),
        sinew::step<"email">([&](auto& at) { mails += sinew::result<"label">(at) + " "; }));
    // [/steps]

    auto journal = db.journal("orders");

    // [start]
    const auto place_order = [&](std::string_view id, const order& one) {
        auto tx = db.begin(sinew::never);
        tx.put(id, "placed");
        const auto came = sinew::start(journal, tx, fulfil, id, one);
        expect(tx.commit() == sinew::commit_result::committed);
        return came;
    };
    expect(place_order("o-1", {"lamp", 30}) == sinew::start_result::started);
    expect(place_order("o-1", {"lamp", 30}) == sinew::start_result::was_there);
    // [/start]

    // [saga]
    auto checkout = sinew::saga<"checkout", order>(
        sinew::step<"reserve">([](auto& at, sinew::memory::transaction& tx) {
            tx.put(at.input.item, "reserved");
        }).undo([](auto& at, sinew::memory::transaction& tx) { tx.erase(at.input.item); }),

        sinew::step<"charge">(
            [&](auto& at) { return payments.charge(at.input.total, at.idempotency_key); })
            .classify(sinew::classify_if([](const std::exception&) { return true; },
                                         sinew::failure_class::unknown))
            .undo([&](auto& at) { payments.refund(at.idempotency_key_of_act); })
            .retry({.max_attempts = 100}),

        sinew::step<"points">([](auto& at) {
            return sinew::send({.type = "points.add", .data = std::to_string(at.input.total / 10)});
        })
            .reply([](auto&, std::string_view text) { return std::string(text); }, {.within = 30s})
            .undo([](auto&) { return sinew::send({.type = "points.remove"}); })
            .reply([](auto&, std::string_view) {}, {.within = 30s}),

        sinew::pivot<"ship">(
            [&](auto& at) { return post.order_parcel(at.input.item, at.idempotency_key); }),

        sinew::step<"email">([&](auto& at) {
            mails += sinew::result<"ship">(at) + " paid " +
                     std::to_string(sinew::result<"charge">(at)) + " ";
        }).always());
    // [/saga]

    // [run]
    sinew::memory::store own(data);  // in a file or on a server: a connection of its own
    sinew::runner orders(own, own.journal("orders"), own.outbox("commands"), {.owner = "runner-1"},
                         checkout, fulfil);

    expect(sinew::drain(orders, sinew::never, 3, clock));  // or sinew::run(orders, stop)
    expect(mails == "track-lamp ");
    expect(post.parcels == "lamp ");
    // [/run]

    // [lost]
    payments.answers_lost = 1;  // it charges, and its answer never comes
    expect(sinew::start_process(db, journal, checkout, "c-1", {"chair", 70}, clock.now().wall,
                                sinew::never) == sinew::start_result::started);
    expect(sinew::drain(orders, sinew::never, 3, clock));
    expect(payments.charges.size() == 1);  // asked twice, under one key
    // [/lost]

    // [reply]
    // In the service that hears of points.added: the reply names the command as its cause.
    const auto points_added = [&](const sinew::event_view& e) {
        auto tx = db.begin(sinew::never);
        const auto came = sinew::bring_reply(journal, tx, e, clock.now().wall);
        expect(tx.commit() == sinew::commit_result::committed);
        return came;
    };
    const sinew::event added{.id = "p-1",
                             .source = "/points",
                             .type = "points.added",
                             .data = "7 points",
                             .causationid = "checkout/c-1/points/act"};
    expect(points_added(added.view()) == sinew::reply_result::awaited);
    expect(points_added(added.view()) == sinew::reply_result::duplicate);
    expect(sinew::drain(orders, sinew::never, 3, clock));
    expect(mails == "track-lamp track-chair paid 1070 ");
    expect(points_added(added.view()) == sinew::reply_result::late);
    // [/reply]

    // [back]
    post.takes_orders = false;
    static_cast<void>(sinew::start_process(db, journal, checkout, "c-2", {"table", 90},
                                           clock.now().wall, sinew::never));
    const auto answer = [&](const char* key) {
        auto tx = db.begin(sinew::never);
        const auto came = sinew::bring_reply(journal, tx, key, "yes", clock.now().wall);
        expect(tx.commit() == sinew::commit_result::committed);
        return came;
    };
    expect(answer("checkout/c-2/points/act") == sinew::reply_result::early);  // it is kept
    expect(answer("checkout/c-2/points/undo") == sinew::reply_result::early);
    expect(sinew::drain(orders, sinew::never, 3, clock));

    const auto ended = journal.find("checkout", "c-2", sinew::never);
    expect(ended && ended->what.state == sinew::instance_state::compensated);
    expect(payments.charges.size() == 1);  // refunded: only that of c-1 is left
    std::string history;
    for (const auto& record : ended->history) {
        history += std::string(to_string(record.where.phase)) + " " + record.where.step + " " +
                   std::string(to_string(record.kind)) + "; ";
    }
    expect(history ==
           "act reserve done; act charge done; act points done; act ship failed; "
           "undo points done; undo charge done; undo reserve done; ");
    // [/back]

    // [changed]
    auto fulfil_now = sinew::steps<"fulfil", order>(
        sinew::step<"pick">([](auto&) {}), sinew::step<"wrap">([](auto&) {}).renamed_from<"pack">(),
        sinew::removed<"label">(), sinew::step<"dispatch">([](auto&) {}).added(),
        sinew::step<"email">([](auto&) {}));
    // [/changed]
    static_cast<void>(fulfil_now);
}
