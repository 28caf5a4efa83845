#include "sinter/codegen/contraction/WarpgroupContraction.h"
#include "sinter/codegen/DeviceCall.h"
#include "sinter/codegen/contraction/WarpgroupEmitter.h"
#include "sinter/ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

// Whether warpgroups multiply, what bulk copies bring and take, and how shared memory is divided.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

bool WarpgroupEmitter::suits() {
  auto schedule = dyn_cast<ContractionScheduleAttr>(frame.kernel.getSchedule());
  if (!frame.options.gpu || !warpgroupsMultiply(frame.options.matrix) || frame.options.strict ||
      !schedule || !isWarpgroupSchedule(schedule) || points.window)
    return false;
  number = elementOf(points.operand(0));
  if (number != elementOf(points.operand(1)) || !(number.isBF16() || number.isF16()) ||
      !points.accumulatorType().isF32())
    return false;
  readSchedule(schedule);
  if (tileM != multipliers * edge || (tileN != 64 && tileN != 128 && tileN != 256) || tileK != edge)
    return false;
  sumsInParts = splits > 1;
  if (sumsInParts && (splits != clusterOf(schedule) || tileN > mostOfParts)) return false;
  threads = multipliers * warpgroup; // those that have items of sides and results
  analyse();
  if (sumsInParts && splits != clusterOf(schedule)) return false; // fewer steps than blocks
  leavesInBulk = !sumsInParts && describeResult();
  stages = std::max<int64_t>(2, schedule.getStages());
  while (stages > 2 && sharedBytes() > frame.options.largeSharedBytes) --stages;
  if (sharedBytes() > frame.options.largeSharedBytes) return false;
  if (!describe(0) || !describe(1)) return false;
  chooseCluster(clusterOf(schedule));
  return true;
}

LogicalResult WarpgroupEmitter::run() {
  auto elements = frame.elements();
  emit(*elements);
  return failure(elements->failed());
}

// --- Operands.

bool WarpgroupEmitter::describe(unsigned side) {
  size_t count = points.products().size();
  if (sides[side].lanes != bulkElements || sides[side].positions.size() != count) return false;
  bool all = true;
  for (unsigned product = 0; product < count; ++product)
    points.ofProduct(product, [&] { all &= describe(side, product); });
  return all;
}

bool WarpgroupEmitter::describe(unsigned side, unsigned product) {
  const Side &own = sides[side];
  Value source = points.operand(side);
  while (auto reshape = source.getDefiningOp<ReshapeOp>()) source = reshape.getX();
  auto argument = dyn_cast<BlockArgument>(source);
  if (!argument) return false;
  unsigned mn = side + 1;
  SmallVector<int64_t> extents(sizes);
  extents[3] = points.products()[product].depth;
  auto tensor = BulkTensor::of(own.positions[product], extents, own.alongK ? 3 : mn,
                               own.alongK ? mn : 3, argument.getArgNumber());
  if (tensor) tensors[side].push_back(*tensor);
  return tensor.has_value();
}

/// Results of 16 bits that lie like a matrix leave by bulk copies, too, where there is nothing else to store.
bool WarpgroupEmitter::describeResult() {
  if (frame.yield()->getNumOperands() != 1 || sizes[2] % bulkElements) return false;
  Type type = elementOf(frame.yield()->getOperand(0));
  if (!type.isBF16() && !type.isF16()) return false;
  std::vector<AffineExpr> position = frame.trial(sizes, [&](Elements &trial, ValueRange at) {
    points.recordResult(trial, originals(trial, end, {at[0], at[1], at[2], {}}));
  });
  if (position.size() != 1) return false;
  auto tensor = BulkTensor::of(position[0], sizes, 2, 1, frame.body().getNumArguments());
  if (tensor) tensors[2] = {*tensor};
  return tensor.has_value();
}

/// Neighbours along m share rhs, whose tiles are the wider ones; else those along n share lhs. There are no clusters where
/// neither number of tiles can be divided.
void WarpgroupEmitter::chooseCluster(int64_t blocks) {
  if (sumsInParts) {
    cluster = blocks;
    return;
  }
  auto divides = [&](int64_t count, unsigned shared) {
    return count % blocks == 0 && tileElements(shared) / blockElements % blocks == 0;
  };
  alongM = divides(tilesM, 1);
  cluster = alongM || divides(tilesN, 0) ? blocks : 1;
}

// --- Shared memory.

void WarpgroupEmitter::divideShared() {
  auto layout = MemRefLayoutAttrInterface();
  Attribute space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  Value whole = gpu::DynamicSharedMemoryOp::create(
      b, frame.loc, MemRefType::get({ShapedType::kDynamic}, b.getI8Type(), layout, space));
  int64_t offset = 0;
  auto part = [&](int64_t count, Type element) -> Value {
    Value made =
        memref::ViewOp::create(b, frame.loc, MemRefType::get({count}, element, layout, space),
                               whole, frame.constant(offset), ValueRange());
    offset += int64_t(llvm::alignTo(count * element.getIntOrFloatBitWidth() / 8, 16));
    return made;
  };
  tiles[0] = part(stages * tileM * tileK, number);
  tiles[1] = part(stages * tileN * tileK, number);
  staging = part(stagingFloats(), b.getF32Type());
  if (leavesInBulk)
    leaving = part(multipliers * leavingElements, elementOf(frame.yield()->getOperand(0)));
  full = part(stages, b.getI64Type());
  empty = part(stages, b.getI64Type());
  frame.lowered.sharedBytes = sharedBytes();
}

// --- Small words.

void WarpgroupEmitter::call(const Twine &spelling, StringRef header, ValueRange operands) {
  emitDeviceCall(b, frame.loc, spelling.str(), header, operands);
}

Value WarpgroupEmitter::equals(Value index, int64_t value) {
  return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, index, constant(value));
}

Value WarpgroupEmitter::flipped(Value parity) {
  return arith::XOrIOp::create(b, frame.loc, parity, constant(1));
}

// --- Who asks.

bool isWarpgroupSchedule(ContractionScheduleAttr schedule) {
  return schedule.getThreads() % WarpgroupEmitter::blockThreads == 0;
}

int64_t clusterOf(ContractionScheduleAttr schedule) {
  return isWarpgroupSchedule(schedule) ? schedule.getThreads() / WarpgroupEmitter::blockThreads : 1;
}

bool lowerWarpgroupContraction(KernelFrame &frame, const ContractionElements &points,
                               LogicalResult &result) {
  WarpgroupEmitter contraction(frame, points);
  if (!contraction.suits()) return false;
  result = contraction.run();
  return true;
}

} // namespace sinter::codegen
