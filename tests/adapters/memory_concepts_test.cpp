// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/core/attempts.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/queue_source.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/store.hpp>

#include <concepts>

namespace memory = sinew::memory;

static_assert(sinew::subscribable<memory::log>);
static_assert(sinew::source<memory::member>);
static_assert(sinew::source<memory::log::member>);
static_assert(sinew::source_message<memory::message>);
static_assert(sinew::sink<memory::producer>);

static_assert(sinew::queue_source<memory::queue>);
static_assert(sinew::queue_message<memory::queue::message>);
static_assert(sinew::sink<memory::queue>);

static_assert(sinew::store<memory::store>);
static_assert(sinew::consumer_store<memory::store>);
static_assert(sinew::transaction<memory::transaction>);
static_assert(sinew::nestable_transaction<memory::transaction>);
static_assert(sinew::inbox_transaction<memory::transaction>);
static_assert(sinew::progress_transaction<memory::transaction>);
static_assert(sinew::offsets_transaction<memory::transaction>);

static_assert(sinew::dead_letter_place<memory::dead_letters>);
static_assert(sinew::dead_letter_store<memory::dead_letters>);
static_assert(sinew::dead_letters_in_transaction<memory::dead_letters, memory::store>);

static_assert(sinew::attempt_log<memory::attempts>);

// What is one thing must not become two.
static_assert(!std::copyable<memory::log> && std::movable<memory::log>);
static_assert(!std::copyable<memory::member> && std::movable<memory::member>);
static_assert(!std::copyable<memory::store> && std::movable<memory::store>);
static_assert(!std::copyable<memory::transaction> && std::movable<memory::transaction>);
static_assert(!std::copyable<memory::database> && std::movable<memory::database>);
// What is only a handle can be handed around.
static_assert(std::copyable<memory::dead_letters> && std::copyable<memory::attempts>);
