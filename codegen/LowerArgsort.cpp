#include "sinter/codegen/LowerArgsort.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// A row shorter than this is one thread's on a GPU, too.
constexpr int64_t leastForBlock = 64;

/// A bitonic sorting network (K. E. Batcher, "Sorting networks and their applications", 1968) on the indices of a
/// row, which lie in the result from the start. Every comparator leaves the earlier of two in the lower place, so the
/// network of the next power of two serves shorter rows: what would be compared with places beyond the end stays.
class ArgsortLowering {
public:
  ArgsortLowering(KernelFrame &frame, Elements &elements, ArgsortOp op)
      : frame(frame), b(frame.builder), elements(elements), op(op), shape(shapeOf(op.getX())),
        dim(op.getDim()), size(shape[dim]),
        stages(llvm::Log2_64_Ceil(uint64_t(std::max<int64_t>(size, 1)))) {}

  LogicalResult run() {
    SmallVector<int64_t> others(shape);
    others.erase(others.begin() + dim);
    int64_t rows = tensorType(op.getX()).getNumElements() / std::max<int64_t>(size, 1);
    if (frame.options.gpu && size >= leastForBlock && rows > 0) {
      emitBlockPerRow(others, rows);
    } else {
      step = frame.constant(1);
      emitParallelNest(frame, elements, others, /*vectorize=*/false,
                       size * (1 + stages * (stages + 1) / 4), [&](ValueRange point, int64_t) {
                         first = frame.constant(0);
                         emitRow(point);
                       });
    }
    return failure(elements.failed());
  }

private:
  void emitBlockPerRow(ArrayRef<int64_t> others, int64_t rows) {
    int64_t threads = std::min<int64_t>(512, frame.options.maxThreads);
    while (threads > 32 && threads / 2 >= (int64_t(1) << stages) / 2) threads /= 2;
    frame.lowered.block = threads;
    frame.lowered.grid = rows;
    Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    first = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements.variable(block, 0, rows - 1);
    elements.variable(first, 0, threads - 1);
    step = frame.constant(threads);
    isShared = true;
    SmallVector<Value> point;
    for (int64_t extent : others) {
      rows /= extent;
      point.push_back(elements.apply(b.getAffineDimExpr(0).floorDiv(rows) % extent, block));
    }
    emitRow(point);
  }

  /// What a row's threads share out among themselves.
  void share(int64_t count, llvm::function_ref<void(Value)> body) {
    emitLoop(b, frame.loc, first, frame.constant(count), step, {}, [&](Value counter, ValueRange) {
      elements.variable(counter, 0, count - 1);
      body(counter);
      return SmallVector<Value>();
    });
    if (isShared) gpu::BarrierOp::create(b, frame.loc);
  }

  void emitRow(ValueRange point) {
    share(size, [&](Value place) { store(point, place, elements.asData(place, b.getI64Type())); });
    if (size < 2) return;
    int64_t comparators = (int64_t(1) << stages) / 2;
    Value zero = frame.constant(0), one = frame.constant(1), two = frame.constant(2);
    // After stage s, blocks of 2^s are in order.
    emitLoop(b, frame.loc, one, frame.constant(stages + 1), one, {}, [&](Value stage, ValueRange) {
      Value half = shifted(one, minus(stage, one)), last = minus(shifted(one, stage), one);
      share(comparators, [&](Value which) {
        // One half of a block against the other, turned round: the farthest pairs first.
        Value block = arith::ShRUIOp::create(b, frame.loc, which, minus(stage, one));
        Value within = arith::AndIOp::create(b, frame.loc, which, minus(half, one));
        Value start = shifted(block, stage);
        compare(point, plus(start, within), plus(start, minus(last, within)));
      });
      emitLoop(b, frame.loc, zero, minus(stage, one), one, {}, [&](Value turn, ValueRange) {
        Value log = minus(minus(stage, two), turn), distance = shifted(one, log);
        share(comparators, [&](Value which) {
          Value pair = arith::ShRUIOp::create(b, frame.loc, which, log);
          Value within = arith::AndIOp::create(b, frame.loc, which, minus(distance, one));
          Value low = plus(shifted(pair, plus(log, one)), within);
          compare(point, low, plus(low, distance));
        });
        return SmallVector<Value>();
      });
      return SmallVector<Value>();
    });
  }

