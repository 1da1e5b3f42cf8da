// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <type_traits>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

struct text_codec {
    [[nodiscard]] std::string decode(const event_view& e) const { return std::string(e.text()); }
};

// Handlers of each shape.
[[maybe_unused]] const auto inside = [](const event_view&, memory::transaction&) {};
[[maybe_unused]] const auto inside_with_outcome = [](const event_view&, memory::transaction&) {
    return outcome::done();
};
[[maybe_unused]] const auto outside = [](const event_view&) {};
[[maybe_unused]] const auto by_ticket = [](const event_view&, ticket) {};
[[maybe_unused]] const auto any_shape = [](const event_view&, auto&... tx) {
    static_assert(sizeof...(tx) <= 1);
};
[[maybe_unused]] const auto typed_inside = [](const std::string&, memory::transaction&) {};
[[maybe_unused]] const auto typed_outside = [](const std::string&) {};

/// What a pipeline with that answer to duplicates and that handler promises.
template <class Duplicate, class Handler>
constexpr guarantee promised =
    decltype(std::declval<bench&>().from() | halt() | std::declval<Duplicate>() |
             handle(std::declval<Handler>()))::guarantee();

using once_stage = decltype(once(std::declval<memory::store&>()));
using deduplicate_stage = decltype(deduplicate());
using idempotent_stage = decltype(idempotent_by_nature());
using at_most_once_stage = decltype(at_most_once());

template <class F>
using shape = std::remove_const_t<F>;

/// The sentence of the `usage_error` that `f` throws; empty if it throws none.
template <class F>
[[nodiscard]] std::string refused(F f) {
    try {
        static_cast<void>(f());
    } catch (const usage_error& problem) {
        return problem.what();
    }
    return {};
}

template <class Change>
[[nodiscard]] std::string refused_subscription(Change change) {
    return refused([&] {
        memory::log log;
        subscription_options o{.topic = "orders", .group = "shop"};
        change(o);
        return subscribe(log, o);
    });
}

[[nodiscard]] bool names(const std::string& sentence, const std::string& option) {
    return sentence.find(option) != std::string::npos;
}

}  // namespace

TEST_CASE("the guarantee is computed from what stands in the pipeline") {
    using enum guarantee;
    // Only where the handler takes the transaction that once opened.
    STATIC_REQUIRE(promised<once_stage, shape<decltype(inside)>> == effectively_once);
    STATIC_REQUIRE(promised<once_stage, shape<decltype(inside_with_outcome)>> == effectively_once);
    STATIC_REQUIRE(promised<once_stage, shape<decltype(any_shape)>> == effectively_once);
    STATIC_REQUIRE(promised<once_stage, shape<decltype(outside)>> == at_least_once);
    STATIC_REQUIRE(promised<once_stage, shape<decltype(by_ticket)>> == at_least_once);

    STATIC_REQUIRE(promised<deduplicate_stage, shape<decltype(outside)>> == at_least_once);
    STATIC_REQUIRE(promised<deduplicate_stage, shape<decltype(by_ticket)>> == at_least_once);
    STATIC_REQUIRE(promised<idempotent_stage, shape<decltype(outside)>> == at_least_once);
    STATIC_REQUIRE(promised<idempotent_stage, shape<decltype(by_ticket)>> == at_least_once);
    STATIC_REQUIRE(promised<at_most_once_stage, shape<decltype(outside)>> == at_most_once);
    STATIC_REQUIRE(promised<at_most_once_stage, shape<decltype(by_ticket)>> == at_most_once);
}

TEST_CASE("the guarantee of a handler that is made of several is that of its weakest part") {
    bench b;
    const auto with = [&](auto last) { return b.from() | halt() | once(b.db) | last; };
    using enum guarantee;
    STATIC_REQUIRE(decltype(with(handle<std::string>(text_codec{}, typed_inside)))::guarantee() ==
                   effectively_once);
    STATIC_REQUIRE(decltype(with(handle<std::string>(text_codec{}, typed_outside)))::guarantee() ==
                   at_least_once);
    STATIC_REQUIRE(decltype(with(handle(by_type(on<"a">(inside), on<"b">(inside)))))::guarantee() ==
                   effectively_once);
    STATIC_REQUIRE(decltype(with(handle(
                       by_type(on<"a">(inside), on<"b">(outside)))))::guarantee() == at_least_once);
    STATIC_REQUIRE(decltype(with(handle(by_type(on<"a">(outside),
                                                on<"b">(outside)))))::guarantee() == at_least_once);
}

