#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Builds and runs the probe, unchanged and once for each mutant, and prints which law caught which
# mutant, and with how many faults.
#
#   run.sh [--record] LIST COSTS BUILD...
#
# LIST is mutants.txt as sinew_mutants() writes it; COSTS is costs.txt, what it cost to catch each
# mutant when that was last recorded; BUILD is the command that builds a target, without the target:
# cmake --build FOLDER. With --record, or SINEW_RECORD_COSTS=1, COSTS is written anew; where COSTS is
# "none", nothing is compared.
#
# README.md says what the verdicts are. Fails if one of them is bad, if a law is the only catcher of
# no mutant, or if there are no canaries.
set -euo pipefail

record=${SINEW_RECORD_COSTS:-0}
if [[ ${1:-} == --record ]]; then
    record=1
    shift
fi
(($# >= 3)) || { echo "usage: run.sh [--record] LIST COSTS BUILD..." >&2; exit 2; }
list=$1 costs=$2
shift 2
build=("$@")
jobs=${SINEW_JOBS:-2}
limit=${SINEW_MUTANT_SECONDS:-600}
slack=100 # schedules

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

names=()
declare -A program law expect about verdict faults_of cost
while IFS='|' read -r name file expected how sentence; do
    [[ -n $name ]] || continue
    names+=("$name")
    program[$name]=$file law[$name]=$expected expect[$name]=$how about[$name]=$sentence
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
        timeout "$limit" "${program[$name]}" ${law[$name]:+"${law[$name]}"} \
            >"$out/$name.log" 2>&1 || status=$?
        echo "$status" >"$out/$name.status"
    ) &
    running=$((running + 1))
done
wait

# ---- Judge. --------------------------------------------------------------------------------------

# What was recorded of a mutant: "LAW SCENARIO FAULTS SCHEDULES", or nothing.
recorded() {
    [[ ! -f $costs ]] || awk -v name="$1" '$1 == name { print $2, $3, $4, $5 }' "$costs"
}

# Compares the cost of catching a mutant by its law with what was recorded.
judge_cost() {
    local name=$1 law_then scenario_then faults_then schedules_then scenario faults schedules
    read -r scenario faults schedules <<<"${cost[$name]}"
    read -r law_then scenario_then faults_then schedules_then <<<"$(recorded "$name")" || true
    if ((record)) || [[ $costs == none ]]; then
        verdict[$name]=caught
    elif [[ -z ${law_then:-} ]]; then
        verdict[$name]="no cost recorded"
        echo "To record it: run.sh --record, or SINEW_RECORD_COSTS=1 in the environment." >>"$out/$name.log"
    elif [[ $law_then != "${law[$name]}" ]]; then
        verdict[$name]="recorded for another law"
        echo "Recorded for $law_then. To record it anew: SINEW_RECORD_COSTS=1." >>"$out/$name.log"
    elif ((faults > faults_then || schedules > 2 * schedules_then + slack)); then
        verdict[$name]="grown blind"
        echo "It took $faults faults and $schedules schedules, in $scenario; recorded are" \
            "$faults_then and $schedules_then, in $scenario_then." >>"$out/$name.log"
    else
        verdict[$name]=caught
        if ((faults < faults_then || 2 * schedules + slack < schedules_then)); then
            verdict[$name]="caught, cheaper than recorded"
        fi
    fi
}

declare -A laws
for name in "${names[@]}"; do
    cost[$name]=
    [[ -z ${verdict[$name]:-} ]] || continue
    status=$(cat "$out/$name.status" 2>/dev/null || echo "none")
    caught=0
    while read -r _ by scenario faults schedules; do
        caught=$((caught + 1))
        faults_of[$name/$by]=$faults
        laws[$by]=0
        [[ $by != "${law[$name]}" ]] || cost[$name]="$scenario $faults $schedules"
    done < <(awk '$1 == "caught"' "$out/$name.log")

    if ((status == 124)); then
        verdict[$name]="takes more than $limit s"
    elif [[ $status != 0 && $status != 1 ]] || [[ $status == 1 && $caught == 0 ]]; then
        verdict[$name]="crashes (exit $status)"
    elif [[ $status == 0 && $caught != 0 ]]; then
        verdict[$name]="exits 0 though caught"
    elif [[ $name == probe ]]; then
        if ((caught)); then
            verdict[$name]="fails unchanged"
        elif ! grep -q '^ran ' "$out/$name.log"; then
            verdict[$name]="does not say that it ran"
        else
            verdict[$name]=ok
        fi
    elif [[ ${expect[$name]} == survives ]]; then
        verdict[$name]="survived, as it must"
        ((!caught)) || verdict[$name]="did not survive"
    elif ((!caught)); then
        verdict[$name]="not caught"
    elif [[ -z ${cost[$name]} ]]; then
        verdict[$name]="not by its law"
    elif [[ ${expect[$name]} == "caught without faults" && ${cost[$name]} != *" 0 "* ]]; then
        verdict[$name]="not caught without faults"
    elif [[ ${expect[$name]} == caught* ]]; then
        judge_cost "$name"
    else
        verdict[$name]="expects something unknown"
    fi
done
for name in "${names[@]}"; do
    [[ -z ${law[$name]} || ${expect[$name]} == survives ]] || laws[${law[$name]}]=0
done
mapfile -t columns < <(printf '%s\n' "${!laws[@]}" | sed '/^$/d' | sort)

# ---- Print. --------------------------------------------------------------------------------------

is_good() {
    case ${verdict[$1]} in
        ok | caught | "caught, cheaper than recorded" | "survived, as it must") return 0 ;;
    esac
    return 1
}

