# What a build can be asked for, and the flags every one of our targets gets.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
option(SINTER_PCH "Precompile MLIR's headers (halves the time of a build from scratch)" ON)
option(SINTER_WERROR "Treat warnings in our code as errors" ON)
set(SINTER_SANITIZE "" CACHE STRING "Sanitizers for our C++, e.g. address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -O2 doubles the time to compile MLIR-heavy files and buys nothing there; the runtime asks for more itself.
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# Options of every target we build.
add_library(sinter_options INTERFACE)
target_compile_options(sinter_options INTERFACE -Wall -Wextra $<$<BOOL:${SINTER_WERROR}>:-Werror>)
# clang reports what GCC 12's own headers use deprecated; GCC reports what we do.
target_compile_options(sinter_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
target_link_options(sinter_options INTERFACE -Wl,--as-needed)
if(SINTER_SANITIZE)
  # GCC 12 sees uninitialised values in std::optional once its checks are woven in.
  target_compile_options(sinter_options INTERFACE -fsanitize=${SINTER_SANITIZE} -fno-omit-frame-pointer -g1
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(sinter_options INTERFACE -fsanitize=${SINTER_SANITIZE})
else()
  target_link_options(sinter_options INTERFACE -Wl,-z,defs)
endif()

# Headers are spelled <sinter/ROOM/...> in the tree as after installation: links for the sources'
# rooms, a second root for what TableGen writes.
set(SINTER_INCLUDE_ROOT "${CMAKE_BINARY_DIR}/include")
set(SINTER_GEN_ROOT "${CMAKE_BINARY_DIR}/gen")
file(MAKE_DIRECTORY "${SINTER_INCLUDE_ROOT}/sinter" "${SINTER_GEN_ROOT}/sinter")
foreach(room ir passes codegen runtime frontend check)
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${room}" "${SINTER_INCLUDE_ROOT}/sinter/${room}" SYMBOLIC)
endforeach()
file(CREATE_LINK "${CMAKE_SOURCE_DIR}/frontend/sinter.h" "${SINTER_INCLUDE_ROOT}/sinter/sinter.h" SYMBOLIC)
target_include_directories(sinter_options INTERFACE
  "$<BUILD_INTERFACE:${SINTER_INCLUDE_ROOT}>" "$<BUILD_INTERFACE:${SINTER_GEN_ROOT}>")
