#pragma once

#include "sinter/codegen/cuda/PrintKernel.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

#include <set>
#include <string>

namespace sinter::codegen {

/// How tightly an expression binds, so that parentheses stand only where they are needed. C++'s own
/// precedence, as far as kernels use it.
enum class Binding {
  select,
  either,
  both,
  bitOr,
  bitXor,
  bitAnd,
  equality,
  relation,
  shift,
  sum,
  product,
  unary,
  primary
};

struct Expression {
  std::string text;
  Binding binding = Binding::primary;
};

/// Whether values of the type are order alone, and not printed.
bool isToken(mlir::Type type);

/// Prints one kernel and the functions that it calls. Pure ops with one use are printed inside their user; everything else gets a
/// name (v0, v1, ...) in program order.
class KernelPrinter {
public:
  KernelPrinter(mlir::func::FuncOp kernel, int64_t block, bool awaits)
      : kernel(kernel), block(block), awaits(awaits) {}
  mlir::FailureOr<CudaText> print();

private:
  // Statements (KernelPrinter.cpp).
  mlir::LogicalResult printBlock(mlir::Block &body);
  mlir::LogicalResult printOp(mlir::Operation &op);
  mlir::LogicalResult printFor(mlir::Operation &op);
  mlir::LogicalResult printIf(mlir::Operation &op);
  mlir::LogicalResult printYield(mlir::Operation &yield, mlir::ValueRange targets);
  mlir::LogicalResult printAlloca(mlir::Operation &op);
  mlir::LogicalResult printGlobals();
  mlir::LogicalResult printSignature();
  mlir::LogicalResult printHelpers();
  mlir::LogicalResult printParameters();
  /// A function that the kernel calls, without its headers.
  mlir::FailureOr<std::string> printAsHelper();
  void line(const std::string &text) { out += std::string(2 * depth, ' ') + text + "\n"; }

  // What matrix units and asynchronous copies need (PrintMatrix.cpp). False: no op of theirs.
  mlir::FailureOr<bool> printMatrixOp(mlir::Operation &op);
  mlir::FailureOr<Expression> matrixExpression(mlir::Operation &op);
  std::string address(mlir::Value memref, mlir::ValueRange indices);
  /// The device library's type of a lane's share of a tile or of neighbours, or nothing.
  static std::string fragmentName(mlir::VectorType type);

  // Expressions (PrintExpression.cpp).
  mlir::FailureOr<Expression> expressionOf(mlir::Operation &op);
  mlir::FailureOr<Expression> arithmetic(mlir::Operation &op);
  mlir::FailureOr<Expression> conversion(mlir::Operation &op);
  mlir::FailureOr<Expression> function(mlir::Operation &op);
  mlir::FailureOr<Expression> comparison(mlir::Operation &op);
  mlir::FailureOr<Expression> constant(mlir::Operation &op);
  Expression use(mlir::Value value);
  std::string text(mlir::Value value, Binding context);
  Expression infix(mlir::Operation &op, llvm::StringRef sign, Binding binding);
  Expression call(llvm::StringRef name, mlir::ValueRange arguments, llvm::StringRef header = "");
  std::string element(mlir::Value memref, mlir::ValueRange indices);
  bool printsInside(mlir::Operation &op) const;

  /// As cudaTypeName, and fragments; index values are i32 in a narrow kernel.
  std::string typeName(mlir::Type type) const;
  std::string name(mlir::Value value);
  std::string declare(mlir::Value value);

  mlir::func::FuncOp kernel;
  int64_t block;
  bool awaits;
  bool narrow = false, strict = false;
  std::string out;
  unsigned depth = 0, nextName = 0;
  llvm::DenseMap<mlir::Value, std::string> names;
  llvm::DenseMap<mlir::Value, Expression> inlined;
  std::set<std::string> headers{"sinter/types.cuh"};
};

} // namespace sinter::codegen
