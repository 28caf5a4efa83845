#include "sinter/passes/fusion/ContractionSchedule.h"
#include "sinter/ir/Alternatives.h"
#include "sinter/ir/Factors.h"
#include "sinter/ir/Machine.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {
namespace {

struct Tile {
  int64_t m, n, k, threads;
};
struct Sizes {
  int64_t batch, m, n, k;
};
// Register tiles of 8x8 where the result is large, smaller ones to fill the machine with small results.
constexpr Tile tiles[] = {
    {128, 128, 8, 256}, {128, 64, 8, 128},  {64, 128, 8, 128}, {64, 64, 16, 256}, {64, 64, 16, 64},
    {32, 128, 16, 128}, {128, 32, 16, 128}, {64, 32, 16, 128}, {32, 64, 16, 128}, {32, 32, 16, 64},
    {16, 128, 16, 128}, {128, 16, 16, 128}, {16, 64, 16, 64},  {64, 16, 16, 64},  {16, 16, 16, 64}};

double multiprocessorsOf(TargetAttr target) { return ir::multiprocessorsOf(target.getL2Bytes()); }

// Cycles, of one multiprocessor where nothing else is said. Estimates: no measurement stands behind them.
constexpr double lanes = 128, sharedBytes = 128, l2Bytes = 40, stepLatency = 450, launch = 4000,
                 startAndEnd = 1500, memoryBytes = 2400 /* of the whole machine */,
                 instructionsPerLoad = 12;

double cyclesOf(const Tile &tile, double m, double n, double k, double batch, double splits,
                double bytes, double processors) {
  double blocks = std::ceil(m / double(tile.m)) * std::ceil(n / double(tile.n)) * batch * splits;
  double own = double(tile.m * tile.n) / double(tile.threads);
  double edge = std::sqrt(own), loaded = double(tile.m + tile.n);
  double compute = (double(tile.m * tile.n) + instructionsPerLoad * loaded) / lanes * (bytes / 4);
  double shared = 2 * edge * double(tile.threads) * bytes / 4 / sharedBytes;
  double step = std::max({compute, shared, loaded * bytes / l2Bytes});
  double steps = std::ceil(k / splits / double(tile.k));
  double throughput = std::ceil(blocks / processors) * step * steps * double(tile.k);
  // Of two that wait equally long, the one with less to do.
  double cycles = std::max(throughput, steps * stepLatency) + 0.05 * throughput + startAndEnd;
  if (splits > 1) cycles += launch + 2 * splits * m * n * batch * bytes / memoryBytes;
  return cycles;
}

// --- Matrix units.

// Warps of 64x64 where the result is large; 16 rows for few rows, and smaller tiles to fill the machine.
constexpr MatrixTile tilesOfUnits[] = {{128, 128, 32, 128}, {128, 64, 32, 128}, {64, 128, 32, 128},
                                       {64, 64, 32, 128},   {128, 32, 32, 128}, {32, 128, 32, 128},
                                       {64, 32, 32, 64},    {32, 64, 32, 64},   {32, 32, 32, 64},
                                       {16, 128, 32, 128},  {128, 16, 32, 128}, {16, 64, 32, 64},
                                       {64, 16, 32, 64},    {16, 32, 32, 64},   {32, 16, 32, 64}};
// Multiply-adds of a multiprocessor's matrix units a cycle; bytes of bf16 and f16.
constexpr double matrixLanes = 1024, narrowBytes = 2;

// Of warpgroups that multiply from shared memory: two of 64 rows each, and one that sends for tiles. Their products run
// beside everything else, twice as fast. Twice as many threads are those of two blocks that share one side's tile.
constexpr int64_t threadsOfWarpgroups = 384;
constexpr MatrixTile tilesOfWarpgroups[] = {{128, 256, 64, threadsOfWarpgroups},
                                            {128, 128, 64, threadsOfWarpgroups},
                                            {128, 256, 64, 2 * threadsOfWarpgroups},
                                            {128, 128, 64, 2 * threadsOfWarpgroups}};
constexpr double warpgroupLanes = 2048,
                 clusterLatency = 600; // until blocks have met, at the start and at the end
bool isOfWarpgroups(int64_t threads) { return threads >= threadsOfWarpgroups; }

/// How many instructions an element of a side costs on its way into shared memory: next to none where the side is
/// one run of memory, index arithmetic where its place is found from several loops (im2col).
double instructionsOf(ArrayRef<int64_t> mn, ArrayRef<int64_t> k) {
  auto loops = [](ArrayRef<int64_t> group) {
    return llvm::count_if(group, [](int64_t extent) { return extent > 1; });
  };
  return loops(mn) > 1 && loops(k) > 1 ? instructionsPerLoad : 0.5;
}

double matrixCyclesOf(const MatrixTile &tile, const Sizes &sizes, double splits, double processors,
                      double perLhs, double perRhs, double bytes) {
  double m = double(sizes.m), n = double(sizes.n), k = double(sizes.k);
  double blocks =
      std::ceil(m / double(tile.m)) * std::ceil(n / double(tile.n)) * double(sizes.batch) * splits;
  double loaded = double(tile.m + tile.n) * double(tile.k) * bytes;
  double compute = double(tile.m * tile.n * tile.k) / matrixLanes * (bytes / narrowBytes);
  double moved = (perLhs * double(tile.m) + perRhs * double(tile.n)) * double(tile.k) / lanes;
  // A warp of w x w reads 2w rows for w * w products.
  double warp = std::sqrt(double(tile.m * tile.n) * 32 / double(tile.threads));
  double shared = loaded / sharedBytes +
                  2 * double(tile.m * tile.n) / warp * double(tile.k) * bytes / sharedBytes;
  double step = std::max({compute, shared, loaded / l2Bytes}) + moved;
  double steps = std::ceil(k / splits / double(tile.k));
  double throughput = std::ceil(blocks / processors) * step * steps;
  double cycles = std::max(throughput, steps * stepLatency / double(mostMatrixStages - 1)) +
                  0.05 * throughput + startAndEnd;
  if (splits > 1) cycles += launch + 2 * splits * m * n * double(sizes.batch) * 4 / memoryBytes;
  return cycles;
}

/// Bytes of an operand's numbers.
double bytesOf(ContractionOpInterface op) {
  return elementOf(op->getOperand(op.getSideOperand(0))).getIntOrFloatBitWidth() / 8;
}

/// Rows or columns of a tile that each block of a cluster leaves to the others to send for, as codegen chooses: those of
/// rhs where the number of tiles along m can be divided, else those of lhs; nothing where there is no cluster.
std::optional<double> savedBy(const MatrixTile &tile, const Sizes &sizes) {
  int64_t blocks = tile.threads / threadsOfWarpgroups;
  auto left = [&](int64_t extent) { return double(extent) * double(blocks - 1) / double(blocks); };
  if (llvm::divideCeil(sizes.m, tile.m) % blocks == 0) return left(tile.n);
  if (llvm::divideCeil(sizes.n, tile.n) % blocks == 0) return left(tile.m);
  return std::nullopt;
}

/// Whether there are tiles for it: clusters where every multiprocessor has one, and they come out even.
bool suitsWarpgroups(const MatrixTile &tile, const Sizes &sizes, double processors) {
  if (tile.threads == threadsOfWarpgroups) return true;
  double tiles =
      double(llvm::divideCeil(sizes.m, tile.m) * llvm::divideCeil(sizes.n, tile.n) * sizes.batch);
  return tiles >= processors && savedBy(tile, sizes);
}

/// Cycles of a persistent grid, a block a multiprocessor: the sums of one tile leave while the next is multiplied.
double warpgroupCyclesOf(const MatrixTile &tile, const Sizes &sizes, double processors) {
  double m = double(sizes.m), n = double(sizes.n), k = double(sizes.k);
  double tiles =
      std::ceil(m / double(tile.m)) * std::ceil(n / double(tile.n)) * double(sizes.batch);
  double loaded = double(tile.m + tile.n) * double(tile.k) * narrowBytes,
         sent = loaded - savedBy(tile, sizes).value_or(0) * double(tile.k) * narrowBytes;
  double compute = double(tile.m * tile.n * tile.k) / warpgroupLanes;
  // Each warpgroup reads its rows and all columns from shared memory, where they were written once.
  double shared = (2 * loaded + double(tile.n * tile.k) * narrowBytes) / sharedBytes;
  double step = std::max({compute, shared / 2, sent / l2Bytes});
  double steps = std::ceil(k / double(tile.k));
  double leaving = double(tile.m * tile.n) * (2 * 4 / sharedBytes + narrowBytes / l2Bytes);
  double own = std::ceil(tiles / processors);
  double throughput = own * std::max(step * steps, leaving);
  // Of two that wait equally long, the one that asks L2 for less.
  double traffic = own * steps * sent / l2Bytes;
  return std::max(throughput, steps * stepLatency / 3) + 0.05 * throughput + 0.05 * traffic +
         leaving + startAndEnd + (tile.threads > threadsOfWarpgroups ? clusterLatency : 0);
}

// What the blocks of a cluster have parts of the sums of; a block's threads.
constexpr MatrixTile tileOfParts{128, 128, 64, threadsOfWarpgroups};

/// Cycles where they do, and exchange them at the end; 0: they may not.
double partsCyclesOf(int64_t parts, const Sizes &sizes, double processors) {
  const MatrixTile &tile = tileOfParts;
  double tiles =
      double(llvm::divideCeil(sizes.m, tile.m) * llvm::divideCeil(sizes.n, tile.n) * sizes.batch);
  int64_t steps = llvm::divideCeil(sizes.k, tile.k), own = llvm::divideCeil(steps, parts);
  if (tiles * double(parts) > processors || own < 4 ||
      int64_t(llvm::divideCeil(steps, own)) != parts)
    return 0;
  double compute = double(tile.m * tile.n * tile.k) / warpgroupLanes,
         loaded = double((tile.m + tile.n) * tile.k) * narrowBytes;
  double throughput = double(own) * std::max(compute, loaded / l2Bytes);
  double exchanged = double(tile.m * tile.n) * 4 * (1 / sharedBytes + 1 / l2Bytes);
  return std::max(throughput, double(own) * stepLatency / 3) + 0.05 * throughput + exchanged +
         startAndEnd + 2 * clusterLatency;
}

/// Whether the target's warpgroups multiply from shared memory, and bulk copies bring both sides there: plain matrices
/// whose rows are multiples of 16 bytes.
bool suitsWarpgroups(ContractionOpInterface op, TargetAttr target) {
  if (!warpgroupsMultiply(target.getMatrix()) || bytesOf(op) != narrowBytes) return false;
  ContractionDims dims = op.getContractionDims();
  if (dims.m.size() > 1 || dims.n.size() > 1 || dims.k.size() > 1) return false;
  return llvm::all_of(ArrayRef<unsigned>{0, 1}, [&](unsigned side) {
    Value operand = op->getOperand(op.getSideOperand(side));
    return shapeOf(operand).back() % 8 == 0 && declaredFactor(operand) == elementOf(operand);
  });
}

/// Whether the target's matrix unit multiplies what `op` multiplies.
bool suitsMatrixUnit(ContractionOpInterface op, TargetAttr target) {
  if (target.getMatrix() == "none") return false;
  Type number =
      commonFactor(op->getOperand(op.getSideOperand(0)), op->getOperand(op.getSideOperand(1)));
  if (!number) return false;
  bool isTf32 = number.isF32() && multipliesTf32(target.getMatrix());
  return (number.isBF16() || number.isF16() || isTf32) &&
         computeType(elementOf(op->getResult(0))).isF32();
}

Sizes sizesOf(const ContractionDims &dims) {
  auto product = [](ArrayRef<int64_t> extents) {
    return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
  };
  return {product(dims.batch), product(dims.m), product(dims.n), product(dims.k)};
}

/// Whether the slots of all stages, or the sums of the tile with eight columns more, fit a block.
bool fits(const MatrixTile &tile, TargetAttr target, double bytes) {
  int64_t shared = std::max(mostMatrixStages * (tile.m + tile.n) * tile.k * int64_t(bytes),
                            tile.m * (tile.n + 8) * 4);
  return shared <= target.getLargeSharedBytes() && tile.threads <= target.getMaxThreads();
}

struct Choice {
  ContractionScheduleAttr schedule; // null where no tile fits
  double cycles = 0;
};

/// For products that one kernel adds up, or whose tiles are of one launch: those have one kind of block, so that their
/// sums have no parts (`mostSplits` is 1), and none are of clusters.
Choice chooseMatrix(ArrayRef<ContractionOpInterface> ops, bool inMemory, const Sizes &sizes,
                    int64_t mostSplits, TargetAttr target) {
  ContractionOpInterface op = ops.front();
  ContractionDims dims = op.getContractionDims();
  double perLhs = instructionsOf(dims.m, dims.k), perRhs = instructionsOf(dims.n, dims.k),
         processors = multiprocessorsOf(target), best = 0;
  MatrixTile chosen{};
  int64_t splitK = 1;
  for (MatrixTile tile : tilesOfUnits) {
    if (sizes.k <= 16) tile.k = 16;
    if (!fits(tile, target, bytesOf(op))) continue;
    for (int64_t splits = 1; splits <= mostSplits; splits *= 2) {
      bool worthwhile = sizes.k / splits >= 4 * tile.k &&
                        splits * sizes.batch * sizes.m * sizes.n * 4 <= (8 << 20);
      if (splits > 1 && !worthwhile) break;
      double cycles =
          matrixCyclesOf(tile, sizes, double(splits), processors, perLhs, perRhs, bytesOf(op));
      if (best != 0 && cycles >= best) continue;
      best = cycles, chosen = tile, splitK = splits;
    }
  }
  if (inMemory && llvm::all_of(ops, [&](auto each) { return suitsWarpgroups(each, target); })) {
    for (const MatrixTile &tile : tilesOfWarpgroups) {
      if (!suitsWarpgroups(tile, sizes, processors) ||
          (mostSplits == 1 && tile.threads > threadsOfWarpgroups))
        continue;
      double cycles = warpgroupCyclesOf(tile, sizes, processors);
      if (best != 0 && cycles >= best) continue;
      best = cycles, chosen = tile, splitK = 1;
    }
    for (int64_t parts : {2, 4, 8}) {
      double cycles = partsCyclesOf(parts, sizes, processors);
      if (parts > mostSplits || cycles == 0 || (best != 0 && cycles >= best)) continue;
      best = cycles, chosen = tileOfParts, chosen.threads *= parts, splitK = parts;
    }
  }
  if (best == 0) return {};
  return {ContractionScheduleAttr::get(op.getContext(), chosen.m, chosen.n, chosen.k, splitK,
                                       chosen.threads, mostMatrixStages),
          best};
}

Choice choose(ArrayRef<ContractionOpInterface> ops, bool inMemory, const Sizes &sizes,
              int64_t mostSplits, TargetAttr target) {
  ContractionOpInterface op = ops.front();
  auto [batch, m, n, k] = sizes;
  int64_t bytes = computeType(elementOf(op->getResult(0))).getIntOrFloatBitWidth() / 8;
  double processors = multiprocessorsOf(target), best = 0;
  // So little work, or so little to share, that tiles would be mostly empty.
  if (batch * m * n * k <= 1024 || k < 4)
    return {ContractionScheduleAttr::get(op.getContext(), 1, 1, 1, 1, 256, 0), startAndEnd};
  if (suitsMatrixUnit(op, target))
    if (Choice choice = chooseMatrix(ops, inMemory, sizes, mostSplits, target); choice.schedule)
      return choice;
  Tile chosen{};
  int64_t splitK = 1;
  for (const Tile &tile : tiles) {
    int64_t stages = k > tile.k ? 2 : 1;
    if (stages * tile.k * (tile.m + tile.n + 8) * bytes > target.getSharedBytes() ||
        tile.threads > target.getMaxThreads())
      continue;
    if (bytes > 4 && tile.m * tile.n / tile.threads > 16) continue; // two registers a sum
    for (int64_t splits = 1; splits <= mostSplits; splits *= 2) {
      bool worthwhile = k / splits >= 8 * tile.k && splits * batch * m * n * bytes <= (8 << 20);
      if (splits > 1 && !worthwhile) break;
      double cycles = cyclesOf(tile, double(m), double(n), double(k), double(batch), double(splits),
                               double(bytes), processors);
      if (best != 0 && cycles >= best) continue;
      best = cycles, chosen = tile, splitK = splits;
    }
  }
  return {ContractionScheduleAttr::get(op.getContext(), chosen.m, chosen.n, chosen.k, splitK,
                                       chosen.threads, 0),
          best};
}

constexpr int64_t mostSplits = 64;

/// Of products that are added up: as one with all their terms.
Sizes sizesOf(ArrayRef<ContractionOpInterface> products) {
  Sizes sizes{0, 0, 0, 0};
  for (ContractionOpInterface product : products) {
    int64_t k = sizes.k;
    sizes = sizesOf(product.getContractionDims());
    sizes.k += k;
  }
  return sizes;
}

} // namespace

