# SPDX-License-Identifier: BSL-1.0
#
# The package's own files. The targets are installed by sinew_library().

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sinew")

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/sinew-config.cmake.in"
    "${PROJECT_BINARY_DIR}/sinew-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO
)
# Before 1.0 a minor version may break its users. Header-only: the width of a pointer is no matter.
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/sinew-config-version.cmake"
    COMPATIBILITY SameMinorVersion
    ARCH_INDEPENDENT
)
install(
    FILES
        "${PROJECT_BINARY_DIR}/sinew-config.cmake"
        "${PROJECT_BINARY_DIR}/sinew-config-version.cmake"
    DESTINATION "${package_dir}"
)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
