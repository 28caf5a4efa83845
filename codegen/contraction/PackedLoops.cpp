#include "sinter/codegen/contraction/PackedEmitter.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// All original indices, in order, from the merged ones of each group (0 where none are given).
PackedEmitter::Indices PackedEmitter::point(ArrayRef<Value> row, ArrayRef<Value> column,
                                            ArrayRef<Value> k) {
  Indices all(plan.merged.extents.size());
  auto place = [&](const LoopGroup &group, ArrayRef<Value> indices) {
    for (unsigned i = 0; i < group.extents.size(); ++i)
      all[group.first + i] = indices.empty() ? elements->index(0) : indices[i];
  };
  place(plan.groups[0], batchPoint);
  place(plan.rows, row);
  place(plan.columns, column);
  place(plan.groups[3], k);
  Indices originals;
  for (AffineExpr expr : plan.merged.exprs) originals.push_back(elements->apply(expr, all));
  return originals;
}

/// Row indices of row `local` of the unit.
PackedEmitter::Indices PackedEmitter::rowIndices(Value local) {
  return delinearized(affine(d(0) + d(1), {rowBase, local}), plan.rows.extents);
}

/// Column indices of position `local` within the unit.
PackedEmitter::Indices PackedEmitter::columnIndices(Value local) {
  Indices indices(outerPoint);
  Value flat = affine(d(0) * plan.lineSize + d(1), {lineBase, local});
  llvm::append_range(indices, suffixIndices(flat));
  return indices;
}

/// Indices of the dimensions that are a block's, from all columns of one point of the outer ones.
PackedEmitter::Indices PackedEmitter::suffixIndices(Value flat) {
  return delinearized(flat, ArrayRef(plan.columns.extents).drop_front(plan.suffixFirst));
}

/// Loops over the block's points of k, of the dimensions before `until`: `body(indices, offset)`.
void PackedEmitter::overInnerK(unsigned until, PointBody body) {
  loop(constant(0), kCount, 1, kRange, [&](Value outer) {
    Value linear = affine(d(0) + d(1), {kBase, outer});
    Indices indices =
        delinearized(linear, ArrayRef(plan.groups[3].extents).take_front(plan.kInnerFirst));
    innerK(plan.kInnerFirst, until, indices, affine(d(0) * plan.kInner, outer), body);
  });
}

void PackedEmitter::innerK(unsigned dim, unsigned until, Indices indices, Value offset,
                           PointBody body) {
  if (dim == until) return body(indices, offset);
  ArrayRef<int64_t> extents = plan.groups[3].extents;
  loop(extents[dim], [&](Value index) {
    Indices next(indices);
    next.push_back(index);
    innerK(dim + 1, until, next,
           affine(d(0) + d(1) * product(extents.drop_front(dim + 1)), {offset, index}), body);
  });
}

/// Runs along the last dimension of k: `body(indices, offset)` in vector mode. The last dimension is
/// inside a block, or is what blocks are cut from.
void PackedEmitter::alongK(PointBody body) {
  int64_t W = runWidth;
  ArrayRef<int64_t> extents = plan.groups[3].extents;
  unsigned last = extents.size() - 1;
  if (plan.kInnerFirst == last + 1) {
    // Blocks of several dimensions may cross ends of the last one: one by one.
    if (!plan.runsAlongK()) return overInnerK(last + 1, body);
    if (extents.size() > 1)
      return loop(constant(0), kCount, plan.kPerBlock, kRange, [&](Value block) {
        Indices all = delinearized(affine(d(0) + d(1), {kBase, block}), extents);
        Value start = all.back();
        runs(start, add(start, constant(plan.kPerBlock)), extents[last], plan.kPerBlock % W == 0,
             [&](Value index) {
               all.back() = index;
               body(all, affine(d(0) - d(1) + d(2), {index, start, block}));
             });
      });
    bool whole = extents[0] % W == 0 && plan.kPerBlock % W == 0;
    return runs(kBase, add(kBase, kCount), extents[0], whole, [&](Value index) {
      body({index}, affine(d(0) - d(1), {index, kBase}));
    });
  }
  overInnerK(last, [&](Indices indices, Value offset) {
    runs(constant(0), constant(extents[last]), extents[last], extents[last] % W == 0,
         [&](Value index) {
           Indices all(indices);
           all.push_back(index);
           body(all, affine(d(0) + d(1), {offset, index}));
         });
  });
}

/// Adds up over the block: one loop, or one for each of its dimensions where factors are read from a box.
PackedEmitter::Indices PackedEmitter::sumOverK(ValueRange initial, SumBody body) {
  if (plan.rowBox) return sumInside(plan.kInnerFirst, {}, constant(0), initial, body);
  return emitLoop(b, frame.loc, constant(0), mul(kCount, plan.kInner), constant(1), initial,
                  [&](Value k, ValueRange carried) {
                    elements->variable(k, 0, plan.kMost - 1);
                    return body(k, {}, carried);
                  });
}

PackedEmitter::Indices PackedEmitter::sumInside(unsigned dim, Indices indices, Value offset,
                                                ValueRange carried, SumBody body) {
  ArrayRef<int64_t> extents = plan.groups[3].extents;
  bool cut = plan.kInnerFirst > 0 && indices.empty(); // the loop that blocks are cut from
  if (!cut && dim == extents.size()) return body(offset, indices, carried);
  int64_t most = cut ? plan.kPerBlock : extents[dim];
  int64_t stride = product(extents.drop_front(cut ? dim : dim + 1));
  auto inside = [&](Value index, ValueRange inner) {
    Indices next(indices);
    next.push_back(index);
    return sumInside(cut ? dim : dim + 1, next, affine(d(0) + d(1) * stride, {offset, index}),
                     inner, body);
  };
  if (most == 1) return inside(constant(0), carried);
  return emitLoop(b, frame.loc, constant(0), cut ? kCount : constant(most), constant(1), carried,
                  [&](Value index, ValueRange inner) {
                    elements->variable(index, 0, most - 1);
                    return inside(index, inner);
                  });
}

} // namespace sinter::codegen
