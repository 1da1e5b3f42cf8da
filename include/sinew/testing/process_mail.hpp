// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What reaches the instances of a `process_world` from outside: the services that get commands and
/// reply, and people.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/step_key.hpp>
#include <sinew/testing/process_laws.hpp>
#include <sinew/testing/process_world.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing {

/// A command is on its way to its service.
inline void process_world::deliver(const event& command) {
    const auto key = parse_step_key(command.id);
    found().check(law::same_key, key.has_value(), [&] { return command.id + " is no key"; });
    if (!key) {
        return;
    }
    const step_of where{key->id, std::string(name_now(key->where.step)), key->where.phase};
    const fault how = world_.choose("mail", "command", options_.mail);
    const duration late = how == fault::delayed ? options_.reply_delay : duration::zero();
    for (int i = 0; i < (how == fault::duplicated ? 2 : 1); ++i) {
        world_.at(options_.command_takes + late, [this, where] { serve_command(where); });
    }
}

inline void process_world::serve_command(const step_of& where) {
    auto* const facts = of(where.id);
    auto* const its = find(where);
    if (facts == nullptr || its == nullptr) {
        return;
    }
    bool refuses = false;
    for (const auto& one : refusals_) {
        refuses = refuses || one == where;
    }
    world_.note("service", refuses ? "refuses to" : "is told to", to_string(where.phase),
                where.step, "of", where.id);
    if (!refuses) {
        serve(found(), *facts, *its, where.phase);
    }
    duration takes = options_.reply_takes;
    for (const auto& [slow, span] : slow_) {
        takes = slow == where ? span : takes;
    }
    const fault how = world_.choose("mail", "reply", options_.mail);
    takes += how == fault::delayed ? options_.reply_delay : duration::zero();
    for (int i = 0; i < (how == fault::duplicated ? 2 : 1); ++i) {
        world_.at(takes, [this, where] { bring_reply(where); });
    }
}

/// A reply reaches the journal. No two replies say the same.
inline void process_world::bring_reply(const step_of& where) {
    auto* const facts = of(where.id);
    auto* const its = find(where);
    if (facts == nullptr || its == nullptr) {
        return;
    }
    bool refuses = false;
    for (const auto& one : refusals_) {
        refuses = refuses || one == where;
    }
    std::string name = where.step;
    for (const auto& [before, now] : renamed_) {
        name = now == where.step ? before : name;
    }
    const std::string data = (refuses ? "no, reply " : "yes, reply ") + std::to_string(++replies_);
    auto tx = connection_.begin(never);
    const auto how =
        book_.reply(tx, {facts->type, facts->id, {name, where.phase}, data}, world_.now().wall);
    if (tx.commit() != commit_result::committed || how == reply_result::refused) {
        world_.at(std::chrono::milliseconds(100), [this, where] { bring_reply(where); });
        return;
    }
    world_.note("mail", "brings the reply to", to_string(where.phase), where.step, "of", where.id,
                to_string(how));
    if (how == reply_result::awaited) {
        ring();
    }
    late_replies_ += how == reply_result::late ? 1U : 0U;
    auto& there = its->at(where.phase);
    if (!there.has_reply && (how == reply_result::awaited || how == reply_result::early)) {
        there.reply = data;
        there.has_reply = true;
    }
}

inline void process_world::cancel(std::string_view id) {
    const auto* const one = of(id);
    auto tx = connection_.begin(never);
    const bool done = one != nullptr && book_.cancel(tx, one->type, one->id,
                                                     {world_.now().wall, failure_class::permanent,
                                                      0, "cancelled", "by somebody"});
    const bool is_in_effect = tx.commit() == commit_result::committed;
    world_.note("people", "cancel", id, done && is_in_effect ? "" : "in vain");
    if (is_in_effect) {
        ring();
    } else {
        world_.at(std::chrono::milliseconds(100),
                  [this, again = std::string(id)] { cancel(again); });
    }
}

inline void process_world::when_parked(
    std::string_view id, std::function<bool(memory::journal&, const process_instance&)> decide) {
    world_.at(std::chrono::seconds(5), [this, id = std::string(id), decide] {
        const auto is = look(id);
        if (is && has_ended(is->what.state)) {
            return;
        }
        if (is && is->what.state == instance_state::parked && decide(book_, is->what)) {
            world_.note("people", "decide on", id);
            ring();
            if (auto* const held = ledger_.find(is->what.number)) {
                held->has_ended = true;
            }
        }
        when_parked(id, decide);
    });
}

}  // namespace sinew::testing
