#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# What each header costs whoever includes it: the median of some compilations of a file that
# includes nothing else, in seconds of processor time, beside the budget of tests/headers/budgets.txt.
#
#   bench/compile.sh [--runs N] [--compiler CXX] [--flag FLAG]... [--commit TEXT] [--csv FILE] [HEADER]...
#
# HEADER is a path below include/sinew, such as core/event.hpp; without one, all are measured. TEXT says
# what was measured, for the table's head. FILE gets the same as data, in the columns of the benchmarks.
set -euo pipefail
shopt -s globstar nullglob

root=$(cd "$(dirname "$0")/.." && pwd)
runs=5
compiler=g++
flags=(-std=c++20 -fsyntax-only)
headers=()
commit=''
csv=/dev/null
while (($#)); do
    case $1 in
        --runs) runs=${2:?}; shift 2 ;;
        --compiler) compiler=${2:?}; shift 2 ;;
        --flag) flags+=("${2:?}"); shift 2 ;;
        --commit) commit=${2:?}; shift 2 ;;
        --csv) csv=$(realpath "${2:?}"); shift 2 ;;
        -*)
            echo "usage: bench/compile.sh [--runs N] [--compiler CXX] [--flag FLAG]... [--commit TEXT]" \
                "[--csv FILE] [HEADER]..." >&2
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
printf '# compile\n\n- compiler: %s %s, %s; median of %d\n' "$compiler" "$version" "${flags[*]}" "$runs"
printf -- '- machine: %s processors, %s\n' "$(nproc)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
[[ -z $commit ]] || printf -- '- commit: %s\n' "$commit"
echo
echo "kind,name,part,by_hand,ours,ratio,low,high,sort,goal,kept,unit,series,x,against" >"$csv"
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
    goal=,,
    [[ $budget == - ]] || goal=at_most,$budget,yes
    if [[ $budget != - ]] && awk -v a="$seconds" -v b="$budget" 'BEGIN { exit !(a > b) }'; then
        note=", over"
        goal=at_most,$budget,no
        over=$((over + 1))
    fi
    echo "figure,$header,,,$seconds,,$seconds,$seconds,$goal,s,,," >>"$csv"
    table_row "$header" "$seconds" "$budget$note"
done
printf '\n%d headers, %d over budget\n' "${#headers[@]}" "$over"
