#pragma once

#include "sinter/codegen/contraction/BulkTensor.h"
#include "sinter/codegen/contraction/ContractionTiles.h"

namespace sinter::codegen {

// After the warp-specialised persistent pipelines of CUTLASS (media/docs, "Efficient GEMM in CUDA", "Warp
// Specialization"): one thread of a warpgroup keeps bulk copies of both sides' tiles under way, several steps of k ahead;
// two more warpgroups multiply 64 rows each. Slots of shared memory go back and forth between them by two barriers each:
// `full` counts a slot's bytes, `empty` the warps that are done with it. A block goes on to its next tile while the last
// one's sums are still on their way out. Tiles are blocks of 64x64 elements, swizzled by 128 bytes, which is what both
// bulk copies and products know.
//
// Two blocks may be a cluster (CUTLASS, "Thread Block Clusters"): their tiles are neighbours, so that they multiply the
// same rows or columns of one side. Of that side each sends for one half, which comes to both. A slot is then empty when
// the warps of both blocks are done with it.
//
// Where there are few tiles and long sums, the blocks of a cluster have the same tile instead, and a part of k each. Each
// leaves its sums in its shared memory, and adds up all blocks' sums of a part of the rows, in the order of the blocks.

class WarpgroupEmitter : public ContractionTiles {
public:
  using ContractionTiles::ContractionTiles;

  static constexpr int64_t warpgroup = 128, multipliers = 2; // warpgroups that multiply
  static constexpr int64_t blockThreads = (1 + multipliers) * warpgroup;

  /// Whether the kernel's schedule asks for this and its operands are such that bulk copies bring them.
  bool suits();
  mlir::LogicalResult run();

private:
  static constexpr int64_t edge = 64; // of a block of elements; rows of a warpgroup
  static constexpr int64_t blockElements = edge * edge;
  static constexpr int64_t bulkElements = BulkTensor::pitchElements;
  static constexpr int64_t chunk = 32; // columns of the sums that are on their way out together
  static constexpr int64_t sumsExtra =
      8; // columns: stores of neighbouring rows then meet in few banks

  int64_t wantedLanes() const override { return bulkElements; }
  void emitTiles(Elements &, Value) override { llvm_unreachable("sums are not split"); }

  // --- What is copied (WarpgroupContraction.cpp).

  bool describe(unsigned side);
  bool describe(unsigned side, unsigned product);
  bool describeResult();
  void chooseCluster(int64_t blocks);
  /// The side whose tile the blocks of a cluster share: rhs where their tiles are neighbours along m.
  unsigned sharedSide() const { return alongM ? 1 : 0; }
  bool shares() const { return cluster > 1 && !sumsInParts; }
  bool isShared(unsigned side) const { return shares() && side == sharedSide(); }
  /// Elements of a side's tile.
  int64_t tileElements(unsigned side) const { return (side == 0 ? tileM : tileN) * tileK; }

  // --- Shared memory: tiles of both sides, sums on their way out, barriers.

  int64_t slotBytes() const { return (tileM + tileN) * tileK * 2; }
  static constexpr int64_t stagingElements = edge * (chunk + sumsExtra);
  static constexpr int64_t leavingElements = edge * chunk; // of results on their way out
  static constexpr int64_t mostOfParts = 128;              // columns of a tile whose sums are kept
  int64_t partsStride() const { return tileN + sumsExtra; }
  int64_t stagingFloats() const {
    return sumsInParts ? tileM * partsStride() : multipliers * stagingElements;
  }
  int64_t stagingBytes() const { return stagingFloats() * 4; }
  int64_t barrierBytes() const { return int64_t(llvm::alignTo(stages * 8, 16)); }
  int64_t sharedBytes() const {
    return stages * slotBytes() + stagingBytes() + 2 * barrierBytes() +
           (leavesInBulk ? multipliers * leavingElements * 2 : 0);
  }
  void divideShared();

  // --- The device library.

  void call(const llvm::Twine &spelling, llvm::StringRef header, mlir::ValueRange operands);
  void barrierCall(llvm::StringRef name, mlir::ValueRange operands) {
    call(name, "sinter/barrier.cuh", operands);
  }
  void clusterCall(llvm::StringRef name, mlir::ValueRange operands) {
    call(name, "sinter/cluster.cuh", operands);
  }
  Value constant(int64_t value) { return frame.constant(value); }
  Value equals(Value index, int64_t value);
  Value flipped(Value parity);

  // --- Loops that producers and consumers run alike (WarpgroupPipeline.cpp).

  /// Where a block is in its slots: which one, and the parity of the phase that it is in.
  using Turn = llvm::function_ref<void(Value step, Value slot, Value parity)>;
  /// Steps of k of one tile, from a slot on; the slot after them.
  llvm::SmallVector<Value> overSteps(Elements &elements, mlir::ValueRange from, Turn body);
  /// The tiles of this block: every gridDim-th.
  void overTiles(Elements &elements,
                 llvm::function_ref<llvm::SmallVector<Value>(mlir::ValueRange carried)> body);
  void placeTile(Elements &elements, Value tile);
  /// The slot before one.
  Value before(Value slot);

  void emit(Elements &elements);
  void makeBarriers(Elements &elements);
  void syncBlocks();
  void produce(Elements &elements);
  void sendFor(Elements &elements, unsigned side, unsigned product, Value step, Value slot);
  void consume(Elements &elements);
  /// Says that this warp is done with a slot.
  void release(Value slot);

  // --- Results (WarpgroupResults.cpp).

  bool readsAlong(unsigned loop);
  /// Calls `body` with each sum that exists, and where it is.
  void overResults(Elements &elements, llvm::function_ref<void(Value, const Point &)> body);
  void divertStores(Elements &elements, mlir::scf::ForOp loop, Value row, Value word);
  /// Until the results that are on their way have left shared memory.
  void waitForResults();
  void sendResults(Elements &elements, Value part);

  // --- Sums in parts (WarpgroupParts.cpp).

  void keepSums(Elements &elements);
  void addParts(Elements &elements);

  mlir::Type number; // of both operands
  int64_t stages = 2;
  int64_t cluster = 1;      // blocks
  bool alongM = true;       // their tiles are neighbours along m, else along n
  bool sumsInParts = false; // the blocks of a cluster have the same tile, and parts of k
  bool leavesInBulk = false;
  // Of both sides of each product, and of the result where that leaves in bulk.
  llvm::SmallVector<BulkTensor, 1> tensors[3];

  // Of the kernel being emitted.
  llvm::SmallVector<Value, 1> maps[3];
  Value tiles[2], staging, leaving, full, empty, sums;
  Value member; // this block's number in its cluster
  // Of a thread that multiplies: its number among these, its warpgroup's, its own in that and in its warp, whether it tells
  // a block that its warp is done with a slot.
  Value inside, group, own, inWarp, releases;
};

} // namespace sinter::codegen
