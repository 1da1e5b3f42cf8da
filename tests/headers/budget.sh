#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Compares what each header leaves to compile with its budget; budgets.txt says how.
#
#   budget.sh [--compiler CXX] [--flag FLAG]... FOLDER        FOLDER holds include/sinew
set -euo pipefail
shopt -s globstar nullglob

# shellcheck source=tests/headers/budgets.sh
source "$(cd "$(dirname "$0")" && pwd)/budgets.sh"
lines_per_second=100000
compiler=g++
ours_counts=10
plain_counts=25
flags=(-std=c++20 -I..)
root=
while (($#)); do
    case $1 in
        --compiler) compiler=${2:?}; shift 2 ;;
        --flag) flags+=("${2:?}"); shift 2 ;;
        *) root=$1; shift ;;
    esac
done
cd "${root:?usage: budget.sh [--compiler CXX] [--flag FLAG]... FOLDER}/include/sinew"

mapfile -t -O "${#flags[@]}" flags < <(library_flags)

# Whether a header needs a client library that is not there: then it cannot be counted.
lacks_library() {
    local needed
    case $1 in
        *sqlite*) needed=sqlite3.h ;;
        *postgres*) needed=libpq-fe.h ;;
        *) return 1 ;;
    esac
    ! "$compiler" "${flags[@]}" -x c++ -E - <<<"#include <$needed>" >/dev/null 2>&1
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT

headers=(**/*.hpp)
failed=0
checked=0
for header in "${headers[@]}"; do
    budget=$(budget_of "$header")
    if [[ $budget == - ]]; then
        continue
    fi
    if [[ $budget == none ]]; then
        echo "$header: no pattern in budgets.txt matches it"
        failed=$((failed + 1))
        continue
    fi
    limit=$(awk -v s="$budget" -v rate="$lines_per_second" 'BEGIN { printf "%d", s * rate }')
    checked=$((checked + 1))
    if ! "$compiler" "${flags[@]}" -x c++ -E - <<<"#include <sinew/$header>" >"$out" 2>/dev/null; then
        if lacks_library "$header"; then
            echo "$header: not counted, since its client library is not there"
            checked=$((checked - 1))
            continue
        fi
        echo "$header: it could not be preprocessed"
        failed=$((failed + 1))
        continue
    fi
    # `# 1 "../sinew/core/event.hpp"` says where the lines after it come from.
    lines=$(awk -v ours="$ours_counts" -v plain="$plain_counts" '
        /^# [0-9]+ "/ {
            weight = 1
            if ($3 ~ /^"\.\.\/sinew\//) { weight = $3 ~ /\/sinew\/(adapters|testing)\// ? plain : ours }
            next
        }
        NF { sum += weight }
        END { print sum + 0 }
    ' "$out")
    if ((lines > limit)); then
        printf '%-40s counts for %d.%02d s; its budget is %s s\n' \
            "$header" "$((lines / lines_per_second))" "$((lines * 100 / lines_per_second % 100))" "$budget"
        failed=$((failed + 1))
    fi
done

echo "budget: $checked headers, $failed over budget"
((failed == 0 && checked > 0))
