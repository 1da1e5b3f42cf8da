// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The PostgreSQL adapter: a transactional store with dead letters, a record of attempts, outboxes
/// and journals.

#include <sinew/adapters/postgres/attempts.hpp>
#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/dead_letters.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/journal.hpp>
#include <sinew/adapters/postgres/outbox.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/store.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
