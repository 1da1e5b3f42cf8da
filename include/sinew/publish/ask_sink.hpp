// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Asking a sink that may break its contract: whatever it does, there is an answer for each event.
///
/// | what the sink did | the answer |
/// | --- | --- |
/// | answered | is its own |
/// | threw a `sinew::error` of the class transient, permanent or unavailable | refused, with it |
/// | threw a `sinew::error` of the class unknown | unknown, with it |
/// | threw `std::bad_alloc` | refused, unavailable, `out_of_memory` |
/// | threw anything else | unknown, `sink_threw` |
/// | gave a batch too few answers | unknown, `no_answer`, for those that are missing |
/// | gave a batch too many answers | the first ones are taken |
///
/// **Guarantees.** Nothing that a sink throws comes out of here, and a batch has as many answers as
/// events.

#include <sinew/core/classify.hpp>
#include <sinew/core/sink.hpp>

#include <exception>
#include <new>
#include <span>
#include <string>
#include <vector>

namespace sinew {

namespace detail {

/// The answer of a sink that threw. To be called inside of `catch (...)`.
[[nodiscard]] inline publish_result answer_of_current_exception() noexcept {
    std::string text;
    try {
        throw;
    } catch (const error& thrown) {
        auto why = failure_of(thrown);
        return why.kind == failure_class::unknown ? publish_result::unknown(std::move(why))
                                                  : publish_result::refused(std::move(why));
    } catch (const std::bad_array_new_length& thrown) {
        text = text_or_nothing(thrown.what());  // wrong data: no lack of memory
    } catch (const std::bad_alloc&) {
        return publish_result::refused({failure_class::unavailable, "out_of_memory", {}, {}});
    } catch (const std::exception& thrown) {
        text = text_or_nothing(thrown.what());
    } catch (...) {
        text.clear();
    }
    return publish_result::unknown({failure_class::unknown, "sink_threw", std::move(text), {}});
}

}  // namespace detail

/// Publishes one event.
template <sink Sink>
publish_result ask(Sink& to, const event_view& e, steady_time until) {
    try {
        return to.publish(e, until);
    } catch (...) {
        return detail::answer_of_current_exception();
    }
}

/// Publishes several events in one call. There is one answer for each, in their order.
///
/// **On failure.** Throws `std::bad_alloc` if there is no memory for the answers.
template <batch_sink Sink>
[[nodiscard]] std::vector<publish_result> ask(Sink& to, std::span<const event_view> events,
                                              steady_time until) {
    std::vector<publish_result> answers;
    auto missing = publish_result::unknown({failure_class::unknown, "no_answer", {}, {}});
    try {
        answers = to.publish_batch(events, until);
    } catch (...) {
        missing = detail::answer_of_current_exception();
    }
    answers.resize(events.size(), missing);
    return answers;
}

}  // namespace sinew
