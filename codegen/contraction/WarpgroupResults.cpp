#include "sinter/codegen/contraction/WarpgroupEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

// How sums leave registers: through shared memory, and everything that was fused behind the contraction.

using namespace mlir;

namespace sinter::codegen {

/// Whether anything but the result itself lies along a loop behind the products.
bool WarpgroupEmitter::readsAlong(unsigned loop) {
  std::vector<AffineExpr> touched = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
    points.bindSum(trial, zero());
    points.store(trial, originals(trial, end, {at[0], at[1], at[2], {}}));
  });
  return llvm::count_if(touched, [&](AffineExpr place) { return dependsOn(place, loop); }) > 1;
}

void WarpgroupEmitter::waitForResults() {
  if (leavesInBulk) onlyIf(equals(own, 0), [&] { call("bulkWaitRead<0>", "sinter/bulk.cuh", {}); });
}

/// Calls `body` with each sum that exists, and where it is: some columns at a time through shared memory, so that
/// neighbours along n are a thread's own and its neighbours'.
void WarpgroupEmitter::overResults(Elements &elements,
                                   llvm::function_ref<void(Value, const Point &)> body) {
  constexpr int64_t stride = chunk + sumsExtra, perChunk = edge * chunk / warpgroup;
  Value number = elements.apply(d(0) + 1, group);
  auto meet = [&] { barrierCall("syncWarps<" + std::to_string(warpgroup) + ">", {number}); };
  int64_t run = bulkElements;
  while (sizes[2] % run) run /= 2; // one condition for the neighbours that share it
  int64_t inRow = chunk / run, turns = edge * inRow / warpgroup;
  // Bulk copies leave out what lies beyond the result; it is of no use, and does no harm.
  bool cutM = sizes[1] % tileM && (!leavesInBulk || readsAlong(1)),
       cutN = sizes[2] % tileN && (!leavesInBulk || readsAlong(2));
  AffineExpr start = d(0) * stagingElements;
  unrolled(elements, tileN / chunk, [&](Value part) {
    if (!leavesInBulk) meet(); // what was there has been read
    unrolled(elements, perChunk, [&](Value i) {
      Value sum = load(sums, elements.apply(d(0) * perChunk + d(1), {part, i}));
      // As wgmmaRow and wgmmaColumn say.
      AffineExpr row = d(1).floorDiv(32) * 16 + (d(1) % 32).floorDiv(4) + d(2).floorDiv(2) % 2 * 8,
                 column = d(2).floorDiv(4) * 8 + d(1) % 4 * 2 + d(2) % 2;
      store(sum, staging, elements.apply(start + row * stride + column, {group, own, i}));
    });
    waitForResults();
    meet();
    auto oneItem = [&](Value turn) {
      AffineExpr item = d(0) * warpgroup + d(1);
      Value row = elements.apply(item.floorDiv(inRow), {turn, own}),
            word = elements.apply(item % inRow, {turn, own});
      Value m = elements.apply(d(0) * tileM + d(1) * edge + d(2), {blockM, group, row}),
            n = elements.apply(d(0) * (tileN / run) + d(1) * inRow + d(2), {blockN, part, word});
      onlyIf(both(cutM ? below(m, sizes[1]) : Value(), cutN ? below(n, sizes[2] / run) : Value()),
             [&] {
               Value mIn = cutM ? known(elements, m, sizes[1]) : m;
               Value nIn = cutN ? known(elements, n, sizes[2] / run) : n;
               scf::ForOp loop = unrolled(elements, run, [&](Value lane) {
                 Value from = elements.apply(start + d(1) * stride + d(2) * run + d(3),
                                             {group, row, word, lane});
                 body(load(staging, from),
                      {batch, mIn, elements.apply(d(0) * run + d(1), {nIn, lane}), {}});
               });
               if (leavesInBulk) divertStores(elements, loop, row, word);
               joinNeighbours(elements, loop, run);
             });
    };
    emitLoop(b, frame.loc, constant(0), constant(turns), constant(1), {},
             [&](Value turn, ValueRange) {
               oneItem(elements.variable(turn, 0, turns - 1));
               return SmallVector<Value>();
             });
    if (!leavesInBulk) return;
    barrierCall("copyFence", {});
    meet();
    onlyIf(equals(own, 0), [&] { sendResults(elements, part); });
  });
}

void WarpgroupEmitter::sendResults(Elements &elements, Value part) {
  Value m = elements.apply(d(0) * tileM + d(1) * edge, {blockM, group}),
        n = elements.apply(d(0) * tileN + d(1) * chunk, {blockN, part}),
        from = elements.apply(d(0) * leavingElements, group);
  call("bulkStore", "sinter/bulk.cuh",
       {maps[2][0], leaving, from, n, m, tensors[2][0].batches > 1 ? batch : constant(0)});
  call("bulkCommit", "sinter/bulk.cuh", {});
}

/// What the loop over eight neighbours stores goes to where bulk copies take it from.
void WarpgroupEmitter::divertStores(Elements &elements, scf::ForOp loop, Value row, Value word) {
  OpBuilder::InsertionGuard guard(b);
  for (auto write : loop.getBody()->getOps<memref::StoreOp>()) {
    if (write.getMemRef() != frame.outputBuffer(0)) continue;
    b.setInsertionPoint(write);
    Value to = elements.apply(d(0) * leavingElements + d(1) * chunk + d(2) * bulkElements + d(3),
                              {group, row, word, loop.getInductionVar()});
    write.getMemrefMutable().assign(leaving);
    write.getIndicesMutable().assign(to);
  }
}

} // namespace sinter::codegen
