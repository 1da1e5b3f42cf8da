// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <set>
#include <stdexcept>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

void apply(const event_view& e, memory::transaction& tx) {
    const auto before = tx.get("by_key", e.partitionkey);
    tx.put("by_key", e.partitionkey,
           before ? *before + " " + std::string(e.id) : std::string(e.id));
}

/// A bench whose handler rejects the events that are named.
struct letter_bench : bench {
    using bench::bench;
    diary told{};
    std::set<std::string> bad{};

    [[nodiscard]] auto handler() {
        return [this](const event_view& e, memory::transaction& tx) -> outcome {
            apply(e, tx);
            return bad.contains(std::string(e.id)) ? outcome::reject("bad_data", "no good")
                                                   : outcome::done();
        };
    }
    /// Letters in the store of `once`, or in a database of their own.
    auto consume(memory::dead_letters& place, dead_letter_options o = {},
                 subscription_options s = {}) {
        return from(s) | observed_by(told) | dead_letter(place, o) | retry() | once(db) |
               handle(handler());
    }
    [[nodiscard]] std::string of_key(std::string_view key) const {
        return db.get("by_key", key).value_or("");
    }
};

/// A place for dead letters that can be down, or answer nothing though it did it or not.
class shaky_place {
public:
    explicit shaky_place(memory::dead_letters& inner) : inner_(&inner) {}

    put_result put(const dead_letter_record& letter, steady_time) {
        ++puts;
        if (down) {
            throw unavailable_error("letters_down", "the place is down");
        }
        if (unanswered > 0) {
            --unanswered;
            if (unanswered % 2 == 0) {
                static_cast<void>(inner_->put(letter));
            }
            return put_result::unknown;
        }
        return inner_->put(letter);
    }

    bool down = false;
    int unanswered = 0;
    int puts = 0;

private:
    memory::dead_letters* inner_;
};

/// Keeps what is published.
struct kept_sink {
    std::vector<event> kept{};
    bool refuses = false;

    publish_result publish(const event_view& e, steady_time) {
        if (refuses) {
            return publish_result::refused({failure_class::unavailable, "down", {}, {}});
        }
        kept.push_back(to_event(e));
        return publish_result::accepted();
    }
};

[[nodiscard]] dead_letter_state state_of(bench& b, std::int64_t number) {
    return triage::look_at(b.letters, number).value().state;
}

}  // namespace

TEST_CASE("law: a dead letter is whole: every field, bit for bit") {
    letter_bench b(2);
    std::string every_byte;
    for (int i = 0; i < 256; ++i) {
        every_byte += static_cast<char>(i);
    }
    const event strange{.id = "id \xc3\xa9",
                        .source = "/shop/\xf0\x9f\x9b\x92",
                        .type = "order.placed",
                        .subject = "a subject",
                        .time = "not a time at all",
                        .datacontenttype = "application/octet-stream",
                        .dataschema = "urn:schema",
                        .data = every_byte,
                        .partitionkey = std::string("k\0ey\xff", 5),
                        .sequence = "00x",
                        .correlationid = "c\xfe",
                        .causationid = "cause",
                        .traceparent = "00-nonsense",
                        .headers = {{"h", "\xff\xfe\x80"},
                                    {"h", "twice"},
                                    {"", "no name"},
                                    {"empty", ""},
                                    {"\xc3", std::string("\0", 1)}}};
    event bare = order("bare");
    bare.data.clear();
    b.put(order("before"), 1);
    b.put(strange, 1);
    b.put(bare, 1);
    b.bad = {strange.id, "bare"};
    memory::dead_letters elsewhere;
    const bool in_the_store = GENERATE(true, false);
    auto& place = in_the_store ? b.letters : elsewhere;
    auto c = b.consume(place);
    REQUIRE(b.drain(c));

    const auto letters = place.find({}, 0, 9);
    REQUIRE(letters.size() == 2);
    const auto& one = letters[0].letter;
    CHECK(one.original == strange);
    CHECK(letters[1].letter.original == bare);
    CHECK(one.consumer == "shop");
    CHECK(one.topic == "orders");
    CHECK(one.where == position{1, 1});
    CHECK(one.reason == "bad_data");
    CHECK(one.kind == failure_class::permanent);
    CHECK(one.attempts == 1);
    CHECK(one.first_failure == b.now.wall);
    CHECK(one.last_failure == b.now.wall);
    CHECK(one.history == std::vector<failure_note>{
                             {b.now.wall, failure_class::permanent, 1, "bad_data", "no good"}});
}

