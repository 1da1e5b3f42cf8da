#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Checks that ./dev fuzz and ./dev soak refuse what they cannot do, before they build anything: exit
# code 2, a sentence that says what is wrong, and how to call them.
set -euo pipefail

dev=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/dev
failures=0

# refuses SENTENCE ARGUMENT...
refuses() {
    local sentence=$1 said status=0
    shift
    said=$("$dev" --no-install "$@" 2>&1 >/dev/null) || status=$?
    if ((status != 2)) || [[ $said != "dev: $sentence"*"usage: ./dev"* ]]; then
        echo "./dev $*: expected exit code 2 and \"$sentence\", got $status and:"
        echo "$said"
        failures=$((failures + 1))
    fi
}

refuses "there is no fuzz target nosuch: attributes encode" fuzz nosuch
refuses "there is no fuzz target replay:" fuzz replay
refuses "there is no fuzz target .*:" fuzz '.*'
refuses "fuzz takes one name" fuzz time utf8
refuses "fuzz does not know --wrong" fuzz --wrong
refuses "--seconds needs a number" fuzz --seconds
for number in x -1 1.5 '' 99999999999999999999; do
    refuses "--seconds takes a whole number, not $number" fuzz --seconds "$number"
done
refuses "--seconds takes 0 only with --merge" fuzz --seconds 0
refuses "soak does not know wrong" soak wrong
refuses "--only needs the name of a part" soak --only
refuses "there is no part wrong: laws, tapes, kills, fuzz" soak --only wrong

((failures == 0)) && echo "all is refused as it should be"