echo
for i in "${!columns[@]}"; do
    printf '  %2d  %s\n' "$((i + 1))" "${columns[i]}"
done
echo
echo "How many faults it took at least: [n] by the law that the mutant names, n by another, [-] not at"
echo "all. Cost: schedules until the law that it names caught it."
echo
printf '%-40s' "mutant"
for i in "${!columns[@]}"; do
    printf '%3d ' "$((i + 1))"
done
printf '%8s   verdict\n' cost

failed=0
declare -A sole
for name in "${names[@]}"; do
    printf '%-40s' "$name"
    count=0
    for one in "${columns[@]}"; do
        faults=${faults_of[$name/$one]:-}
        if [[ -n $faults ]]; then
            count=$((count + 1))
            only=$one
        fi
        if [[ $one == "${law[$name]}" ]]; then
            printf '[%s] ' "${faults:--}"
        else
            printf ' %s  ' "${faults:-.}"
        fi
    done
    if ((count == 1)); then
        laws[$only]=$((laws[$only] + 1))
        sole[$only]="${sole[$only]:-} $name"
    fi
    printf '%8s   %s\n' "${cost[$name]##* }" "${verdict[$name]}"
    is_good "$name" || failed=$((failed + 1))
done

echo
for one in "${columns[@]}"; do
    printf '%-32s alone catches %d:%s\n' "$one" "${laws[$one]}" "${sole[$one]:- none}"
    if ((laws[$one] == 0)); then
        echo "    a law that is needed for no mutant may see nothing: write one that it alone catches"
        failed=$((failed + 1))
    fi
done

for name in "${names[@]}"; do
    is_good "$name" && continue
    echo
    echo "---- $name: ${verdict[$name]} ----"
    [[ -z ${law[$name]} ]] || echo "law ${law[$name]}; ${about[$name]}"
    { head -n 40 "$out/$name.log"; tail -n 2 "$out/$name.log"; } 2>/dev/null | awk '!seen[$0]++' || true
done

# The matrix itself has to be shown to work.
for how in survives "caught without faults"; do
    if ! printf '%s\n' "${expect[@]}" | grep -qx "$how"; then
        echo
        echo "There is no canary with \`expect: $how\`."
        failed=$((failed + 1))
    fi
done

if ((record)); then
    {
        echo "# What it costs to catch each mutant by the law that it names: the scenario, the faults, and"
        echo "# the schedules of all scenarios until then. Written by SINEW_RECORD_COSTS=1 run.sh."
        for name in "${names[@]}"; do
            [[ -z ${cost[$name]} ]] || echo "$name ${law[$name]} ${cost[$name]}"
        done
    } >"$costs"
    echo
    echo "mutants: the costs are recorded in ${costs##*/}"
elif [[ -f $costs ]]; then
    while read -r name _; do
        if [[ -n $name && $name != "#" && -z ${program[$name]:-} ]]; then
            echo "${costs##*/} has a line on $name, which is no mutant any more."
            failed=$((failed + 1))
        fi
    done <"$costs"
fi

echo
[[ ! -e $out/probe.log ]] || grep '^ran ' "$out/probe.log" || true
echo "mutants: $((${#names[@]} - 1)) mutants, $failed failures"
((failed == 0 && ${#names[@]} > 1))
