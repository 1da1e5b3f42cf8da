// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A member of a consumer group whose calls end as the tape says, and whose group has moods.
///
/// | call | how it can end |
/// | --- | --- |
/// | `poll`, before | refused, zombie, kicked (partitions are lost), revoked, partial, clock jump or leap |
/// | `poll`, after something was delivered | crash, delayed |
/// | `commit` | refused, unknown (applied or not), crash before or after, delayed, zombie |
///
/// A poll is asked about only if something happened in the world since this member's last one:
/// polling while all stands still would add choices without adding histories.
/// **Not covered, on purpose.** A poll whose answer is lost (the client library asks the broker
/// again by itself), and faults of `release`, `pause` and `resume`, which are local: a crash there
/// is the crash at the call after it.

#include <sinew/core/source.hpp>
#include <sinew/testing/world.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace sinew::testing {

/// What a group can do to a member.
struct group_hooks {
    std::function<void()> kick;    ///< takes its partitions away: it learns of it at the next poll
    std::function<void()> revoke;  ///< asks it to give its partitions back
};

/// What a scenario is told of a member's doings. Each may stay empty.
struct source_hooks {
    std::function<void(position)> delivered{};
    /// In effect, answered or not.
    std::function<void(partition_id, epoch_number, log_offset)> committed{};
    std::function<void(assignment)> assigned{};
};

/// A source that is reached through a process.
template <source Inner>
class faulty_source {
public:
    using message = typename Inner::message;
    /// As of the inner one: handlers then run within `poll`, and what ends a call ends them there.
    static constexpr bool lets_listeners_act = patient_source<Inner>;

    /// `group` acts on `inner`, `hooks` are the scenario's.
    faulty_source(process& owner, Inner inner, group_hooks group, source_hooks hooks = {})
        : owner_(&owner),
          inner_(std::move(inner)),
          group_(std::move(group)),
          hooks_(std::move(hooks)) {
        register_kick();
    }
    faulty_source(faulty_source&& other) noexcept
        : owner_(other.owner_),
          inner_(std::move(other.inner_)),
          group_(std::move(other.group_)),
          hooks_(std::move(other.hooks_)),
          seen_stirs_(other.seen_stirs_) {
        owner_->forget_kick(&other);
        register_kick();
    }
    faulty_source& operator=(faulty_source&&) = delete;
    ~faulty_source() { owner_->forget_kick(this); }

    template <source_listener<message> Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        owner_->must_live();
        if (seen_stirs_ != owner_->home().stirs()) {
            seen_stirs_ = owner_->home().stirs();
            before_poll(limits);
        }
        ear<Listener> hears{*this, listener};
        inner_.poll(limits, until, hears);
        if (hears.heard != 0) {
            owner_->home().stir();
            owner_->call("delivery", {fault::crash_after, fault::delayed}, [] {});
        }
    }

    commit_result commit(partition_id partition, epoch_number epoch, log_offset through,
                         steady_time until) {
        constexpr fault_set ends = {fault::refused,      fault::request_lost, fault::reply_lost,
                                    fault::crash_before, fault::crash_after,  fault::delayed,
                                    fault::zombie};
        return owner_->call(
            "offset commit", ends,
            [&] {
                const auto how = inner_.commit(partition, epoch, through, until);
                owner_->note("offset commit of", partition, "through", through, to_string(how));
                if (how == commit_result::committed) {
                    owner_->home().stir();
                    if (hooks_.committed) {
                        hooks_.committed(partition, epoch, through);
                    }
                }
                return how;
            },
            [] { return commit_result::unknown; });
    }

    void release(partition_id partition, epoch_number epoch) {
        owner_->must_live();
        owner_->note("releases", partition);
        owner_->home().stir();
        inner_.release(partition, epoch);
    }
    void pause(partition_id partition) {
        owner_->must_live();
        inner_.pause(partition);
    }
    void resume(partition_id partition) {
        owner_->must_live();
        inner_.resume(partition);
    }

private:
    /// Hears what the consumer hears, and writes it down.
    template <class Listener>
    struct ear {
        faulty_source& self;
        Listener& to;
        unsigned heard = 0;

        void assigned(assignment a) {
            ++heard;
            self.owner_->note("is assigned", a.partition, "epoch", a.epoch);
            if (self.hooks_.assigned) {
                self.hooks_.assigned(a);
            }
            to.assigned(a);
        }
        void revoked(revocation r) {
            ++heard;
            self.owner_->note("is asked for", r.partition, "epoch", r.epoch);
            to.revoked(r);
        }
        void lost(assignment a) {
            ++heard;
            self.owner_->note("loses", a.partition, "epoch", a.epoch);
            to.lost(a);
        }
        void message(typename Inner::message&& m) {
            ++heard;
            const position where = m.where();
            self.owner_->note("gets", where.partition, where.offset);
            if (self.hooks_.delivered) {
                self.hooks_.delivered(where);
            }
            to.message(std::move(m));
        }
    };

    void before_poll(poll_limits& limits) {
        fault_set ends = {fault::refused, fault::zombie, fault::clock_jump, fault::clock_leap};
        if (limits.events > 1) {
            ends = ends | fault_set{fault::partial};
        }
        if (group_.kick) {
            ends = ends | fault_set{fault::kicked};
        }
        if (group_.revoke) {
            ends = ends | fault_set{fault::revoked};
        }
        const auto how = owner_->choose("poll", ends);
        owner_->perform(how, "poll", [] {}, [] {});
        if (how == fault::kicked) {
            group_.kick();
        } else if (how == fault::revoked) {
            group_.revoke();
        } else if (how == fault::partial) {
            limits.events = 1;
        }
    }

    void register_kick() {
        owner_->on_kick(this, [this] {
            if (group_.kick) {
                group_.kick();
            }
        });
    }

    process* owner_;
    Inner inner_;
    group_hooks group_;
    source_hooks hooks_;
    std::uint64_t seen_stirs_ = UINT64_MAX;
};

}  // namespace sinew::testing