TEST_CASE("a dead letter names each of its failures, when they were, and the last as its reason") {
    letter_bench b;
    b.put(order("1", "a"));
    int attempt = 0;
    auto c = b.from() | dead_letter(b.letters) |
             retry({.max_attempts = 40, .max_elapsed = 100h, .budget_floor = 1000}) |
             idempotent_by_nature() | handle([&](const event_view&) -> outcome {
                 ++attempt;
                 return outcome::retry("attempt_" + std::to_string(attempt));
             });
    const auto first = b.now.wall;
    REQUIRE(b.drain(c));
    const auto letter = b.all_letters().at(0).letter;
    CHECK(letter.attempts == 40);
    CHECK(letter.first_failure == first);
    CHECK(letter.last_failure == letter.history.back().at);
    CHECK(letter.last_failure > first + 1min);
    REQUIRE(letter.history.size() == dead_letter_record::history_max);
    CHECK(letter.history.front().reason == "attempt_1");
    CHECK(letter.history[1].reason == "attempt_22");
    CHECK(letter.history.back().reason == "attempt_40");
    CHECK(letter.history.back().attempt == 40);
    CHECK(letter.reason == "attempt_40");
}

TEST_CASE("while the place for dead letters is down the consumer waits, and drops nothing") {
    letter_bench b;
    shaky_place place(b.letters);
    place.down = true;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b")});
    b.bad = {"1"};
    auto c = b.from() | observed_by(b.told) | dead_letter(place) | retry() | once(b.db) |
             handle(b.handler());
    b.work(c);
    b.put(order("4", "c"));
    b.work_for(6h, c);
    CHECK(b.told.told("paused dead_letters"));
    CHECK(c.counts().received == 3);
    CHECK(c.counts().dead_lettered == 0);
    CHECK(b.committed() == -1);
    CHECK(b.of_key("a").empty());
    CHECK(b.of_key("b") == "3");
    CHECK(place.puts < 6 * 3600);

    place.down = false;
    REQUIRE(b.drain(c));
    CHECK(b.told.told("resumed dead_letters"));
    CHECK(reasons(b.all_letters()) == texts{"1: bad_data"});
    CHECK(b.all_letters()[0].letter.attempts == 1);
    CHECK(b.of_key("a") == "2");
    CHECK(c.counts().applied == 3);
    CHECK(b.committed() == 3);
}

TEST_CASE("a place without an answer is asked again, and the letter is there once") {
    letter_bench b;
    shaky_place place(b.letters);
    place.unanswered = 4;
    b.put_all({order("1", "a"), order("2", "a")});
    b.bad = {"1"};
    auto c = b.from() | dead_letter(place) | retry() | once(b.db) | handle(b.handler());
    REQUIRE(b.drain(c));
    CHECK(place.puts == 5);
    CHECK(reasons(b.all_letters()) == texts{"1: bad_data"});
    CHECK(b.of_key("a") == "2");
}

TEST_CASE("a place that is full makes the consumer wait until there is room") {
    letter_bench b;
    memory::dead_letters small(b.data, {.capacity = 1});
    b.put_all({order("1", "a"), order("2", "b"), order("3", "b")});
    b.bad = {"1", "2"};
    auto c = b.consume(small);
    b.work_for(1h, c);
    CHECK(small.size() == 1);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(b.committed() <= 0);
    CHECK(triage::discard(small, 1, "seen to", b.now.wall) == triage::change::done);
    CHECK(small.purge(b.now.wall + 1h, 9) == 1);
    REQUIRE(b.drain(c));
    CHECK(c.counts().dead_lettered == 2);
    CHECK(b.of_key("b") == "3");
}

