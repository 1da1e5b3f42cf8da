// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The pipeline: stages joined by `|`, and the rules of joining them.
///
/// **Guarantees.** A composition that could not mean what it says does not compile, and the one
/// sentence of the error names the stage and where it goes. The order is
/// `subscribe | observed_by | in_sequence | dead_letter, halt or discard | retry | once,
/// deduplicate, idempotent_by_nature or at_most_once | around... | handle`.

#include <sinew/consume/stage.hpp>

#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// Parts of a pipeline before its handler. `Last` is the place of the stage that was added last.
template <stage_kind Last, class From, class Observer, class Sequence, class Failure, class Retry,
          class Duplicate, class Around>
struct pipeline_parts {
    static constexpr stage_kind last = Last;
    using failure_type = Failure;
    using retry_type = Retry;
    using duplicate_type = Duplicate;

    From from;
    Observer observe;
    Sequence sequence;
    Failure failure;
    Retry retry;
    Duplicate duplicate;
    Around around;
};

/// `Outer` runs around what `Inner` runs around.
template <class Outer, class Inner>
struct around_chain {
    Outer outer;
    Inner inner;
};

template <class Parts, class Stage>
consteval void check_place() {
    constexpr stage_kind last = Parts::last;
    constexpr stage_kind at = Stage::kind;
    constexpr bool is_in_place = last < at;
    constexpr bool is_behind_subscribe = at != stage_kind::subscribe;
    static_assert(is_behind_subscribe,
                  "sinew: subscribe stands first, and once; take the second one out");
    if constexpr (at == stage_kind::observe) {
        static_assert(is_in_place,
                      "sinew: observed_by stands right after subscribe, and once; move it there");
    } else if constexpr (at == stage_kind::sequence) {
        static_assert(is_in_place,
                      "sinew: in_sequence stands after subscribe and before dead_letter, halt or "
                      "discard, and once; move it there");
    } else if constexpr (at == stage_kind::failure) {
        static_assert(is_in_place,
                      "sinew: dead_letter, halt or discard stands before retry and once, and there "
                      "is one of them; move it to the left of retry");
    } else if constexpr (at == stage_kind::retry) {
        static_assert(is_in_place,
                      "sinew: retry stands after dead_letter, halt or discard, and before once, "
                      "and once only; move it between them");
    } else if constexpr (at == stage_kind::duplicate) {
        static_assert(
            is_in_place,
            "sinew: once, deduplicate, idempotent_by_nature or at_most_once stands after "
            "retry and before around and handle, and there is one of them; move it there");
    }
}

}  // namespace detail

/// Stages joined so far; see `subscribe`.
template <class Parts>
class pipeline_of {
public:
    using parts_type = Parts;

    explicit pipeline_of(Parts parts) : parts_(std::move(parts)) {}

    [[nodiscard]] Parts& parts() & noexcept { return parts_; }
    [[nodiscard]] Parts&& parts() && noexcept { return std::move(parts_); }

private:
    Parts parts_;
};

