# Each room is an object library; two shared libraries are made of them:
#   libSinterRuntime  = runtime                           (libc, libstdc++, zlib)
#   libSinterCompiler = ir + passes + codegen + frontend  (and MLIR, LLVM)

add_library(sinter_mlir INTERFACE)
target_include_directories(sinter_mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS} "${SINTER_GEN_ROOT}")
target_compile_definitions(sinter_mlir INTERFACE ${LLVM_DEFINITIONS})
target_link_libraries(sinter_mlir INTERFACE MLIR LLVM)

# sinter_compiler_room(NAME SOURCES... [NO_MLIR]): one room of the compiler library.
function(sinter_compiler_room name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "" ${ARGN})
  add_library(sinter_${name} OBJECT ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(sinter_${name} PRIVATE sinter_options fmt::fmt nlohmann_json::nlohmann_json)
  if(NOT ARG_NO_MLIR)
    target_link_libraries(sinter_${name} PRIVATE sinter_mlir)
    if(TARGET sinter_tablegen)
      add_dependencies(sinter_${name} sinter_tablegen)
    endif()
    if(SINTER_PCH)
      target_precompile_headers(sinter_${name} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/MlirPrecompiled.h")
    endif()
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
                        PRIVATE sinter_mlir Threads::Threads)
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
  target_link_libraries(${name} PRIVATE sinter_mlir)
  add_dependencies(${name} sinter_tablegen)
endfunction()