TEST_CASE("following pass: the key goes on without the one that failed") {
    letter_bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "a")});
    b.bad = {"2"};
    auto c = b.consume(b.letters);
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1 3");
}

TEST_CASE("following park: what follows goes behind it, and a replay of all keeps the order") {
    letter_bench b;
    memory::dead_letters elsewhere;
    const bool in_the_store = GENERATE(true, false);
    auto& place = in_the_store ? b.letters : elsewhere;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b"), order("4", "a"), order("free")});
    b.bad = {"2"};
    auto c = b.consume(place, {.following = following::park});
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1");
    CHECK(b.of_key("b") == "3");
    CHECK(b.of_key("") == "free");
    CHECK(reasons(place.find({}, 0, 9)) == texts{"2: bad_data", "4: parked_behind"});

    // Mended; but a further event comes before all is replayed.
    b.bad.clear();
    b.put(order("5", "a"));
    REQUIRE(b.drain(c));
    const auto asked = triage::replay(place, dead_letter_filter{.key = "a"});
    CHECK(asked.changed == 3);
    b.work_for(5s, c);
    CHECK(b.of_key("a") == "1 2 4 5");
    CHECK(c.counts().replayed == 3);
    b.put(order("6", "a"));
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1 2 4 5 6");
    for (const auto& one : place.find({}, 0, 9)) {
        CHECK(one.state == dead_letter_state::resolved);
    }
}

TEST_CASE("following park: a letter is not replayed before an earlier one of its key") {
    letter_bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b")});
    b.bad = {"1", "3"};
    auto c = b.consume(b.letters, {.following = following::park});
    REQUIRE(b.drain(c));
    b.bad.clear();
    const auto number_of = [&](const char* id) {
        for (const auto& one : b.all_letters()) {
            if (one.letter.original.id == id) {
                return one.number;
            }
        }
        return std::int64_t{0};
    };
    CHECK(triage::replay(b.letters, number_of("2")) == triage::change::done);
    b.work_for(3s, c);
    CHECK(b.of_key("a").empty());
    const auto blocked = triage::look_at(b.letters, number_of("2")).value();
    CHECK(blocked.state == dead_letter_state::waiting);
    CHECK(blocked.letter.history.back().reason == "blocked_by_earlier");

    CHECK(triage::replay(b.letters, number_of("1")) == triage::change::done);
    CHECK(triage::replay(b.letters, number_of("2")) == triage::change::done);
    b.work_for(3s, c);
    CHECK(b.of_key("a") == "1 2");
    CHECK(b.of_key("b").empty());
}

TEST_CASE("a replay applies its event once, however often it is asked for") {
    letter_bench b;
    memory::dead_letters elsewhere;
    const bool in_the_store = GENERATE(true, false);
    auto& place = in_the_store ? b.letters : elsewhere;
    b.put_all({order("1", "a"), order("2", "b")});
    b.bad = {"1"};
    auto c = b.consume(place);
    REQUIRE(b.drain(c));
    b.bad.clear();
    CHECK(triage::replay(place, 1) == triage::change::done);
    CHECK(triage::replay(place, 1) == triage::change::not_in_state);
    b.work_for(2s, c);
    CHECK(b.of_key("a") == "1");
    CHECK(b.told.told("replayed 1"));
    CHECK(triage::look_at(place, 1).value().state == dead_letter_state::resolved);
    CHECK(triage::replay(place, 1) == triage::change::not_in_state);
    CHECK(triage::replay(place, 7) == triage::change::not_found);
    b.work_for(5s, c);
    CHECK(b.of_key("a") == "1");
    CHECK(c.counts().replayed == 1);
    CHECK(c.counts().dead_lettered == 1);

    // The event once more from its producer is a duplicate of what the replay applied.
    b.put(order("1", "a"));
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1");
    CHECK(c.counts().duplicates == 1);
}

