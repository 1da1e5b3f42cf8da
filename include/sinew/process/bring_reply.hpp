// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Bringing a reply to the step that waits for it, in the transaction in which it was received.
///
/// ```cpp
/// .on<"points.added">([&](const sinew::event_view& e, auto& tx) {
///     sinew::bring_reply(journal, tx, e, now);
/// })
/// ```
///
/// **Guarantees.** A reply may come twice, late, or before its instance: what becomes of it is the
/// answer, and never an error.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/step_key.hpp>

#include <string_view>
#include <utility>

namespace sinew {

/// Brings a reply to the step whose command had this id: its idempotency key.
///
/// **On failure.** Throws `permanent_error`: `malformed_reply` if the text is no such key, and what
/// `check_reply` says.
template <class Journal, class Tx>
reply_result bring_reply(Journal& journal, Tx& tx, std::string_view command_id,
                         std::string_view data, wall_time now) {
    auto key = parse_step_key(command_id);
    if (!key) {
        throw permanent_error("malformed_reply",
                              "the reply does not name the command that it is for; its "
                              "causationid has to be the id of the command");
    }
    return journal.reply(tx, process_reply{key->type, key->id, std::move(key->where), data}, now);
}

/// Brings an event as the reply to the command that caused it.
///
/// **On failure.** As above.
template <class Journal, class Tx>
reply_result bring_reply(Journal& journal, Tx& tx, const event_view& reply, wall_time now) {
    return bring_reply(journal, tx, reply.causationid, reply.text(), now);
}

}  // namespace sinew
