# SPDX-License-Identifier: BSL-1.0

# sinew_mutants(PROBE file MUTANTS file... ROOT folder LINK target... [COSTS file] [SHARED header...]
#               [ALL_SCENARIOS])
#
# Defines the program mutant_probe (nothing changed) and for each mutant NAME the program
# mutant_NAME; the target mutants_all stands for them all. None of them is part of `all`. Writes
# mutants.txt for run.sh, one line for each program: NAME|program|law|what is expected|about.
#
# To compile a probe takes longer than to run it, so there is no optimiser: but for mutant_probe, which
# runs all scenarios, and for those that run all schedules with two faults, as nothing with fewer
# catches them. These are the ones that must survive, and those of which COSTS says so.
#
# A mutant that has a line `scenarios:` is built with these alone, as that takes half the time; with
# ALL_SCENARIOS it is built with all of them like the others.
#
# More than half of what is left goes to reading headers. Those of SHARED, named as they are included,
# are precompiled: for each mutant those of them that do not include the header it changes, not even by
# way of others. Mutants for which these are the same share one precompiled header.

# Leaves in VARIABLE what HEADER includes below ROOT/include, by way of others too, and HEADER itself.
function(sinew_included variable root header)
    set(found "")
    set(next "${header}")
    while(next)
        list(POP_FRONT next one)
        if(one IN_LIST found OR NOT EXISTS "${root}/include/${one}")
            continue()
        endif()
        list(APPEND found "${one}")
        file(STRINGS "${root}/include/${one}" lines REGEX "^#include <")
        foreach(line IN LISTS lines)
            if(line MATCHES "<([^>]+)>")
                list(APPEND next "${CMAKE_MATCH_1}")
            endif()
        endforeach()
    endwhile()
    set(${variable} "${found}" PARENT_SCOPE)
endfunction()

function(sinew_mutants)
    cmake_parse_arguments(PARSE_ARGV 0 arg "ALL_SCENARIOS" "PROBE;ROOT;COSTS" "MUTANTS;LINK;SHARED")

    set(number 0)
    foreach(shared IN LISTS arg_SHARED)
        sinew_included(included_${number} "${arg_ROOT}" "${shared}")
        math(EXPR number "${number} + 1")
    endforeach()

    set(costs "")
    if(arg_COSTS AND EXISTS "${arg_COSTS}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${arg_COSTS}")
        file(STRINGS "${arg_COSTS}" costs REGEX "^[a-z_]+ [a-z_]+ [a-z_]+ [2-9] ")
    endif()

    add_custom_target(mutants_all)
    set(lines "")

    set(all probe ${arg_MUTANTS})
    foreach(mutant IN LISTS all)
        set(expect "")
        set(scenarios "")
        if(mutant STREQUAL "probe")
            set(name probe)
            set(law "")
            set(about "nothing is changed")
            set(overlay "")
        else()
            cmake_path(GET mutant STEM name)
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${mutant}")
            file(READ "${mutant}" head LIMIT 4000)
            foreach(field IN ITEMS file law about)
                if(NOT "\n${head}" MATCHES "\n${field}: *([^\n]*[^ \n])")
                    message(FATAL_ERROR "${mutant}: it has no line `${field}: ...`")
                endif()
                set(${field} "${CMAKE_MATCH_1}")
            endforeach()
            set(expect caught)
            foreach(field IN ITEMS expect scenarios)
                if("\n${head}" MATCHES "\n${field}: *([^\n]*[^ \n])")
                    set(${field} "${CMAKE_MATCH_1}")
                endif()
            endforeach()
            if(NOT EXISTS "${arg_ROOT}/${file}")
                # No program: run.sh counts it as stale.
                string(APPEND lines "${name}|stale|${law}|${expect}|${file} is not there\n")
                continue()
            endif()

            cmake_path(RELATIVE_PATH file BASE_DIRECTORY include OUTPUT_VARIABLE header)
            # The header's name is part of the folder: a mutant that moves on to another header must
            # not find its old copy.
            string(MAKE_C_IDENTIFIER "${header}" place)
            set(overlay "${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${place}")
            add_custom_command(
                OUTPUT "${overlay}/${header}"
                COMMAND
                    "${CMAKE_COMMAND}"
                    -D "MUTANT=${mutant}"
                    -D "HEADER=${arg_ROOT}/${file}"
                    -D "OUTPUT=${overlay}/${header}"
                    -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/apply.cmake"
                DEPENDS
                    "${mutant}"
                    "${arg_ROOT}/${file}"
                    "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/apply.cmake"
                COMMENT "Mutant ${name}"
                VERBATIM
            )
            if(scenarios AND NOT arg_ALL_SCENARIOS)
                set(LISTS "${scenarios}")
                set(OUTPUT "${overlay}/laws/scenarios/all.hpp")
                include("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/choose.cmake")
            endif()
        endif()

        set(level -O0)
        if(name STREQUAL "probe" OR expect STREQUAL "survives" OR ";${costs}" MATCHES ";${name} ")
            set(level -O1)
        endif()

        set(program mutant_${name})
        add_executable(${program} EXCLUDE_FROM_ALL ${arg_PROBE})
        if(overlay)
            target_sources(${program} PRIVATE "${overlay}/${header}")
            target_include_directories(${program} BEFORE PRIVATE "${overlay}")
        endif()
        # The probe shares its scenarios with the tests of the laws.
        target_include_directories(${program} PRIVATE "${arg_ROOT}/tests")
        target_link_libraries(${program} PRIVATE ${arg_LINK})
        # A mutant may leave a parameter unused or code unreachable; that is not what is tested.
        target_compile_options(${program} PRIVATE ${level} -g0 -w)
        if(overlay AND level STREQUAL "-O0")
            set(unchanged "")
            set(key "mutant_headers")
            set(number 0)
            foreach(shared IN LISTS arg_SHARED)
                if(NOT "${header}" IN_LIST included_${number})
                    list(APPEND unchanged "<${shared}>")
                    string(APPEND key "_${number}")
                endif()
                math(EXPR number "${number} + 1")
            endforeach()
            if(unchanged AND NOT TARGET ${key})
                file(CONFIGURE OUTPUT mutant_headers.cpp CONTENT "" @ONLY)
                add_library(${key} OBJECT EXCLUDE_FROM_ALL mutant_headers.cpp)
                target_link_libraries(${key} PRIVATE ${arg_LINK})
                target_compile_options(${key} PRIVATE ${level} -g0 -w)
                target_precompile_headers(${key} PRIVATE ${unchanged})
            endif()
            if(unchanged)
                target_precompile_headers(${program} REUSE_FROM ${key})
            endif()
        endif()
        add_dependencies(mutants_all ${program})
        string(APPEND lines "${name}|$<TARGET_FILE:${program}>|${law}|${expect}|${about}\n")
    endforeach()

    file(GENERATE OUTPUT mutants.txt CONTENT "${lines}")
endfunction()