TEST_CASE("an event whose letter was written and whose offset was not is there once") {
    letter_bench b;
    memory::dead_letters elsewhere;
    const bool in_the_store = GENERATE(true, false);
    const auto by = GENERATE(duplicates::by_id, duplicates::by_offset);
    auto& place = in_the_store ? b.letters : elsewhere;
    int calls = 0;
    const auto make = [&] {
        return b.from({.commit_interval = 1h}) | dead_letter(place) | retry() |
               once(b.db, {.duplicates = by}) |
               handle([&](const event_view& e, memory::transaction& tx) {
                   calls += e.id == "1" ? 1 : 0;
                   return b.handler()(e, tx);
               });
    };
    b.bad = {"1"};
    {
        auto c = make();
        b.work(c);
        b.put_all({order("1", "a"), order("2", "a")});
        b.work(c);
        REQUIRE(c.counts().dead_lettered == 1);
    }
    REQUIRE(b.committed() == -1);
    auto c = make();
    REQUIRE(b.drain(c));
    CHECK(reasons(place.find({}, 0, 9)) == texts{"1: bad_data"});
    CHECK(b.of_key("a") == "2");
    CHECK(b.committed() == 1);
    if (in_the_store) {
        CHECK(calls == 1);
        CHECK(place.find({}, 0, 9)[0].letter.attempts == 1);
    }

    b.bad.clear();
    CHECK(triage::replay(place, 1) == triage::change::done);
    b.work_for(2s, c);
    CHECK(b.of_key("a") == "2 1");
}

TEST_CASE("a replay that is refused again returns to waiting, with a note more") {
    letter_bench b;
    b.put(order("1", "a"));
    b.bad = {"1"};
    auto c = b.consume(b.letters);
    REQUIRE(b.drain(c));
    const auto before = triage::look_at(b.letters, 1).value();
    CHECK(triage::replay(b.letters, 1) == triage::change::done);
    b.work_for(2s, c);
    const auto after = triage::look_at(b.letters, 1).value();
    CHECK(after.state == dead_letter_state::waiting);
    CHECK(after.letter.history.size() == before.letter.history.size() + 1);
    CHECK(after.letter.history.back().reason == "bad_data");
    CHECK(after.letter.original == before.letter.original);
    CHECK(b.all_letters().size() == 1);
    CHECK(b.of_key("a").empty());
    CHECK(c.is_idle());
    CHECK(c.counts().dead_lettered == 1);
}

TEST_CASE("replaying by a filter takes what it names, and leaves the rest") {
    letter_bench b;
    for (int i = 0; i < 6; ++i) {
        auto e = order(std::to_string(i), i % 2 == 0 ? "even" : "odd");
        e.type = i < 4 ? "order.placed" : "order.cancelled";
        b.put(e);
        b.bad.insert(e.id);
    }
    auto c = b.consume(b.letters);
    REQUIRE(b.drain(c));
    b.bad.clear();
    CHECK(triage::count(b.letters) ==
          std::vector<dead_letter_count>{
              {"bad_data", "order.cancelled", dead_letter_state::waiting, 2},
              {"bad_data", "order.placed", dead_letter_state::waiting, 4}});
    CHECK(triage::replay(b.letters, {.type = "order.placed", .key = "odd"}).changed == 2);
    b.work_for(5s, c);
    CHECK(b.of_key("odd") == "1 3");
    CHECK(b.of_key("even").empty());
}

