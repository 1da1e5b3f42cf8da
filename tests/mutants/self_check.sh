#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that run.sh can fail: each mutant of fixtures/ goes wrong in its own way, and the verdict on
# it has to be the one that its line `verdict:` names. Then shows that a second run builds nothing,
# and that a set of mutants that are all caught is accepted.
#
#   self_check.sh CMAKE GENERATOR COMPILER
set -euo pipefail

cmake=${1:-cmake} generator=${2:-Ninja} compiler=${3:-g++}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SINEW_MUTANT_SECONDS=2
failed=0

run() {
    "$here/run.sh" "$work/mutants.txt" "$cmake" --build "$work"
}
configure() {
    "$cmake" -G "$generator" -S "$here/fixtures" -B "$work" -D "CMAKE_CXX_COMPILER=$compiler" "$@" \
        >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
}

configure -D ONLY=
status=0
table=$(run 2>&1) || status=$?
sed -n '/^mutant/,/^$/p' <<<"$table"
if ((status == 0)); then
    echo "self-check: run.sh accepted mutants that are wrong"
    failed=1
fi
for mutant in "$here"/fixtures/*.mutant; do
    name=$(basename "$mutant" .mutant)
    wanted=$(sed -n 's/^verdict: //p' "$mutant")
    if ! grep -Eq "^$name [ .xX0-9-]*   $wanted" <<<"$table"; then
        echo "self-check: the verdict on $name is not \"$wanted\""
        failed=1
    fi
done
grep -Eq '^adds_up +alone catches' <<<"$table" || { echo "self-check: no line on adds_up"; failed=1; }

configure -D 'ONLY=(caught|caught_by_deleting|two_blocks)'
run >/dev/null || { echo "self-check: run.sh refused mutants that are caught"; failed=1; }
again=$(run) || { echo "self-check: the second run failed"; failed=1; }
if [[ $generator == Ninja ]] && ! grep -q 'no work to do' <<<"$again"; then
    echo "self-check: the second run built something"
    failed=1
fi

if ((failed == 0)); then
    echo "self-check: every wrong mutant was found out"
else
    echo "$table"
fi
exit "$failed"
