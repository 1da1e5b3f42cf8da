#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Fails if COMMAND, which is chains.sh with its arguments, prints something else than CHAINS holds.
#
#   same_chains.sh CHAINS COMMAND...
set -euo pipefail

chains=${1:?usage: same_chains.sh CHAINS COMMAND...}
shift
if ! "$@" | cmp -s - "$chains"; then
    echo "headers: what they include has changed since this tree was configured: run cmake once more"
    exit 1
fi
