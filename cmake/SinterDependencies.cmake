# LLVM and MLIR 22 (shared libraries only: static dialect libraries beside them would be a second
# registry), and the small libraries.
find_program(LLVM_CONFIG NAMES llvm-config-22 llvm-config HINTS /usr/lib/llvm-22/bin REQUIRED)
execute_process(COMMAND "${LLVM_CONFIG}" --cmakedir OUTPUT_VARIABLE llvm_cmakedir
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
get_filename_component(llvm_prefix "${llvm_cmakedir}/../../.." ABSOLUTE)
find_package(MLIR REQUIRED CONFIG HINTS "${llvm_prefix}")
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "Sinter needs LLVM/MLIR 22, found ${LLVM_VERSION} (package libmlir-22-dev)")
endif()
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

find_package(fmt REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)

# The CUDA toolkit is optional: the runtime opens the driver and NVRTC at run time.
find_path(SINTER_CUDA_INCLUDE cuda.h HINTS "${CMAKE_SOURCE_DIR}/build/nvrtc/include" /usr/local/cuda/include)
find_path(SINTER_NVRTC_INCLUDE nvrtc.h HINTS "${CMAKE_SOURCE_DIR}/build/nvrtc/include" /usr/local/cuda/include)