  /// Changes the indices at places `low` and `high` where what lies there is not in order.
  void compare(ValueRange point, Value low, Value high) {
    Value exists =
        arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, high, frame.constant(size));
    when(exists, [&] {
      // Names of their own, known to be inside.
      Value lower = plus(low, frame.constant(0)), upper = plus(high, frame.constant(0));
      elements.variable(lower, 0, size - 1);
      elements.variable(upper, 0, size - 1);
      Value earlier = load(point, lower), later = load(point, upper);
      when(isAfter(keyAt(point, earlier), earlier, keyAt(point, later), later), [&] {
        store(point, lower, later);
        store(point, upper, earlier);
      });
    });
  }

  /// Whether element `x` from index `i` comes after element `y` from index `j`.
  Value isAfter(Value x, Value i, Value y, Value j) {
    if (op.getDescending()) std::swap(x, y);
    Value greater, equal;
    if (isa<FloatType>(x.getType())) {
      // NaN is larger than any number, and as large as NaN.
      auto is = [&](arith::CmpFPredicate predicate, Value lhs, Value rhs) -> Value {
        return arith::CmpFOp::create(b, frame.loc, predicate, lhs, rhs);
      };
      Value number = is(arith::CmpFPredicate::ORD, y, y);
      greater = both(number, is(arith::CmpFPredicate::UGT, x, y));
      equal =
          either(is(arith::CmpFPredicate::OEQ, x, y),
                 both(is(arith::CmpFPredicate::UNO, x, x), is(arith::CmpFPredicate::UNO, y, y)));
    } else {
      bool isBoolean = x.getType().isInteger(1);
      greater = arith::CmpIOp::create(
          b, frame.loc, isBoolean ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, x, y);
      equal = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, x, y);
    }
    Value wasAfter = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::sgt, i, j);
    return either(greater, both(equal, wasAfter));
  }

  Value keyAt(ValueRange point, Value index) {
    Value place = elements.asIndex(index);
    elements.variable(place, 0, size - 1);
    return elements.element(op.getX(), with(point, place));
  }

  SmallVector<Value> with(ValueRange point, Value place) {
    SmallVector<Value> all(point);
    all.insert(all.begin() + dim, place);
    return all;
  }
  AffineExpr position(ValueRange point, Value place) {
    SmallVector<AffineExpr> exprs;
    for (Value index : with(point, place)) exprs.push_back(elements.exprOf(index));
    return linearIndex(exprs, shape, b.getContext());
  }
  Value load(ValueRange point, Value place) {
    return elements.load(frame.outputBuffer(0), b.getI64Type(), position(point, place));
  }
  void store(ValueRange point, Value place, Value index) {
    elements.store(index, frame.outputBuffer(0), b.getI64Type(), position(point, place));
  }

  void when(Value condition, llvm::function_ref<void()> body) {
    auto branch = scf::IfOp::create(b, frame.loc, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }
  Value plus(Value lhs, Value rhs) { return arith::AddIOp::create(b, frame.loc, lhs, rhs); }
  Value minus(Value lhs, Value rhs) { return arith::SubIOp::create(b, frame.loc, lhs, rhs); }
  Value shifted(Value value, Value by) { return arith::ShLIOp::create(b, frame.loc, value, by); }
  Value both(Value lhs, Value rhs) { return arith::AndIOp::create(b, frame.loc, lhs, rhs); }
  Value either(Value lhs, Value rhs) { return arith::OrIOp::create(b, frame.loc, lhs, rhs); }

  KernelFrame &frame;
  OpBuilder &b;
  Elements &elements;
  ArgsortOp op;
  ArrayRef<int64_t> shape;
  int64_t dim, size, stages;
  Value first, step; // of the threads that share a row
  bool isShared = false;
};

} // namespace

LogicalResult lowerArgsort(KernelFrame &frame, Elements &elements, ArgsortOp op) {
  return ArgsortLowering(frame, elements, op).run();
}

} // namespace sinter::codegen
