// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file The two listeners that `json.hpp` hands to the JSON parser: one that only walks, and one
/// that makes an event of what it is told. The names of their functions are those that the parser
/// calls.

#include <sinew/core/cloudevents.hpp>
#include <sinew/core/encode.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/json_result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// Whether a member of that name is something else than a header.
[[nodiscard]] constexpr bool is_reserved(std::string_view name) noexcept {
    return name == "specversion" || name == "data" || name == "data_base64" ||
           name == "sinewheaders" || name == "sinewattributes" || find_known(name) != nullptr;
}

/// Walks through a JSON text and keeps nothing but the depth.
class json_walk {
public:
    explicit json_walk(std::size_t depth_max) noexcept : depth_max_(depth_max) {}

    static bool null() { return true; }
    static bool boolean(bool) { return true; }
    static bool number_integer(std::int64_t) { return true; }
    static bool number_unsigned(std::uint64_t) { return true; }
    static bool number_float(double, const std::string&) { return true; }
    static bool string(std::string&) { return true; }
    template <class Binary>
    static bool binary(Binary&) {
        return true;
    }
    static bool key(std::string&) { return true; }
    template <class Exception>
    static bool parse_error(std::size_t, const std::string&, const Exception&) {
        return false;
    }
    bool start_object(std::size_t) { return ++depth_ <= depth_max_; }
    bool start_array(std::size_t) { return ++depth_ <= depth_max_; }
    bool end_object() { return --depth_, true; }
    bool end_array() { return --depth_, true; }

protected:
    [[nodiscard]] std::size_t depth() const noexcept { return depth_; }

private:
    std::size_t depth_ = 0;
    std::size_t depth_max_;
};

/// Reads the members of an event as the parser comes by.
class json_reader : public json_walk {
public:
    json_reader(std::string_view text, const json_limits& limits)
        : json_walk(limits.depth_max),
          limits_(limits),
          read_to_(text.data()),
          value_after_(text.data()) {}

    [[nodiscard]] const char** read_to() noexcept { return &read_to_; }

    bool null() { return take(value::null, {}); }
    bool boolean(bool is) { return take(value::scalar, is ? "true" : "false"); }
    bool number_integer(std::int64_t) { return take(value::number, {}); }
    bool number_unsigned(std::uint64_t) { return take(value::number, {}); }
    bool number_float(double, const std::string&) { return take(value::number, {}); }
    bool string(std::string& text) { return take(value::string, std::move(text)); }
    bool key(std::string& name) {
        if (depth() == 1) {
            name_ = std::move(name);
            value_after_ = read_to_;
        }
        return true;
    }
    bool start_object(std::size_t size) {
        return json_walk::start_object(size) ||
               refuse("json_too_deep", "too many objects and arrays lie within each other");
    }
    bool start_array(std::size_t size) {
        if (depth() == 0) {
            return refuse_other("an array");
        }
        return start_object(size);
    }
    bool end_object() {
        json_walk::end_object();
        return depth() != 1 || take(value::structure, {});
    }
    bool end_array() { return end_object(); }
    template <class Exception>
    bool parse_error(std::size_t place, const std::string&, const Exception& e) {
        // The parser's own sentence quotes the text, so all that is taken from it is the kind.
        return refuse("not_json", "byte " + std::to_string(place) +
                                      (e.id == 406 ? ": a number is out of range"
                                                   : ": the text is not JSON here"));
    }

    /// The event, once the parser came through, or what was wrong.
    [[nodiscard]] json_result<event> finish(bool complete) {
        if (!complete || !check_required() || !place_attributes() || !place_data() ||
            !place_headers()) {
            return std::move(wrong_);
        }
        return std::move(out_);
    }

private:
    enum class value : std::uint8_t { null, scalar, number, string, structure };

    /// A header as it was found, or the trace of a `null`.
    struct found {
        header one;
        bool is_there;
    };

    bool refuse(std::string reason, std::string detail) {
        wrong_ = json_failure(std::move(reason), std::move(detail));
        return false;
    }

