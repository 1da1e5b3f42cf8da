// SPDX-License-Identifier: BSL-1.0
#include "outside.hpp"

#include "cart.hpp"

#include <sinew/core/commit_within.hpp>
#include <sinew/core/error.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace checkout {

namespace {

using transaction = sinew::sqlite::store::transaction_type;

constexpr const char* tables = R"(
CREATE TABLE IF NOT EXISTS calls(key text PRIMARY KEY, times bigint NOT NULL);
CREATE TABLE IF NOT EXISTS done(
    key text PRIMARY KEY, order_number text NOT NULL, amount bigint NOT NULL,
    called_off bigint NOT NULL);
)";

}  // namespace

outside_service::outside_service(const std::string& file, std::string name)
    : name_(std::move(name)), db_(file, {.synchronous = sinew::sqlite::synchronous::normal}) {
    db_.connection().execute_script(tables);
}

outside_service::mood outside_service::next_mood(std::string_view key, sinew::steady_time until) {
    const auto times = sinew::commit_within(db_, until, [&](transaction& tx) {
        tx.execute(
            "INSERT INTO calls VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1",
            key);
        return std::get<0>(
            tx.query_one<std::int64_t>("SELECT times FROM calls WHERE key = $1", key).value());
    });
    const double chance = chance_of(name_, key, times);
    return {.is_busy = chance < 0.15, .is_silent = chance > 0.9};
}

void outside_service::say_nothing() const {
    throw sinew::error(sinew::failure_class::unknown, "no_answer",
                       "the " + name_ + " gave no answer");
}

std::string outside_service::do_once(std::string_view key, std::string_view order,
                                     std::int64_t amount, std::string_view permanent,
                                     sinew::steady_time until) {
    const mood now = next_mood(key, until);
    if (now.is_busy) {
        throw sinew::unavailable_error("busy", "the " + name_ + " is busy");
    }
    if (!permanent.empty()) {
        throw sinew::permanent_error(std::string(permanent),
                                     "the " + name_ + " refuses order " + std::string(order));
    }
    const bool was_called_off = sinew::commit_within(db_, until, [&](transaction& tx) {
        tx.execute("INSERT INTO done VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING", key, order,
                   amount);
        const auto row =
            tx.query_one<std::int64_t>("SELECT called_off FROM done WHERE key = $1", key);
        return std::get<0>(row.value()) != 0;
    });
    if (was_called_off) {
        throw sinew::permanent_error("called_off", "it was called off before it was asked for");
    }
    if (now.is_silent) {
        say_nothing();
    }
    return "for-" + std::string(key);
}

void outside_service::call_off(std::string_view key, std::string_view order,
                               sinew::steady_time until) {
    const mood now = next_mood(key, until);
    if (now.is_busy) {
        throw sinew::unavailable_error("busy", "the " + name_ + " is busy");
    }
    sinew::commit_within(db_, until, [&](transaction& tx) {
        tx.execute(
            "INSERT INTO done VALUES ($1, $2, 0, 1) ON CONFLICT (key) DO UPDATE SET called_off = 1",
            key, order);
    });
    if (now.is_silent) {
        say_nothing();
    }
}

bool outside_service::has_done(std::string_view key) {
    return db_.connection()
        .query_one<std::int64_t>("SELECT 1 FROM done WHERE key = $1 AND called_off = 0", key)
        .has_value();
}

payment payment_provider::charge(std::string_view key, std::string_view order, std::int64_t pence,
                                 sinew::steady_time until) {
    const bool is_declined = troubles_of(order).card_is_declined;
    return {calls_.do_once(key, order, pence, is_declined ? "card_declined" : "", until), pence};
}

std::string carrier::fetch(std::string_view key, std::string_view order, sinew::steady_time until) {
    const bool is_unknown = troubles_of(order).address_is_unknown;
    return calls_.do_once(key, order, 1, is_unknown ? "address_unknown" : "", until);
}

}  // namespace checkout

std::string sinew::codec<checkout::payment>::encode(const checkout::payment& one) {
    return nlohmann::json{{"id", one.id}, {"pence", one.pence}}.dump();
}

checkout::payment sinew::codec<checkout::payment>::decode(std::string_view text) {
    const auto from = nlohmann::json::parse(text);
    return {.id = from.at("id"), .pence = from.at("pence")};
}
