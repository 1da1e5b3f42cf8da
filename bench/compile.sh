#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# What each header costs whoever includes it: compilations of a file that includes nothing else, in
# seconds of processor time, beside the budget of tests/headers/budgets.txt.
#
# The budgets are seconds of one machine. So beside each compilation one of <memory> is measured,
# which took 0.33 s there; how many times that a header takes is what counts.
#
#   bench/compile.sh [--runs N] [--compiler CXX] [--flag FLAG]... [--commit TEXT] [--csv FILE] [HEADER]...
#
# HEADER is a path below include/sinew, such as core/event.hpp; without one, all are measured that have
# a budget. TEXT says what was measured, for the table's head. FILE gets the same as data, in the columns
# of the benchmarks.
set -euo pipefail
shopt -s globstar nullglob

root=$(cd "$(dirname "$0")/.." && pwd)
runs=2
unit='<memory>'
unit_seconds=0.33  # as in tests/headers/budgets.txt
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
# shellcheck source=tests/headers/budgets.sh
source "$root/tests/headers/budgets.sh"
mapfile -t -O "${#flags[@]}" flags < <(library_flags)
cd "$root/include/sinew"
if ((${#headers[@]} == 0)); then
    for header in **/*.hpp; do
        [[ $(budget_of "$header") == - ]] || headers+=("$header")
    done
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
source=$folder/header.cpp
echo "#include $unit" >"$folder/unit.cpp"
TIMEFORMAT='%U %S'

# The seconds that a file takes. Fails if it does not compile.
seconds_of() {
    local seconds
    seconds=$({ time "$compiler" "${flags[@]}" -I"$root/include" "$1" 2>/dev/null; } 2>&1) &&
        awk '{ print $1 + $2 }' <<<"$seconds"
}
# measure RUNS: sets `here` to the least seconds of so many, and `there` to what they are on the budgets'
# machine. Whatever else a machine does makes a compilation longer, and never shorter; so the unit's
# seconds are the least of the last eight. Fails if the header does not compile.
units=()
measure() {
    local i one
    here=
    for ((i = 0; i < $1; ++i)); do
        one=$(seconds_of "$source") || return
        here=$(printf '%s\n' "$here" "$one" | sed '/^$/d' | sort -g | head -n 1)
        units+=("$(seconds_of "$folder/unit.cpp")")
    done
    one=$(printf '%s\n' "${units[@]: -8}" | sort -g | head -n 1)
    there=$(awk -v here="$here" -v one="$one" -v unit="$unit_seconds" \
        'BEGIN { printf "%.2f", here / one * unit }')
    here=$(printf '%.2f' "$here")
}

# is_over SECONDS BUDGET
is_over() { [[ $2 != - ]] && awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }

for ((i = 0; i < 8; ++i)); do
    if ! units+=("$(seconds_of "$folder/unit.cpp")"); then
        echo "bench/compile.sh: $compiler does not compile $unit" >&2
        exit 1
    fi
done

over=0
broken=0
version=$("$compiler" -dumpfullversion 2>/dev/null || true)
printf '# compile\n\n- compiler: %s %s, %s; the least of %d, or of %d where that is over\n' \
    "$compiler" "$version" "${flags[*]}" "$runs" "$((3 * runs))"
printf -- '- machine: %s processors, %s\n' "$(nproc)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
printf -- '- seconds of processor time; there: on the machine of the budgets, where %s takes %s\n' \
    "$unit" "$unit_seconds"
[[ -z $commit ]] || printf -- '- commit: %s\n' "$commit"
echo
echo "kind,name,part,by_hand,ours,ratio,low,high,sort,goal,kept,unit,series,x,against" >"$csv"
table_row() { printf '| %-44s | %8s | %8s | %10s |\n' "$@"; }
table_row header here there budget
echo '| --- | ---: | ---: | ---: |'
for header in "${headers[@]}"; do
    echo "#include <sinew/$header>" >"$source"
    if ! measure "$runs"; then
        table_row "$header" "does not compile" "" ""
        broken=$((broken + 1))
        continue
    fi
    budget=$(budget_of "$header")
    [[ $budget != none ]] || budget=-
    note=
    goal=,,
    [[ $budget == - ]] || goal=at_most,$budget,yes
    if is_over "$there" "$budget"; then
        measure $((3 * runs))
    fi
    if is_over "$there" "$budget"; then
        note=", over"
        goal=at_most,$budget,no
        over=$((over + 1))
    fi
    echo "figure,$header,,,$there,,$there,$there,$goal,s,,," >>"$csv"
    table_row "$header" "$here" "$there" "$budget$note"
done
printf '\n%d headers, %d over budget\n' "${#headers[@]}" "$over"
if ((broken > 0)); then
    printf '%d do not compile\n' "$broken"
    exit 1
fi
