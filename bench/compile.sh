#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# What each header costs whoever includes it: the median of some compilations of a file that
# includes nothing else, in seconds of processor time, beside the budget of tests/headers/budgets.txt.
#
#   bench/compile.sh [--runs N] [--compiler CXX] [--flag FLAG]... [HEADER]...
#
# HEADER is a path below include/sinew, such as core/event.hpp; without one, all are measured.
set -euo pipefail
shopt -s globstar nullglob

root=$(cd "$(dirname "$0")/.." && pwd)
runs=5
compiler=g++
flags=(-std=c++20 -fsyntax-only)
headers=()
while (($#)); do
    case $1 in
        --runs) runs=${2:?}; shift 2 ;;
        --compiler) compiler=${2:?}; shift 2 ;;
        --flag) flags+=("${2:?}"); shift 2 ;;
        -*)
            echo "usage: bench/compile.sh [--runs N] [--compiler CXX] [--flag FLAG]... [HEADER]..." >&2
            exit 2
            ;;
        *) headers+=("$1"); shift ;;
    esac
done
cd "$root/include/sinew"
if ((${#headers[@]} == 0)); then
    headers=(**/*.hpp)
fi

budget_of() {
    local pattern seconds _
    while read -r pattern seconds _; do
        # shellcheck disable=SC2053  # the right side is a pattern on purpose
        if [[ $pattern != '#'* && -n $pattern && $1 == $pattern ]]; then
            echo "$seconds"
            return
        fi
    done <"$root/tests/headers/budgets.txt"
    echo -
}

source=$(mktemp --suffix=.cpp)
trap 'rm -f "$source"' EXIT
TIMEFORMAT='%U %S'

measure() {
    local i
    for ((i = 0; i < runs; ++i)); do
        { time "$compiler" "${flags[@]}" -I"$root/include" "$source" 2>/dev/null; } 2>&1 |
            awk '{ printf "%.2f\n", $1 + $2 }'
    done | sort -n | sed -n "$(((runs + 1) / 2))p"
}

over=0
version=$("$compiler" -dumpfullversion 2>/dev/null || true)
printf '# compile\n\n- compiler: %s %s; median of %d\n\n' "$compiler" "$version" "$runs"
table_row() { printf '| %-44s | %8s | %8s |\n' "$@"; }
table_row header seconds budget
echo '| --- | ---: | ---: |'
for header in "${headers[@]}"; do
    echo "#include <sinew/$header>" >"$source"
    if ! "$compiler" "${flags[@]}" -I"$root/include" "$source" 2>/dev/null; then
        table_row "$header" "does not compile" ""
        continue
    fi
    seconds=$(measure)
    budget=$(budget_of "$header")
    note=
    if [[ $budget != - ]] && awk -v a="$seconds" -v b="$budget" 'BEGIN { exit !(a > b) }'; then
        note=", over"
        over=$((over + 1))
    fi
    table_row "$header" "$seconds" "$budget$note"
done
printf '\n%d headers, %d over budget\n' "${#headers[@]}" "$over"
