// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The SQLite adapter: a transactional store with dead letters, a record of attempts, outboxes and
/// journals; an embedded durable log with consumer groups; and a spool.

#include <sinew/adapters/sqlite/attempts.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/dead_letters.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/journal.hpp>
#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/adapters/sqlite/member.hpp>
#include <sinew/adapters/sqlite/message.hpp>
#include <sinew/adapters/sqlite/outbox.hpp>
#include <sinew/adapters/sqlite/producer.hpp>
#include <sinew/adapters/sqlite/spool.hpp>
#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/adapters/sqlite/topics.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
