// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Everything in memory: a log, a queue, a store, a place for dead letters, a record of attempts,
/// an outbox, a spool, a journal.
///
/// They are the reference models of the ports. Services use them in their tests, and other adapters
/// are compared with them.
///
/// **Bounds.** Not thread safe: one thread at a time for a log or a database and all handles on it.

#include <sinew/adapters/memory/attempts.hpp>
#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/log.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/queue.hpp>
#include <sinew/adapters/memory/spool.hpp>
#include <sinew/adapters/memory/store.hpp>
#include <sinew/adapters/memory/transaction.hpp>
