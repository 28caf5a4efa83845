# What `cmake --install` lays out, and the package that find_package(Sinter) reads. The imported
# targets are written by hand (SinterConfig.cmake.in): exporting ours would export their warning
# flags and the build's folders.
include(CMakePackageConfigHelpers)

install(TARGETS SinterRuntime SinterCompiler LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")

foreach(tool sinter-opt sinter-emit sinter-run sinter-plan sinter-explain sinter-check sinter-pass-check sinter-reduce
        sinter-lsp-server)
  if(TARGET ${tool})
    install(TARGETS ${tool} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endforeach()

# Headers keep their spelling. frontend/detail/ is where the frontend names MLIR: nobody else's.
set(include_dir "${CMAKE_INSTALL_INCLUDEDIR}/sinter")
foreach(room ir passes codegen runtime frontend)
  install(DIRECTORY "${CMAKE_SOURCE_DIR}/${room}/" DESTINATION "${include_dir}/${room}"
          FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.cuh" PATTERN "detail" EXCLUDE)
endforeach()
install(FILES "${CMAKE_SOURCE_DIR}/frontend/sinter.h" DESTINATION "${include_dir}" OPTIONAL)
install(DIRECTORY "${SINTER_GEN_ROOT}/sinter/" DESTINATION "${include_dir}"
        FILES_MATCHING PATTERN "*.inc" PATTERN "*.h")

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Sinter")
configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/SinterConfig.cmake.in"
  "${CMAKE_BINARY_DIR}/SinterConfig.cmake" INSTALL_DESTINATION "${config_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/SinterConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/SinterConfig.cmake" "${CMAKE_BINARY_DIR}/SinterConfigVersion.cmake"
        DESTINATION "${config_dir}")
install(FILES LICENSE README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)
