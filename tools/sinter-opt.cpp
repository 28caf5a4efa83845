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

static llvm::cl::opt<std::string> remarksFlag(
    "remarks", llvm::cl::ValueOptional,
    llvm::cl::desc(
        "Say of each edge between two ops whether fusion made it one kernel, and why not; "
        "with a path, as YAML into that file"),
    llvm::cl::value_desc("path"));

/// `--remarks` and `--remarks=PATH` in the words that MLIR's driver has for them.
static std::vector<std::string> spelledOut(int argc, char **argv) {
  std::vector<std::string> arguments;
  for (int i = 0; i < argc; ++i) {
    llvm::StringRef flag = argv[i];
    bool isRemarks = flag.consume_front("--remarks") || flag.consume_front("-remarks");
    if (!isRemarks || !(flag.empty() || flag.starts_with("="))) {
      arguments.push_back(argv[i]);
      continue;
    }
    arguments.push_back("--remarks-filter=sinter-.*");
    if (!flag.consume_front("=")) continue;
    arguments.push_back("--remark-format=yaml");
    arguments.push_back("--remarks-output-file=" + flag.str());
  }
  return arguments;
}

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
  std::vector<std::string> arguments = spelledOut(argc, argv);
  std::vector<char *> pointers;
  for (std::string &argument : arguments) pointers.push_back(argument.data());
  return mlir::asMainReturnCode(mlir::MlirOptMain(int(pointers.size()), pointers.data(),
                                                  "Sinter's optimiser driver\n", registry));
}
