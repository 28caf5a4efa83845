#include "sinter/codegen/attention/TiledAttention.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

void TiledAttention::start(int64_t blocks) {
  BlockAttention::start(blocks, threads);
  lane = apply(d(0) % lanes, thread);
  group = apply(d(0).floorDiv(lanes), thread);
}

void TiledAttention::place(ArrayRef<Tile *> tiles) {
  int64_t bytes = type.getIntOrFloatBitWidth() / 8, offset = 0;
  Value shared = dynamicShared();
  for (Tile *tile : tiles) {
    tile->memory = partOf(shared, offset, tile->size(), type);
    offset += int64_t(llvm::alignTo(tile->size() * bytes, 16));
  }
  frame.lowered.sharedBytes = offset;
}

void TiledAttention::fetch(const Tile &to, Value tensor, Value batch, Value head, Value base,
                           double scale) {
  int64_t length = shapeOf(tensor)[2], columns = to.columns, items = to.rows * columns;
  loop(thread, frame.constant(items), threads, items, [&](Value item) {
    Value row = apply(d(0).floorDiv(columns), item), column = apply(d(0) % columns, item);
    Value inHead = apply(d(0) + d(1), {base, row});
    auto element = [&] {
      Value own = length % to.rows ? known(*elements, inHead, length) : inHead;
      Value value = elements->element(tensor, {batch, head, own, column});
      return scale == 1 ? value : times(value, number(scale));
    };
    Value value =
        length % to.rows ? elements->guarded(below(inHead, length), number(0), element) : element();
    store(value, to.memory, apply(d(0) * to.stride() + d(1), {row, column}));
  });
}

void TiledAttention::clear(Value sums, int64_t rows, int64_t columns) {
  unroll(rows, [&](Value i) { unroll(columns, [&](Value j) { store(number(0), sums, {i, j}); }); });
}

void TiledAttention::multiply(Value sums, int64_t rows, int64_t columns, Factor left, Factor right,
                              int64_t depth, bool fresh) {
  if (fresh) clear(sums, rows, columns);
  if (rows > mostLefts) lefts = array({mostLefts = rows}, type);
  if (columns > mostRights) rights = array({mostRights = columns}, type);
  loop(frame.constant(0), frame.constant(depth), 1, depth, [&](Value k) {
    auto read = [&](Factor from, Value own) {
      return load(from.memory, apply(d(0) * from.step + d(1) * from.kStep, {own, k}));
    };
    unroll(rows, [&](Value i) { store(read(left, ownRow(i)), lefts, i); });
    unroll(columns, [&](Value j) { store(read(right, ownColumn(j)), rights, j); });
    unroll(rows, [&](Value i) {
      unroll(columns, [&](Value j) {
        // One instruction there: the compiler contracts a product and a sum.
        Value term = times(load(lefts, i), load(rights, j));
        store(plus(load(sums, {i, j}), term), sums, {i, j});
      });
    });
  });
}

void TiledAttention::overResults(int64_t rows, int64_t columns, Value base, int64_t rowCount,
                                 int64_t columnCount,
                                 llvm::function_ref<void(Value, Value, Value, Value)> body) {
  unroll(rows, [&](Value i) {
    within(apply(d(0) + d(1), {base, ownRow(i)}), rowCount, rows * groups, [&](Value row) {
      unroll(columns, [&](Value j) {
        within(ownColumn(j), columnCount, lanes, [&](Value column) { body(i, j, row, column); });
      });
    });
  });
}

} // namespace sinter::codegen