ArrayRef<MatrixTile> matrixTiles() { return tilesOfUnits; }
ArrayRef<MatrixTile> warpgroupTiles() { return tilesOfWarpgroups; }

MatrixPrediction predictMatrix(ContractionOpInterface op, ContractionScheduleAttr schedule,
                               TargetAttr target) {
  ContractionDims dims = op.getContractionDims();
  Sizes sizes = sizesOf(dims);
  MatrixTile tile{schedule.getTileM(), schedule.getTileN(), schedule.getTileK(),
                  schedule.getThreads()};
  double processors = multiprocessorsOf(target);
  double products = double(sizes.batch) * double(sizes.m) * double(sizes.n) * double(sizes.k);
  if (isOfWarpgroups(tile.threads)) {
    double cycles = schedule.getSplitK() > 1
                        ? partsCyclesOf(schedule.getSplitK(), sizes, processors)
                        : warpgroupCyclesOf(tile, sizes, processors);
    return {cycles, products / warpgroupLanes / processors / cycles};
  }
  double cycles =
      matrixCyclesOf(tile, sizes, double(schedule.getSplitK()), processors,
                     instructionsOf(dims.m, dims.k), instructionsOf(dims.n, dims.k), bytesOf(op));
  return {cycles, products / matrixLanes / processors / cycles};
}

