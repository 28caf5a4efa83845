// sinter-opt: mlir-opt with the sinter dialect and passes. Reads a module, runs the passes named on
// the command line, prints the module.

#include "sinter/frontend/detail/Plugins.h"
#include "sinter/ir/Sinter.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/WithColor.h"

#include <exception>
#include <string>
#include <vector>

// Only so that --help lists it: plug-ins are loaded before flags are parsed, because each brings
// flags of its own.
static llvm::cl::list<std::string> pluginFlag(
    "load-plugin",
    llvm::cl::desc("Load a shared library of passes before flags are parsed; one that cannot be "
                   "loaded is an error"),
    llvm::cl::value_desc("path"));

/// The paths of every `--load-plugin=PATH` and `--load-plugin PATH`.
static std::vector<std::string> pluginPaths(int argc, char **argv) {
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef flag = argv[i];
    if (!flag.consume_front("--load-plugin") && !flag.consume_front("-load-plugin")) continue;
    if (flag.consume_front("="))
      paths.push_back(flag.str());
    else if (flag.empty() && i + 1 < argc)
      paths.push_back(argv[++i]);
  }
  return paths;
}

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sinter::ir::registerDialects(registry);
  try { // our passes are registered by it, too
    sinter::detail::loadPlugins(pluginPaths(argc, argv));
  } catch (const std::exception &error) {
    llvm::WithColor::error(llvm::errs(), "sinter-opt") << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Sinter's optimiser driver\n", registry));
}
