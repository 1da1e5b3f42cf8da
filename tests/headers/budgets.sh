# SPDX-License-Identifier: BSL-1.0
# shellcheck shell=bash
#
# What the scripts know that compare headers with their budgets; to be sourced.

# The budget of a header (a path below include/sinew) in seconds; `-`: it has none; `none`: no pattern
# matches it.
budget_of() {
    local pattern seconds _
    while read -r pattern seconds _; do
        # shellcheck disable=SC2053  # the right side is a pattern on purpose
        if [[ $pattern != '#'* && -n $pattern && $1 == $pattern ]]; then
            echo "$seconds"
            return
        fi
    done <"$(dirname "${BASH_SOURCE[0]}")/budgets.txt"
    echo none
}

# Where client libraries are found that aren't among the compiler's own folders, as flags, one a line.
library_flags() {
    local folder
    if command -v pg_config >/dev/null; then
        folder=$(pg_config --includedir) && echo "-I$folder"
    fi
}
