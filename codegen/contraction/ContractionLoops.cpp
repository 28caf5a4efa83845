#include "sinter/codegen/contraction/ContractionLoops.h"

#include "sinter/codegen/contraction/PackedPlan.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

Value ContractionLoops::mul(Value lhs, int64_t rhs) {
  if (rhs == 1) return lhs;
  return arith::MulIOp::create(b, frame.loc, lhs, constant(rhs));
}

void ContractionLoops::loop(Value from, Value to, int64_t step, int64_t most,
                            llvm::function_ref<void(Value)> body) {
  emitLoop(b, frame.loc, from, to, constant(step), {}, [&](Value counter, ValueRange) {
    elements->variable(counter, 0, most - 1);
    body(counter);
    return Indices();
  });
}

void ContractionLoops::loop(int64_t extent, llvm::function_ref<void(Value)> body) {
  if (extent == 1) return body(constant(0));
  loop(constant(0), constant(extent), 1, extent, body);
}

void ContractionLoops::onlyIf(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

/// Runs of `runWidth` from `from` to `to` (at most `most`): whole ones, then one under a mask. What cannot be
/// masked is done one by one. `body(index)` is in vector mode, or (the last way) not.
void ContractionLoops::runs(Value from, Value to, int64_t most, bool whole,
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
void ContractionLoops::fixedRuns(int64_t end, llvm::function_ref<void(Value)> body) {
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
ContractionLoops::Indices ContractionLoops::delinearized(Value linear, ArrayRef<int64_t> extents) {
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

} // namespace sinter::codegen
