// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The checkout as a saga: one list says what is done, in which order, and how it is undone.

#include "cart.hpp"
#include "loyalty.hpp"
#include "outside.hpp"
#include "shop_floor.hpp"
#include "topics.hpp"

#include <sinew/core/error.hpp>
#include <sinew/process.hpp>
#include <sinew/sinew.hpp>

#include <string>
#include <string_view>

namespace checkout {

inline constexpr const char* journal_name = "checkouts";

[[nodiscard]] inline sinew::command command_of(const cart& of, std::string_view type) {
    return {.type = std::string(type), .data = to_text(of), .datacontenttype = "application/json"};
}

// [saga]
/// The saga. Where a callable takes the transaction, its effect and the step's record commit
/// together; where it does not, the other side knows a second call by its key.
template <class Tx>
[[nodiscard]] auto make_checkout(payment_provider& provider, carrier& parcels) {
    using namespace std::chrono_literals;
    using view = sinew::step_view<cart>;
    constexpr sinew::step_retry_options patient{.max_attempts = 1000, .cap = 1s};

    return sinew::saga<"checkout", cart>(
        sinew::step<"create-order">([](const view& at, Tx& tx) {
            create_order(at.input, tx);
        }).undo([](const view& at, Tx& tx) {
            set_order_state(at.input, "cancelled", tx);
            send_mail(at.input, "We are sorry: your order was cancelled.", tx);
        }),
        sinew::step<"reserve">([](const view& at, Tx& tx) {
            reserve(at.input, tx);
        }).undo([](const view& at, Tx& tx) { release(at.input, tx); }),
        sinew::step<"charge">([&](const view& at) {
            return provider.charge(at.idempotency_key, at.input.number, at.input.total_pence,
                                   at.until);
        })
            .retry(patient)
            .undo([&](const view& at) {
                provider.refund(at.idempotency_key_of_act, at.input.number, at.until);
            })
            .retry(patient),
        sinew::step<"points">(
            [](const view& at) { return sinew::send(command_of(at.input, points_add)); })
            .reply(
                [](const view&, std::string_view answer) {
                    if (answer != points_done) {
                        throw sinew::permanent_error("no_points", "the programme refuses them");
                    }
                },
                {.within = 30s})
            .undo([](const view& at) { return sinew::send(command_of(at.input, points_remove)); })
            .reply([](const view&, std::string_view) {}, {.within = 30s})
            .retry(patient),
        sinew::pivot<"ship">([&](const view& at) {
            return parcels.fetch(at.idempotency_key, at.input.number, at.until);
        }).retry(patient),
        sinew::step<"email">([](const auto& at, Tx& tx) {
            set_order_state(at.input, "shipped", tx);
            std::string message = "Your parcel is on its way: ";
            message.append(sinew::result<"ship">(at)).append(", paid with ");
            message.append(sinew::result<"charge">(at).id).append(".");
            send_mail(at.input, message, tx);
        }).always());
}
// [/saga]

/// Takes the replies of the loyalty programme to the steps that wait for them.
template <class Log, class Store>
[[nodiscard]] auto make_reply_desk(Log& log, Store& db) {
    const auto bring = [journal = db.journal(journal_name)](
                           const sinew::event_view& reply,
                           typename Store::transaction_type& tx) mutable {
        const auto now = sinew::machine_clock::now().wall;
        if (sinew::bring_reply(journal, tx, reply, now) == sinew::reply_result::refused) {
            throw sinew::transient_error("too_many_early", "replies wait for their instances");
        }
    };
    return sinew::subscribe(log, {.topic = replies_topic, .group = "checkout"}) |
           sinew::in_sequence() | sinew::dead_letter(db.dead_letters()) | sinew::retry() |
           sinew::once(db) | sinew::handle(bring);
}

/// Takes sagas through their steps until it is to stop.
template <class Store, sinew::stop_signal Stop>
sinew::run_end run_sagas(Store& db, payment_provider& provider, carrier& parcels,
                         const std::string& name, const Stop& stop) {
    using transaction = typename Store::transaction_type;
    sinew::runner checkouts(db, db.journal(journal_name), db.outbox(commands_topic),
                            {.owner = name}, make_checkout<transaction>(provider, parcels));
    return sinew::run(checkouts, stop);
}

}  // namespace checkout
