#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Checks the rules of the house for headers. Takes the folder that holds include/sinew.
#
#   - the first line is the licence, and `#pragma once` follows;
#   - no header has more than 600 lines;
#   - all includes are with angle brackets, our own as <sinew/...>, and of headers that exist;
#   - core includes nothing of ours but core; consume, publish and process include core and
#     themselves; views include these four and themselves; an adapter includes core and its own
#     family (adapters/sqlite*); process.hpp is all of process; sinew.hpp includes everything but
#     adapters and testing;
#   - range-v3 only in views, fmt only in format.hpp, a client library only in its adapter.
set -euo pipefail
shopt -s globstar nullglob

root=${1:?usage: check.sh FOLDER}
cd "$root/include/sinew"

failed=0
complain() {
    echo "include/sinew/$1: $2"
    failed=$((failed + 1))
}

# The folders that a header may include, as one regular expression on what follows <sinew/.
allowed_for() {
    local family
    case $1 in
        core/*) echo '^core/' ;;
        consume/*) echo '^(core|consume)/' ;;
        publish/*) echo '^(core|publish)/' ;;
        process/*) echo '^(core|process)/' ;;
        views/*) echo '^(core|consume|publish|process|views)/' ;;
        adapters/*)
            family=${1#adapters/}
            family=${family%%[./_]*}
            echo "^(core/|adapters/$family([./_]))"
            ;;
        testing/*) echo '.' ;;
        process.hpp) echo '^(core|process)/' ;;
        sinew.hpp) echo '^(core|consume|publish|process|views)/' ;;
        *) echo '^core/' ;;
    esac
}

# Whether a header may include a library that is not the standard one.
may_include() {
    local header=$1 included=$2
    case $included in
        range/v3/*) [[ $header == views/* || $header == sinew.hpp ]] ;;
        fmt/*) [[ ${header##*/} == *format.hpp ]] ;;
        nlohmann/*) [[ $header == core/json.hpp ]] ;;
        sqlite3.h) [[ $header == adapters/sqlite* || $header == testing/sqlite* ]] ;;
        libpq-fe.h | libpq/*) [[ $header == adapters/postgres* ]] ;;
        librdkafka/*) [[ $header == adapters/kafka* ]] ;;
        catch2/* | rapidcheck* | gtest/* | gmock/*) false ;;
        *) true ;;
    esac
}

headers=(**/*.hpp)
if ((${#headers[@]} == 0)); then
    echo "headers: there is no header in $root/include/sinew"
    exit 1
fi

for header in "${headers[@]}"; do
    [[ $(head -n 1 "$header") == "// SPDX-License-Identifier: BSL-1.0" ]] ||
        complain "$header" "its first line is not the licence, // SPDX-License-Identifier: BSL-1.0"
    grep -qx '#pragma once' "$header" || complain "$header" "it has no #pragma once"
    lines=$(wc -l <"$header")
    ((lines <= 600)) || complain "$header" "it has $lines lines, and 600 are the limit"

    allowed=$(allowed_for "$header")
    while IFS= read -r included; do
        if [[ $included == '"'* ]]; then
            complain "$header" "it includes $included with quotes; write <sinew/...>"
            continue
        fi
        included=${included#<}
        included=${included%%>*}
        if [[ $included == sinew/* ]]; then
            [[ ${included#sinew/} =~ $allowed ]] ||
                complain "$header" "it may not include <$included>: only ${allowed#^} is below it"
            [[ -e ${included#sinew/} ]] ||
                complain "$header" "it includes <$included>, which is not there"
        else
            may_include "$header" "$included" || complain "$header" "it may not include <$included>"
        fi
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1/p' "$header")
done

echo "headers: ${#headers[@]} headers, $failed breaches of the rules"
((failed == 0))