void addAlternatives(ModuleOp module, unsigned count) {
  Builder b(module.getContext());
  for (auto kernel : module.getOps<KernelOp>()) {
    auto chosen = dyn_cast<ContractionScheduleAttr>(kernel.getSchedule());
    auto ops = kernel.getBody().front().getOps<ContractionOpInterface>();
    if (!chosen || chosen.getStages() == 0 || !llvm::hasSingleElement(ops)) continue;
    ContractionOpInterface op = *ops.begin();
    TargetAttr target = targetOf(kernel);
    SmallVector<std::pair<double, ContractionScheduleAttr>> ranked;
    SmallVector<MatrixTile> tiles(matrixTiles());
    bool choseWarpgroups = isOfWarpgroups(chosen.getThreads());
    for (MatrixTile &tile : tiles) tile.k = choseWarpgroups ? tile.k : chosen.getTileK();
    if (chosen.getSplitK() == 1 && suitsWarpgroups(op, target))
      llvm::copy_if(warpgroupTiles(), std::back_inserter(tiles), [&](const MatrixTile &tile) {
        return suitsWarpgroups(tile, sizesOf(op.getContractionDims()), multiprocessorsOf(target));
      });
    for (const MatrixTile &tile : tiles) {
      if (!isOfWarpgroups(tile.threads) && !fits(tile, target, bytesOf(op))) continue;
      auto schedule =
          ContractionScheduleAttr::get(b.getContext(), tile.m, tile.n, tile.k, chosen.getSplitK(),
                                       tile.threads, mostMatrixStages);
      if (schedule != chosen)
        ranked.emplace_back(predictMatrix(op, schedule, target).cycles, schedule);
    }
    llvm::stable_sort(ranked, [](auto &a, auto &b) { return a.first < b.first; });
    if (ranked.size() > count) ranked.truncate(count);
    SmallVector<Attribute> all;
    for (auto &[cycles, schedule] : ranked)
      all.push_back(b.getDictionaryAttr({b.getNamedAttr("cycles", b.getF64FloatAttr(cycles)),
                                         b.getNamedAttr("schedule", schedule)}));
    if (all.empty()) continue;
    kernel->setAttr(alternativesAttr, b.getArrayAttr(all));
    kernel->setAttr(cyclesAttr, b.getF64FloatAttr(predictMatrix(op, chosen, target).cycles));
  }
}

