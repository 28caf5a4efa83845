#include "sinter/codegen/contraction/WarpgroupEmitter.h"

// Sums of parts of k: each block of a cluster keeps its own in shared memory, where the others find them.

using namespace mlir;

namespace sinter::codegen {

/// A tile row by row, with a few columns between.
void WarpgroupEmitter::keepSums(Elements &elements) {
  unrolled(elements, edge * tileN / warpgroup, [&](Value i) {
    // As wgmmaRow and wgmmaColumn say.
    AffineExpr row = d(0) * edge + d(1).floorDiv(32) * 16 + (d(1) % 32).floorDiv(4) +
                     d(2).floorDiv(2) % 2 * 8,
               column = d(2).floorDiv(4) * 8 + d(1) % 4 * 2 + d(2) % 2;
    store(load(sums, i), staging, elements.apply(row * partsStride() + column, {group, own, i}));
  });
}

/// Each block adds up what all have of its part of the rows, a thread eight neighbours at a time.
void WarpgroupEmitter::addParts(Elements &elements) {
  int64_t run = bulkElements, rows = tileM / cluster;
  while (sizes[2] % run) run /= 2;
  int64_t inRow = tileN / run, items = rows * inRow;
  Value total = array({run}, b.getF32Type());
  overTiles(elements, [&](ValueRange) {
    emitLoop(
        b, frame.loc, inside, constant(items), constant(multipliers * warpgroup), {},
        [&](Value item, ValueRange) {
          elements.variable(item, 0, items - 1);
          Value row = elements.apply(d(0) * rows + d(1).floorDiv(inRow), {member, item}),
                word = elements.apply(d(0) % inRow, item);
          Value m = elements.apply(d(0) * tileM + d(1), {blockM, row}),
                n = elements.apply(d(0) * inRow + d(1), {blockN, word});
          bool cutM = sizes[1] % tileM, cutN = sizes[2] % tileN;
          onlyIf(
              both(cutM ? below(m, sizes[1]) : Value(), cutN ? below(n, sizes[2] / run) : Value()),
              [&] {
                Value mIn = cutM ? known(elements, m, sizes[1]) : m,
                      nIn = cutN ? known(elements, n, sizes[2] / run) : n;
                clusterCall("clusterSums<" + std::to_string(cluster) + ">",
                            {total, staging,
                             elements.apply(d(0) * partsStride() + d(1) * run, {row, word})});
                scf::ForOp loop = unrolled(elements, run, [&](Value lane) {
                  finish(elements, load(total, lane),
                         {batch, mIn, elements.apply(d(0) * run + d(1), {nIn, lane}), {}},
                         /*scratch=*/Value());
                });
                joinNeighbours(elements, loop, run);
              });
          return SmallVector<Value>();
        });
    return SmallVector<Value>();
  });
}

} // namespace sinter::codegen
