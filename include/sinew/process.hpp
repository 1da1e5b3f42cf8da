// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Long work: steps that go on where they stopped, and sagas that undo what they did.
///
/// What is in sinew.hpp does not need it, so it stands beside it.

#include <sinew/core/journal.hpp>
#include <sinew/process/bring_reply.hpp>
#include <sinew/process/codec.hpp>
#include <sinew/process/command.hpp>
#include <sinew/process/describe.hpp>
#include <sinew/process/desk.hpp>
#include <sinew/process/mermaid.hpp>
#include <sinew/process/runner.hpp>
#include <sinew/process/start_process.hpp>
#include <sinew/process/step_view.hpp>
#include <sinew/process/steps.hpp>
#include <sinew/process/stuck.hpp>
