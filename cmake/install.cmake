# cmake --install BUILD --prefix DIR: bin/ingot, lib/libingot.so, include/ingot/, and how CMake and pkg-config find them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
add_library(ingot::ingot ALIAS ingot_shared)

install(TARGETS ingot RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ingot_shared EXPORT ingot-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ingot DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(EXPORT ingot-targets NAMESPACE ingot:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ingot COMPONENT library)
file(WRITE ${CMAKE_BINARY_DIR}/ingot-config.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/ingot-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ingot-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ingot-config.cmake ${CMAKE_BINARY_DIR}/ingot-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ingot COMPONENT library)
file(RELATIVE_PATH INGOT_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_SOURCE_DIR}/cmake/ingot.pc.in ${CMAKE_BINARY_DIR}/ingot.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/ingot.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

# A program that knows nothing but the installed tree.
if(INGOT_TESTS)
  add_test(NAME Examples.build_and_run_from_an_installed_tree
    COMMAND ${CMAKE_SOURCE_DIR}/examples/test_installed ${CMAKE_BINARY_DIR} ${CMAKE_COMMAND})
endif()
