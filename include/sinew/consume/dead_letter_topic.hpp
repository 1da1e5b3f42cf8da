// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A topic as the place for dead letters, for those whose tools look there.
///
/// The event is published as it was, with its identity; what happened to it stands beside it in
/// further headers, which begin with `sinew-`. A topic cannot be looked into: triage and replay
/// need a store.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/timestamp.hpp>

#include <string>
#include <utility>

namespace sinew {

/// Publishes dead letters to a sink, which has to outlive it.
///
/// **On failure.** A sink that refuses is unavailable: the consumer waits. An answer that was lost
/// is `unknown`, and the letter is put again: readers may see it twice, under the same identity.
template <sink Sink>
class dead_letter_topic {
public:
    explicit dead_letter_topic(Sink& to) noexcept : to_(&to) {}

    put_result put(const dead_letter_record& letter, steady_time until) {
        event copy = letter.original;
        // Headers of an earlier burial would be taken for those of this one.
        std::erase_if(copy.headers, [](const header& one) { return one.name.starts_with(prefix); });
        const auto add = [&copy](const char* name, std::string value) {
            copy.headers.push_back({std::string(prefix) + name, std::move(value)});
        };
        add("consumer", letter.consumer);
        add("topic", letter.topic);
        add("partition", std::to_string(letter.where.partition));
        add("offset", std::to_string(letter.where.offset));
        add("reason", letter.reason);
        add("class", std::string(to_string(letter.kind)));
        add("attempts", std::to_string(letter.attempts));
        add("first-failure", format_time(letter.first_failure));
        add("last-failure", format_time(letter.last_failure));
        const publish_result result = to_->publish(copy.view(), until);
        switch (result.how()) {
            case publish_result::end::accepted: return put_result::stored;
            case publish_result::end::unknown: return put_result::unknown;
            case publish_result::end::refused: break;
        }
        throw unavailable_error("dead_letter_topic_refused", result.why().detail,
                                result.why().retry_after);
    }

private:
    static constexpr std::string_view prefix = "sinew-";

    Sink* to_;
};

}  // namespace sinew
