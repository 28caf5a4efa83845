// sinter-reduce FILE.mlir --test SCRIPT: makes a module smaller for as long as the script says that it still shows
// what is looked for.

#include "sinter/check/Reduce.h"
#include "sinter/ir/Sinter.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Reducer/Tester.h"
#include "llvm/Support/FileSystem.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <iostream>

using namespace sinter;

static bool write(mlir::ModuleOp module, const std::string &path) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (error) return false;
  module.print(file, mlir::OpPrintingFlags().enableDebugInfo());
  file.close();
  return !file.has_error();
}

int main(int argc, char **argv) {
  CLI::App app{"Makes a module smaller while a script finds it interesting."};
  std::string path, script, output;
  std::vector<std::string> arguments;
  int64_t tries = 5000;
  app.add_option("file", path, "a module")->required();
  app.add_option(
         "--test", script,
         "a program that is called with a file and exits with another status than 0 while that "
         "file is interesting, as mlir-reduce's")
      ->required();
  app.add_option("--test-arg", arguments, "arguments of the program, before the file");
  app.add_option("-o,--output", output, "where the reduced module goes; else standard output");
  app.add_option("--tries", tries, "most calls of the program");
  CLI11_PARSE(app, argc, argv);

  mlir::DialectRegistry registry;
  ir::registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
  if (!module) return 2; // the parser has said why
  llvm::SmallString<128> candidate;
  if (llvm::sys::fs::createTemporaryFile("sinter-reduce", "mlir", candidate)) {
    std::cerr << "sinter-reduce: there is no place for temporary files\n";
    return 2;
  }
  mlir::Tester tester(script, arguments);
  auto isInteresting = [&](mlir::ModuleOp each) {
    return write(each, candidate.str().str()) &&
           tester.isInteresting(llvm::StringRef(candidate)) == mlir::Tester::Interestingness::True;
  };
  int status = 0;
  if (!isInteresting(*module)) {
    std::cerr << "sinter-reduce: " << script << " exits with status 0 on " << path
              << ": it is not interesting as it is\n";
    status = 1;
  } else {
    check::ReduceReport report = check::reduce(module, isInteresting, tries);
    std::cerr << fmt::format("sinter-reduce: {} ops of {} are left, after {} tries\n",
                             report.opsAfter, report.opsBefore, report.tries);
    if (output.empty()) {
      module->print(llvm::outs(), mlir::OpPrintingFlags().enableDebugInfo());
    } else if (!write(*module, output)) {
      std::cerr << "sinter-reduce: " << output << " cannot be written\n";
      status = 2;
    }
  }
  llvm::sys::fs::remove(candidate);
  return status;
}
