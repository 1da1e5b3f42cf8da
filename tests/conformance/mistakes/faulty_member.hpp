// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The log in memory behind a member that can make one mistake at a time.

#include "conformance/environments.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sinew::test {

enum class source_mistake {
    none,
    reuses_its_buffer,
    wrong_partition,
    wrong_epoch,
    drops_headers,
    skips_broken_records,
    messages_first,
    delivers_twice,
    skips_a_record,
    starts_at_the_end,
    commits_one_too_far,
    forgets_commits,
    commits_by_itself,
    waits_too_long,
    ignores_the_limit,
    loses_what_is_beyond_the_limit,
    none_is_no_limit,
    quiet_members_die,
    commit_answers_aborted,
    believes_any_epoch,
    epochs_start_anew,
    delivers_after_revoked,
    gives_back_at_once,
    release_does_not_arrive,
    never_tells_of_losses,
    the_dead_keep_their_partitions,
    pause_is_ignored,
    pause_skips,
    resume_repeats,
    pauses_are_counted,
    pauses_everything,
};

/// What members and their environment share.
struct faulty_group {
    source_mistake wrong = source_mistake::none;
    virtual_time time{};
    memory::log log{};
    std::map<partition_id, log_offset> own_offsets{};
    int joined = 0;
};

/// A message, with what the mistake makes of it.
struct faulty_message {
    memory::message inner;
    std::shared_ptr<event> what;
    position place;
    epoch_number under;

    [[nodiscard]] event_view view() const { return what ? what->view() : inner.view(); }
    [[nodiscard]] position where() const { return place; }
    [[nodiscard]] epoch_number epoch() const { return under; }
    [[nodiscard]] std::optional<defect> broken() const { return inner.broken(); }
};

class faulty_member {
public:
    using message = faulty_message;
    using mistake = source_mistake;

    explicit faulty_member(faulty_group& in)
        : in_(&in), member_(in.log.join("t", group_name(in))), last_poll_(in.time.now()) {}

