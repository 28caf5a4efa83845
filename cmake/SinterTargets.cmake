# Each room is an object library; two shared libraries are made of them:
#   libSinterRuntime  = runtime                           (libc, libstdc++, zlib)
#   libSinterCompiler = ir + passes + codegen + frontend  (and MLIR, LLVM)

add_library(sinter_mlir INTERFACE)
target_include_directories(sinter_mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS} "${SINTER_GEN_ROOT}")
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(sinter_mlir INTERFACE ${llvm_definitions})
target_link_libraries(sinter_mlir INTERFACE MLIR LLVM)
# A check at each pointer of LLVM's inline functions would double the time to compile; null ones stop the address
# sanitizer, too.
if(SINTER_SANITIZE MATCHES undefined)
  target_compile_options(sinter_mlir INTERFACE -fno-sanitize=null,alignment,object-size)
endif()

# One precompiled header, shared by every target that sees the IR (same flags required).
function(sinter_make_pch)
  if(NOT EXISTS "${CMAKE_BINARY_DIR}/pch.cpp") # a new one would make everything anew
    file(WRITE "${CMAKE_BINARY_DIR}/pch.cpp" "")
  endif()
  add_library(sinter_pch OBJECT "${CMAKE_BINARY_DIR}/pch.cpp")
  target_link_libraries(sinter_pch PRIVATE sinter_options fmt::fmt nlohmann_json::nlohmann_json sinter_mlir)
  add_dependencies(sinter_pch sinter_tablegen)
  # Not from ccache: GCC's `#pragma once` compares times of headers with those the PCH was made from.
  set_target_properties(sinter_pch PROPERTIES CXX_COMPILER_LAUNCHER "")
  target_precompile_headers(sinter_pch PRIVATE "${CMAKE_SOURCE_DIR}/cmake/MlirPrecompiled.h")
endfunction()
function(sinter_use_pch target)
  if(SINTER_PCH)
    target_precompile_headers(${target} REUSE_FROM sinter_pch)
  endif()
endfunction()

# sinter_compiler_room(NAME SOURCES... [NO_MLIR]): one room of the compiler library.
function(sinter_compiler_room name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "" ${ARGN})
  add_library(sinter_${name} OBJECT ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(sinter_${name} PRIVATE sinter_options fmt::fmt nlohmann_json::nlohmann_json)
  if(NOT ARG_NO_MLIR)
    target_link_libraries(sinter_${name} PRIVATE sinter_mlir)
    add_dependencies(sinter_${name} sinter_tablegen)
    sinter_use_pch(sinter_${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY SINTER_COMPILER_ROOMS sinter_${name})
endfunction()

function(sinter_link_compiler_library)
  get_property(rooms GLOBAL PROPERTY SINTER_COMPILER_ROOMS)
  if(NOT rooms) # the runtime alone
    return()
  endif()
  set(objects)
  foreach(room ${rooms})
    list(APPEND objects $<TARGET_OBJECTS:${room}>)
  endforeach()
  add_library(SinterCompiler SHARED ${objects})
  target_link_libraries(SinterCompiler PUBLIC sinter_options SinterRuntime fmt::fmt
                        PRIVATE sinter_mlir ZLIB::ZLIB Threads::Threads)
  set_target_properties(SinterCompiler PROPERTIES INSTALL_RPATH "$ORIGIN;${LLVM_LIBRARY_DIR}")
endfunction()

# sinter_runtime_executable(NAME SOURCES...): a program over the runtime alone.
function(sinter_runtime_executable name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE SinterRuntime sinter_options)
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  if(SINTER_SANITIZE)
    target_sources(${name} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/SanitizerDefaults.cpp")
  endif()
endfunction()

# sinter_executable(NAME SOURCES...): a program over the DSL (no LLVM headers).
function(sinter_executable name)
  sinter_runtime_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE SinterCompiler fmt::fmt)
  set_target_properties(${name} PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${LLVM_LIBRARY_DIR}")
endfunction()

# sinter_mlir_executable(NAME SOURCES...): a program that sees the IR.
function(sinter_mlir_executable name)
  sinter_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE sinter_mlir nlohmann_json::nlohmann_json)
  add_dependencies(${name} sinter_tablegen)
  # The precompiled header is made with -fPIC, and an executable's -fPIE would not match it.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  sinter_use_pch(${name})
endfunction()
