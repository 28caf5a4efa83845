// The plug-in of the passes that sinter-check is to blame.
#include "Planted.h"

#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "PlantedBugs", "1", [] {
            planted::registerAll(planted::valueBugs());
            planted::registerAll(planted::shapeBugs());
            planted::registerAll(planted::borderBugs());
          }};
}
