# SPDX-License-Identifier: BSL-1.0
#
# Writes OUTPUT: HEADER with the replacements of MUTANT. Each text to find has to occur exactly once;
# otherwise the header has moved on and the mutant is stale.

cmake_minimum_required(VERSION 3.25)

file(READ "${MUTANT}" rest)
string(APPEND rest "\n")
file(READ "${HEADER}" content)

# Cuts ${rest} at the first ${marker}: what stands before goes to ${variable}, what follows stays.
macro(take_until marker variable)
    string(FIND "${rest}" "${marker}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "malformed mutant: after a `<<<<` it needs a line `====`, then a line `>>>>`")
    endif()
    string(SUBSTRING "${rest}" 0 ${at} ${variable})
    string(LENGTH "${marker}" length)
    math(EXPR at "${at} + ${length}")
    string(SUBSTRING "${rest}" ${at} -1 rest)
endmacro()

set(blocks 0)
string(FIND "${rest}" "\n<<<<\n" found)
while(NOT found EQUAL -1)
    take_until("\n<<<<\n" skipped)
    take_until("\n====\n" old)
    # An empty replacement has no line of its own, so its marker follows at once.
    string(PREPEND rest "\n")
    take_until("\n>>>>\n" new)
    if(NOT new STREQUAL "")
        string(SUBSTRING "${new}" 1 -1 new)
    endif()
    string(PREPEND rest "\n")

    string(FIND "${content}" "${old}" first)
    if(first EQUAL -1)
        message(FATAL_ERROR "stale mutant: its text is not in ${HEADER}")
    endif()
    string(FIND "${content}" "${old}" last REVERSE)
    if(NOT first EQUAL last)
        message(FATAL_ERROR "stale mutant: its text occurs more than once in ${HEADER}")
    endif()
    string(REPLACE "${old}" "${new}" content "${content}")

    math(EXPR blocks "${blocks} + 1")
    string(FIND "${rest}" "\n<<<<\n" found)
endwhile()

if(blocks EQUAL 0)
    message(FATAL_ERROR "malformed mutant: it has no block of `<<<<`, `====` and `>>>>`")
endif()
file(WRITE "${OUTPUT}" "${content}")