TEST_CASE("the other stages change nothing in the guarantee") {
    bench b;
    diary told;
    const auto pass = around([](const event_view&, auto next) -> outcome { return next(); });
    using enum guarantee;
    auto full = b.from() | observed_by(told) | in_sequence() | dead_letter(b.letters) | retry() |
                once(b.db) | pass | pass | handle(inside);
    auto dropping = b.from() | discard() | once(b.db) | handle(inside);
    auto acting = b.from() | observed_by(told) | in_sequence() | dead_letter(b.letters) | retry() |
                  idempotent_by_nature() | pass | handle(outside);
    auto forgetting =
        b.from() | in_sequence() | discard() | sinew::at_most_once() | handle(outside);
    STATIC_REQUIRE(decltype(full)::guarantee() == effectively_once);
    STATIC_REQUIRE(decltype(dropping)::guarantee() == effectively_once);
    STATIC_REQUIRE(decltype(acting)::guarantee() == at_least_once);
    STATIC_REQUIRE(decltype(forgetting)::guarantee() == at_most_once);
}

TEST_CASE("describe prints the boundary map of the whole pipeline") {
    bench b;
    auto c = b.from() | in_sequence({.gap_timeout = 30s}) |
             dead_letter(b.letters, {.following = following::park}) | retry({.max_attempts = 5}) |
             once(b.db) | handle(inside);
    CHECK(describe(c) == R"(shop reads orders, effectively once
topic orders -> shop
    guarantee:   at least once
    order:       by partition
    retry:       delivered again after a crash or a rebalance
shop -> handler
    guarantee:   effectively once; duplicates by sequence, without a key by id
    order:       by key, by sequence; a gap waits 30 s
    retry:       5 attempts within 10 min; waits without counting while something is unavailable
    last resort: dead letter; its key's next events park behind it; after 3 recorded deaths of the process
handler -> store
    guarantee:   effectively once: effects and memory are one transaction
    order:       as handled
    retry:       a batch of up to 100; a failing event is undone alone
shop -> dead letters
    guarantee:   at least once; an event is there once
    order:       as failed
    retry:       without end: the consumer waits, and drops nothing
limits
    in flight:   1024 events, 67108864 bytes
    one event:   8388608 bytes
)");
    CHECK(to_mermaid(c) == R"(flowchart LR
    topic[("topic orders")]
    group["shop"]
    handler["handler"]
    store[("store")]
    letters[("dead letters")]
    topic -->|"at least once"| group
    group -->|"effectively once; duplicates by sequence, without a key by id"| handler
    handler -->|"effectively once: effects and memory are one transaction"| store
    group -->|"at least once; an event is there once"| letters
)");
}

TEST_CASE("describe says what is missing as plainly as what is there") {
    bench b;
    auto c = subscribe(b.log, {.topic = "a \"quoted\" <topic>",
                               .group = "shop",
                               .ordering = ordering::none,
                               .in_flight_max = 10}) |
             discard() | at_most_once() | handle(outside);
    CHECK(describe(c) == R"(shop reads a "quoted" <topic>, at most once
topic a "quoted" <topic> -> shop
    guarantee:   at most once
    order:       by partition
    retry:       delivered again after a crash or a rebalance
shop -> handler
    guarantee:   at most once; duplicates not recognised: the offset is committed first
    order:       none
    retry:       none: 1 attempt; waits without counting while something is unavailable
    last resort: discard: dropped and counted
limits
    in flight:   10 events, 67108864 bytes
    one event:   8388608 bytes
)");
    CHECK(to_mermaid(c) == R"(flowchart LR
    topic[("topic a #quot;quoted#quot;  topic ")]
    group["shop"]
    handler["handler"]
    topic -->|"at most once"| group
    group -->|"at most once; duplicates not recognised: the offset is committed first"| handler
)");
}

TEST_CASE("describe tells a handler that acts outside of the transaction") {
    bench b;
    auto c =
        b.from() | halt() | once(b.db, {.duplicates = duplicates::by_offset}) | handle(outside);
    const auto text = describe(c);
    CHECK(names(text, "at least once: the handler acts outside of the transaction"));
    CHECK(names(text, "at least once; duplicates by offset"));
    CHECK(names(text, "halt: the consumer stops there"));
}

