// SPDX-License-Identifier: BSL-1.0
#include "audit.hpp"

#include "notifications.hpp"
#include "order_events.hpp"

#include <sinew/core/event.hpp>

#include <fmt/core.h>

#include <exception>
#include <optional>
#include <set>
#include <utility>

namespace shop {

namespace {

/// The records of a topic, without the copies.
[[nodiscard]] std::vector<topic_record> distinct(const std::vector<topic_record>& topic) {
    std::vector<topic_record> out;
    std::set<std::string> known;
    for (const auto& one : topic) {
        if (known.insert(one.id).second) {
            out.push_back(one);
        }
    }
    return out;
}

/// What a record says, or nothing if it cannot be read.
template <class Codec>
[[nodiscard]] auto read(const topic_record& from) {
    const sinew::event e{.id = from.id, .source = "/audit", .type = from.type, .data = from.data};
    using value = decltype(Codec{}.decode(e.view()));
    try {
        return std::optional<value>(Codec{}.decode(e.view()));
    } catch (const std::exception&) {
        return std::optional<value>();
    }
}

/// How many records are out of their place: within a key they count 1, 2, 3, ...
[[nodiscard]] std::int64_t count_out_of_sequence(const std::vector<topic_record>& topic) {
    std::map<std::string, std::uint64_t> last;
    std::int64_t bad = 0;
    for (const auto& one : topic) {
        bad += sinew::parse_sequence(one.sequence) == ++last[one.key] ? 0 : 1;
    }
    return bad;
}

/// The orders that a topic speaks of, key by key, in the order of the topic.
template <class Codec, class Number>
[[nodiscard]] auto numbers_by_key(const std::vector<topic_record>& topic, Number number) {
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& one : topic) {
        const auto value = read<Codec>(one);
        out[one.key].push_back(value ? number(*value) : std::string());
    }
    return out;
}

/// Everything that is compared, with what is computed for several comparisons.
class judgement {
public:
    explicit judgement(const facts& all)
        : all_(&all),
          published_(distinct(all.orders_topic)),
          answered_(distinct(all.stock_topic)),
          orders_(static_cast<std::int64_t>(all.orders.size())) {
        for (const auto& one : published_) {
            if (auto value = read<order_codec>(one)) {
                event_of_order_.emplace(value->number, one);
                true_events_ += find(value->number) == *value ? 1 : 0;
            }
        }
        for (const auto& one : all.decisions) {
            missing_.emplace(one.order_number, one.missing);
        }
    }

    [[nodiscard]] std::vector<finding> findings() const {
        return {
            {"orders published", size(published_), orders_},
            {"  as they were committed", true_events_, orders_},
            {"  out of sequence in their key", count_out_of_sequence(published_), 0},
            {"orders decided", size(all_->decisions), orders_},
            {"  of orders that are there, once", size(missing_) - strangers(), orders_},
            {"  rejected, and there was enough", count_rejected_for_nothing(), 0},
            {"decisions published", size(answered_), orders_},
            {"  as they were made, by their order", count_true_answers(), orders_},
            {"  out of sequence in their key", count_out_of_sequence(answered_), 0},
            {"  keys in another order than placed", count_reordered_keys(), 0},
            {"notifications", size(all_->notifications), orders_},
            {"  that say what was decided", count_true_notifications(), orders_},
            {"units reserved", sum_reserved(), sum_of_accepted()},
            {"  articles that do not balance", count_unbalanced(), 0},
            {"outbox entries left", all_->unpublished, 0},
            {"dead letters", all_->dead_letters, 0},
        };
    }

private:
    template <class Container>
    [[nodiscard]] static std::int64_t size(const Container& of) {
        return static_cast<std::int64_t>(of.size());
    }

    [[nodiscard]] std::optional<order> find(const std::string& number) const {
        const auto found = all_->orders.find(number);
        return found == all_->orders.end() ? std::nullopt : std::optional(found->second);
    }

    /// What the decision of an order has to say.
    [[nodiscard]] std::optional<stock_decision> decision_of(const std::string& number) const {
        const auto placed = find(number);
        const auto missing = missing_.find(number);
        if (!placed || missing == missing_.end()) {
            return std::nullopt;
        }
        return stock_decision{.order_number = number,
                              .customer = placed->customer,
                              .total_pence = total_pence(*placed),
                              .missing = missing->second};
    }

    /// Decisions about orders that nobody placed.
    [[nodiscard]] std::int64_t strangers() const {
        std::int64_t count = 0;
        for (const auto& [number, missing] : missing_) {
            count += find(number) ? 0 : 1;
        }
        return count;
    }

