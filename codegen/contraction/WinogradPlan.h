#pragma once

#include "sinter/codegen/contraction/ContractionElements.h"

namespace sinter::codegen {

/// How a convolution by 3x3 weights without a stride, or one of its gradients, is cut for Winograd's minimal
/// filtering, F(2x2, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016): of four
/// by four elements and a weight 16 products are made where there were 36, at 16 points that have nothing to do with
/// each other until their sums are turned back. Decided from the sizes alone; emits nothing.
///
/// A *tile* is two by two places of the result (of the gradient, where weights' gradient is asked for). Tiles lie in
/// slots: a line of tiles has `lineSlots`, some perhaps without a tile, so that vectors of W slots have whole lines or
/// lie in one. A block is `blockLines` lines of tiles, of one picture after the other.
///
/// Sums are of other terms than those of the definition: an infinity becomes NaN where it is met. A strict kernel
/// is computed by the definition.
struct WinogradPlan {
  /// Null where this does not suit the contraction or the target, or would not be faster.
  static std::optional<WinogradPlan> of(const KernelFrame &frame,
                                        const ContractionElements &points);

  static constexpr int64_t side = 4, pointCount = side * side, taps = 9;
  int64_t W = 16; // lanes of a vector

  bool ofWeight = false; // the weight's gradient is computed
  bool turned = false;   // the picture's gradient is: weights change sides and are turned round
  int64_t pictures = 1, lines = 1, width = 1; // of the operand whose patches are taken
  int64_t top = 0, left = 0;                  // zeros before it
  int64_t outLines = 1, outColumns = 1;       // places that tiles cover
  int64_t rows = 1;     // channels of the result; of the gradient, where the weight's is asked for
  int64_t channels = 1; // of the operand whose patches are taken

  int64_t tileLines = 1, lineSlots = 1; // of a picture; of a line
  int64_t blockVectors = 1, blockLines = 1, blocks = 1;
  int64_t allLines() const { return pictures * tileLines; }
  int64_t blockSlots() const { return blockVectors * W; }

  // Units: rows, and blocks of slots or (of the weight's gradient, for which a unit does all blocks) channels.
  int64_t unitRows = 1, rowBlocks = 1;
  int64_t unitBlocks = 1, blockUnits = 1;
  int64_t unitChannels = 1, channelBlocks = 1;
  // A unit of the others goes through channels in blocks, keeping all its sums; one block is packed once.
  int64_t stepChannels = 1, steps = 1;

private:
  bool read(const ContractionElements &points);
  void cutLines(int64_t slots);
  void cutUnits();
  double gain() const;
};

} // namespace sinter::codegen
