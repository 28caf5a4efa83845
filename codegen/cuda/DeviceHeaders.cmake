# Sets SINTER_DEVICE_HEADERS_SOURCE: the C++ file that holds the device library's texts.
include(SinterEmbed)
file(GLOB sinter_device_headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/codegen/cuda/device/*.cuh")
list(SORT sinter_device_headers)
set(SINTER_DEVICE_HEADERS_SOURCE "${CMAKE_BINARY_DIR}/gen/sinter/codegen/cuda/DeviceHeaders.cpp")
sinter_embed_text("${SINTER_DEVICE_HEADERS_SOURCE}" "${CMAKE_SOURCE_DIR}/codegen/cuda/DeviceHeaders.cpp.in"
                  ${sinter_device_headers})
