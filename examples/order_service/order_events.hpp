// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that the services exchange, and their codecs: all that one service knows of another.
///
/// | topic | type | says | by |
/// | --- | --- | --- | --- |
/// | `orders` | `order.placed` | the order, whole | the order desk |
/// | `stock` | `stock.reserved` | the goods of the order are set aside | the inventory |
/// | `stock` | `stock.rejected` | at least one article is not there in that number | the inventory |
///
/// An outbox has the name of the topic that its events go to.

#include "order.hpp"

#include <sinew/core/event.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace shop {

inline constexpr const char* orders_topic = "orders";
inline constexpr const char* stock_topic = "stock";

inline constexpr std::string_view order_placed = "order.placed";
inline constexpr std::string_view stock_reserved = "stock.reserved";
inline constexpr std::string_view stock_rejected = "stock.rejected";

/// What the inventory decided about an order.
struct stock_decision {
    std::string order_number{};
    std::string customer{};
    std::int64_t total_pence = 0;
    std::string missing{};  ///< the article for which the order was rejected; empty: it is reserved

    [[nodiscard]] bool is_reserved() const noexcept { return missing.empty(); }

    friend bool operator==(const stock_decision&, const stock_decision&) = default;
};

/// The events. Each has what its reader needs, so that nobody has to ask back. Id and time are left
/// to `sinew::emitter`, the sequence within the key to the outbox.
[[nodiscard]] sinew::event event_of(const order& placed);
[[nodiscard]] sinew::event event_of(const stock_decision& made);

/// Makes an `order` of an `order.placed`.
struct order_codec {
    /// **On failure.** Throws `sinew::permanent_error` or the JSON library's own exception: no
    /// attempt will ever make an order of such bytes, so the event becomes a dead letter.
    [[nodiscard]] order decode(const sinew::event_view& e) const;
};

/// Makes a `stock_decision` of a `stock.reserved` or a `stock.rejected`.
struct decision_codec {
    /// **On failure.** As `order_codec`.
    [[nodiscard]] stock_decision decode(const sinew::event_view& e) const;
};

}  // namespace shop
