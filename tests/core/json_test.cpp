// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "core/any_event.hpp"

#include <sinew/core/json.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew;

namespace {

event smallest() { return {.id = "17", .source = "/shop", .type = "order.placed"}; }

std::string written(const event& e, const json_limits& limits = {}) {
    auto text = to_json(e.view(), limits);
    INFO(text.why().reason << ": " << text.why().detail);
    REQUIRE(text.has_value());
    return std::move(text).value();
}

event read(std::string_view text, const json_limits& limits = {}) {
    auto found = parse_json(text, limits);
    INFO(found.why().reason << ": " << found.why().detail);
    REQUIRE(found.has_value());
    return std::move(found).value();
}

/// An event's JSON with the required members and these further ones.
std::string with(const std::string& members) {
    return R"({"specversion":"1.0","id":"17","source":"/shop","type":"order.placed",)" + members +
           "}";
}

std::string reason_of(std::string_view text, const json_limits& limits = {}) {
    const auto found = parse_json(text, limits);
    if (found.has_value()) {
        return "an event";
    }
    CHECK(found.why().kind == failure_class::permanent);
    CHECK(is_utf8(found.why().detail));
    CHECK(found.why().detail.size() < 200);
    return found.why().reason;
}

std::string detail_of(std::string_view text) { return parse_json(text).why().detail; }

}  // namespace

TEST_CASE("what is written as JSON is read back as an equal event, bit for bit") {
    sinew::test::prop("for any bytes in attributes, data and headers", [] {
        const event e = *sinew::test::any_event();
        const auto text = to_json(e.view());
        RC_ASSERT(text.has_value());
        RC_CLASSIFY(text.value().find("\"data\":") != std::string::npos, "data as it is");
        RC_CLASSIFY(text.value().find("data_base64") != std::string::npos, "data in base64");
        RC_CLASSIFY(text.value().find("sinewheaders") != std::string::npos, "sinewheaders");
        RC_CLASSIFY(text.value().find("sinewattributes") != std::string::npos, "sinewattributes");
        const auto back = parse_json(text.value());
        RC_ASSERT(back.has_value());
        RC_ASSERT(back.value() == e);
    });
}

TEST_CASE("what is written is a CloudEvent that any reader accepts") {
    sinew::test::prop("names are of a-z and 0-9, values are plain strings, data is there once", [] {
        const event e = *sinew::test::any_event();
        const auto text = to_json(e.view());
        RC_ASSERT(text.has_value());
        const auto json = nlohmann::json::parse(text.value());
        RC_ASSERT(json.at("specversion") == "1.0");
        RC_ASSERT(json.at("id") == e.id);
        RC_ASSERT((!(json.contains("data") && json.contains("data_base64"))));
        for (const auto& [name, value] : json.items()) {
            if (name == "data" || name == "data_base64") {
                continue;
            }
            RC_ASSERT(is_attribute_name(name));
            RC_ASSERT(value.is_string());
            RC_ASSERT(is_attribute_text(value.get<std::string>()));
            RC_ASSERT(!value.get<std::string>().empty());
        }
    });
}

TEST_CASE("whatever a stranger sends, reading it ends with an event or a reason") {
    sinew::test::prop("for any bytes", [] {
        const std::string text = *sinew::test::any_bytes();
        const auto found = parse_json(text);
        RC_ASSERT(!found.has_value());
        RC_ASSERT(!found.why().reason.empty());
    });
    sinew::test::prop("for an event's JSON with one byte changed, put in or taken out", [] {
        std::string text = to_json((*sinew::test::any_event()).view()).value();
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        const auto byte = *rc::gen::arbitrary<char>();
        switch (*rc::gen::inRange(0, 3)) {
            case 0: text[at] = byte; break;
            case 1: text.insert(at, 1, byte); break;
            default: text.erase(at, 1); break;
        }
        const auto found = parse_json(text);
        RC_CLASSIFY(found.has_value(), "still an event");
        if (found.has_value()) {
            RC_ASSERT(!find_defect(found.value().view()));
            // What was read can be written, and then stays as it is.
            const auto again = to_json(found.value().view());
            RC_ASSERT(again.has_value());
            RC_ASSERT(parse_json(again.value()).value() == found.value());
        }
    });
    sinew::test::prop("for an event's JSON that is cut off anywhere", [] {
        const std::string text = to_json((*sinew::test::any_event()).view()).value();
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        RC_ASSERT(!parse_json(std::string_view(text).substr(0, at)).has_value());
    });
}

