#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Draws what the benchmarks measured: reads the NAME.csv of a folder (bench/report.hpp says what is in
# it) and writes beside them, as SVG,
#
#   NAME.svg            every ratio of the program as a bar, with its goal
#   NAME-SERIES.svg     for each series, what an item costs against x
#   README.md           the index: all programs, which goals they kept and missed, and the plots
#
#   bench/plots.sh DIR [NAME]...    the plots, all or of these programs, and the index
#   bench/plots.sh --index DIR      the index alone
#
# Needs gnuplot, but not for the index.
# shellcheck disable=SC2016  # gnuplot's data blocks begin with a $, too
set -euo pipefail
shopt -s nullglob

only_index=no
if [[ ${1:-} == --index ]]; then
    only_index=yes
    shift
fi
if (($# == 0)) || [[ $1 == -* || ! -d $1 ]]; then
    echo "usage: bench/plots.sh [--index] DIR [NAME]...   (DIR holds the CSV of the benchmarks)" >&2
    exit 2
fi
folder=$1
shift
names=("$@")
if ((${#names[@]} == 0)); then
    for file in "$folder"/*.csv; do
        names+=("$(basename "$file" .csv)")
    done
fi
if [[ $only_index == yes ]]; then
    names=()
elif ! command -v gnuplot >/dev/null; then
    echo "bench/plots.sh: gnuplot is missing (Debian: gnuplot-nox)" >&2
    exit 1
fi

# fields FILE: the lines of a CSV without its head, their fields apart by \037.
fields() {
    awk '
        NR == 1 { next }
        {
            out = ""; quoted = 0
            for (i = 1; i <= length($0); ++i) {
                c = substr($0, i, 1)
                if (c == "\"") {
                    if (quoted && substr($0, i + 1, 1) == "\"") { out = out c; ++i } else quoted = !quoted
                } else if (c == "," && !quoted) {
                    out = out "\037"
                } else {
                    out = out c
                }
            }
            print out
        }
    ' "$1"
}

# Columns, by their numbers: 1 kind, 2 name, 3 part, 4 by_hand, 5 ours, 6 ratio, 7 low, 8 high, 9 sort,
# 10 goal, 11 kept, 12 unit, 13 series, 14 x, 15 against.
table_awk() { awk -F '\037' -v OFS='\t' "$@"; }

slug() { tr -c 'A-Za-z0-9\n' '-' <<<"$1" | sed -E 's/-+/-/g; s/^-//; s/-$//'; }

# The part of each gnuplot script that all plots share.
head_of() {
    cat <<EOF
set terminal svg size $2 noenhanced font 'sans-serif,12' background '#ffffff'
set output '$1'
set datafile separator tab
set grid lc rgb '#dddddd'
set border lc rgb '#555555'
EOF
}

# overview NAME: a bar from 1 to the ratio for each pair, and for each figure that has a goal a bar for
# how far it is on the good side of it. Of a pair's parts only the one that the goal is about, or all
# together.
overview() {
    local name=$1 data rows height
    data=$(fields "$folder/$name.csv" | table_awk '
        $1 == "pair" {
            if (!($2 in at)) { at[$2] = ++n; line[n] = $0; has[n] = $10 != "" }
            else if ($10 != "" && !has[at[$2]]) { line[at[$2]] = $0; has[at[$2]] = 1 }
        }
        $1 == "figure" && $10 + 0 > 0 && $5 + 0 > 0 { line[++n] = $0 }
        END {
            for (i = 1; i <= n; ++i) {
                split(line[i], f, "\037")
                if (f[1] == "pair") { ratio = f[6]; low = f[7]; high = f[8]; goal = f[10]; label = f[2] }
                else {
                    ratio = f[9] == "at_most" ? f[10] / f[5] : f[5] / f[10]
                    low = high = ratio; goal = 1
                    label = f[2] " (of its goal)"
                }
                if (ratio + 0 <= 0) continue
                colour = f[11] == "yes" ? "0x2e8b57" : f[11] == "no" ? "0xc0392b" : "0x7f8c8d"
                print -i, ratio, low, high, goal == "" ? "NaN" : goal, colour, label
            }
        }')
    [[ -n $data ]] || return 0
    rows=$(wc -l <<<"$data")
    height=$((rows * 22 + 140))
    {
        head_of "$folder/$name.svg" "820,$height"
        printf '$data << EOD\n%s\nEOD\n' "$data"
        cat <<EOF
set title '$name: ratios, and the goals'
set logscale x 2
set xtics nomirror
set ytics nomirror font ',10'
set yrange [-$rows - 0.8 : -0.2]
set style fill solid 0.85 noborder
set key at screen 0.5, screen 0.02 center bottom horizontal samplen 2 font ',10'
set bmargin 4
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '#555555'
plot \$data using 2:1:(1.0):2:(\$1-0.32):(\$1+0.32):6:ytic(7) with boxxyerror lc rgb variable notitle, \\
     \$data using 2:1:3:4 with xerrorbars pt 0 lc rgb '#222222' title 'quartiles', \\
     \$data using 5:(\$1-0.42):(0):(0.84) with vectors nohead lw 3 lc rgb '#1f4e9c' title 'goal', \\
     NaN with boxes lc rgb '#2e8b57' title 'kept', \\
     NaN with boxes lc rgb '#c0392b' title 'missed', \\
     NaN with boxes lc rgb '#7f8c8d' title 'no goal'
EOF
    } | gnuplot
}

# pair_series NAME SERIES FILE: nanoseconds an item against x, a line for each side.
pair_series() {
    local name=$1 series=$2 file=$3 data plots='' block=0 against colour
    local colours=('#d35400' '#8e44ad' '#2c7fb8' '#7f5539')
    data=$(fields "$folder/$name.csv" | table_awk -v series="$series" '
        $1 == "pair" && $13 == series && $14 + 0 > 0 && $4 + 0 > 0 && $5 + 0 > 0 {
            print $15, $14, 1e9 / $4, 1e9 / $5, ($10 != "" && $10 + 0 != 1) ? 1e9 / $4 / $10 : "NaN"
        }' | sort -t $'\t' -k1,1 -k2,2g)
    (($(cut -f 2 <<<"$data" | sort -u | grep -c .) > 1)) || return 1
    {
        head_of "$file" '720,440'
        printf '$ours << EOD\n%s\nEOD\n' "$data"
        while IFS= read -r against; do
            block=$((block + 1))
            printf '$hand%d << EOD\n' "$block"
            awk -F '\t' -v of="$against" '$1 == of' <<<"$data"
            printf 'EOD\n'
            colour=${colours[(block - 1) % ${#colours[@]}]}
            plots+=", \$hand$block using 2:3 with linespoints lw 2 pt $((block + 4)) lc rgb '$colour'"
            plots+=" title '${against//\'/}'"
            if awk -F '\t' -v of="$against" '$1 == of && $5 != "NaN" { found = 1 } END { exit !found }' \
                <<<"$data"; then
                plots+=", \$hand$block using 2:5 with lines dt 2 lc rgb '#1f4e9c' title 'goal'"
            fi
        done < <(cut -f 1 <<<"$data" | sort -u)
        cat <<EOF
set title '$name: $series'
set logscale xy 10
set format xy '%.0s%c'
set ylabel 'nanoseconds an item'
set key below
plot \$ours using 2:4 smooth unique with linespoints lw 3 pt 7 lc rgb '#2e8b57' title 'sinew'$plots
EOF
    } | gnuplot
}

# figure_series NAME SERIES FILE: the value against x.
figure_series() {
    local name=$1 series=$2 file=$3 data unit goal=''
    data=$(fields "$folder/$name.csv" | table_awk -v series="$series" '
        $1 == "figure" && $13 == series && $14 + 0 > 0 && $5 + 0 > 0 {
            print $14, $5, $10 == "" ? "NaN" : $10, $12
        }' | sort -t $'\t' -k1,1g)
    (($(cut -f 1 <<<"$data" | sort -u | grep -c .) > 1)) || return 1
    unit=$(head -n 1 <<<"$data" | cut -f 4)
    if cut -f 3 <<<"$data" | grep -qv NaN; then
        goal=", \$data using 1:3 with lines dt 2 lc rgb '#1f4e9c' title 'goal'"
    fi
    {
        head_of "$file" '720,440'
        printf '$data << EOD\n%s\nEOD\n' "$data"
        cat <<EOF
set title '$name: $series'
set logscale xy 10
set format x '%.0s%c'
set ylabel '${unit//\'/}'
set key below
plot \$data using 1:2 with linespoints lw 3 pt 7 lc rgb '#2e8b57' title 'sinew'$goal
EOF
    } | gnuplot
}

# plot NAME: everything of one program. What it drew before is taken away: a series may be gone.
plot() {
    local name=$1 series file
    rm -f "$folder/$name.svg"
    for file in "$folder/$name"-*.svg; do
        is_of "$file" "$name" && rm -f "$file"
    done
    overview "$name"
    while IFS= read -r series; do
        [[ -n $series ]] || continue
        file=$folder/$name-$(slug "${series#"$name"/}").svg
        pair_series "$name" "$series" "$file" || figure_series "$name" "$series" "$file" || true
    done < <(fields "$folder/$name.csv" | table_awk '!seen[$13]++ { print $13 }')
}

# Whether a plot is of this program, and not of one whose name begins with this one's.
is_of() {
    local other base
    base=$(basename "$1" .svg)
    for other in "$folder"/*.csv; do
        other=$(basename "$other" .csv)
        [[ ${#other} -gt ${#2} && ($base == "$other" || $base == "$other"-*) ]] && return 1
    done
    return 0
}

# The goals of a program: "KEPT of ALL", and then the names of what was missed.
goals_of() {
    local name=$1
    if [[ -f $folder/$name.csv ]]; then
        fields "$folder/$name.csv" | awk -F '\037' '
            $11 != "" { ++all }
            $11 == "yes" { ++kept }
            $11 == "no" {
                missed = missed (missed == "" ? "" : "; ") $2 " ("
                if ($1 == "pair") missed = missed sprintf("%.2f of %.2f", $6, $10) ")"
                else missed = missed sprintf("%.6g, %s %.6g)", $5, $9 == "at_most" ? "at most" : "at least", $10)
            }
            END { if (all) printf "%d of %d | %s\n", kept, all, missed; else print "none | " }'
    else
        echo "none | "
    fi
}

write_index() {
    local file name plot
    echo "# Benchmarks"
    echo
    echo "Written by \`./dev bench\`: what the library does, beside what is written by hand for the same work,"
    echo "in the same run. docs/performance.md says what the cases are, what the costs consist of and how to"
    echo "read the plots. Each program's table names compiler, flags, machine and commit; beside it lies the"
    echo "same as data."
    echo
    echo "| program | goals kept | missed |"
    echo "| --- | --- | --- |"
    for file in "$folder"/*.md; do
        name=$(basename "$file" .md)
        [[ $name != README ]] || continue
        if grep -q '^\*\*Failed:\*\*' "$file"; then
            echo "| [$name]($name.md) | $(goals_of "$name" | sed 's/ |.*//') | **failed** |"
        elif [[ $name == compile ]]; then
            echo "| [$name]($name.md) | $(tail -n 1 "$file") | |"
        else
            echo "| [$name]($name.md) | $(goals_of "$name") |"
        fi
    done
    for file in "$folder"/*.csv; do
        name=$(basename "$file" .csv)
        echo
        echo "## $name"
        echo
        echo "[Table]($name.md) · [data]($name.csv)"
        sed -n 's/^- \(compiler\|machine\|commit\): /\n\1: /p' "$folder/$name.md" 2>/dev/null || true
        for plot in "$folder/$name".svg "$folder/$name"-*.svg; do
            if [[ -f $plot ]] && is_of "$plot" "$name"; then
                echo
                echo "![$(basename "$plot" .svg)]($(basename "$plot"))"
            fi
        done
    done
}

for name in "${names[@]}"; do
    if [[ ! -f $folder/$name.csv ]]; then
        echo "bench/plots.sh: there is no $folder/$name.csv" >&2
        exit 2
    fi
    plot "$name"
done
index=$(write_index)
printf '%s\n' "$index" >"$folder/README.md"
