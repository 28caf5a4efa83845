#include "sinter/codegen/contraction/PackedEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

Value PackedEmitter::mul(Value lhs, int64_t rhs) {
  if (rhs == 1) return lhs;
  return arith::MulIOp::create(b, frame.loc, lhs, constant(rhs));
}

void PackedEmitter::loop(Value from, Value to, int64_t step, int64_t most,
                         llvm::function_ref<void(Value)> body) {
  emitLoop(b, frame.loc, from, to, constant(step), {}, [&](Value counter, ValueRange) {
    elements->variable(counter, 0, most - 1);
    body(counter);
    return Indices();
  });
}

void PackedEmitter::loop(int64_t extent, llvm::function_ref<void(Value)> body) {
  if (extent == 1) return body(constant(0));
  loop(constant(0), constant(extent), 1, extent, body);
}

void PackedEmitter::onlyIf(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

/// Runs of `runWidth` from `from` to `to` (at most `most`): whole ones, then one under a mask. What cannot be
/// masked is done one by one. `body(index)` is in vector mode, or (the last way) not.
void PackedEmitter::runs(Value from, Value to, int64_t most, bool whole,
                         llvm::function_ref<void(Value)> body) {
  int64_t W = runWidth;
  APInt first, end;
  if (matchPattern(from, m_ConstantInt(&first)) && matchPattern(to, m_ConstantInt(&end)) &&
      first.isZero())
    return fixedRuns(end.getSExtValue(), body);
  Value length = subtract(to, from);
  Value width = constant(W);
  Value middle =
      add(from, arith::MulIOp::create(b, frame.loc,
                                      arith::DivUIOp::create(b, frame.loc, length, width), width));
  if (most >= W)
    loop(from, middle, W, most, [&](Value counter) {
      elements->setRun(counter, W);
      body(counter);
      elements->setRun({}, 1);
    });
  if (whole) return;
  onlyIf(compare(arith::CmpIPredicate::ult, middle, to), [&] {
    Value start = add(middle, constant(0));
    elements->variable(start, 0, most - 1);
    bool masked = elements->attempt([&] {
      Value left = subtract(to, start);
      elements->setRun(start, W);
      elements->setMask(elements->firstLanes(left));
      body(start);
      elements->setMask({});
      elements->setRun({}, 1);
    });
    if (!masked) loop(start, to, 1, most, body);
  });
}

/// Runs from 0 to a known end: what the last one's lanes are is known, too.
void PackedEmitter::fixedRuns(int64_t end, llvm::function_ref<void(Value)> body) {
  int64_t W = runWidth, whole = end / W * W, rest = end - whole;
  if (whole)
    loop(constant(0), constant(whole), W, end, [&](Value counter) {
      elements->setRun(counter, W);
      body(counter);
      elements->setRun({}, 1);
    });
  bool done = rest == 0 || elements->attempt([&] {
    Value start = add(constant(whole), constant(0));
    elements->variable(start, whole, end - 1);
    elements->setRun(start, W);
    elements->setRunStart(whole);
    elements->setMask(elements->firstLanes(constant(rest)));
    body(start);
    elements->setMask({});
    elements->setRunStart({});
    elements->setRun({}, 1);
  });
  if (!done) loop(constant(whole), constant(end), 1, end, body);
}

/// Indices of `linear` in a space of `extents`, which it never leaves.
PackedEmitter::Indices PackedEmitter::delinearized(Value linear, ArrayRef<int64_t> extents) {
  Indices indices;
  int64_t stride = product(extents);
  for (int64_t extent : extents) {
    bool leads = indices.empty(); // no position lies beyond its end
    stride /= extent;
    indices.push_back(
        affine(leads ? d(0).floorDiv(stride) : d(0).floorDiv(stride) % extent, linear));
  }
  return indices;
}

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
  llvm::append_range(
      indices, delinearized(flat, ArrayRef(plan.columns.extents).drop_front(plan.suffixFirst)));
  return indices;
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
