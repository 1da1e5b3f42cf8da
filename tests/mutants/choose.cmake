# SPDX-License-Identifier: BSL-1.0
#
# Writes OUTPUT, which takes the place of laws/scenarios/all.hpp: the scenarios of LISTS alone, names
# of headers beside it with spaces between them.

string(REGEX MATCHALL "[a-z_]+" lists "${LISTS}")
set(includes "")
set(arrays "")
foreach(list IN LISTS lists)
    string(APPEND includes "#include \"laws/scenarios/${list}.hpp\"\n")
    list(APPEND arrays "${list}_scenarios")
endforeach()
list(JOIN arrays ", " arrays)
set(content
    "#pragma once\n${includes}\nnamespace sinew::laws {\n\ninline constexpr auto scenarios = joined(${arrays});\n\n}\n"
)
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${content}" @ONLY NEWLINE_STYLE UNIX)
