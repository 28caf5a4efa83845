#pragma once

#include "sinter/frontend/Ops.h"
#include "sinter/frontend/detail/Trace.h"
#include "sinter/ir/Sinter.h"

namespace sinter::detail {

/// One DSL call turning into ops of the trace that its operands belong to.
class Emitter {
public:
  /// Throws UserError when a tensor has no value, belongs to a finished trace or to another one than
  /// the rest, or when there is no trace at all.
  Emitter(const char *name, Where where, llvm::ArrayRef<const Tensor *> tensors);
  Emitter(const char *name, llvm::ArrayRef<const Arg *> arguments);

  [[noreturn]] void fail(const std::string &message) const;

  mlir::Value operator[](const Tensor &tensor);
  Tensor tensor(mlir::Value value) { return trace->tensor(value); }

  /// Creates an op, checked: what its inference or verifier says becomes a UserError. Result types
  /// are inferred unless given.
  template <class OpT> mlir::Value make(mlir::ValueRange operands,
                                        llvm::ArrayRef<mlir::NamedAttribute> attributes = {},
                                        mlir::TypeRange types = {}) {
    return makeOp(OpT::getOperationName(), operands, attributes, types)->getResult(0);
  }
  /// An op without results, which only says something to the compiler.
  template <class OpT>
  void state(mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    mlir::OperationState made(loc, OpT::getOperationName());
    made.addOperands(operands);
    made.addAttributes(attributes);
    b.create(made);
  }
  mlir::Operation *makeOp(llvm::StringRef name, mlir::ValueRange operands,
                          llvm::ArrayRef<mlir::NamedAttribute> attributes = {},
                          mlir::TypeRange types = {});

  mlir::NamedAttribute attribute(llvm::StringRef name, mlir::Attribute value) const {
    return {mlir::StringAttr::get(&context(), name), value};
  }
  mlir::NamedAttribute ints(llvm::StringRef name, llvm::ArrayRef<int64_t> values) {
    return attribute(name, b.getDenseI64ArrayAttr(values));
  }
  mlir::NamedAttribute integer(llvm::StringRef name, int64_t value) {
    return attribute(name, b.getI64IntegerAttr(value));
  }
  mlir::NamedAttribute number(llvm::StringRef name, double value) {
    return attribute(name, b.getF64FloatAttr(value));
  }
  mlir::NamedAttribute flag(llvm::StringRef name, bool value) {
    return attribute(name, b.getBoolAttr(value));
  }
  mlir::NamedAttribute word(llvm::StringRef name, llvm::StringRef value) {
    return attribute(name, b.getStringAttr(value));
  }

  mlir::Value cast(mlir::Value x, DType dtype);
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation);
  mlir::Value splat(const TensorSpec &spec, double value);
  /// Integers and booleans become f32.
  mlir::Value floating(mlir::Value x);

  /// The shape that all broadcast to; an error names those that do not.
  Shape commonShape(llvm::ArrayRef<Shape> shapes) const;
  /// PyTorch's result type of tensors and numbers.
  static DType promote(llvm::ArrayRef<const Arg *> arguments);
  /// Operands of one type and shape.
  llvm::SmallVector<mlir::Value> align(llvm::ArrayRef<const Arg *> arguments, DType dtype);

  /// `dim` counted from the front; an error when it is out of range for `rank`.
  int64_t dimOf(int64_t dim, int64_t rank) const;
  /// Ascending and distinct; all when `dims` names none.
  llvm::SmallVector<int64_t> dimsOf(const Dims &dims, int64_t rank) const;

  Trace &inTrace() { return *trace; }
  mlir::Location location() const { return loc; }

private:
  void enter(llvm::ArrayRef<const Tensor *> tensors);

  const char *name;
  Where where;
  std::shared_ptr<Trace> trace;
  mlir::OpBuilder b;
  mlir::Location loc;
};

} // namespace sinter::detail
