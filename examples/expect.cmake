# SPDX-License-Identifier: BSL-1.0
#
# cmake -D PROGRAM=... [-D ARGUMENTS=a,b] [-D EXIT_CODE=n] [-D OUTPUT=file] [-D LINES=file] -P ...
#
# Runs a program and fails unless it ends with that exit code (0 if none is given) and
#   OUTPUT   prints what stands in that file, to the letter;
#   LINES    prints each line of that file, in that order, whatever stands in between. Any number of
#            blanks is as good as another.

string(REPLACE "," ";" arguments "${ARGUMENTS}")
execute_process(
    COMMAND "${PROGRAM}" ${arguments}
    RESULT_VARIABLE ended
    OUTPUT_VARIABLE printed
    ERROR_VARIABLE complained
)
message("${printed}${complained}")

if(NOT DEFINED EXIT_CODE)
    set(EXIT_CODE 0)
endif()
if(NOT "${ended}" STREQUAL "${EXIT_CODE}")
    message(FATAL_ERROR "The exit code is ${ended}, and has to be ${EXIT_CODE}")
endif()

if(DEFINED OUTPUT)
    file(READ "${OUTPUT}" wanted)
    if(NOT printed STREQUAL wanted)
        message(FATAL_ERROR "The output is not what stands in ${OUTPUT}:\n${wanted}")
    endif()
endif()

if(DEFINED LINES)
    file(STRINGS "${LINES}" wanted)
    string(REGEX REPLACE "[ ]+" " " rest "${printed}${complained}")
    foreach(line IN LISTS wanted)
        string(REGEX REPLACE "[ ]+" " " line "${line}")
        string(FIND "${rest}" "${line}" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "This line is missing, or not in its place: ${line}")
        endif()
        string(LENGTH "${line}" length)
        math(EXPR at "${at} + ${length}")
        string(SUBSTRING "${rest}" ${at} -1 rest)
    endforeach()
endif()
