#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that run.sh can fail: each mutant of fixtures/ goes wrong in its own way, and the verdict on
# it has to be the one that its line `verdict:` names. Then shows that a set of mutants of which
# nothing is wrong is accepted, that a second run builds nothing, that costs can be recorded, and that
# a law that nothing needs and a canary that is missing are found out.
#
#   self_check.sh CMAKE GENERATOR COMPILER
set -euo pipefail

cmake=${1:-cmake} generator=${2:-Ninja} compiler=${3:-g++}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SINEW_MUTANT_SECONDS=2
failed=0

costs=$here/fixtures/costs.txt
run() {
    "$here/run.sh" "$work/mutants.txt" "$costs" "$cmake" --build "$work"
}
complain() {
    echo "self-check: $1"
    failed=1
}
# Only those mutants, with only their costs.
only() {
    configure -D "ONLY=($1)"
    costs=$work/costs.txt
    grep -E "^($1) " "$here/fixtures/costs.txt" >"$costs" || true
}
configure() {
    "$cmake" -G "$generator" -S "$here/fixtures" -B "$work" -D "CMAKE_CXX_COMPILER=$compiler" "$@" \
        >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
}

configure -D ONLY=
status=0
table=$(run 2>&1) || status=$?
sed -n '/^mutant/,/^$/p' <<<"$table"
((status != 0)) || complain "run.sh accepted mutants that are wrong"
for mutant in "$here"/fixtures/*.mutant; do
    name=$(basename "$mutant" .mutant)
    wanted=$(sed -n 's/^verdict: //p' "$mutant")
    if ! grep -Eq "^$name [] .[0-9-]*   $wanted" <<<"$table"; then
        complain "the verdict on $name is not \"$wanted\""
    fi
done
grep -Eq '^adds_up +alone catches' <<<"$table" || complain "no line on adds_up"
grep -Eq '^grown_blind +\[1\]  \. +500 ' <<<"$table" || complain "the row of grown_blind is wrong"
grep -q 'It took 1 faults and 500 schedules' <<<"$table" || complain "what has grown is not told"

good='caught|caught_by_deleting|two_blocks|cheaper|canary_survives|canary_caught'
only "$good"
run >/dev/null || complain "run.sh refused mutants that are caught"
again=$(run) || complain "the second run failed"
if [[ $generator == Ninja ]] && ! grep -q 'no work to do' <<<"$again"; then
    complain "the second run built something"
fi

: >"$costs"
SINEW_RECORD_COSTS=1 run >/dev/null || complain "costs could not be recorded"
grep -qx 'cheaper adds_up small 0 1' "$costs" || complain "what was recorded is wrong"
run >/dev/null || complain "run.sh refused what it had recorded itself"
echo "gone adds_up small 0 1" >>"$costs"
! run >/dev/null || complain "run.sh accepted the cost of a mutant that is gone"

only "caught|two_blocks|canary_survives|canary_caught"
alone=$(run) && complain "run.sh accepted a law that is the only catcher of nothing"
grep -Eq '^never_falls +alone catches 0' <<<"$alone" || complain "that law is not named"

only "caught|caught_by_deleting|canary_caught"
canary=$(run) && complain "run.sh accepted a matrix without a canary that has to survive"
grep -q 'There is no canary' <<<"$canary" || complain "the missing canary is not named"

if ((failed == 0)); then
    echo "self-check: every wrong mutant was found out"
else
    echo "$table"
fi
exit "$failed"
