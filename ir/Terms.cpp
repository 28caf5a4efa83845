#include "sinter/ir/Terms.h"

using namespace mlir;

namespace sinter::ir {

Term Term::cast(Type to) const {
  if (to == element()) return *this;
  return with(CastOp::create(*builder, loc, RankedTensorType::get(shape(), to), value));
}

Term Term::reshape(ArrayRef<int64_t> to) const {
  if (to == shape()) return *this;
  return with(ReshapeOp::create(*builder, loc, plainType(to), value));
}

Term Term::broadcast(ArrayRef<int64_t> to) const {
  if (to == shape()) return *this;
  return with(BroadcastOp::create(*builder, loc, plainType(to), value));
}

Term Term::transpose(ArrayRef<int64_t> permutation) const {
  return with(TransposeOp::create(*builder, loc, value, permutation));
}

Term Term::compare(ComparePredicate predicate, Term other) const {
  return with(CompareOp::create(*builder, loc, predicate, value, other.value));
}

Term Term::iota(int64_t dim, Type element) const {
  return with(IotaOp::create(*builder, loc, RankedTensorType::get(shape(), element), dim));
}

SmallVector<int64_t> dimRange(int64_t first, int64_t limit) {
  return llvm::to_vector(llvm::seq(first, limit));
}

SmallVector<int64_t> dimsExcept(int64_t rank, int64_t dim) {
  SmallVector<int64_t> dims = dimRange(0, rank);
  dims.erase(dims.begin() + dim);
  return dims;
}

SmallVector<int64_t> keptShape(ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> kept(shape);
  for (int64_t dim : dims) kept[dim] = 1;
  return kept;
}

} // namespace sinter::ir
