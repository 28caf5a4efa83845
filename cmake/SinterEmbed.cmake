# sinter_embed_text(OUT TEMPLATE FILE... ): writes C++ source OUT from TEMPLATE, whose
# @SINTER_EMBEDDED@ becomes one `{"name", text},` for each file, named by its path under `sinter/`
# (codegen/cuda/device/math.cuh is "sinter/math.cuh"). Runs when CMake does; a changed file re-runs it.
function(sinter_embed_text out template)
  set(SINTER_EMBEDDED "")
  foreach(file ${ARGN})
    get_filename_component(name "${file}" NAME)
    file(READ "${file}" text)
    string(APPEND SINTER_EMBEDDED "    {\"sinter/${name}\", R\"sinter_text(${text})sinter_text\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  configure_file("${template}" "${out}" @ONLY)
endfunction()
