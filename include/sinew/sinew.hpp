// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All of sinew but long work (process.hpp), its adapters and its proving ground, which cost their
/// own.

#include <sinew/consume/consumer.hpp>
#include <sinew/consume/dead_letter_topic.hpp>
#include <sinew/consume/describe.hpp>
#include <sinew/consume/triage.hpp>
#include <sinew/core/attempts.hpp>
#include <sinew/core/commit_within.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/name.hpp>
#include <sinew/core/new_event.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/queue_source.hpp>
#include <sinew/core/run.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/timestamp.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/relay.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/publish/with_breaker.hpp>
#include <sinew/publish/with_fallback.hpp>
