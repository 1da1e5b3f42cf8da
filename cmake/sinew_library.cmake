# SPDX-License-Identifier: BSL-1.0

# sinew_library(NAME HEADERS file... LINK target...)
#
# Defines the header-only library sinew::NAME (the target is sinew_NAME, or sinew itself) with its
# headers as a file set, and installs it as the component NAME of the package.
function(sinew_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")

    set(target sinew_${name})
    if(name STREQUAL "sinew")
        set(target sinew)
    endif()

    add_library(${target} INTERFACE)
    add_library(sinew::${name} ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
    target_compile_features(${target} INTERFACE cxx_std_20)
    target_sources(
        ${target}
        INTERFACE
            FILE_SET HEADERS
            BASE_DIRS "${PROJECT_SOURCE_DIR}/include"
            FILES ${arg_HEADERS}
    )
    target_link_libraries(${target} INTERFACE ${arg_LINK})

    install(
        TARGETS ${target}
        EXPORT sinew_${name}
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    )
    install(
        EXPORT sinew_${name}
        FILE sinew-${name}-targets.cmake
        NAMESPACE sinew::
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/sinew"
    )
endfunction()
