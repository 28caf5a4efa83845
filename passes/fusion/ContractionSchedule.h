#pragma once

#include "sinter/ir/KernelKinds.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace sinter::passes::fusion {

/// A contraction of a launch: products that are added up, or one; and whether all factors lie in memory.
struct Products {
  /// Those of a kernel.
  explicit Products(const ir::KernelBody &body);
  llvm::SmallVector<ir::ContractionOpInterface, 1> ops;
  bool areInMemory = true;
};

/// Tiles, threads and parts of the sum for a contraction on a GPU, by a model of its machine: operations,
/// bytes from L2, shared memory and the latency of a step, for each tile that fits, over the number of
/// blocks that run at once. 1x1 tiles mean one thread a result. Several products are added up in one kernel.
ir::ContractionScheduleAttr contractionSchedule(const Products &products, ir::TargetAttr target);

/// What the model says of a launch on a GPU whose stages run side by side, and the schedule that all of them have,
/// so that a block is the same for each. None where that cannot be.
struct LaunchPrediction {
  ir::ContractionScheduleAttr schedule;
  double cycles;
};
std::optional<LaunchPrediction> predictLaunch(llvm::ArrayRef<Products> stages,
                                              ir::TargetAttr target);

/// A tile for a matrix unit: rows, columns, steps of k, and threads of a block, or of the blocks of a cluster.
struct MatrixTile {
  int64_t m, n, k, threads;
};
/// Those that are chosen from, and how many steps ahead tiles are copied at most.
llvm::ArrayRef<MatrixTile> matrixTiles();
/// Those of warpgroups that multiply from shared memory.
llvm::ArrayRef<MatrixTile> warpgroupTiles();
inline constexpr int64_t mostMatrixStages = 4;

/// What the model says of a schedule by a matrix unit: cycles until the last block has ended, and the share of them
/// that the units of all multiprocessors would need.
struct MatrixPrediction {
  double cycles, share;
};
MatrixPrediction predictMatrix(ir::ContractionOpInterface op, ir::ContractionScheduleAttr schedule,
                               ir::TargetAttr target);

/// Gives each kernel of the module whose contraction a matrix unit multiplies the `count` schedules that the model
/// thinks best after its own, with the predictions (ir/Alternatives.h): other tiles, as many parts of the sum.
void addAlternatives(mlir::ModuleOp module, unsigned count);

} // namespace sinter::passes::fusion
