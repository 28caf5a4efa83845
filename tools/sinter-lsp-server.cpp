// sinter-lsp-server: MLIR's language server with the sinter dialect: diagnostics while you type, definitions,
// uses and types of values in an editor.

#include "sinter/ir/Sinter.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sinter::ir::registerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry)) ? 1 : 0;
}