TEST_CASE("a subscription with an option out of its range is refused by the option's name") {
    using o = subscription_options;
    CHECK(refused_subscription([](o&) {}).empty());
    CHECK(names(refused_subscription([](o& x) { x.topic.clear(); }), "topic"));
    CHECK(names(refused_subscription([](o& x) { x.group.clear(); }), "group"));
    CHECK(names(refused_subscription([](o& x) { x.in_flight_max = 0; }), "in_flight_max"));
    CHECK(names(refused_subscription([](o& x) { x.in_flight_max = 1'000'001; }), "in_flight_max"));
    CHECK(names(refused_subscription([](o& x) { x.in_flight_bytes_max = 0; }),
                "in_flight_bytes_max"));
    CHECK(names(refused_subscription([](o& x) { x.event_bytes_max = 0; }), "event_bytes_max"));
    CHECK(names(refused_subscription([](o& x) { x.window_max = 1023; }), "window_max"));
    CHECK(names(refused_subscription([](o& x) { x.window_max = SIZE_MAX; }), "window_max"));
    CHECK(names(refused_subscription([](o& x) { x.step_events_max = 0; }), "step_events_max"));
    CHECK(names(refused_subscription([](o& x) { x.commit_interval = -1ns; }), "commit_interval"));
    CHECK(names(refused_subscription([](o& x) { x.call_timeout = 0ns; }), "call_timeout"));
}

TEST_CASE("stages with an option out of its range are refused by the option's name") {
    struct row {
        std::string option;
        std::string sentence;
    };
    memory::store db;
    memory::dead_letters letters;
    const std::vector<row> rows{
        {"max_attempts", refused([] { return retry({.max_attempts = 0}); })},
        {"max_elapsed", refused([] { return retry({.max_elapsed = 0s}); })},
        {"base", refused([] { return retry({.base = 0s}); })},
        {"cap", refused([] { return retry({.base = 2s, .cap = 1s}); })},
        {"retry_after_max", refused([] { return retry({.retry_after_max = 0s}); })},
        {"budget_ratio", refused([] { return retry({.budget_ratio = 1.5}); })},
        {"budget_floor", refused([] { return retry({.budget_floor = 0}); })},
        {"budget_max", refused([] { return retry({.budget_max = 0}); })},
        {"batch_max", refused([&] { return once(db, {.batch_max = 0}); })},
        {"batch_time", refused([&] { return once(db, {.batch_time = -1s}); })},
        {"replay_interval", refused([&] { return dead_letter(letters, {.replay_interval = 0s}); })},
        {"replay_lease", refused([&] { return dead_letter(letters, {.replay_lease = 0s}); })},
        {"deaths_max", refused([&] { return dead_letter(letters, {.deaths_max = 0}); })},
        {"gap_timeout", refused([] { return in_sequence({.gap_timeout = -1s}); })},
        {"look_again", refused([] { return in_sequence({.look_again = 0s}); })},
        {"held_per_key_max", refused([] { return in_sequence({.held_per_key_max = 0}); })},
        {"held_max", refused([] { return in_sequence({.held_max = 0}); })},
        {"keys_max", refused([] { return in_sequence({.keys_max = 0}); })},
        {"jump_max", refused([] { return in_sequence({.jump_max = 0}); })},
        {"first", refused([] { return in_sequence({.first = 0}); })},
        {"ids_max", refused([] { return deduplicate({.ids_max = 0}); })},
        {"age_max", refused([] { return deduplicate({.age_max = 0s}); })},
        // Pitfall: a window that is shorter than the horizon forgets before duplicates come.
        {"replay_horizon", refused([] { return deduplicate({.replay_horizon = 24h}); })},
        {"in_flight_max", refused([] { return deduplicate({.in_flight_max = 0}); })},
    };
    for (const auto& one : rows) {
        CAPTURE(one.option, one.sentence);
        CHECK(names(one.sentence, one.option));
    }
}

TEST_CASE("in_sequence without an order to keep is refused") {
    bench b;
    const auto sentence = refused([&] {
        return b.from({.ordering = ordering::none}) | in_sequence() | halt() | once(b.db) |
               handle(inside);
    });
    CHECK(names(sentence, "ordering"));
}
