#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Builds and runs the probe, unchanged and once for each mutant, and prints which law caught which
# mutant.
#
#   run.sh LIST BUILD...
#
# LIST is mutants.txt as sinew_mutants() writes it; BUILD is the command that builds a target, without
# the target: cmake --build FOLDER.
#
# Fails if the unchanged probe does not run clean, or a mutant is stale, does not compile, crashes,
# runs into its time limit, is not caught, or is not caught by the law it names.
set -euo pipefail

(($# >= 2)) || { echo "usage: run.sh LIST BUILD..." >&2; exit 2; }
list=$1
shift
build=("$@")
jobs=${SINEW_JOBS:-2}
limit=${SINEW_MUTANT_SECONDS:-120}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

names=()
declare -A program law about verdict caught_by sole
while IFS='|' read -r name file expected sentence; do
    [[ -n $name ]] || continue
    names+=("$name")
    program[$name]=$file law[$name]=$expected about[$name]=$sentence
done <"$list"

# ---- Build. All at once; if that fails, each one alone, to learn which. --------------------------

keep_going=()
if [[ $("${build[@]}" --target help 2>/dev/null | head -n 1) != *Makefile* ]]; then
    keep_going=(-- -k 0)
fi
if "${build[@]}" --parallel "$jobs" --target mutants_all "${keep_going[@]}" >"$out/build.log" 2>&1; then
    grep -E 'no work to do' "$out/build.log" || echo "mutants: built"
else
    for name in "${names[@]}"; do
        [[ ${program[$name]} != stale ]] || continue
        if ! "${build[@]}" --target "mutant_$name" >"$out/$name.log" 2>&1; then
            verdict[$name]="does not compile"
            if grep -q 'stale mutant' "$out/$name.log"; then
                verdict[$name]="stale"
            elif grep -q 'malformed mutant' "$out/$name.log"; then
                verdict[$name]="malformed"
            fi
        fi
    done
    # The list itself may be at fault, when nothing was built at all.
    if [[ ${#verdict[@]} -eq 0 ]]; then
        cat "$out/build.log"
        echo "mutants: the build failed"
        exit 1
    fi
fi

# ---- Run. ----------------------------------------------------------------------------------------

running=0
for name in "${names[@]}"; do
    if [[ ${program[$name]} == stale ]]; then
        verdict[$name]="stale"
        echo "${about[$name]}" >"$out/$name.log"
    fi
    [[ -z ${verdict[$name]:-} ]] || continue
    if ((running >= jobs)); then
        wait -n || true
        running=$((running - 1))
    fi
    (
        status=0
        timeout "$limit" "${program[$name]}" >"$out/$name.log" 2>&1 || status=$?
        echo "$status" >"$out/$name.status"
    ) &
    running=$((running + 1))
done
wait

# ---- Judge. --------------------------------------------------------------------------------------

declare -A laws
for name in "${names[@]}"; do
    caught_by[$name]=
    [[ -z ${verdict[$name]:-} ]] || continue
    status=$(cat "$out/$name.status" 2>/dev/null || echo "none")
    caught=$(awk '$1 == "caught" { print $2 }' "$out/$name.log" | sort -u | tr '\n' ' ')
    caught_by[$name]=" $caught"
    for one in $caught; do
        laws[$one]=0
    done

    if ((status == 124)); then
        verdict[$name]="takes more than $limit s"
    elif [[ $status != 0 && $status != 1 ]] || [[ $status == 1 && -z $caught ]]; then
        verdict[$name]="crashes (exit $status)"
    elif [[ $status == 0 && -n $caught ]]; then
        verdict[$name]="exits 0 though caught"
    elif [[ $name == probe ]]; then
        if [[ -n $caught ]]; then
            verdict[$name]="fails unchanged"
        elif ! grep -q '^ran ' "$out/$name.log"; then
            verdict[$name]="does not say that it ran"
        else
            verdict[$name]=ok
        fi
    elif [[ -z $caught ]]; then
        verdict[$name]="not caught"
    elif [[ ${caught_by[$name]} != *" ${law[$name]} "* ]]; then
        verdict[$name]="not by its law"
    else
        verdict[$name]=caught
    fi
done
for name in "${names[@]}"; do
    [[ -z ${law[$name]} ]] || laws[${law[$name]}]=0
done
mapfile -t columns < <(printf '%s\n' "${!laws[@]}" | sed '/^$/d' | sort)

# ---- Print. --------------------------------------------------------------------------------------

echo
for i in "${!columns[@]}"; do
    printf '  %2d  %s\n' "$((i + 1))" "${columns[i]}"
done
echo
printf '%-42s' "mutant"
for i in "${!columns[@]}"; do
    printf '%3d' "$((i + 1))"
done
echo "   (X: the law it names; x: another law)"

failed=0
for name in "${names[@]}"; do
    printf '%-42s' "$name"
    count=0
    for one in "${columns[@]}"; do
        mark=.
        if [[ ${caught_by[$name]} == *" $one "* ]]; then
            mark=x
            count=$((count + 1))
            only=$one
            [[ $one != "${law[$name]}" ]] || mark=X
        elif [[ $one == "${law[$name]}" ]]; then
            mark=-
        fi
        printf '%3s' "$mark"
    done
    if ((count == 1)); then
        laws[$only]=$((laws[$only] + 1))
        sole[$only]="${sole[$only]:-} $name"
    fi
    echo "   ${verdict[$name]}"
    case ${verdict[$name]} in
        caught | ok) ;;
        *) failed=$((failed + 1)) ;;
    esac
done

echo
for one in "${columns[@]}"; do
    printf '%-42s alone catches %d:%s\n' "$one" "${laws[$one]}" "${sole[$one]:- none}"
done

for name in "${names[@]}"; do
    case ${verdict[$name]} in
        caught | ok) continue ;;
    esac
    echo
    echo "---- $name: ${verdict[$name]} ----"
    [[ -z ${law[$name]} ]] || echo "law ${law[$name]}; ${about[$name]}"
    head -n 40 "$out/$name.log" 2>/dev/null || true
done

echo
[[ ! -e $out/probe.log ]] || grep '^ran ' "$out/probe.log" || true
echo "mutants: $((${#names[@]} - 1)) mutants, $failed failures"
((failed == 0 && ${#names[@]} > 1))
