// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The gate before a port that is down: see core/port_gate.hpp, where it is for all drivers.

#include <sinew/core/port_gate.hpp>
