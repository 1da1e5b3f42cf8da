#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Checks that README.md and docs/ say nothing that is not so in the tree:
#
#   check_quotes.sh [--update] [ROOT]
#
# With --update, quotes that are not what stands in the file are put right first.
#
# - A fenced block under `<!-- quote: FILE [NAME] -->` is the text between `// [NAME]` and
#   `// [/NAME]` in FILE, without the indentation of the marker. Without [NAME] it is the whole file,
#   without a licence line at its top. Markers of other regions are left out.
# - Each fenced block of C++ is a quote, so that no program stands here that nobody compiles.
# - Each marked region of examples/*.cpp is quoted.
# - Relative links lead to files that are there, and anchors to headings.
set -euo pipefail

update=no
if [[ ${1:-} == --update ]]; then
    update=yes
    shift
fi
root=$(cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}" && pwd)
cd "$root"
failures=0
quotes=0
links=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "$*"
    failures=$((failures + 1))
}

# region FILE NAME: what is to be quoted; fails unless the region is there once.
region() {
    awk -v name="$2" '
        name == "" {
            if (FNR == 1 && /SPDX-License-Identifier/) next
            print
            next
        }
        {
            bare = $0
            sub(/^ */, "", bare)
        }
        bare == "// [" name "]" {
            inside = 1
            ++found
            indent = length($0) - length(bare)
            next
        }
        bare == "// [/" name "]" { inside = 0; ++ended; next }
        inside && bare ~ /^\/\/ \[\/?[a-z_]+\]$/ { next }
        inside {
            if (substr($0, 1, indent) ~ /^ *$/) print substr($0, indent + 1)
            else print
        }
        END { if (name != "" && (found != 1 || ended != 1)) exit 1 }
    ' "$1"
}

# blocks FILE: writes each fenced block to a file, and prints LINE|LANGUAGE|QUOTE|FILE for it.
blocks() {
    awk -v out="$work/block" '
        !inside && /^```/ {
            inside = 1
            language = substr($0, 4)
            quote = previous ~ /^<!-- quote: .* -->$/ ? substr(previous, 13, length(previous) - 16) : ""
            file = out "-" NR
            printf "" > file
            printf "%d|%s|%s|%s\n", NR, language, quote, file
            next
        }
        inside && /^```$/ { inside = 0; close(file); previous = ""; next }
        inside { print > file; next }
        { previous = $0 }
    ' "$1"
}

# anchors FILE: the headings of a page as GitHub makes anchors of them.
anchors() {
    awk '
        /^```/ { inside = !inside }
        !inside && /^#+ / {
            sub(/^#+ /, "")
            text = tolower($0)
            gsub(/[^a-z0-9 _-]/, "", text)
            gsub(/ /, "-", text)
            print text
        }
    ' "$1"
}

# targets FILE: LINE|TARGET of each link, outside of code.
targets() {
    awk '
        /^```/ { inside = !inside; next }
        inside { next }
        {
            gsub(/`[^`]*`/, "")
            rest = $0
            while (match(rest, /\]\([^) ]+\)/)) {
                print FNR "|" substr(rest, RSTART + 2, RLENGTH - 3)
                rest = substr(rest, RSTART + RLENGTH)
            }
        }
    ' "$1"
}

# renew FILE LINE: puts the text of $work/region in place of the block that begins at that line.
renew() {
    awk -v at="$2" -v text="$work/region" '
        skip && /^```$/ { skip = 0 }
        !skip { print }
        FNR == at {
            while ((getline line < text) > 0) print line
            skip = 1
        }
    ' "$1" >"$work/page"
    cat "$work/page" >"$1"
}

check_block() {
    local page=$1 line=$2 language=$3 quote=$4 file=$5 path name=
    if [[ -z $quote ]]; then
        if [[ $language == cpp ]]; then
            fail "$page:$line: C++ that is not quoted from a file that is compiled"
        fi
        return
    fi
    quotes=$((quotes + 1))
    path=${quote%% *}
    if [[ $quote =~ ^[^\ ]+\ \[([a-z_]+)\]$ ]]; then
        name=${BASH_REMATCH[1]}
    elif [[ $quote == *' '* ]]; then
        fail "$page:$line: a quote is named FILE or FILE [NAME], not: $quote"
        return
    fi
    if [[ ! -f $path ]]; then
        fail "$page:$line: $path is not there"
    elif ! region "$path" "$name" >"$work/region"; then
        fail "$page:$line: $path has no region [$name], or more than one"
    elif [[ $update == yes ]]; then
        cmp -s "$work/region" "$file" || { renew "$page" "$line" && echo "$page:$line: put right"; }
    elif ! diff -u --label "$path ${name:+[$name]}" "$work/region" --label "$page:$line" "$file"; then
        fail "$page:$line: not what stands in $path"
    fi
    echo "$path [$name]" >>"$work/quoted"
}

check_link() {
    local page=$1 line=$2 target=$3 file anchor=
    case $target in
        *://* | mailto:*) return ;;
    esac
    links=$((links + 1))
    file=${target%%#*}
    [[ $target != *'#'* ]] || anchor=${target#*#}
    if [[ -z $file ]]; then
        file=$page
    else
        file=$(dirname "$page")/$file
    fi
    if [[ ! -e $file ]]; then
        fail "$page:$line: the link $target leads nowhere"
    elif [[ -n $anchor ]] && ! anchors "$file" | grep -qxF -- "$anchor"; then
        fail "$page:$line: the link $target leads to a heading that is not there"
    fi
}

touch "$work/quoted"
mapfile -t pages < <({ ls README.md; find docs -name '*.md'; } | sort)
for page in "${pages[@]}"; do
    # From the last block to the first, so that their lines stay where they are.
    while IFS='|' read -r line language quote file; do
        check_block "$page" "$line" "$language" "$quote" "$file"
    done < <(blocks "$page" | tac)
    while IFS='|' read -r line target; do
        check_link "$page" "$line" "$target"
    done < <(targets "$page")
done

while IFS= read -r marked; do
    grep -qxF -- "$marked" "$work/quoted" || fail "${marked}: nobody quotes it"
done < <(grep -HoE '^ *// \[[a-z_]+\]$' examples/*.cpp 2>/dev/null | sed -E 's/: *\/\/ / /')

echo "${#pages[@]} pages, $quotes quotes, $links links, $failures failures"
((failures == 0 && quotes > 0))