    /// Orders for which there would have been enough. Stock is only ever reserved, so what is too
    /// little at some time is too little in the end.
    [[nodiscard]] std::int64_t count_rejected_for_nothing() const {
        std::int64_t count = 0;
        for (const auto& [number, missing] : missing_) {
            const auto placed = find(number);
            if (!placed || missing.empty()) {
                continue;
            }
            const auto units = units_of(*placed);
            const auto wanted = units.find(missing);
            const auto row = all_->stock.find(missing);
            const std::int64_t left =
                row == all_->stock.end() ? 0 : row->second.received - row->second.reserved;
            count += wanted == units.end() || wanted->second <= left ? 1 : 0;
        }
        return count;
    }

    /// Answers that are as the decision, and name the order's event as their cause.
    [[nodiscard]] std::int64_t count_true_answers() const {
        std::int64_t count = 0;
        for (const auto& one : answered_) {
            const auto said = read<decision_codec>(one);
            const auto cause =
                said ? event_of_order_.find(said->order_number) : event_of_order_.end();
            count += cause != event_of_order_.end() && decision_of(said->order_number) == said &&
                             one.causationid == cause->second.id &&
                             one.correlationid == cause->second.id
                         ? 1
                         : 0;
        }
        return count;
    }

    [[nodiscard]] std::int64_t count_reordered_keys() const {
        const auto placed =
            numbers_by_key<order_codec>(published_, [](const order& one) { return one.number; });
        const auto decided = numbers_by_key<decision_codec>(
            answered_, [](const stock_decision& one) { return one.order_number; });
        std::int64_t bad = 0;
        for (const auto& [key, numbers] : placed) {
            const auto found = decided.find(key);
            bad += found != decided.end() && found->second == numbers ? 0 : 1;
        }
        return bad;
    }

    [[nodiscard]] std::int64_t count_true_notifications() const {
        std::set<std::string> told;
        for (const auto& one : all_->notifications) {
            const auto made = decision_of(one.order_number);
            if (made && one.customer == made->customer && one.message == message_for(*made)) {
                told.insert(one.order_number);
            }
        }
        return size(told);
    }

    /// The units of each article in the orders that were accepted: what has to be reserved.
    [[nodiscard]] std::map<std::string, std::int64_t> accepted_units() const {
        std::map<std::string, std::int64_t> units;
        for (const auto& [number, placed] : all_->orders) {
            const auto made = decision_of(number);
            if (made && made->is_reserved()) {
                for (const auto& [stock_code, count] : units_of(placed)) {
                    units[stock_code] += count;
                }
            }
        }
        return units;
    }

    [[nodiscard]] std::int64_t sum_of_accepted() const {
        std::int64_t sum = 0;
        for (const auto& [stock_code, units] : accepted_units()) {
            sum += units;
        }
        return sum;
    }

    [[nodiscard]] std::int64_t sum_reserved() const {
        std::int64_t sum = 0;
        for (const auto& [stock_code, row] : all_->stock) {
            sum += row.reserved;
        }
        return sum;
    }

    [[nodiscard]] std::int64_t count_unbalanced() const {
        auto left = accepted_units();
        std::int64_t bad = 0;
        for (const auto& [stock_code, row] : all_->stock) {
            const auto wanted = left.extract(stock_code);
            const std::int64_t units = wanted.empty() ? 0 : wanted.mapped();
            bad += row.reserved == units && row.reserved <= row.received ? 0 : 1;
        }
        return bad + size(left);
    }

    const facts* all_;
    std::vector<topic_record> published_;
    std::vector<topic_record> answered_;
    std::map<std::string, topic_record> event_of_order_;
    std::map<std::string, std::string> missing_;  ///< of each order that was decided about
    std::int64_t orders_;
    std::int64_t true_events_ = 0;
};

}  // namespace

std::vector<finding> judge(const facts& all) { return judgement(all).findings(); }

std::int64_t count_copies(const std::vector<topic_record>& topic) {
    return static_cast<std::int64_t>(topic.size() - distinct(topic).size());
}

int print(std::string_view title, const std::vector<finding>& all) {
    int bad = 0;
    fmt::print("{:<38}{:>10}  {:>10}\n", title, "found", "has to be");
    for (const auto& one : all) {
        fmt::print("  {:<36}{:>10}  {:>10}  {}\n", one.what, one.found, one.wanted,
                   one.is_good() ? "ok" : "MISMATCH");
        bad += one.is_good() ? 0 : 1;
    }
    return bad;
}

}  // namespace shop