    /// The text is JSON, but another value than an object.
    bool refuse_other(const std::string& what) {
        // The parser skips a byte order mark as it skips blanks.
        const std::string_view read(value_after_,
                                    static_cast<std::size_t>(read_to_ - value_after_));
        const std::size_t place = read.find_first_not_of(" \t\r\n\xef\xbb\xbf") + 1;
        return refuse("not_an_object", "byte " + std::to_string(place) +
                                           ": an event is a JSON object, and this is " + what);
    }

    /// The value that was just read, as it stands in the text.
    [[nodiscard]] std::string_view raw(value kind) const {
        std::string_view text(value_after_, static_cast<std::size_t>(read_to_ - value_after_));
        text.remove_prefix(text.find_first_not_of(" \t\r\n:"));
        // To see where a number ends, the parser reads one byte beyond it.
        return kind == value::number ? text.substr(0, text.find_first_not_of("+-.0123456789Ee"))
                                     : text;
    }

    /// A value was read. One of the event's own members is put where it belongs.
    bool take(value kind, std::string text) {
        if (depth() == 0) {
            return refuse_other("a single value");
        }
        if (depth() > 1) {
            return true;
        }
        if (name_ == "data") {
            data_text_ = std::move(text);
            data_raw_ = raw(kind);
            data_is_string_ = kind == value::string;
            return once(data_seen_);
        }
        if (name_ == "data_base64") {
            return take_base64(kind, text) && once(base64_seen_);
        }
        if (!is_attribute_name(name_)) {
            return refuse("attribute_malformed", quoted(name_) +
                                                     " cannot be the name of an attribute: those "
                                                     "are of a-z and 0-9");
        }
        if (kind == value::number) {
            text = raw(kind);
            if (text.find_first_of(".eE") != text.npos) {
                kind = value::structure;
            }
        }
        return take_attribute(kind, std::move(text));
    }

    bool take_attribute(value kind, std::string text) {
        const known_attribute* known = find_known(name_);
        const bool is_core = name_ == "specversion" ||
                             (known != nullptr && known->kind != attribute_kind::extension);
        const bool is_text = kind == value::string || kind == value::null;
        if (kind == value::structure || (is_core && !is_text)) {
            return refuse(
                "attribute_malformed",
                quoted(name_) + (is_core ? " has to be a string"
                                         : " has to be a string, an integer or a boolean"));
        }
        if (!is_attribute_text(text)) {
            return refuse("attribute_malformed",
                          quoted(name_) + " holds a control character or a noncharacter");
        }
        if (known != nullptr) {
            out_.*(known->field) = std::move(text);
            return once(known_seen_[static_cast<std::size_t>(known - known_attributes.data())]);
        }
        if (name_ == "specversion") {
            specversion_ = std::move(text);
            return once(specversion_seen_);
        }
        if (name_ == "sinewheaders") {
            header_list_ = std::move(text);
            return once(header_list_seen_);
        }
        if (name_ == "sinewattributes") {
            attribute_list_ = std::move(text);
            return once(attribute_list_seen_);
        }
        for (const auto& one : found_) {
            if (one.one.name == name_) {
                return twice();
            }
        }
        if (found_.size() == limits_.headers_max) {
            return too_many_headers();
        }
        found_.push_back({{std::move(name_), std::move(text)}, kind != value::null});
        return true;
    }

    bool take_base64(value kind, std::string_view text) {
        auto bytes = kind == value::string ? from_base64(text) : std::nullopt;
        if (!bytes) {
            return refuse("data_malformed", "`data_base64` has to be a string of base64");
        }
        out_.data = *std::move(bytes);
        return true;
    }

    bool once(bool& seen) { return std::exchange(seen, true) ? twice() : true; }
    bool twice() { return refuse("attribute_twice", quoted(name_) + " is there twice"); }
    bool too_many_headers() {
        return refuse("headers_too_many", "the event has more than " +
                                              std::to_string(limits_.headers_max) + " headers");
    }