Products::Products(const KernelBody &body) {
  llvm::SmallPtrSet<Operation *, 16> inside(body.ops.begin(), body.ops.end());
  for (Operation *op : body.ops) {
    auto product = dyn_cast<ContractionOpInterface>(op);
    if (!product) continue;
    ops.push_back(product);
    for (unsigned side : {0u, 1u}) {
      Operation *def = op->getOperand(product.getSideOperand(side)).getDefiningOp();
      while (def && isa<ReshapeOp>(def)) def = def->getOperand(0).getDefiningOp();
      areInMemory &= !def || !inside.contains(def);
    }
  }
}

ContractionScheduleAttr contractionSchedule(const Products &products, TargetAttr target) {
  return choose(products.ops, products.areInMemory, sizesOf(products.ops), mostSplits, target)
      .schedule;
}

std::optional<LaunchPrediction> predictLaunch(ArrayRef<Products> stages, TargetAttr target) {
  if (stages.size() == 1) {
    Choice choice =
        choose(stages[0].ops, stages[0].areInMemory, sizesOf(stages[0].ops), mostSplits, target);
    return LaunchPrediction{choice.schedule, choice.cycles + launch};
  }
  auto work = [](const Sizes &sizes) {
    return double(sizes.batch) * double(sizes.m) * double(sizes.n) * double(sizes.k);
  };
  SmallVector<ContractionOpInterface> all;
  Sizes largest{0, 0, 0, 0};
  double total = 0;
  bool inMemory = stages.front().areInMemory;
  for (const Products &stage : stages) {
    llvm::append_range(all, stage.ops);
    Sizes sizes = sizesOf(stage.ops);
    total += work(sizes);
    if (work(sizes) > work(largest)) largest = sizes;
  }
  // What a block looks like follows from the numbers that are multiplied.
  auto number = [](ContractionOpInterface op) {
    return commonFactor(op->getOperand(op.getSideOperand(0)), op->getOperand(op.getSideOperand(1)));
  };
  auto sums = [](ContractionOpInterface op) { return computeType(elementOf(op->getResult(0))); };
  for (ContractionOpInterface op : all)
    if (number(op) != number(all.front()) || sums(op) != sums(all.front()) ||
        work(sizesOf(op.getContractionDims())) <= 1024)
      return std::nullopt;
  // Where warpgroups multiply some, they should not stop at what others need.
  if (warpgroupsMultiply(target.getMatrix()) &&
      llvm::any_of(stages, [&](const Products &stage) { return stage.areInMemory != inMemory; }))
    return std::nullopt;
  // As a batch of the largest.
  largest.batch = int64_t(std::ceil(double(largest.batch) * total / work(largest)));
  Choice choice = choose(all, inMemory, largest, /*mostSplits=*/1, target);
  return LaunchPrediction{choice.schedule, choice.cycles + launch};
}

} // namespace sinter::passes::fusion
