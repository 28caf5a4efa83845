#pragma once

#include "sinter/ir/Sinter.h"

/// Arithmetic on tensors while a graph is built: `g * (1.0 - y * y)` makes the ops. What gradients
/// and decompositions are written with.
namespace sinter::ir {

class Term {
public:
  Term(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value)
      : builder(&builder), loc(loc), value(value) {}
  operator mlir::Value() const { return value; }

  llvm::ArrayRef<int64_t> shape() const { return shapeOf(value); }
  mlir::Type element() const { return elementOf(value); }
  int64_t rank() const { return tensorType(value).getRank(); }
  int64_t count() const { return tensorType(value).getNumElements(); }

  /// Another value, created and combined at the same place as this one.
  Term with(mlir::Value other) const { return {*builder, loc, other}; }
  /// A tensor of this one's type filled with `number`.
  Term filled(double number) const {
    return with(splat(*builder, loc, plainType(shape()), number));
  }

  /// Other elements or another shape; returns this where nothing changes.
  Term cast(mlir::Type element) const;
  Term wide() const { return cast(computeType(element())); }
  Term reshape(llvm::ArrayRef<int64_t> shape) const;
  Term broadcast(llvm::ArrayRef<int64_t> shape) const;
  Term transpose(llvm::ArrayRef<int64_t> permutation) const;

  /// Reductions over `dims`, which may be none. With keepdim the result broadcasts back.
  Term sum(llvm::ArrayRef<int64_t> dims, bool keepdim) const {
    return reduce<SumOp>(dims, keepdim);
  }
  Term mean(llvm::ArrayRef<int64_t> dims, bool keepdim) const {
    return reduce<MeanOp>(dims, keepdim);
  }
  Term max(llvm::ArrayRef<int64_t> dims, bool keepdim) const {
    return reduce<MaxOp>(dims, keepdim);
  }

  /// An op of one or two operands of this type.
  template <class OpT> Term unary() const { return with(OpT::create(*builder, loc, value)); }
  template <class OpT> Term binary(Term other) const {
    return with(OpT::create(*builder, loc, value, other.value));
  }
  Term compare(ComparePredicate predicate, Term other) const;
  Term compare(ComparePredicate predicate, double number) const {
    return compare(predicate, filled(number));
  }
  /// This (i1) ? a : b.
  Term select(Term a, Term b) const {
    return with(SelectOp::create(*builder, loc, value, a.value, b.value));
  }
  /// A tensor of this one's shape whose elements are their index along `dim`.
  Term iota(int64_t dim, mlir::Type element) const;

  friend Term operator+(Term a, Term b) { return a.binary<AddOp>(b); }
  friend Term operator-(Term a, Term b) { return a.binary<SubOp>(b); }
  friend Term operator*(Term a, Term b) { return a.binary<MulOp>(b); }
  friend Term operator/(Term a, Term b) { return a.binary<DivOp>(b); }
  friend Term operator+(Term a, double b) { return a + a.filled(b); }
  friend Term operator-(Term a, double b) { return a - a.filled(b); }
  friend Term operator*(Term a, double b) { return a * a.filled(b); }
  friend Term operator/(Term a, double b) { return a / a.filled(b); }
  friend Term operator-(double a, Term b) { return b.filled(a) - b; }
  friend Term operator-(Term a) { return a.unary<NegOp>(); }

private:
  mlir::OpBuilder *builder;
  mlir::Location loc;
  mlir::Value value;

  mlir::RankedTensorType plainType(llvm::ArrayRef<int64_t> shape) const {
    return mlir::RankedTensorType::get(shape, element());
  }
  template <class OpT> Term reduce(llvm::ArrayRef<int64_t> dims, bool keepdim) const {
    if (dims.empty()) return *this;
    return with(OpT::create(*builder, loc, value, dims, keepdim));
  }
};

inline Term exp(Term x) { return x.unary<ExpOp>(); }
inline Term log(Term x) { return x.unary<LogOp>(); }
inline Term log1p(Term x) { return x.unary<Log1pOp>(); }
inline Term sqrt(Term x) { return x.unary<SqrtOp>(); }
inline Term rsqrt(Term x) { return x.unary<RsqrtOp>(); }
inline Term tanh(Term x) { return x.unary<TanhOp>(); }
inline Term sigmoid(Term x) { return x.unary<SigmoidOp>(); }
inline Term abs(Term x) { return x.unary<AbsOp>(); }
inline Term sign(Term x) { return x.unary<SignOp>(); }
inline Term floor(Term x) { return x.unary<FloorOp>(); }
inline Term pow(Term x, Term y) { return x.binary<PowOp>(y); }
inline Term maximum(Term x, Term y) { return x.binary<MaximumOp>(y); }

/// `first, first + 1, ..., limit - 1`.
llvm::SmallVector<int64_t> dimRange(int64_t first, int64_t limit);
/// Every dimension but `dim`.
llvm::SmallVector<int64_t> dimsExcept(int64_t rank, int64_t dim);
/// `shape` with the dimensions `dims` of size 1: what a reduction with keepdim leaves.
llvm::SmallVector<int64_t> keptShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> dims);

} // namespace sinter::ir