    template <class Listener>
    void poll(poll_limits limits, steady_time, Listener& listener) {
        if (is(mistake::waits_too_long)) {
            in_->time.pass(std::chrono::hours(1));
        }
        if (is(mistake::quiet_members_die) && limits.events == 0 &&
            in_->time.now() - last_poll_ > std::chrono::seconds(10)) {
            in_->log.kick(member_.id());
        }
        last_poll_ = limits.events == 0 ? last_poll_ : in_->time.now();
        if (is(mistake::ignores_the_limit) && limits.events != 0) {
            limits.events = 1'000;
        }
        if (is(mistake::none_is_no_limit) && limits.events == 0) {
            limits = {1'000, SIZE_MAX};
        }
        const std::size_t room = limits.events;
        if (is(mistake::loses_what_is_beyond_the_limit) && limits.events != 0) {
            limits.events = 1'000;
        }
        ear<Listener> between{this, &listener, room, {}};
        member_.poll(limits, never, between);
        between.finish();
        deliver_revoked(limits, listener);
    }

    commit_result commit(partition_id p, epoch_number epoch, log_offset through, steady_time) {
        if (is(mistake::commit_answers_aborted)) {
            return commit_result::aborted;
        }
        if (is(mistake::believes_any_epoch)) {
            in_->own_offsets[p] = through;
            return commit_result::committed;
        }
        if (is(mistake::forgets_commits)) {
            through = -1;
        }
        const log_offset far = is(mistake::commits_one_too_far) ? 1 : 0;
        return member_.commit(p, epoch, through + far, never);
    }
    void release(partition_id p, epoch_number epoch) {
        if (!is(mistake::release_does_not_arrive)) {
            member_.release(p, epoch);
        }
    }
    void pause(partition_id p) {
        if (is(mistake::pause_is_ignored)) {
            return;
        }
        ++pauses_;
        member_.pause(p);
        if (is(mistake::pauses_everything)) {
            member_.pause(0);
            member_.pause(1);
        }
    }
    void resume(partition_id p) {
        if (is(mistake::pauses_are_counted) && --pauses_ != 0) {
            return;
        }
        member_.resume(p);
        if (is(mistake::pause_skips)) {
            member_.seek(p, in_->log.end("t", p));
        } else if (is(mistake::resume_repeats)) {
            member_.seek(p, 0);
        }
    }

    [[nodiscard]] memory::member& inner() { return member_; }

private:
    [[nodiscard]] bool is(mistake m) const { return in_->wrong == m; }

    static std::string group_name(const faulty_group& in) {
        return in.wrong == mistake::epochs_start_anew ? "g" + std::to_string(in.joined) : "g";
    }

    template <class Listener>
    struct ear {
        faulty_member* self;
        Listener* to;
        std::size_t room;
        std::vector<assignment> late;

        void assigned(assignment a) {
            self->begin(a);
            if (self->is(mistake::messages_first)) {
                late.push_back(a);
            } else {
                to->assigned(a);
            }
        }
        void revoked(revocation r) {
            to->revoked(r);
            self->revoked_[r.partition] = {r.epoch, self->in_->log.end("t", r.partition)};
            if (self->is(mistake::gives_back_at_once)) {
                self->member_.release(r.partition, r.epoch);
            }
        }
        void lost(assignment a) {
            self->revoked_.erase(a.partition);
            if (!self->is(mistake::never_tells_of_losses)) {
                to->lost(a);
            }
        }
        void message(memory::message&& m) { self->hand_over(std::move(m), room, *to); }
        void finish() {
            for (const auto& a : late) {
                to->assigned(a);
            }
        }
    };

    void begin(assignment a) {
        if (is(mistake::starts_at_the_end) && in_->log.committed("t", "g", a.partition) < 0) {
            member_.seek(a.partition, in_->log.end("t", a.partition));
        }
        const auto own = in_->own_offsets.find(a.partition);
        if (own != in_->own_offsets.end()) {
            member_.seek(a.partition, own->second + 1);
        }
    }

    template <class Listener>
    void hand_over(memory::message&& m, std::size_t& room, Listener& to) {
        if ((is(mistake::skips_broken_records) && m.broken()) ||
            (is(mistake::skips_a_record) && m.where().offset == 5) ||
            (is(mistake::loses_what_is_beyond_the_limit) && room == 0)) {
            return;
        }
        room -= room == 0 ? 0U : 1U;
        position where = m.where();
        epoch_number epoch = m.epoch();
        std::shared_ptr<event> what;
        if (is(mistake::wrong_partition)) {
            where.partition = 0;
        } else if (is(mistake::wrong_epoch)) {
            ++epoch;
        } else if (is(mistake::drops_headers)) {
            what = std::make_shared<event>(to_event(m.view()));
            what->headers.clear();
        } else if (is(mistake::reuses_its_buffer)) {
            *buffer_ = to_event(m.view());
            what = buffer_;
        } else if (is(mistake::commits_by_itself)) {
            static_cast<void>(member_.commit(where.partition, epoch, where.offset, never));
        }
        const bool again = is(mistake::delivers_twice) && where.offset == 7;
        faulty_message out{std::move(m), std::move(what), where, epoch};
        if (again) {
            to.message(faulty_message(out));
        }
        to.message(std::move(out));
    }

    template <class Listener>
    void deliver_revoked(poll_limits limits, Listener& listener) {
        if (!is(mistake::delivers_after_revoked) || limits.events == 0) {
            return;
        }
        for (auto& [p, from] : revoked_) {
            in_->log.visit("t", p, [&](position where, const event_view& e) {
                if (where.offset >= from.second) {
                    from.second = where.offset + 1;
                    auto record = std::make_shared<const memory::record>(to_event(e), where);
                    listener.message(
                        {memory::message(record, from.first), nullptr, where, from.first});
                }
            });
        }
    }

    faulty_group* in_;
    memory::member member_;
    steady_time last_poll_;
    std::shared_ptr<event> buffer_ = std::make_shared<event>();
    std::map<partition_id, std::pair<epoch_number, log_offset>> revoked_{};
    int pauses_ = 0;
};

struct faulty_member_environment {
    std::unique_ptr<faulty_group> group = std::make_unique<faulty_group>();

    explicit faulty_member_environment(source_mistake wrong) {
        group->wrong = wrong;
        group->log.create_topic("t", {.partitions = 2});
        group->log.tick(now());
    }
    [[nodiscard]] faulty_member join() const {
        ++group->joined;
        return faulty_member(*group);
    }
    void append(partition_id p, const event_view& e) const { group->log.append("t", p, e); }
    void append_broken(partition_id p, bytes_view raw) const {
        group->log.append_broken("t", p, raw, "bad");
    }
    [[nodiscard]] std::uint32_t partitions() const { return 2; }
    void abandon(faulty_member& m) const {
        if (group->wrong != source_mistake::the_dead_keep_their_partitions) {
            group->log.kick(m.inner().id());
        }
    }
    [[nodiscard]] duration session() const { return std::chrono::seconds(10); }
    [[nodiscard]] steady_time now() const { return group->time.now(); }
    void pass(duration span) const {
        group->time.pass(span);
        group->log.tick(now());
    }
};

}  // namespace sinew::test
