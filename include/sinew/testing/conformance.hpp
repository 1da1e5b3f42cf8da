// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suites: each looks at every claim of one port, and answers with a table.

#include <sinew/testing/conformance/attempts.hpp>
#include <sinew/testing/conformance/batch_sink.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/outbox.hpp>
#include <sinew/testing/conformance/queue_source.hpp>
#include <sinew/testing/conformance/sink.hpp>
#include <sinew/testing/conformance/source.hpp>
#include <sinew/testing/conformance/spool.hpp>
#include <sinew/testing/conformance/store.hpp>
