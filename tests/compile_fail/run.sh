#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that wrong programs do not compile, and that the compiler says why in the words intended.
#
#   run.sh [--compiler CXX]... [--flag FLAG]... [--max-lines N] [--jobs N] FOLDER
#
# Each FOLDER/*.cpp holds one mistake and its corrected twin:
#
#   // expect: <extended regular expression>        (several such lines: all of them must match)
#   #ifdef SINEW_MISTAKE
#   ... the mistake ...
#   #else
#   ... the corrected twin ...
#   #endif
#
# The twin has to compile. The mistake has to fail, with a message that matches on one of its lines,
# in at most --max-lines lines, 15 if not said: all that the compiler prints counts, also the way
# through the headers. Source lines that the compiler quotes are not searched, only what it says
# itself. Prints a table, one line for a file and a column for a compiler.
# Exit: 0 all as it should be; 1 not so, or no file found; 2 wrong usage.
set -euo pipefail

usage() {
    awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

compilers=()
flags=(-std=c++20 -fsyntax-only -fdiagnostics-color=never)
max_lines=15
jobs=2
folder=
while (($#)); do
    case $1 in
        --compiler) compilers+=("${2:?}"); shift 2 ;;
        --flag) flags+=("${2:?}"); shift 2 ;;
        --max-lines) max_lines=${2:?}; shift 2 ;;
        --jobs) jobs=${2:?}; shift 2 ;;
        -*) usage ;;
        *) [[ -z $folder ]] || usage; folder=$1; shift ;;
    esac
done
[[ -n $folder ]] || usage
if ((${#compilers[@]} == 0)); then
    compilers=(g++)
    if command -v clang++-19 >/dev/null; then
        compilers+=(clang++-19)
    fi
fi

shopt -s nullglob
files=("$folder"/*.cpp)
if ((${#files[@]} == 0)); then
    echo "compile_fail: no file found in $folder"
    exit 1
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Judges one file with one compiler; leaves the verdict in BASE.verdict and what speaks for it in
# BASE.log.
judge() {
    local compiler=$1 file=$2 base=$3 lines pattern
    local patterns=()
    mapfile -t patterns < <(sed -n 's|^// expect: *||p' "$file")
    if ((${#patterns[@]} == 0)); then
        echo 'no "// expect:" line' >"$base.verdict"
        return
    fi
    if ! "$compiler" "${flags[@]}" "$file" >"$base.log" 2>&1; then
        echo "twin fails" >"$base.verdict"
        return
    fi
    if "$compiler" "${flags[@]}" -DSINEW_MISTAKE "$file" >"$base.log" 2>&1; then
        echo "compiles" >"$base.verdict"
        return
    fi
    lines=$(wc -l <"$base.log")
    for pattern in "${patterns[@]}"; do
        if ! sed -E '/^ *[0-9]* \| /d' "$base.log" | grep -E -e "$pattern" >/dev/null; then
            echo "wrong message ($lines lines)" >"$base.verdict"
            { echo "expected: $pattern"; echo "the compiler said:"; cat "$base.log"; } >"$base.why"
            mv "$base.why" "$base.log"
            return
        fi
    done
    if ((lines > max_lines)); then
        echo "too long ($lines lines)" >"$base.verdict"
        return
    fi
    echo "ok ($lines lines)" >"$base.verdict"
}

running=0
for file in "${files[@]}"; do
    for i in "${!compilers[@]}"; do
        if ((running >= jobs)); then
            wait -n || true
            running=$((running - 1))
        fi
        judge "${compilers[i]}" "$file" "$out/$(basename "$file" .cpp).$i" &
        running=$((running + 1))
    done
done
wait

failed=0
ok=0
printf '%-50s' "compile_fail"
printf ' %-28s' "${compilers[@]##*/}"
echo
for file in "${files[@]}"; do
    name=$(basename "$file" .cpp)
    printf '%-50s' "$name"
    for i in "${!compilers[@]}"; do
        verdict=$(cat "$out/$name.$i.verdict" 2>/dev/null || echo "no verdict")
        printf ' %-28s' "$verdict"
        if [[ $verdict == "ok ("* ]]; then
            ok=$((ok + 1))
            rm -f "$out/$name.$i.log"
        else
            failed=$((failed + 1))
        fi
    done
    echo
done

for log in "$out"/*.log; do
    echo
    echo "---- $(basename "$log" .log): $(cat "${log%.log}.verdict") ----"
    head -n 40 "$log"
done

echo
echo "compile_fail: $ok ok, $failed failed (of ${#files[@]} files with ${#compilers[@]} compilers)"
((failed == 0))
