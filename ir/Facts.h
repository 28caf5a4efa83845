#pragma once

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "mlir/IR/ValueRange.h"

/// The vocabulary of the dialect's interfaces.
namespace sinter::ir {

/// What kind of loop nest an op is.
enum class FusionKind {
  Pointwise,   // element i of the result from element i of the operands
  View,        // only moves indices; free in any kernel
  Gather,      // reads operands at data-dependent places
  Random,      // computes elements from their indices
  Window,      // a small loop around each element
  Reduction,   // folds dimensions (ReductionOpInterface)
  Row,         // composite: decomposes into the kinds above
  Contraction, // ContractionOpInterface
  Scatter,     // writes at data-dependent places
  Barrier,     // the value itself, which no kernel computes and reads; fusion removes it
  Loop,        // a region run again and again; a launch of its own
  Attention,   // scores, their softmax and a product with it (AttentionFacts)
};

/// Where mixed precision runs an op.
enum class PrecisionPolicy {
  Low,     // bf16 or f16
  Full,    // f32
  Widest,  // the widest of its inputs
  Keep,    // not touched: casts, views, constants, integers
  Refused, // an error in low precision
};

/// Extents of a contraction's loops (see ContractionOpInterface).
struct ContractionDims {
  llvm::SmallVector<int64_t> batch, m, n, k;
};
int64_t contractionFlops(const ContractionDims &dims);

/// What an attention and its gradient have in common: extents and operands. `mask`, `seed` and `step` may be
/// null; `drop` is the probability that a weight is dropped.
struct AttentionFacts {
  int64_t batch, heads, groups, rows, keys, features, values;
  mlir::Value query, key, value, mask, seed, step;
  bool isCausal;
  double scale, drop;
  int64_t stream;

  int64_t shared() const { return heads / groups; } // heads of a group
  /// Pairs of a row and a key that takes part, over all heads.
  int64_t pairs() const;
};
/// One operation per result element.
int64_t defaultFlops(mlir::Operation *op);
llvm::SmallVector<mlir::AffineMap> identityMaps(mlir::Operation *op);
llvm::SmallVector<mlir::AffineMap> reductionMaps(mlir::Operation *op);

/// The type that kernels compute in for elements of `element`: f32 for bf16 and f16, i32 for ui8, the
/// type itself otherwise. Accumulations of f32 are f32, of f64 are f64.
mlir::Type computeType(mlir::Type element);
/// `value` as a constant of `type`: a scalar of compute type or a vector of one.
mlir::Value constantOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type, double value);
mlir::Value constantIntOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type, int64_t value);
/// `type` with the element type (scalar) or the elements (vector) replaced.
mlir::Type withElement(mlir::Type type, mlir::Type element);

/// A place in a tensor. Where `inBounds` (i1) is false the element does not exist and the indices
/// must not be used; null means it always exists.
struct ElementAddress {
  llvm::SmallVector<mlir::Value> indices;
  mlir::Value inBounds;
};

/// What ElementOpInterface implementations write with. Code generation implements it: it decides
/// where operands live and whether an index stands for one element or for a run of neighbours.
class ElementBuilder {
public:
  ElementBuilder(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}
  virtual ~ElementBuilder() = default;

  mlir::OpBuilder &builder;
  mlir::Location loc;

  /// Element `indices` of `tensor`, in compute type.
  virtual mlir::Value element(mlir::Value tensor, mlir::ValueRange indices) = 0;
  /// An affine function of index values, composed with the functions that made them and folded.
  virtual mlir::Value apply(mlir::AffineExpr expr, mlir::ValueRange operands);
  mlir::Value index(int64_t value);
  /// An index as data of integer compute type `type`; a vector of it when the index is a run.
  virtual mlir::Value asData(mlir::Value index, mlir::Type type) = 0;
  /// Data (an integer of compute type) as an index. Not for runs.
  virtual mlir::Value asIndex(mlir::Value data) = 0;
  /// `inside()` where `condition` (i1) holds, else `otherwise`; `inside` is not run elsewhere.
  virtual mlir::Value guarded(mlir::Value condition, mlir::Value otherwise,
                              llvm::function_ref<mlir::Value()> inside) = 0;
  /// The type of a value computed here from elements of compute type `scalar` (a vector for runs).
  virtual mlir::Type valueType(mlir::Type scalar) = 0;
};

/// One vector-Jacobian product under construction.
class Vjp {
public:
  Vjp(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange cotangents,
      llvm::ArrayRef<bool> needed)
      : builder(builder), op(op), loc(op->getLoc()), cotangents(cotangents), needed(needed),
        gradients(op->getNumOperands()) {}

  mlir::OpBuilder &builder;
  mlir::Operation *op;
  mlir::Location loc;

  /// Cotangent of result `i`, or null when nothing flows back through it.
  mlir::Value cotangent(unsigned i = 0) const { return cotangents[i]; }
  bool needs(unsigned operand) const { return needed[operand]; }
  /// States the gradient of an operand, in the operand's type.
  void set(unsigned operand, mlir::Value gradient) { gradients[operand] = gradient; }
  mlir::Value gradient(unsigned operand) const { return gradients[operand]; }

  /// Creates an op at the gradient's location.
  template <class OpT, class... Args> mlir::Value create(Args &&...args) {
    return OpT::create(builder, loc, std::forward<Args>(args)...)->getResult(0);
  }

private:
  llvm::SmallVector<mlir::Value> cotangents;
  llvm::SmallVector<bool> needed;
  llvm::SmallVector<mlir::Value> gradients;
};

} // namespace sinter::ir
