// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One round of a runner over the instances that it holds, and leaving its seat.

#include <sinew/core/time.hpp>
#include <sinew/process/claimed_instance.hpp>
#include <sinew/process/runner_joint.hpp>
#include <sinew/process/runner_seat.hpp>
#include <sinew/process/runner_state.hpp>
#include <sinew/process/runner_work.hpp>
#include <sinew/process/runner_writes.hpp>

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// Makes an attempt of an instance alone, and writes down what came of it.
template <class State>
void attempt_alone(State& s, held_instance& h, const attempt_place& at) {
    if (is_joint(s, h, at)) {
        std::vector<joint_attempt> one;
        one.push_back({&h, at, false});
        attempt_jointly(s, one);
    } else {
        attempt_outside(s, h, at);
    }
}

/// Goes on with an instance that may have killed a process. Nothing is unwritten while it acts.
template <class State>
void serve_suspect(State& s, held_instance& h) {
    next_move move = next_move_of(s, h);
    if (move.what == next_kind::write) {
        h.pending = pending_write{.what = std::move(move.write), .is_failure = move.is_failure};
        return;
    }
    if (s.has_unwritten() && !write_down(s)) {
        return;
    }
    if (move.what == next_kind::note) {
        h.pending = pending_write{.what = std::move(move.write), .is_failure = move.is_failure};
        write_alone(s, h);
        if (!h.is_ready()) {
            return;
        }
        move = next_move_of(s, h);
    }
    if (move.what == next_kind::attempt && s.may_work()) {
        attempt_alone(s, h, move.place);
        write_down(s);
    }
}

/// Lets each instance that is ready and in its turn make an attempt, as far as the step has time
/// for it. The next one begins with the instance behind the last that had its turn. Answers whether
/// any had.
template <class State>
bool serve_round(State& s) {
    const std::size_t size = s.in_turn();
    const std::size_t most = joint_transaction<State>::most(s);
    std::vector<joint_attempt> joint;
    s.written_from = s.has_unwritten() ? s.written_from : 0;
    s.may_write(size);
    bool busy = give_back_ahead(s);
    for (std::size_t i = 0; i < size && s.may_call() && s.may_work(); ++i) {
        s.turn = (s.turn + 1) % size;
        held_instance& h = s.held[s.turn];
        if (!h.is_ready() || s.clock() < h.not_before) {
            continue;
        }
        busy = true;
        if (h.run.is_suspect()) {
            serve_suspect(s, h);
            continue;
        }
        next_move move = next_move_of(s, h);
        if (move.what != next_kind::attempt) {
            h.pending = pending_write{.what = std::move(move.write), .is_failure = move.is_failure};
            continue;
        }
        keep_seat(s, attempt_ends(s, h, move.place, never));
        if (!s.may_work()) {
            break;
        }
        if (is_joint(s, h, move.place)) {
            std::vector<joint_attempt> one;
            auto& with = h.alone ? one : joint;
            with.push_back({&h, std::move(move.place), false});
            if (with.size() >= (h.alone ? 1 : most)) {
                attempt_jointly(s, with);
                with.clear();
            }
            continue;
        }
        attempt_outside(s, h, move.place);
        if (s.options.batch_max == 1 ||
            s.clock() >= later(s.unwritten_since, s.options.step_time_max)) {
            write_down(s);
        }
    }
    attempt_jointly(s, joint);
    return busy;
}

/// Writes down what was done, gives back what is held, and leaves the seat. Answers whether it has.
template <class State>
bool leave(State& s, std::string_view reason) {
    s.may_write(s.held.size());
    for (auto& h : s.held) {
        if (h.is_ready()) {
            h.pending = pending_write{.what = h.run.released(s.wall())};
        }
    }
    write_down(s);
    s.sweep();
    if (!s.held.empty() || !s.store_is_open() || !s.may_call()) {
        return false;
    }
    return release_seat(s, reason, s.next_call_ends());
}

}  // namespace sinew::detail
