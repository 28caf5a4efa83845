# lit + FileCheck, from LLVM's own tools folder (they are not on PATH).
find_program(SINTER_LIT NAMES lit lit.py
             HINTS "${LLVM_TOOLS_BINARY_DIR}" "${LLVM_TOOLS_BINARY_DIR}/../build/utils/lit"
             NO_DEFAULT_PATH)
find_program(SINTER_LIT NAMES lit llvm-lit)
find_program(SINTER_FILECHECK NAMES FileCheck HINTS "${LLVM_TOOLS_BINARY_DIR}")

# sinter_lit_suite(FOLDER...): one ctest test per .mlir or .test file below each folder, so that
# ctest's count is the number of files. `lit build/tests/passes` runs a whole folder at once.
function(sinter_lit_suite)
  if(NOT SINTER_LIT OR NOT SINTER_FILECHECK)
    message(WARNING "lit or FileCheck not found (package llvm-22-tools): lit tests are not registered")
    return()
  endif()
  configure_file("${CMAKE_CURRENT_SOURCE_DIR}/lit.site.cfg.py.in"
                 "${CMAKE_CURRENT_BINARY_DIR}/lit.site.cfg.py" @ONLY)
  foreach(folder ${ARGN})
    file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}"
         "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.mlir" "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.test")
    foreach(file ${files})
      if(file MATCHES "/Inputs/")
        continue()
      endif()
      add_test(NAME lit/${file}
               COMMAND "${Python3_EXECUTABLE}" "${SINTER_LIT}" -v --no-progress-bar --skip-test-time-recording
                       "${CMAKE_CURRENT_BINARY_DIR}/${file}")
      set(labels lit)
      file(STRINGS "${file}" full REGEX "^// LABEL: full" LIMIT_COUNT 1)
      if(full)
        list(APPEND labels full)
      endif()
      set_tests_properties(lit/${file} PROPERTIES TIMEOUT 120 LABELS "${labels}"
                           SKIP_REGULAR_EXPRESSION "UNSUPPORTED:"
                           ENVIRONMENT "${SINTER_TEST_ENVIRONMENT}")
    endforeach()
  endforeach()
endfunction()
