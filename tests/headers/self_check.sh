#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that check.sh and budget.sh can fail: breaks each rule once, in a folder of its own. And that
# chains.sh lets nothing stand before a header that this one doesn't include.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
failed=0

# breach SCRIPT EXPECTED HEADER LINE...: a tree with this one header has to fail with this message.
breach() {
    local script=$1 expected=$2 header=$3 said status=0
    shift 3
    rm -rf "$top/include"
    mkdir -p "$top/include/sinew/core" "$top/include/sinew/consume" "$top/include/sinew/adapters" \
        "$(dirname "$top/include/sinew/$header")"
    for file in core/a.hpp consume/a.hpp adapters/other.hpp; do
        printf '// SPDX-License-Identifier: BSL-1.0\n#pragma once\nint x;\n' >"$top/include/sinew/$file"
    done
    printf '%s\n' "$@" >"$top/include/sinew/$header"
    said=$("$here/$script" "$top") || status=$?
    if ((status == 0)) || ! grep -Eq -- "$expected" <<<"$said"; then
        echo "self-check: $script did not find: $expected"
        echo "$said"
        failed=1
    fi
}

licence='// SPDX-License-Identifier: BSL-1.0'
once='#pragma once'
mapfile -t long < <(yes '// a line' | head -n 600)
mapfile -t many < <(yes 'struct s;' | head -n 5000)  # 0.50 s, were they templates

breach check.sh 'not the licence' core/b.hpp "$once"
breach check.sh 'no #pragma once' core/b.hpp "$licence"
breach check.sh '602 lines' core/b.hpp "$licence" "$once" "${long[@]}"
breach check.sh 'with quotes' core/b.hpp "$licence" "$once" '#include "a.hpp"'
breach check.sh 'which is not there' core/b.hpp "$licence" "$once" '#include <sinew/core/c.hpp>'
breach check.sh 'may not include <sinew/consume' core/b.hpp "$licence" "$once" '#include <sinew/consume/a.hpp>'
breach check.sh 'may not include <sinew/consume' process/b.hpp "$licence" "$once" '#include <sinew/consume/a.hpp>'
breach check.sh 'may not include <sinew/adapters' adapters/sqlite.hpp "$licence" "$once" '#include <sinew/adapters/other.hpp>'
breach check.sh 'may not include <sinew/adapters' sinew.hpp "$licence" "$once" '#include <sinew/adapters/other.hpp>'
breach check.sh 'may not include <range/v3' consume/b.hpp "$licence" "$once" '#include <range/v3/core.hpp>'
breach check.sh 'may not include <fmt/' core/b.hpp "$licence" "$once" '#  include  <fmt/core.h>  // why'
breach check.sh 'may not include <catch2/' testing/b.hpp "$licence" "$once" '#include <catch2/catch.hpp>'
breach budget.sh 'its budget is 0.35 s' core/b.hpp "$licence" "$once" '#include <regex>'
breach budget.sh 'counts for 1.25 s; its budget' testing/b.hpp "${many[@]}"
breach budget.sh 'no pattern' elsewhere/b.hpp "$licence" "$once" 'int x;'
breach budget.sh 'could not be preprocessed' core/b.hpp '#error no'

# chains EXPECTED: what chains.sh makes of a.hpp, b.hpp and c.hpp as they stand.
chains() {
    local said
    said=$("$here/chains.sh" "$top" sinew/a.hpp sinew/b.hpp sinew/c.hpp | sort | paste -s -d ';')
    if [[ $said != "$1" ]]; then
        echo "self-check: chains.sh should print $1"
        echo "$said"
        failed=1
    fi
}

rm -rf "$top/include"
mkdir -p "$top/include/sinew"
cd "$top/include/sinew"
printf '%s\n' "$once" 'namespace a {}' >a.hpp
printf '%s\n' "$once" '#include <sinew/a.hpp>' 'namespace b {}' >b.hpp
printf '%s\n' "$once" '#include <sinew/b.hpp>' 'namespace c {}' >c.hpp
chains 'sinew/a.hpp sinew/b.hpp sinew/c.hpp'
printf '%s\n' "$once" 'namespace b {}' >b.hpp
chains 'sinew/a.hpp;sinew/b.hpp sinew/c.hpp'
printf '%s\n' "$once" 'namespace b {}' '#include <sinew/a.hpp>' >b.hpp
chains 'sinew/a.hpp;sinew/b.hpp sinew/c.hpp'
printf '%s\n' "$once" '#include <sinew/a.hpp>' '#include <sinew/c.hpp>' 'namespace b {}' >b.hpp
chains 'sinew/a.hpp sinew/c.hpp;sinew/b.hpp'

if ((failed == 0)); then
    echo "self-check: every breach was found out"
fi
exit "$failed"
