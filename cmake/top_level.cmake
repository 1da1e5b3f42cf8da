# SPDX-License-Identifier: BSL-1.0
#
# What holds only when sinew itself is built, and never for a project that includes it.

option(SINEW_BUILD_TESTS "Build the tests (needs Catch2 2 and rapidcheck)" ON)
option(SINEW_BUILD_EXAMPLES "Build the examples (needs CLI11 and libcsv)" ON)
option(SINEW_BUILD_BENCH "Build the benchmarks (needs google-benchmark)" OFF)
option(SINEW_WARNINGS_AS_ERRORS "Treat warnings in the project's own programs as errors" ON)
set(SINEW_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=: address,undefined or thread")
set_property(CACHE SINEW_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

enable_testing()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_CXX_EXTENSIONS OFF)

# ccache needs to be told that precompiled headers are meant, and that two clones of this project
# hold the same code.
find_program(SINEW_CCACHE ccache)
mark_as_advanced(SINEW_CCACHE)
if(SINEW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND}" -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=true
        "${SINEW_CCACHE}"
    )
endif()

# ---- sinew_dev_flags: warnings and sanitizers, for the project's own programs --------------------

add_library(sinew_dev_flags INTERFACE)
target_compile_options(sinew_dev_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(SINEW_WARNINGS_AS_ERRORS)
    target_compile_options(sinew_dev_flags INTERFACE -Werror)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -fpch-preprocess lets ccache see what a precompiled header was made of.
    target_compile_options(sinew_dev_flags INTERFACE -fpch-preprocess)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # It reports overlapping copies within std::string's operator+ (GCC bug 105651).
        target_compile_options(sinew_dev_flags INTERFACE -Wno-restrict)
    endif()
else()
    # The time of day in a precompiled header would keep ccache from ever finding what uses it.
    target_compile_options(sinew_dev_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()

if(SINEW_SANITIZE)
    set(sanitizer_flags -fsanitize=${SINEW_SANITIZE} -fno-sanitize-recover=all)
    target_compile_options(sinew_dev_flags INTERFACE ${sanitizer_flags} -fno-omit-frame-pointer)
    target_link_options(sinew_dev_flags INTERFACE ${sanitizer_flags})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # The code that a sanitizer adds hides from g++ that a value was set.
        target_compile_options(sinew_dev_flags INTERFACE -Wno-maybe-uninitialized)
    endif()
endif()