TEST_CASE("what was discarded is not replayed, and says why") {
    letter_bench b;
    b.put_all({order("1", "a"), order("2", "b")});
    b.bad = {"1", "2"};
    auto c = b.consume(b.letters);
    REQUIRE(b.drain(c));
    CHECK(triage::discard(b.letters, 1, "a test order", b.now.wall) == triage::change::done);
    CHECK(triage::replay(b.letters, 1) == triage::change::not_in_state);
    CHECK(triage::discard(b.letters, 1, "again", b.now.wall) == triage::change::not_in_state);
    const auto gone = triage::look_at(b.letters, 1).value();
    CHECK(gone.state == dead_letter_state::discarded);
    CHECK(gone.letter.history.back().detail == "a test order");
    CHECK(triage::discard(b.letters, dead_letter_filter{}, "all of them", b.now.wall).changed == 1);
    b.work_for(5s, c);
    CHECK(c.counts().replayed == 0);
    CHECK(state_of(b, 2) == dead_letter_state::discarded);
}

TEST_CASE("only the consumer that failed replays its letter") {
    letter_bench b;
    b.put(order("1", "a"));
    b.bad = {"1"};
    auto c = b.consume(b.letters);
    texts mailed;
    auto mail = subscribe(b.log, {.topic = "orders", .group = "mail", .seed = 7}) |
                dead_letter(b.letters) | idempotent_by_nature() |
                handle([&](const event_view& e) { mailed.emplace_back(e.id); });
    REQUIRE(b.drain(c, mail));
    b.bad.clear();
    CHECK(triage::replay(b.letters, 1) == triage::change::done);
    b.work_for(5s, c, mail);
    CHECK(mailed == texts{"1"});
    CHECK(b.of_key("a") == "1");
}

TEST_CASE("a replay that a dying consumer left behind is taken over after its lease") {
    letter_bench b;
    b.put(order("1", "a"));
    b.bad = {"1"};
    {
        auto c = b.consume(b.letters);
        REQUIRE(b.drain(c));
    }
    CHECK(triage::replay(b.letters, 1) == triage::change::done);
    {
        // Takes the replay, and dies while its handler is at it.
        auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db) |
                 handle([](const event_view&, ticket) {});
        b.work_for(2s, c);
        CHECK(state_of(b, 1) == dead_letter_state::replaying);
    }
    b.bad.clear();
    auto heir = b.consume(b.letters);
    b.work_for(20s, heir);
    CHECK(b.of_key("a").empty());
    b.work_for(15s, heir);
    CHECK(b.of_key("a") == "1");
    CHECK(state_of(b, 1) == dead_letter_state::resolved);
}

TEST_CASE("a replay waits for its retry like any event, and holds its key meanwhile") {
    letter_bench b;
    b.put(order("1", "a"));
    int failures = 2;
    bool mended = false;
    texts seen;
    auto c = b.from() | dead_letter(b.letters) | retry({.max_attempts = 5}) | once(b.db) |
             handle([&](const event_view& e, memory::transaction&) -> outcome {
                 seen.emplace_back(e.id);
                 if (e.id == "1" && !mended) {
                     return outcome::reject("bad_data");
                 }
                 return e.id == "1" && failures-- > 0 ? outcome::retry("busy", {}, 10s)
                                                      : outcome::done();
             });
    REQUIRE(b.drain(c));
    mended = true;
    CHECK(triage::replay(b.letters, 1) == triage::change::done);
    b.work_for(2s, c);
    b.put_all({order("2", "a"), order("3", "b")});
    b.work_for(1s, c);
    CHECK(seen == texts{"1", "1", "3"});
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"1", "1", "3", "1", "1", "2"});
    CHECK(c.counts().replayed == 1);
}

