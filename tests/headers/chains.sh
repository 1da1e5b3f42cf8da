#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Puts headers into chains, each of which is compiled once, so that it is known of all of them that
# they compile alone, for a third of what it costs to compile each by itself. Prints a line for each
# chain: its headers, as they are to be included one after the other.
#
#   chains.sh FOLDER HEADER...      FOLDER holds include/sinew; a HEADER is named as it is included
#
# Whatever stands before a header in its chain is included by that header as well, by way of others at
# least. So nothing is declared before it that it doesn't ask for itself, and an include that it lacks
# is missed as if it stood alone. What it includes is in a chain too, and held to the same.
#
# Only includes above the first namespace count: what a header includes further down, its own text has
# not seen. Of two headers that include each other neither comes before the other.
set -euo pipefail

root=${1:?usage: chains.sh FOLDER HEADER...}
shift
cd "$root/include"

LC_ALL=C awk '
    FNR == 1 { names[++count] = FILENAME }
    /^namespace / { nextfile }
    /^#include <sinew\// {
        split($0, part, /[<>]/)
        direct[FILENAME, ++directs[FILENAME]] = part[2]
    }

    # Marks what `header` includes as included by `root`.
    function walk(root, header, i, next_one) {
        for (i = 1; i <= directs[header]; ++i) {
            next_one = direct[header, i]
            if (!((root, next_one) in includes)) {
                includes[root, next_one] = 1
                ++size[root]
                walk(root, next_one)
            }
        }
    }

    END {
        for (i = 1; i <= count; ++i) {
            size[names[i]] = 0
            walk(names[i], names[i])
        }
        # Those that include most come first; by name where it is as much.
        for (i = 2; i <= count; ++i) {
            one = names[i]
            for (j = i; j > 1 && size[names[j - 1]] < size[one]; --j) {
                names[j] = names[j - 1]
            }
            names[j] = one
        }
        # Each comes before the smallest one that includes it and has nothing before it yet.
        for (i = 1; i <= count; ++i) {
            one = names[i]
            for (j = i - 1; j >= 1; --j) {
                other = names[j]
                if (!(other in before) && (other, one) in includes && !((one, other) in includes)) {
                    before[other] = one
                    precedes[one] = 1
                    break
                }
            }
        }
        for (i = 1; i <= count; ++i) {
            if (!(names[i] in precedes)) {
                chain = names[i]
                for (one = names[i]; one in before; one = before[one]) {
                    chain = before[one] " " chain
                }
                print chain
            }
        }
    }
' "$@"
