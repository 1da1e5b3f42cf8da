# SPDX-License-Identifier: BSL-1.0
#
# Writes OUTPUT, one file to compile in the place of SOURCES: names relative to FOLDER, with semicolons
# between them. First comes what any of them includes. Then they follow, each in a namespace of its own,
# so that what they call their helpers is nobody's concern: their own includes find everything included
# already, and are empty.

cmake_minimum_required(VERSION 3.25)

set(includes "")
set(bodies "")
foreach(source IN LISTS SOURCES)
    cmake_path(GET source STEM stem)
    cmake_path(GET source PARENT_PATH parent)
    file(STRINGS "${FOLDER}/${source}" lines REGEX "^#include [<\"]")
    foreach(line IN LISTS lines)
        # What stands beside the source is named as the others name it.
        if(line MATCHES "\"([^\"/]+)\"" AND EXISTS "${FOLDER}/${parent}/${CMAKE_MATCH_1}")
            string(REPLACE "\"${CMAKE_MATCH_1}\"" "\"${parent}/${CMAKE_MATCH_1}\"" line "${line}")
        endif()
        string(REGEX MATCH "[<\"][^>\"]+[>\"]" name "${line}")
        list(APPEND includes "#include ${name}\n")
    endforeach()
    string(APPEND bodies "\nnamespace in_${stem} {\n#include \"${source}\"\n}\n")
endforeach()
list(REMOVE_DUPLICATES includes)
list(JOIN includes "" includes)
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${includes}${bodies}" @ONLY NEWLINE_STYLE UNIX)
