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
#
# To read the headers takes longer than to judge a file. So files with the same includes share these as
# a precompiled header: it holds what they include, in their order, and nothing else. And their twins
# are first compiled together, each in a namespace of its own; only where that fails, one by one.
# Exit: 0 all as it should be; 1 not so, or no file found; 2 wrong usage.
set -euo pipefail

usage() {
    awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

compilers=()
flags=(-std=c++20 -fdiagnostics-color=never)
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

# ---- The headers, once for each set of includes --------------------------------------------------

# Starts a job in the background, once there is room for it.
running=0
start() {
    if ((running >= jobs)); then
        wait -n || true
        running=$((running - 1))
    fi
    "$@" &
    running=$((running + 1))
}

# Precompiles a header for one compiler. Where that fails, the files read what they include themselves,
# and the first of them says what is wrong.
precompile() {
    local compiler=$1 header=$2
    "$compiler" "${flags[@]}" -x c++-header "$header" -o "$header.gch" >/dev/null 2>&1 ||
        rm -f "$header.gch"
}

# Compiles all twins of a header's files together, and leaves a note if they do compile.
compile_twins() {
    local compiler=$1 header=$2 twins=$3
    [[ -e $header.gch ]] || return 0
    "$compiler" "${flags[@]}" -fsyntax-only -include "$header" "$twins" >/dev/null 2>&1 &&
        touch "$header.twins_compile"
}

declare -A includes_of=() uses=() folder_of=()
for file in "${files[@]}"; do
    includes=x$(sed -n '/^#include /p' "$file")
    includes_of[$file]=$includes
    uses[$includes]=$((${uses[$includes]:-0} + 1))
done
for includes in "${!uses[@]}"; do
    if [[ $includes == x ]] || ((${uses[$includes]} < 2)); then
        continue
    fi
    folder_of[$includes]=$out/headers.${#folder_of[@]}
    for i in "${!compilers[@]}"; do
        header=${folder_of[$includes]}.$i/shared.hpp
        mkdir -p "$(dirname "$header")"
        printf '%s\n' "${includes#x}" >"$header"
        start precompile "${compilers[i]}" "$header"
    done
done
wait
running=0

for file in "${files[@]}"; do
    shared=${folder_of[${includes_of[$file]}]:-}
    # What specialises a template of the library cannot stand in another namespace.
    if [[ -n $shared ]] && ! grep -qE '^(template <>|namespace [a-z])' "$file"; then
        printf 'namespace in_%s {\n#include "%s"\n}\n' \
            "$(basename "$file" .cpp)" "$(realpath "$file")" >>"$shared.twins.cpp"
        touch "$out/$(basename "$file" .cpp).among_twins"
    fi
done
for shared in "${folder_of[@]}"; do
    for i in "${!compilers[@]}"; do
        [[ ! -e $shared.twins.cpp ]] ||
            start compile_twins "${compilers[i]}" "$shared.$i/shared.hpp" "$shared.twins.cpp"
    done
done
wait
running=0

# ---- The files -----------------------------------------------------------------------------------

# Judges one file with one compiler; leaves the verdict in BASE.verdict and what speaks for it in
# BASE.log. HEADER is the header it shares, or empty.
judge() {
    local compiler=$1 file=$2 base=$3 header=$4 lines pattern
    local patterns=() call=("$compiler" "${flags[@]}" -fsyntax-only)
    [[ ! -e $header.gch ]] || call+=(-include "$header")
    mapfile -t patterns < <(sed -n 's|^// expect: *||p' "$file")
    if ((${#patterns[@]} == 0)); then
        echo 'no "// expect:" line' >"$base.verdict"
        return
    fi
    if [[ -e $header.twins_compile && -e ${base%.*}.among_twins ]]; then
        : # it has compiled with the others
    elif ! "${call[@]}" "$file" >"$base.log" 2>&1; then
        echo "twin fails" >"$base.verdict"
        return
    fi
    if "${call[@]}" -DSINEW_MISTAKE "$file" >"$base.log" 2>&1; then
        echo "compiles" >"$base.verdict"
        return
    fi
    # As if the file itself included the header: it does so in no first line, where the licence stands.
    sed -i '\|^In file included from .*\.cpp:1:$|d' "$base.log"
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

for file in "${files[@]}"; do
    shared=${folder_of[${includes_of[$file]}]:-}
    for i in "${!compilers[@]}"; do
        start judge "${compilers[i]}" "$file" "$out/$(basename "$file" .cpp).$i" \
            "${shared:+$shared.$i/shared.hpp}"
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
