# SPDX-License-Identifier: BSL-1.0
#
# Configures, builds and runs one consumer project in a fresh folder.

cmake_minimum_required(VERSION 3.25)

function(run)
    string(JOIN " " line ${ARGV})
    message(STATUS "${line}")
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")

set(where -D "SINEW_SOURCE=${SINEW_SOURCE}")
if(WAY STREQUAL "find_package")
    run("${CMAKE_COMMAND}" --install "${SINEW_BINARY}" --prefix "${WORK}/prefix")
    set(where -D "CMAKE_PREFIX_PATH=${WORK}/prefix")

    # The package holds the headers, its own files and the licence, and nothing else.
    file(GLOB_RECURSE installed RELATIVE "${WORK}/prefix" "${WORK}/prefix/*")
    foreach(file IN LISTS installed)
        if(NOT file MATCHES "^include/sinew/.*\\.hpp$|/cmake/sinew/sinew-.*\\.cmake$|/LICENSE$")
            message(FATAL_ERROR "The package holds ${file}")
        endif()
    endforeach()
    file(GLOB_RECURSE headers RELATIVE "${SINEW_SOURCE}" "${SINEW_SOURCE}/include/sinew/*.hpp")
    foreach(header IN LISTS headers)
        if(NOT header IN_LIST installed)
            message(FATAL_ERROR "The package lacks ${header}")
        endif()
    endforeach()
endif()

run(
    "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${CONSUMER}" -B "${WORK}/build"
    -D "CMAKE_CXX_COMPILER=${CXX}" ${where}
)
run("${CMAKE_COMMAND}" --build "${WORK}/build" --parallel 2)
run("${WORK}/build/consumer")