namespace detail {

template <stage_kind Last, class From, class Observer, class Sequence, class Failure, class Retry,
          class Duplicate, class Around>
auto join_parts(From&& from, Observer&& observe, Sequence&& sequence, Failure&& failure,
                Retry&& retry, Duplicate&& duplicate, Around&& around) {
    using parts = pipeline_parts<Last, std::remove_cvref_t<From>, std::remove_cvref_t<Observer>,
                                 std::remove_cvref_t<Sequence>, std::remove_cvref_t<Failure>,
                                 std::remove_cvref_t<Retry>, std::remove_cvref_t<Duplicate>,
                                 std::remove_cvref_t<Around>>;
    return pipeline_of<parts>(parts{
        std::forward<From>(from), std::forward<Observer>(observe), std::forward<Sequence>(sequence),
        std::forward<Failure>(failure), std::forward<Retry>(retry),
        std::forward<Duplicate>(duplicate), std::forward<Around>(around)});
}

/// The pipeline with one more stage in its place.
template <class Parts, class Stage>
auto put_stage(Parts&& p, Stage&& s) {
    constexpr stage_kind at = std::remove_cvref_t<Stage>::kind;
    if constexpr (at == stage_kind::observe) {
        return join_parts<at>(std::move(p.from), std::forward<Stage>(s), std::move(p.sequence),
                              std::move(p.failure), std::move(p.retry), std::move(p.duplicate),
                              std::move(p.around));
    } else if constexpr (at == stage_kind::sequence) {
        return join_parts<at>(std::move(p.from), std::move(p.observe), std::forward<Stage>(s),
                              std::move(p.failure), std::move(p.retry), std::move(p.duplicate),
                              std::move(p.around));
    } else if constexpr (at == stage_kind::failure) {
        return join_parts<at>(std::move(p.from), std::move(p.observe), std::move(p.sequence),
                              std::forward<Stage>(s), std::move(p.retry), std::move(p.duplicate),
                              std::move(p.around));
    } else if constexpr (at == stage_kind::retry) {
        return join_parts<at>(std::move(p.from), std::move(p.observe), std::move(p.sequence),
                              std::move(p.failure), std::forward<Stage>(s), std::move(p.duplicate),
                              std::move(p.around));
    } else if constexpr (at == stage_kind::duplicate) {
        return join_parts<at>(std::move(p.from), std::move(p.observe), std::move(p.sequence),
                              std::move(p.failure), std::move(p.retry), std::forward<Stage>(s),
                              std::move(p.around));
    } else {
        using chain = around_chain<decltype(p.around), std::remove_cvref_t<Stage>>;
        return join_parts<at>(std::move(p.from), std::move(p.observe), std::move(p.sequence),
                              std::move(p.failure), std::move(p.retry), std::move(p.duplicate),
                              chain{std::move(p.around), std::forward<Stage>(s)});
    }
}

}  // namespace detail

/// Starts a pipeline; used by `subscribe`.
template <class From>
[[nodiscard]] auto pipeline(From from) {
    return detail::join_parts<stage_kind::subscribe>(std::move(from), no_observer{}, no_sequence{},
                                                     no_failure_answer{}, no_retry{},
                                                     no_duplicate_answer{}, no_around{});
}

/// Adds a stage. Which stage may follow which is checked here; what may be missing is checked by
/// `handle`, which ends the pipeline.
template <class Parts, stage Stage>
    requires(std::remove_cvref_t<Stage>::kind != stage_kind::handle)
[[nodiscard]] auto operator|(pipeline_of<Parts>&& so_far, Stage&& next) {
    using added = std::remove_cvref_t<Stage>;
    detail::check_place<Parts, added>();
    if constexpr (added::kind == stage_kind::duplicate) {
        static_assert(!(added::forgets && Parts::retry_type::retries),
                      "sinew: at_most_once cannot stand with retry: a second attempt is what "
                      "at_most_once rules out; take retry out, or take once or "
                      "idempotent_by_nature instead of at_most_once");
    }
    return detail::put_stage(std::move(so_far).parts(), std::forward<Stage>(next));
}

/// A pipeline is used up by what it becomes part of: write the stages in one expression, or move
/// it.
template <class Parts, stage Stage>
auto operator|(pipeline_of<Parts>& so_far, Stage&& next) {
    constexpr bool is_moved = sizeof(Parts) == 0;
    static_assert(
        is_moved,
        "sinew: a pipeline is used up by what it becomes part of; write its stages in one "
        "expression, or std::move it");
    return std::move(so_far) | std::forward<Stage>(next);
}

/// A stage cannot stand on the left: a pipeline starts with `subscribe(log, {...})`.
template <stage First, stage Second>
void operator|(First&&, Second&&) {
    static_assert(std::remove_cvref_t<First>::kind == stage_kind::subscribe,
                  "sinew: a pipeline starts with subscribe; write subscribe(log, {...}) to the "
                  "left of the first stage");
}

}  // namespace sinew
