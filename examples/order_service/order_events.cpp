// SPDX-License-Identifier: BSL-1.0
#include "order_events.hpp"

#include <sinew/core/error.hpp>

#include <nlohmann/json.hpp>

namespace shop {

namespace {

using nlohmann::json;

/// A whole number; the JSON library would round a fraction silently.
[[nodiscard]] std::int64_t whole(const json& from) {
    if (!from.is_number_integer()) {
        throw sinew::permanent_error("undecodable", "a number in the event is not a whole one");
    }
    return from.get<std::int64_t>();
}

[[noreturn]] void refuse_type(std::string_view type) {
    throw sinew::permanent_error(
        "unknown_type", "nobody here handles the event type \"" + std::string(type) + "\"");
}

[[nodiscard]] sinew::event make_event(std::string_view source, std::string_view type,
                                      const json& data) {
    return {.id = {},
            .source = std::string(source),
            .type = std::string(type),
            .datacontenttype = "application/json",
            .data = data.dump()};
}

}  // namespace

sinew::event event_of(const order& placed) {
    json lines = json::array();
    for (const auto& line : placed.lines) {
        lines.push_back({{"stock_code", line.stock_code},
                         {"quantity", line.quantity},
                         {"price_pence", line.price_pence}});
    }
    auto out = make_event(
        "/orders", order_placed,
        {{"number", placed.number}, {"customer", placed.customer}, {"lines", std::move(lines)}});
    out.subject = placed.number;
    out.partitionkey = key_of(placed);
    return out;
}

sinew::event event_of(const stock_decision& made) {
    json data{{"order", made.order_number},
              {"customer", made.customer},
              {"total_pence", made.total_pence}};
    if (!made.is_reserved()) {
        data["missing"] = made.missing;
    }
    auto out = make_event("/inventory", made.is_reserved() ? stock_reserved : stock_rejected, data);
    out.subject = made.order_number;
    out.partitionkey = key_of(order{.number = made.order_number, .customer = made.customer});
    return out;
}

order order_codec::decode(const sinew::event_view& e) const {
    if (e.type != order_placed) {
        refuse_type(e.type);
    }
    const json data = json::parse(e.text());
    order out{.number = data.at("number"), .customer = data.at("customer")};
    for (const auto& line : data.at("lines")) {
        out.lines.push_back({.stock_code = line.at("stock_code"),
                             .quantity = whole(line.at("quantity")),
                             .price_pence = whole(line.at("price_pence"))});
    }
    check(out);
    return out;
}

stock_decision decision_codec::decode(const sinew::event_view& e) const {
    if (e.type != stock_reserved && e.type != stock_rejected) {
        refuse_type(e.type);
    }
    const json data = json::parse(e.text());
    stock_decision out{.order_number = data.at("order"),
                       .customer = data.at("customer"),
                       .total_pence = whole(data.at("total_pence")),
                       .missing = data.value("missing", "")};
    if (out.is_reserved() != (e.type == stock_reserved) || out.total_pence < 0) {
        throw sinew::permanent_error("undecodable",
                                     "the event's type and its data contradict each other, or the "
                                     "total is below 0");
    }
    return out;
}

}  // namespace shop