    bool check_required() {
        if (specversion_ != "1.0") {
            return specversion_.empty()
                       ? refuse("specversion_missing", "`specversion` is absent; it has to be 1.0")
                       : refuse("specversion_unsupported",
                                "`specversion` is " + quoted(specversion_) + ", not 1.0");
        }
        if (const auto bad = find_defect(out_.view())) {
            return refuse(std::string(bad->reason), std::string(bad->detail));
        }
        return true;
    }

    bool place_data() {
        if (!data_seen_) {
            return true;
        }
        if (base64_seen_) {
            return refuse("data_twice", "there are both `data` and `data_base64`");
        }
        if (content_of(out_.datacontenttype) == content::json) {
            out_.data = data_raw_;
            return true;
        }
        if (!data_is_string_) {
            return refuse("data_malformed",
                          "`data` has to be a string where `datacontenttype` is not JSON");
        }
        out_.data = std::move(data_text_);
        return true;
    }

    /// Takes the next entry from the front of a list.
    [[nodiscard]] static std::string_view take_entry(std::string_view& list) {
        const std::string_view entry = list.substr(0, list.find('&'));
        list.remove_prefix(entry.size() == list.size() ? entry.size() : entry.size() + 1);
        return entry;
    }

    /// Decodes `name=value`.
    [[nodiscard]] static std::optional<header> pair_of(std::string_view entry) {
        const auto middle = entry.find('=');
        if (middle == entry.npos) {
            return std::nullopt;
        }
        auto name = from_percent(entry.substr(0, middle));
        auto value = from_percent(entry.substr(middle + 1));
        if (!name || !value) {
            return std::nullopt;
        }
        return header{*std::move(name), *std::move(value)};
    }

    bool place_attributes() {
        for (std::string_view left = attribute_list_; !left.empty();) {
            auto pair = pair_of(take_entry(left));
            const known_attribute* known = pair ? find_known(pair->name) : nullptr;
            if (known == nullptr || known->kind == attribute_kind::required ||
                pair->value.empty() || !(out_.*(known->field)).empty()) {
                return refuse("headers_malformed",
                              "`sinewattributes` is not a list of optional attributes that are "
                              "absent otherwise");
            }
            out_.*(known->field) = std::move(pair->value);
        }
        return true;
    }

    bool place_headers() {
        for (std::string_view left = header_list_; !left.empty();) {
            const std::string_view entry = take_entry(left);
            auto pair = pair_of(entry);
            if (!pair) {
                pair = claim(entry);
            }
            if (!pair) {
                return refuse("headers_malformed",
                              "`sinewheaders` is not a list of pairs and of names of members");
            }
            if (out_.headers.size() == limits_.headers_max) {
                return too_many_headers();
            }
            out_.headers.push_back(*std::move(pair));
        }
        // What somebody added on the way, or all of them where there was no list.
        for (auto& one : found_) {
            if (one.is_there) {
                if (out_.headers.size() == limits_.headers_max) {
                    return too_many_headers();
                }
                out_.headers.push_back(std::move(one.one));
            }
        }
        return true;
    }

    /// The member of that name, which then is taken.
    [[nodiscard]] std::optional<header> claim(std::string_view name) {
        for (auto& one : found_) {
            if (one.is_there && one.one.name == name) {
                one.is_there = false;
                return std::move(one.one);
            }
        }
        return std::nullopt;
    }

    json_limits limits_;
    const char* read_to_;
    const char* value_after_;
    std::string name_;
    event out_{};
    std::vector<found> found_;
    std::string specversion_, header_list_, attribute_list_, data_text_;
    std::string_view data_raw_;
    std::array<bool, known_attributes.size()> known_seen_{};
    bool specversion_seen_ = false, header_list_seen_ = false, attribute_list_seen_ = false;
    bool data_seen_ = false, base64_seen_ = false, data_is_string_ = false;
    failure wrong_;
};

}  // namespace sinew::detail
