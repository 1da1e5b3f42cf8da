// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A source that does not say that its listener may act: all events take their way through the
/// lanes.

#include <sinew/core/source.hpp>

namespace sinew::test {

/// Passes everything on to `inner`, and keeps back that it is a `patient_source`.
template <source Inner>
struct impatient_source {
    using message = typename Inner::message;

    Inner inner;

    template <class Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        inner.poll(limits, until, listener);
    }
    commit_result commit(partition_id p, epoch_number epoch, log_offset through,
                         steady_time until) {
        return inner.commit(p, epoch, through, until);
    }
    void release(partition_id p, epoch_number epoch) { inner.release(p, epoch); }
    void pause(partition_id p) { inner.pause(p); }
    void resume(partition_id p) { inner.resume(p); }
};

// Said for clang 16, which does not deduce the arguments of an aggregate.
template <class Inner>
impatient_source(Inner) -> impatient_source<Inner>;

}  // namespace sinew::test
