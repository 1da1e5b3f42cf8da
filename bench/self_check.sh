#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that plots.sh draws what was measured and writes the index, and that ./dev bench refuses what
# it cannot do before it builds anything.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

wrong() {
    echo "self_check: $*"
    failures=$((failures + 1))
}

# A gnuplot that writes the script it is given where the plot would be.
mkdir -p "$folder/bin" "$folder/out"
cat >"$folder/bin/gnuplot" <<'END_OF_GNUPLOT'
#!/usr/bin/env bash
script=$(cat)
printf '%s\n' "$script" >"$(sed -n "s/^set output '\(.*\)'$/\1/p" <<<"$script")"
END_OF_GNUPLOT
chmod +x "$folder/bin/gnuplot"
PATH=$folder/bin:$PATH

cat >"$folder/out/window.csv" <<'END_OF_CSV'
kind,name,part,by_hand,ours,ratio,low,high,sort,goal,kept,unit,series,x,against
pair,window/1e5,insert,1000000,2000000,2,1.9,2.1,ratio,1,yes,items/s,window,100000,"a set, ""flat"""
pair,window/1e6,insert,1000000,500000,0.5,0.4,0.6,ratio,1,no,items/s,window,1000000,"a set, ""flat"""
pair,window/lone,insert,1,1,1,1,1,,,,items/s,lone,5,by hand
figure,bytes/1e5,,,17.5,,17.5,17.5,at_most,20,yes,bytes,bytes,100000,
figure,bytes/1e6,,,40,,40,40,at_most,20,no,bytes,bytes,1000000,
END_OF_CSV
printf '# window\n\n- commit: abc\n' >"$folder/out/window.md"
printf '# crash\n\n**Failed:** it ended with 134\n' >"$folder/out/crash.md"
printf '# compile\n\n3 headers, 0 over budget\n' >"$folder/out/compile.md"
touch "$folder/out/window-gone.svg"

"$here/plots.sh" "$folder/out" || wrong "plots.sh failed"

# holds FILE TEXT
holds() {
    grep -qF -- "$2" "$folder/out/$1" 2>/dev/null || wrong "$1 does not hold: $2"
}

holds window.svg $'-1\t2\t1.9\t2.1\t1\t0x2e8b57\twindow/1e5'
holds window.svg $'-2\t0.5\t0.4\t0.6\t1\t0xc0392b\twindow/1e6'
holds window.svg $'-3\t1\t1\t1\tNaN\t0x7f8c8d\twindow/lone'
holds window.svg $'-5\t0.5\t0.5\t0.5\t1\t0xc0392b\tbytes/1e6 (of its goal)'
holds window-window.svg $'a set, "flat"\t100000\t1000\t500\tNaN'
holds window-window.svg $'a set, "flat"\t1000000\t1000\t2000\tNaN'
holds window-bytes.svg $'1000000\t40\t20\tbytes'
[[ ! -e $folder/out/window-lone.svg ]] || wrong "a series of one point is drawn"
[[ ! -e $folder/out/window-gone.svg ]] || wrong "the plot of a series that is gone is still there"
holds README.md '| [window](window.md) | 2 of 4 | window/1e6 (0.50 of 1.00); bytes/1e6 (40, at most 20) |'
holds README.md '| [crash](crash.md) | none | **failed** |'
holds README.md '| [compile](compile.md) | 3 headers, 0 over budget | |'
holds README.md '![window-bytes](window-bytes.svg)'
holds README.md 'commit: abc'

# refuses SENTENCE ARGUMENT...
refuses() {
    local sentence=$1 out status=0
    shift
    out=$("$here/../dev" --no-install bench "$@" 2>&1) || status=$?
    if ((status == 0)) || [[ $out != *"$sentence"* ]]; then
        wrong "./dev bench $* (exit $status) does not say: $sentence"
    fi
}

refuses "there is no bench/no_such_program.cpp" no_such_program
refuses "bench takes one name" overhead publish
refuses "bench does not know --fast" --fast
refuses "--rounds needs a number above 0" --rounds 0
refuses "--rounds needs a number above 0" --rounds many
refuses "--out needs a folder" --out
refuses "cannot make the folder" --out "$folder/out/window.csv/below" overhead

echo "self_check: $failures failures"
((failures == 0))
