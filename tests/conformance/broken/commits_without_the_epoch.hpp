// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A source whose author keeps the offsets in a table of the service, and writes there without a
/// condition on the epoch.

#include "conformance/environments.hpp"

#include <map>
#include <memory>
#include <utility>

namespace sinew::test::broken {

using offset_table = std::map<partition_id, log_offset>;

class member_with_own_offsets {
public:
    using message = memory::message;

    member_with_own_offsets(memory::member m, std::shared_ptr<offset_table> offsets)
        : member_(std::move(m)), offsets_(std::move(offsets)) {}

    template <class Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        ear<Listener> between{this, &listener};
        member_.poll(limits, until, between);
    }
    // The mistake: whoever commits is believed, whatever the epoch.
    commit_result commit(partition_id p, epoch_number /*epoch*/, log_offset through, steady_time) {
        (*offsets_)[p] = through;
        return commit_result::committed;
    }
    void release(partition_id p, epoch_number epoch) { member_.release(p, epoch); }
    void pause(partition_id p) { member_.pause(p); }
    void resume(partition_id p) { member_.resume(p); }

    memory::member& inner() { return member_; }

private:
    template <class Listener>
    struct ear {
        member_with_own_offsets* self;
        Listener* to;

        void assigned(assignment a) {
            if (const auto at = self->offsets_->find(a.partition); at != self->offsets_->end()) {
                self->member_.seek(a.partition, at->second + 1);
            }
            to->assigned(a);
        }
        void revoked(revocation r) { to->revoked(r); }
        void lost(assignment a) { to->lost(a); }
        void message(memory::message&& m) { to->message(std::move(m)); }
    };

    memory::member member_;
    std::shared_ptr<offset_table> offsets_;
};

struct commits_without_the_epoch : memory_log_environment {
    std::shared_ptr<offset_table> offsets = std::make_shared<offset_table>();

    member_with_own_offsets join() { return {memory_log_environment::join(), offsets}; }
    void abandon(member_with_own_offsets& m) { log.kick(m.inner().id()); }
};

}  // namespace sinew::test::broken
