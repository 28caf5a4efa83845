#pragma once

#include "sinter/codegen/reference/ErrorModel.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/ir/Sinter.h"

#include "llvm/ADT/StringMap.h"

/// What the op files of the evaluator are written with.
namespace sinter::codegen::reference {

/// One op about to be evaluated: its operands, and its results as zeros to be filled.
class OpEvaluation {
public:
  OpEvaluation(mlir::Operation *op, const EvaluatorOptions &options,
               llvm::ArrayRef<const HostTensor *> operands);

  mlir::Operation *op;
  const EvaluatorOptions &options;
  llvm::SmallVector<HostTensor> results;

  const HostTensor &operand(unsigned i) const { return *operands[i]; }
  HostTensor &result(unsigned i = 0) { return results[i]; }
  size_t numOperands() const { return operands.size(); }
  mlir::InFlightDiagnostic emitError() const { return op->emitOpError(); }

private:
  llvm::SmallVector<const HostTensor *> operands;
};

/// Element by element access to an operand as numbers with their errors.
class Reader {
public:
  explicit Reader(const HostTensor &tensor)
      : values(tensor.isFloat() ? tensor.values.data() : nullptr), integers(tensor.integers.data()),
        error(tensor.error.empty() ? nullptr : tensor.error.data()) {}
  Ball operator[](int64_t i) const {
    return {values ? values[i] : static_cast<double>(integers[i]), error ? error[i] : 0};
  }

private:
  const double *values;
  const int64_t *integers;
  const double *error;
};

/// Writes a result, rounding to its type.
class Writer {
public:
  Writer(HostTensor &tensor, bool trackErrors);
  /// The compute arithmetic of the result's type (f32's for integers).
  Arithmetic arithmetic;

  void set(int64_t i, Ball number);
  /// An integer of which `error` is the distance to the other possible answers.
  void setInteger(int64_t i, int64_t number, double error);

private:
  void setError(int64_t i, double error);

  HostTensor &tensor;
  runtime::DType dtype;
  const Format &declared;
  bool trackErrors;
};

/// Row-major strides of a shape, in elements.
llvm::SmallVector<int64_t> stridesOf(llvm::ArrayRef<int64_t> shape);
/// Calls `body(linear, indices)` for every index of a shape in row-major order.
template <class Body> void forEachIndex(llvm::ArrayRef<int64_t> shape, Body body) {
  llvm::SmallVector<int64_t> indices(shape.size(), 0);
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  for (int64_t linear = 0; linear < count; ++linear) {
    body(linear, llvm::ArrayRef<int64_t>(indices));
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (++indices[dim] < shape[dim]) break;
      indices[dim] = 0;
    }
  }
}

/// A shape split into the dimensions kept and those folded: offsets of both loops.
struct FoldedShape {
  FoldedShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> foldedDims);
  std::vector<int64_t> kept, folded; // offset of each kept index, of each folded index
};

using Handler = mlir::LogicalResult (*)(OpEvaluation &);
using Handlers = llvm::StringMap<Handler>;

void addElementwise(Handlers &handlers);
void addCasts(Handlers &handlers);
void addShapes(Handlers &handlers);
void addIndexed(Handlers &handlers);
void addReductions(Handlers &handlers);
void addContractions(Handlers &handlers);
void addRandom(Handlers &handlers);
void addLosses(Handlers &handlers);
void addNorms(Handlers &handlers);
void addPools(Handlers &handlers);
void addAttention(Handlers &handlers);

} // namespace sinter::codegen::reference
