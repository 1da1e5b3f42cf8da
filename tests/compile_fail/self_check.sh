#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that run.sh can fail: each file of fixtures/ is wrong in its own way, and the verdict on it
# has to be the one that stands in its first line. Three of them share what they include, and the twin of
# one is broken: the others must not suffer from it. Takes the compilers as arguments.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
failed=0

if (($# == 0)); then
    set -- g++
fi
for compiler in "$@"; do
    status=0
    table=$("$here/run.sh" --compiler "$compiler" "$here/fixtures") || status=$?
    echo "$table" | sed '/^$/,$d'
    if ((status == 0)); then
        echo "self-check: run.sh accepted fixtures that are wrong"
        failed=1
    fi
    for file in "$here"/fixtures/*.cpp; do
        name=$(basename "$file" .cpp)
        wanted=$(sed -n '1s|^// verdict: ||p' "$file")
        if ! grep -Eq "^$name +$wanted" <<<"$table"; then
            echo "self-check: with $compiler the verdict on $name is not \"$wanted\""
            failed=1
        fi
    done
done

empty=$(mktemp -d)
trap 'rmdir "$empty"' EXIT
if "$here/run.sh" --compiler "$1" "$empty" >/dev/null; then
    echo "self-check: run.sh accepted an empty folder"
    failed=1
fi

if ((failed == 0)); then
    echo "self-check: every wrong fixture was found out"
fi
exit "$failed"
