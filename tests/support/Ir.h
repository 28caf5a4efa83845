#pragma once

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <string>

/// What tests on the IR begin with: a context, text to module, errors as text.
namespace sinter::test {

struct Ir {
  Ir() : context(registry(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
        errors += diagnostic.str() + "\n";
      return mlir::success();
    });
  }

  /// A verified module, or null with the reason in `errors`.
  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  static mlir::func::FuncOp function(mlir::ModuleOp module, llvm::StringRef name) {
    return module.lookupSymbol<mlir::func::FuncOp>(name);
  }

  mlir::MLIRContext context;
  std::string errors;

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry registry;
    ir::registerDialects(registry);
    return registry;
  }
};

} // namespace sinter::test