TEST_CASE("the smallest event has four members") {
    CHECK(written(smallest()) ==
          R"({"specversion":"1.0","id":"17","source":"/shop","type":"order.placed"})");
}

TEST_CASE("JSON data stands in the event as it came, blanks and long numbers included") {
    event e = smallest();
    e.datacontenttype = "application/json";
    e.data = R"({ "price" : 1.10,  "big":123456789012345678901234567890, "x":"\u0041" })";
    const std::string text = written(e);
    CHECK(text.find("\"data\":" + e.data) != std::string::npos);
    CHECK(read(text).data == e.data);
}

TEST_CASE("data that others wrote is the JSON value's own bytes, blanks around it left out") {
    CHECK(read(with("\"data\" : \t{ \"a\": 1 } \n")).data == "{ \"a\": 1 }");
    CHECK(read(with(R"("data": 17 ,"subject":"s")")).data == "17");
    CHECK(read(with(R"("data":-1.5e3)")).data == "-1.5e3");
    CHECK(read(with(R"("data":"text")")).data == "\"text\"");
    CHECK(read(with(R"("data":true)")).data == "true");
    CHECK(read(with(R"("data":null)")).data == "null");
    CHECK(read(with(R"("data":[[],{}])")).data == "[[],{}]");
    CHECK(read(R"({"data":{"id":"not the event's"},)" + with("\"x\":\"y\"").substr(1)).data ==
          R"({"id":"not the event's"})");
}

TEST_CASE("data that is not exactly one JSON value goes as base64, not changed") {
    for (const std::string data :
         {"{} ", " {}", "{", "", "\xef\xbb\xbf{}", "[\"\xff\"]", "1e999", "{}{}", "\"\\ud800\""}) {
        event e = smallest();
        e.datacontenttype = "application/json";
        e.data = data;
        const std::string text = written(e);
        CHECK(text.find("\"data\":") == std::string::npos);
        CHECK(read(text).data == data);
    }
}

TEST_CASE("data is a string for textual types, and base64 for all others") {
    event e = smallest();
    e.data = "<much wow=\"xml\"/>\n";
    for (const std::string type : {"text/plain", "text/csv; charset=UTF-8", "application/xml",
                                   "image/svg+xml", "application/x-www-form-urlencoded"}) {
        e.datacontenttype = type;
        CHECK(written(e).find(R"("data":"<much wow=\"xml\"/>\u000a")") != std::string::npos);
        CHECK(read(written(e)) == e);
    }
    for (const std::string type : {"application/octet-stream", "text/plain; charset=iso-8859-1",
                                   "application/x-protobuf", "avro/binary", "nonsense"}) {
        e.datacontenttype = type;
        CHECK(written(e).find(R"("data_base64":"PG11Y2ggd293PSJ4bWwiLz4K")") != std::string::npos);
        CHECK(read(written(e)) == e);
    }
}

TEST_CASE("a string of JSON data is not taken apart, whatever the order of the members") {
    CHECK(read(with(R"("data":"{}","datacontenttype":"application/json")")).data == "\"{}\"");
    CHECK(read(with(R"("data":"{}","datacontenttype":"text/plain")")).data == "{}");
    CHECK(read(with(R"("datacontenttype":"text/plain","data":"\u00e9")")).data == "\xc3\xa9");
}

TEST_CASE("a content type that cannot stand in JSON still says what the data is") {
    event e = smallest();
    e.datacontenttype = "text/plain; name=\xff";
    e.data = "hello";
    CHECK(written(e).find(R"("data":"hello")") != std::string::npos);
    CHECK(read(written(e)) == e);
}

TEST_CASE("headers that are CloudEvents extensions become members, in order") {
    event e = smallest();
    e.headers = {{"tenant", "acme"}, {"region1", "eu \"west\""}};
    CHECK(written(e).ends_with(R"(,"tenant":"acme","region1":"eu \"west\""})"));
    CHECK(read(written(e)) == e);
}

TEST_CASE("other headers are kept in `sinewheaders`, and all keep their order") {
    event e = smallest();
    e.headers = {{"tenant", "acme"},        {"X-Raw", std::string("\xff\0=&", 4)},
                 {"region", "eu"},          {"tenant", "again"},
                 {"id", "not the event's"}, {"empty", ""}};
    CHECK(written(e).find(R"("sinewheaders":"tenant&X-Raw=%FF%00%3D%26&region&tenant=again)"
                          R"(&id=not%20the%20event%27s&empty=")") != std::string::npos);
    CHECK(read(written(e)) == e);
}

TEST_CASE("a member that somebody added on the way is one more header") {
    event e = smallest();
    e.headers = {{"X-Raw", "1"}, {"tenant", "acme"}};
    std::string text = written(e);
    text.insert(1, R"("added":"later",)");
    auto expected = e;
    expected.headers.push_back({"added", "later"});
    CHECK(read(text) == expected);
}

TEST_CASE("integers and booleans of extensions become their text") {
    const event e =
        read(with(R"("sequence":42,"a":-7 ,"b":true,"c":false,"d":99999999999999999999)"));
    CHECK(e.sequence == "42");
    CHECK(e.headers ==
          std::vector<header>{
              {"a", "-7"}, {"b", "true"}, {"c", "false"}, {"d", "99999999999999999999"}});
    CHECK(read(written(e)) == e);
}

TEST_CASE("a member that is null counts as absent") {
    const event e = read(with(R"("subject":null,"time":null,"tenant":null)"));
    CHECK(e == smallest());
    CHECK(reason_of(R"({"specversion":"1.0","id":null,"source":"s","type":"t"})") == "id_missing");
}

TEST_CASE("an event that is not one is refused, with a reason that names what is wrong") {
    CHECK(reason_of("") == "not_json");
    CHECK(reason_of("17") == "not_an_object");
    CHECK(reason_of("\"x\"") == "not_an_object");
    CHECK(reason_of("[]") == "not_an_object");
    CHECK(reason_of("{}") == "specversion_missing");
    CHECK(reason_of(R"({"specversion":null})") == "specversion_missing");
    CHECK(reason_of(R"({"specversion":"0.3","id":"1","source":"s","type":"t"})") ==
          "specversion_unsupported");
    CHECK(reason_of(R"({"specversion":1.0,"id":"1","source":"s","type":"t"})") ==
          "attribute_malformed");
    CHECK(reason_of(R"({"specversion":"1.0","source":"s","type":"t"})") == "id_missing");
    CHECK(reason_of(R"({"specversion":"1.0","id":"1","type":"t"})") == "source_missing");
    CHECK(reason_of(R"({"specversion":"1.0","id":"1","source":"s","type":""})") == "type_missing");
    CHECK(reason_of(with(R"("subject":17)")) == "attribute_malformed");
    CHECK(detail_of(with(R"("subject":17)")) == "`subject` has to be a string");
    CHECK(reason_of(with(R"("tenant":1.5)")) == "attribute_malformed");
    CHECK(reason_of(with(R"("tenant":{"a":"b"})")) == "attribute_malformed");
    CHECK(reason_of(with(R"("tenant":[])")) == "attribute_malformed");
    CHECK(detail_of(with(R"("tenant":[])")) ==
          "`tenant` has to be a string, an integer or a boolean");
    CHECK(reason_of(with(R"("tenant":"a\u0000b")")) == "attribute_malformed");
    CHECK(reason_of(with(R"("subject":"\ufffe")")) == "attribute_malformed");
    CHECK(reason_of(with(R"("Tenant":"a")")) == "attribute_malformed");
    CHECK(reason_of(with(R"("trace_id":"a")")) == "attribute_malformed");
    CHECK(reason_of(with(R"("":"a")")) == "attribute_malformed");
    CHECK(reason_of(with(R"("data":{},"data_base64":"e30=")")) == "data_twice");
    CHECK(reason_of(with(R"("data_base64":"e30")")) == "data_malformed");
    CHECK(reason_of(with(R"("data_base64":"e3 0=")")) == "data_malformed");
    CHECK(reason_of(with(R"("data_base64":17)")) == "data_malformed");
    CHECK(reason_of(with(R"("datacontenttype":"text/plain","data":{})")) == "data_malformed");
}

TEST_CASE("a name that comes twice is refused, whatever it names") {
    for (const std::string name : {"id", "subject", "sequence", "tenant", "sinewheaders"}) {
        CHECK(reason_of(R"({"specversion":"1.0","source":"s","type":"t","id":"1",")" + name +
                        R"(":"1",")" + name + R"(":"1"})") == "attribute_twice");
    }
    CHECK(reason_of(with(R"("data":1,"data":1)")) == "attribute_twice");
    CHECK(reason_of(with(R"("data_base64":"","data_base64":"")")) == "attribute_twice");
    CHECK(reason_of(with(R"("tenant":null,"tenant":"a")")) == "attribute_twice");
    CHECK(detail_of(with(R"("tenant":"a","tenant":"a")")) == "`tenant` is there twice");
    // Names within the data are the handler's business.
    CHECK(read(with(R"("data":{"a":1,"a":2})")).data == R"({"a":1,"a":2})");
}

TEST_CASE("bytes that no JSON text holds are refused") {
    const std::string good = with(R"("subject":"s")");
    CHECK(reason_of(good + "x") == "not_json");
    CHECK(reason_of(good + good) == "not_json");
    CHECK(reason_of(good + std::string(1, '\0')) == "not_json");
    CHECK(reason_of(good + std::string(1, '\0') + "anything") == "not_json");
    CHECK(reason_of(with("\"subject\":\"\xff\"")) == "not_utf8");
    CHECK(reason_of(with("\"subject\":\"\xed\xa0\x80\"")) == "not_utf8");
    CHECK(reason_of(with("\"subject\":\"\n\"")) == "not_json");
    CHECK(reason_of(with(R"("subject":"\ud800")")) == "not_json");
    CHECK(reason_of(with(R"("data":1e999)")) == "not_json");
    CHECK(detail_of(with(R"("data":1e999)")).ends_with("a number is out of range"));
    CHECK(reason_of(with("\"a\":1,")) == "not_json");
    CHECK(reason_of(with("/* a */\"a\":1")) == "not_json");
    CHECK(detail_of("{]") == "byte 2: the text is not JSON here");
    CHECK(reason_of(good + " \n") == "an event");
}

TEST_CASE("what is no JSON text of an object is refused at the byte where it begins") {
    CHECK(detail_of("{\"a\":\"\xff\"}") == "byte 7: the text is not UTF-8 here");
    CHECK(detail_of("{\xe2\x82") == "byte 2: the text is not UTF-8 here");
    CHECK(detail_of("\t [1]") == "byte 3: an event is a JSON object, and this is an array");
    CHECK(detail_of("\xef\xbb\xbf-17") ==
          "byte 4: an event is a JSON object, and this is a single value");
    CHECK(detail_of("null").starts_with("byte 1: "));
}

TEST_CASE("a detail quotes names alone, short and printable") {
    const std::string name = "\xc3\xa9\\n" + std::string(1000, 'x');
    CHECK(detail_of(with("\"" + name + "\":1")) ==
          "`???" + std::string(37, 'x') +
              "...` cannot be the name of an attribute: those are of a-z and 0-9");
}

TEST_CASE("what is larger, deeper or more than the limits is refused, on both sides") {
    event e = smallest();
    e.data = "[[1]]";
    e.headers = {{"a", "1"}, {"X-b", "2"}};
    const std::string text = written(e);

    CHECK(read(text, {.bytes_max = text.size(), .depth_max = 3, .headers_max = 2}) == e);
    CHECK(reason_of(text, {.bytes_max = text.size() - 1}) == "json_too_large");
    CHECK(reason_of(text, {.depth_max = 2}) == "json_too_deep");
    CHECK(reason_of(text, {.headers_max = 1}) == "headers_too_many");
    CHECK(reason_of(with(R"("a":null,"b":null)"), {.headers_max = 1}) == "headers_too_many");

    CHECK(to_json(e.view(), {.bytes_max = text.size() - 1}).why().reason == "json_too_large");
    CHECK(to_json(e.view(), {.headers_max = 1}).why().reason == "headers_too_many");
    CHECK(to_json(e.view(), {.depth_max = 0}).why().reason == "json_too_deep");
    // Data that is too deep to stand there as JSON is not refused: it goes as bytes.
    const json_limits shallow{.depth_max = 2};
    CHECK(read(written(e, shallow), shallow) == e);

    const std::string deep(1U << 20U, '[');
    CHECK(reason_of(with("\"data\":" + deep)) == "json_too_deep");
    CHECK(reason_of(deep) == "not_an_object");
}

TEST_CASE("an event that is not valid cannot be written") {
    CHECK(to_json(event{}.view()).why().reason == "id_missing");
    event e = smallest();
    e.id = "\xff";
    CHECK(to_json(e.view()).why().reason == "attribute_not_utf8");
    e.id = "a\nb";
    CHECK(to_json(e.view()).why().reason == "attribute_malformed");
    CHECK(to_json(e.view()).why().detail == "`id` holds a control character or a noncharacter");
}

TEST_CASE("lists of headers that sinew did not write are refused") {
    CHECK(reason_of(with(R"("sinewheaders":"absent")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewheaders":"a=%4")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewheaders":"a=%zz")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewheaders":"a&a","a":"1")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewattributes":"id=1")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewattributes":"tenant=1")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewattributes":"subject=1","subject":"2")")) == "headers_malformed");
    CHECK(reason_of(with(R"("sinewattributes":"subject")")) == "headers_malformed");
    CHECK(read(with(R"("sinewattributes":"subject=%FF")")).subject == "\xff");
}

TEST_CASE("the examples of the specification are read") {
    const event binary = read(R"({
        "specversion" : "1.0",
        "type" : "com.example.someevent",
        "source" : "/mycontext",
        "id" : "A234-1234-1234",
        "time" : "2018-04-05T17:31:00Z",
        "comexampleextension1" : "value",
        "comexampleothervalue" : 5,
        "unsetextension": null,
        "datacontenttype" : "application/vnd.apache.thrift.binary",
        "data_base64" : "AAEC/w=="
    })");
    CHECK(binary.data == std::string("\0\1\2\xff", 4));
    CHECK(binary.time == "2018-04-05T17:31:00Z");
    CHECK(binary.headers ==
          std::vector<header>{{"comexampleextension1", "value"}, {"comexampleothervalue", "5"}});
    const event text = read(R"({
        "specversion" : "1.0", "type" : "t", "source" : "/mycontext", "id" : "D234-1234-1234",
        "subject": null, "data" : "I'm just a string" })");
    CHECK(text.data == "\"I'm just a string\"");
}
