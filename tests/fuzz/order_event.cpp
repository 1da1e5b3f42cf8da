// SPDX-License-Identifier: BSL-1.0
//
// The events of the order service: what is taken keeps to its bounds and is read back from its own
// event, and all else is refused with an exception.

#include "property.hpp"

#include <order_service/notifications.hpp>
#include <order_service/order_events.hpp>

#include <exception>
#include <new>
#include <optional>

namespace {

using sinew::fuzz::expect;

template <class Codec>
auto read(const sinew::event_view& e) {
    using value = decltype(Codec{}.decode(e));
    try {
        return std::optional<value>(Codec{}.decode(e));
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception&) {
        return std::optional<value>();
    }
}

void check_order(const sinew::event_view& e) {
    if (const auto one = read<shop::order_codec>(e)) {
        shop::check(*one);  // throws what nobody catches
        expect(shop::total_pence(*one) >= 0, "an order has a total");
        const auto again = shop::event_of(*one);
        expect(read<shop::order_codec>(again.view()) == one, "an order is read back");
    }
}

void check_decision(const sinew::event_view& e) {
    if (const auto one = read<shop::decision_codec>(e)) {
        expect(one->total_pence >= 0, "a decision has a total");
        expect(!shop::message_for(*one).empty(), "a decision can be told");
        const auto again = shop::event_of(*one);
        expect(again.type == e.type, "a decision keeps its type");
        expect(read<shop::decision_codec>(again.view()) == one, "a decision is read back");
    }
}

}  // namespace

/// The first byte chooses the type, and the rest is the data.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    sinew::fuzz::input in(data, size);
    constexpr std::string_view types[] = {shop::order_placed, shop::stock_reserved,
                                          shop::stock_rejected};
    const std::string_view type = types[in.byte() % 3];
    const sinew::event_view e{
        .id = "1", .source = "/fuzz", .type = type, .data = sinew::as_bytes(in.rest())};
    check_order(e);
    check_decision(e);
    return 0;
}