TEST_CASE("a topic as the place: the event as it was, and what happened in headers beside") {
    letter_bench b;
    kept_sink sink;
    sink.refuses = true;
    auto one = order("1", "a");
    one.headers = {{"mine", "\xff"}, {"sinew-reason", "of an earlier burial"}};
    b.put_all({one, order("2", "b")});
    b.bad = {"1"};
    auto c = b.from() | observed_by(b.told) | dead_letter(dead_letter_topic(sink)) | retry() |
             once(b.db) | handle(b.handler());
    b.work_for(10min, c);
    CHECK(sink.kept.empty());
    CHECK(b.committed() == -1);
    sink.refuses = false;
    REQUIRE(b.drain(c));
    REQUIRE(sink.kept.size() == 1);
    const event& published = sink.kept[0];
    CHECK(published.view().identity() == one.view().identity());
    CHECK(published.partitionkey == "a");
    CHECK(published.data == one.data);
    CHECK(published.headers.at(0) == one.headers[0]);
    const headers_view headers(published.headers);
    CHECK(headers.find("sinew-reason") == "bad_data");
    CHECK(headers.find("sinew-class") == "permanent");
    CHECK(headers.find("sinew-attempts") == "1");
    CHECK(headers.find("sinew-consumer") == "shop");
    CHECK(headers.find("sinew-topic") == "orders");
    CHECK(headers.find("sinew-partition") == "0");
    CHECK(headers.find("sinew-offset") == "0");
    CHECK(headers.find("sinew-first-failure").has_value());
    CHECK(headers.find("sinew-last-failure").has_value());
}

TEST_CASE("halt: the consumer stops there, commits what is before it, and meets it again") {
    letter_bench b;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c")});
    b.bad = {"2"};
    const auto make = [&] {
        return b.from() | observed_by(b.told) | halt() | retry() | once(b.db) | handle(b.handler());
    };
    {
        auto c = make();
        b.work_for(1min, c);
        REQUIRE(c.halted());
        CHECK(c.halted()->where == position{0, 1});
        CHECK(c.halted()->why.reason == "bad_data");
        CHECK(c.next_deadline() == never);
        CHECK(b.told.told("halted 2: bad_data"));
        b.put(order("4", "d"));
        b.work_for(1min, c);
        CHECK(b.of_key("d").empty());
        REQUIRE(leave(b, c));
        CHECK(b.committed() == 0);
        CHECK(c.counts().balances());
    }
    {
        auto c = make();
        b.work_for(1min, c);
        CHECK(c.halted());
        CHECK(b.committed() == 0);
    }
    b.bad.clear();
    auto c = make();
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 3);
    for (const auto* key : {"a", "b", "c", "d"}) {
        CHECK(b.of_key(key).size() == 1);
    }
}

TEST_CASE("discard: it is dropped, counted, and not met again") {
    letter_bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "a")});
    b.bad = {"2"};
    auto c =
        b.from() | observed_by(b.told) | discard() | retry() | once(b.db) | handle(b.handler());
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1 3");
    CHECK(c.counts().discarded == 1);
    CHECK(b.told.told("discarded 2: bad_data"));
    CHECK(b.committed() == 2);
}

TEST_CASE("what is no event reaches the dead letters with its bytes, and its handler never runs") {
    letter_bench b;
    auto no_id = order("");
    no_id.data = "first";
    auto no_id_either = order("");
    no_id_either.data = "second";
    auto no_source = order("s");
    no_source.source.clear();
    auto no_type = order("t");
    no_type.type.clear();
    auto not_text = order("\xff\xff");
    b.put_all({no_id, no_id_either, no_source, no_type, not_text});
    const std::string raw("\x00\xff{not json", 11);
    b.log.append_broken("orders", 0, as_bytes(raw), "not_json");
    b.put(order("fine", "a"));
    auto c = b.consume(b.letters);
    REQUIRE(b.drain(c));
    const auto letters = b.all_letters();
    REQUIRE(reasons(letters) == texts{": id_missing", ": id_missing", "s: source_missing",
                                      "t: type_missing", "\xff\xff: attribute_not_utf8",
                                      ": not_json"});
    CHECK(letters[0].letter.original == no_id);
    CHECK(letters[1].letter.original == no_id_either);
    CHECK(letters[4].letter.original == not_text);
    CHECK(letters[5].letter.original.data == raw);
    for (const auto& one : letters) {
        CHECK(one.letter.kind == failure_class::permanent);
        CHECK(one.letter.attempts == 0);
    }
    CHECK(b.of_key("a") == "fine");
    CHECK(c.counts().applied == 1);
    CHECK(b.committed() == 6);

    // A replay makes no event of it.
    CHECK(triage::replay(b.letters, dead_letter_filter{}).changed == 6);
    b.work_for(10s, c);
    CHECK(c.counts().replayed == 0);
    for (const auto& one : b.all_letters()) {
        CHECK(one.state == dead_letter_state::waiting);
        CHECK(one.letter.history.size() == 2);
    }
    CHECK(b.db.items("by_key").size() == 1);
}

