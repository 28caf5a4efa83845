#include "sinter/codegen/contraction/WinogradPlan.h"

#include "sinter/codegen/contraction/PackedPlan.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {

/// `total` in equal parts of at most `most`: the size of one.
static int64_t partOf(int64_t total, int64_t most) {
  return llvm::divideCeil(total, llvm::divideCeil(total, most));
}

template <class OpT> static bool isPlain(OpT op) {
  auto all = [](ArrayRef<int64_t> values, int64_t value) {
    return llvm::all_of(values, [&](int64_t each) { return each == value; });
  };
  return op.getGroups() == 1 && all(op.getStride(), 1) && all(op.getDilation(), 1) &&
         llvm::all_of(op.getPadding(), [](int64_t each) { return each <= 2; });
}

/// Sizes from the op's shapes; whether it is a convolution that this is for.
bool WinogradPlan::read(const ContractionElements &points) {
  ArrayRef<int64_t> patches = shapeOf(points.operand(1)), places, weight, padding;
  if (auto op = dyn_cast<Conv2dOp>(points.op.getOperation())) {
    if (!isPlain(op)) return false;
    places = shapeOf(op.getResult()), weight = shapeOf(op.getWeight()), padding = op.getPadding();
  } else if (auto op = dyn_cast<Conv2dInputGradOp>(points.op.getOperation())) {
    if (!isPlain(op)) return false;
    places = shapeOf(op.getResult()), weight = shapeOf(op.getWeight()), padding = op.getPadding();
    turned = true;
  } else if (auto op = dyn_cast<Conv2dWeightGradOp>(points.op.getOperation())) {
    if (!isPlain(op)) return false;
    places = shapeOf(op.getGrad()), weight = shapeOf(op.getResult()), padding = op.getPadding();
    ofWeight = true;
  } else {
    return false;
  }
  if (weight[2] != 3 || weight[3] != 3) return false;
  pictures = patches[0], channels = patches[1], lines = patches[2], width = patches[3];
  rows = places[1], outLines = places[2], outColumns = places[3];
  top = turned ? 2 - padding[0] : padding[0];
  left = turned ? 2 - padding[1] : padding[1];
  return true;
}

/// Blocks of about `slots`.
void WinogradPlan::cutLines(int64_t slots) {
  int64_t columns = llvm::divideCeil(outColumns, 2);
  tileLines = llvm::divideCeil(outLines, 2);
  lineSlots = columns >= W ? llvm::alignTo(columns, W) : int64_t(llvm::PowerOf2Ceil(columns));
  int64_t atOnce = std::max(W, lineSlots);
  blockVectors = atOnce * std::max<int64_t>(1, slots / atOnce) / W;
  blockLines = blockSlots() / lineSlots;
  blocks = llvm::divideCeil(allLines(), blockLines);
}

void WinogradPlan::cutUnits() {
  unitRows = partOf(rows, 64);
  if (ofWeight) {
    // A smaller unit packs as much as a larger one: four are as many as pay.
    auto channelsOf = [&](int64_t most) { return llvm::alignTo(partOf(channels, most), W); };
    unitChannels = channelsOf(64);
    auto units = [&] {
      rowBlocks = llvm::divideCeil(rows, unitRows);
      channelBlocks = llvm::divideCeil(channels, unitChannels);
      return rowBlocks * channelBlocks;
    };
    if (units() < enoughUnits && unitRows >= 64) unitRows = partOf(rows, 32);
    if (units() < enoughUnits && unitChannels >= 64) unitChannels = channelsOf(32);
    units();
    return;
  }
  rowBlocks = llvm::divideCeil(rows, unitRows);
  stepChannels = partOf(channels, 128);
  steps = llvm::divideCeil(channels, stepChannels);
  // Weights are packed once in a unit, or, where its sums are all kept, once a step.
  unitBlocks = steps == 1 ? std::max<int64_t>(1, blocks * rowBlocks / (2 * enoughUnits))
                          : std::max<int64_t>(1, 128 / blockSlots());
  unitBlocks = std::min(unitBlocks, blocks);
  unitBlocks = partOf(blocks, unitBlocks);
  blockUnits = llvm::divideCeil(blocks, unitBlocks);
}

/// Estimated times of the definition's products over those of this. What is beside products here is counted in
/// multiply-adds of vectors that would take as long.
double WinogradPlan::gain() const {
  double slots = double(blocks * blockSlots());
  double places = double(pictures * outLines * outColumns);
  double beside;
  if (ofWeight)
    beside = 100.0 / (pointCount * double(unitRows)) + 40.0 / (pointCount * double(unitChannels)) +
             300.0 / (pointCount * slots);
  else
    beside = 50.0 / (pointCount * double(unitRows)) + 60.0 / (pointCount * double(channels)) +
             double(W) * 6.0 / (pointCount * double(unitBlocks * blockSlots()));
  double waste = double(unitRows * rowBlocks) / double(rows) *
                 (ofWeight ? double(unitChannels * channelBlocks) / double(channels) : 1);
  return taps * places / (pointCount * slots * (1 + beside) * waste);
}

std::optional<WinogradPlan> WinogradPlan::of(const KernelFrame &frame,
                                             const ContractionElements &points) {
  const LoweringOptions &options = frame.options;
  if (options.gpu || options.strict || !options.fma || options.vectorLanes < 8 || points.window)
    return std::nullopt;
  Type f32 = frame.builder.getF32Type();
  if (elementOf(points.result()) != f32 || elementOf(points.operand(0)) != f32 ||
      elementOf(points.operand(1)) != f32)
    return std::nullopt;
  WinogradPlan plan;
  plan.W = options.vectorLanes;
  if (!plan.read(points)) return std::nullopt;
  if (!plan.ofWeight && !isa<BlockArgument>(points.operand(0))) return std::nullopt;
  if (plan.rows < 16 || plan.channels < 16 || plan.outColumns > 8 * plan.W) return std::nullopt;
  plan.cutLines(plan.ofWeight ? 4 * plan.W : 2 * plan.W);
  plan.cutUnits();
  if (plan.gain() < 1.25) return std::nullopt;
  return plan;
}

} // namespace sinter::codegen
