# GoogleTest executables and how ctest runs them.
include(GoogleTest)

# Tests share one kernel cache inside the build folder and never touch the user's.
set(SINTER_TEST_ENVIRONMENT "SINTER_CACHE_DIR=${CMAKE_BINARY_DIR}/test-cache")
# NVRTC out of a wheel (tools/get-nvrtc) or a toolkit that the dynamic linker does not search.
find_file(SINTER_TEST_NVRTC NAMES libnvrtc.so.13 libnvrtc.so.12
          PATHS "${CMAKE_BINARY_DIR}/nvrtc/lib" "${CMAKE_SOURCE_DIR}/build/nvrtc/lib"
                ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES lib64 NO_DEFAULT_PATH)
if(SINTER_TEST_NVRTC AND NOT DEFINED ENV{SINTER_NVRTC_LIB})
  get_filename_component(nvrtc_folder "${SINTER_TEST_NVRTC}" DIRECTORY)
  list(APPEND SINTER_TEST_ENVIRONMENT "SINTER_NVRTC_LIB=${SINTER_TEST_NVRTC}"
       "LD_LIBRARY_PATH=${nvrtc_folder}:$ENV{LD_LIBRARY_PATH}") # it opens its builtins by name
endif()

# sinter_unit_test(NAME SOURCES... [RUNTIME | MLIR] [COMPUTES] [SERIAL] [LABELS label...] [TIMEOUT seconds] [LIBRARIES ...])
#
# build/bin/tests/NAME, whose cases ctest knows as NAME.Suite.Case. A case that calls GTEST_SKIP is
# counted as skipped.
#   RUNTIME  links the runtime library alone: quick to build, and proves that it stands alone
#   MLIR     sees MLIR's headers as well as ours
#   COMPUTES is optimised: most tests do little beside what they call, and are built sooner without
#   SERIAL   runs while no other test does: for times
#   LABELS   `full`: only run by `tools/test --full`
function(sinter_unit_test name)
  cmake_parse_arguments(ARG "RUNTIME;MLIR;COMPUTES;SERIAL" "TIMEOUT" "LABELS;LIBRARIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(SINTER_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
  endif()
  if(ARG_RUNTIME)
    sinter_runtime_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  elseif(ARG_MLIR)
    sinter_mlir_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  else()
    sinter_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  endif()
  if(NOT ARG_MLIR AND NOT ARG_COMPUTES) # those share a precompiled header, and so its flags
    target_compile_options(${name} PRIVATE -O0)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gmock GTest::gtest_main
                                        nlohmann_json::nlohmann_json)
  target_compile_definitions(${name} PRIVATE
    SINTER_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}/tests"
    SINTER_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    SINTER_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin/tests")
  gtest_discover_tests(${name} TEST_PREFIX "${name}." NO_PRETTY_VALUES TEST_LIST ${name}_cases
                       DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
  # gtest_discover_tests flattens properties that are lists, so they are set when ctest has read it.
  set(include "${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake")
  file(WRITE "${include}" "foreach(case IN LISTS ${name}_cases)
  set_tests_properties(\"\${case}\" PROPERTIES TIMEOUT ${ARG_TIMEOUT}
    LABELS \"${ARG_LABELS}\" RUN_SERIAL ${ARG_SERIAL} ENVIRONMENT \"${SINTER_TEST_ENVIRONMENT}\")
endforeach()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include}")
endfunction()

# sinter_script_test(NAME COMMAND ... [LABELS ...] [TIMEOUT seconds] [PROPERTIES ...])
#
# A test that is a command. Exit code 77 counts as skipped; its last line of output should say why.
function(sinter_script_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND;LABELS;PROPERTIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(SINTER_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
                       LABELS "${ARG_LABELS}" ENVIRONMENT "${SINTER_TEST_ENVIRONMENT}"
                       ${ARG_PROPERTIES})
endfunction()