TEST_CASE("an event that is too large goes to the dead letters whole, and takes nothing along") {
    letter_bench b;
    auto large = order("large", "a");
    large.data.assign(10'000'000, 'x');
    b.put_all({order("1", "a"), large, order("2", "a")});
    auto c = b.consume(b.letters, {}, {.in_flight_bytes_max = 1000});
    REQUIRE(b.drain(c));
    CHECK(b.of_key("a") == "1 2");
    REQUIRE(reasons(b.all_letters()) == texts{"large: payload_too_large"});
    CHECK(b.all_letters()[0].letter.original == large);
}

TEST_CASE("bytes in headers that are no text are the handler's business") {
    letter_bench b;
    auto e = order("1", "a");
    e.headers = {{"x", "\xff\xfe"}};
    b.put(e);
    std::string seen;
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle([&](const event_view& one) { seen = *one.headers.find("x"); });
    REQUIRE(b.drain(c));
    CHECK(seen == "\xff\xfe");
}

TEST_CASE("a type that no branch handles is a permanent failure") {
    letter_bench b;
    auto placed = order("1", "a");
    auto cancelled = order("2", "a");
    cancelled.type = "order.cancelled";
    auto strange = order("3", "a");
    strange.type = "order.PLACED";
    b.put_all({placed, cancelled, strange});
    texts seen;
    auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db) |
             handle(by_type(on<"order.placed">([&](const event_view& e, memory::transaction&) {
                                seen.push_back("placed " + std::string(e.id));
                            }),
                            on<"order.cancelled">([&](const event_view& e) {
                                seen.push_back("cancelled " + std::string(e.id));
                            })));
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"placed 1", "cancelled 2"});
    CHECK(reasons(b.all_letters()) == texts{"3: unknown_type"});
}

TEST_CASE("what a codec cannot read is a permanent failure, unless it names the class itself") {
    letter_bench b;
    struct number_codec {
        int* waits;
        [[nodiscard]] int decode(const event_view& e) const {
            if (e.text() == "int") {
                throw 7;
            }
            if (e.text() == "wait" && (*waits)-- > 0) {
                throw unavailable_error("schema_registry_down", "no schema yet");
            }
            return e.text() == "wait" ? 99 : std::stoi(std::string(e.text()));
        }
    };
    const auto with = [](const char* id, const char* data) {
        auto e = order(id, id);
        e.data = data;
        return e;
    };
    b.put_all({with("1", "17"), with("2", "not a number"), with("3", "wait"), with("4", "int")});
    int waits = 2;
    std::vector<int> values;
    auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db, {.part_max = 1}) |
             handle<int>(number_codec{&waits}, [&](int value, memory::transaction& tx) {
                 values.push_back(value);
                 tx.add("sum", value);
             });
    STATIC_REQUIRE(decltype(c)::guarantee() == guarantee::effectively_once);
    REQUIRE(b.drain(c));
    CHECK(values == std::vector<int>{17, 99});
    CHECK(b.db.get("sum") == "116");
    CHECK(reasons(b.all_letters()) == texts{"2: undecodable", "4: undecodable"});
    for (const auto& one : b.all_letters()) {
        CHECK(one.letter.attempts == 1);
    }
    CHECK(c.counts().waits == 2);
}
