#pragma once

#include "sinter/codegen/contraction/ContractionLoops.h"
#include "sinter/codegen/contraction/WinogradPlan.h"

namespace sinter::codegen {

/// Writes a convolution's code as its WinogradPlan says: patches and weights on their way to the points
/// (WinogradPanels.cpp), units, products at each point, and sums on their way back (WinogradProducts.cpp).
///
/// Panels and sums are one matrix a point: rows are [row][k], columns [k][column], sums [row][column]. k is the
/// channels of the patches; in the weight's gradient it is the slots.
class WinogradEmitter final : public ContractionLoops {
public:
  WinogradEmitter(KernelFrame &frame, const ContractionElements &points, const WinogradPlan &plan)
      : ContractionLoops(frame, points, plan.W), plan(plan) {}
  mlir::LogicalResult run();

private:
  static constexpr int64_t side = WinogradPlan::side, pointCount = WinogradPlan::pointCount;

  /// What lies at each point: a matrix with lines `stride` apart.
  struct Panel {
    Value memory;
    int64_t stride = 0, pointStride = 0;
  };
  Panel panel(int64_t lines, int64_t stride);

  // On the way to the points.
  /// Lines of an operand of pictures after the first of its two transformations, four of them for each line of tiles.
  struct Lines {
    Value memory;
    int64_t pitch = 0, partStride = 0;
  };
  Lines linesFor(bool places);
  void transformPatches(const Lines &to, bool places, Value channel,
                        llvm::function_ref<void(Value, int64_t, Value)> store);
  void combineLines(const Lines &to, bool places, Value channel);
  Indices combined(llvm::ArrayRef<Value> elements, bool places);
  Value lanesOf(llvm::ArrayRef<Value> sources, llvm::ArrayRef<int64_t> lanes);
  void packColumns(Value channelBase, Value count);
  void packRowsOfSlots();
  void packColumnsOfSlots();
  void packWeights(Value channelBase, Value count);
  Indices weightsAt(Value row, Value channel);

  // Units.
  void clear(Value memory, int64_t count);
  void emitUnit(Value unit);
  void emitWeightUnit(Value unit);
  void products(int64_t columns, Value sumBase, Value count, int64_t most, Value first);
  void productTile(Value point, Value row, int64_t rowCount, Value column, int64_t vectors,
                   Value sumBase, Value count, int64_t most, Value first);
  void finishBlock(Value sumBase);
  void finishWeights();
  /// Sums at all points, of one row and vector.
  llvm::SmallVector<Indices> sumsAt(Value position);
  Value load(Value memory, Value at);
  void store(Value value, Value memory, Value at);
  Value plus(Value lhs, Value rhs) { return mlir::arith::AddFOp::create(b, frame.loc, lhs, rhs); }
  Value minus(Value lhs, Value rhs) { return mlir::arith::SubFOp::create(b, frame.loc, lhs, rhs); }
  mlir::VectorType vectorType() { return mlir::VectorType::get(plan.W, b.getF32Type()); }

  const WinogradPlan plan;
  Panel rowPanel, columnPanel, sums;
  Lines patchLines, placeLines;
  Value turning,
      results; // vectors before they are turned round; two lines of places, or nine weights a channel

  // Of the unit being emitted.
  Value rowBase, rowCount, channelBase, blockBase;
};

} // namespace sinter::codegen
