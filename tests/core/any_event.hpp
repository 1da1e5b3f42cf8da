// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Events for property tests: with all the bytes that strangers can send.

#include "support/test.hpp"

#include <sinew/core/event.hpp>

#include <string>
#include <vector>

namespace sinew::test {

/// Any bytes: whole characters of each length, control characters, and what is no UTF-8.
inline rc::Gen<std::string> any_bytes() {
    const auto piece = rc::gen::elementOf(std::vector<std::string>{"a",
                                                                   "Z",
                                                                   "7",
                                                                   "-",
                                                                   " ",
                                                                   "\"",
                                                                   "\\",
                                                                   "/",
                                                                   "%",
                                                                   "&",
                                                                   "=",
                                                                   "%41",
                                                                   "{}",
                                                                   ",",
                                                                   ":",
                                                                   "\n",
                                                                   "\t",
                                                                   "\r",
                                                                   "\x01",
                                                                   "\x7f",
                                                                   std::string(1, '\0'),
                                                                   "\xc3\xa9",
                                                                   "\xe2\x82\xac",
                                                                   "\xf0\x9f\x9a\x80",
                                                                   "\xc2\x80",
                                                                   "\xc2\x9f",
                                                                   "\xc2\xa0",
                                                                   "\xef\xbf\xbe",
                                                                   "\xef\xb7\x90",
                                                                   "\xf0\x9f\xbf\xbf",
                                                                   "\xef\xbb\xbf",
                                                                   "\xff",
                                                                   "\xc3",
                                                                   "\xe2\x82",
                                                                   "\xed\xa0\x80",
                                                                   "\xc0\xaf"});
    return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                        [](const std::vector<std::string>& pieces) {
                            std::string out;
                            for (const auto& one : pieces) {
                                out += one;
                            }
                            return out;
                        });
}

/// Text as CloudEvents allows it for an attribute, and not empty.
inline rc::Gen<std::string> any_text() {
    const auto piece = rc::gen::elementOf(std::vector<std::string>{
        "a", "Z", "7", "-", " ", "\"", "\\", "/", "%", "&", "=", "{}", ",", ":", "\xc3\xa9",
        "\xe2\x82\xac", "\xf0\x9f\x9a\x80", "\xc2\xa0", "\xef\xbf\xbd"});
    return rc::gen::map(rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(piece)),
                        [](const std::vector<std::string>& pieces) {
                            std::string out;
                            for (const auto& one : pieces) {
                                out += one;
                            }
                            return out;
                        });
}

/// What an optional attribute can hold.
inline rc::Gen<std::string> any_attribute() {
    return rc::gen::oneOf(rc::gen::just(std::string()), any_text(), any_bytes());
}

inline rc::Gen<header> any_header() {
    const auto name =
        rc::gen::oneOf(rc::gen::elementOf(std::vector<std::string>{
                           "a", "b1", "tenant", "X-Trace", "a_b", "", "id", "data", "data_base64",
                           "specversion", "sinewheaders", "sinewattributes", "subject"}),
                       any_bytes());
    return rc::gen::construct<header>(name, any_attribute());
}

/// Data: JSON of all kinds, what nearly is JSON, text and bytes.
inline rc::Gen<std::string> any_data() {
    return rc::gen::oneOf(
        rc::gen::elementOf(std::vector<std::string>{"",
                                                    "null",
                                                    "true",
                                                    "0",
                                                    "-0",
                                                    "17",
                                                    "-1.5e3",
                                                    "1e999",
                                                    "1E+2",
                                                    "\"x\"",
                                                    "\"\\u0041\\n\"",
                                                    "\"\\ud800\"",
                                                    "{}",
                                                    "[]",
                                                    "{\"a\":1,\"a\":2}",
                                                    "{ \"a\" : [ 1 , 2 ] }",
                                                    "[1,[2,[3]]]",
                                                    " {}",
                                                    "{}\n",
                                                    "{}{}",
                                                    "{",
                                                    "tru",
                                                    "\xef\xbb\xbf{}",
                                                    "[\"\xc3\xa9\"]",
                                                    "[\"\xff\"]",
                                                    std::string("{}\0", 3),
                                                    "123456789012345678901234567890",
                                                    "0.1000"}),
        any_bytes());
}

inline rc::Gen<std::string> any_content_type() {
    return rc::gen::oneOf(
        rc::gen::elementOf(std::vector<std::string>{
            "", "application/json", "APPLICATION/JSON", "text/json",
            "application/json; charset=utf-8", "application/vnd.order+json", "text/plain",
            "text/plain;charset=\"UTF-8\"", "text/plain; charset=iso-8859-1", "application/xml",
            "application/soap+xml", "application/yaml", "application/octet-stream",
            "application/x-protobuf", "json", "/", ";"}),
        any_attribute());
}

/// An event whose required attributes are CloudEvents text, and the rest is anything.
inline rc::Gen<event> any_event() {
    return rc::gen::exec([] {
        event e{.id = *any_text(), .source = *any_text(), .type = *any_text()};
        e.subject = *any_attribute();
        e.time = *any_attribute();
        e.datacontenttype = *any_content_type();
        e.dataschema = *any_attribute();
        e.data = *any_data();
        e.partitionkey = *any_attribute();
        e.sequence = *any_attribute();
        e.correlationid = *any_attribute();
        e.causationid = *any_attribute();
        e.traceparent = *any_attribute();
        e.headers = *rc::gen::container<std::vector<header>>(any_header());
        return e;
    });
}

}  // namespace sinew::test
