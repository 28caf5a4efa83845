#include "sinter/passes/fusion/ContractionSchedule.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {
namespace {

struct Tile {
  int64_t m, n, k, threads;
};
// Register tiles of 8x8 where the result is large, smaller ones to fill the machine with small results.
constexpr Tile tiles[] = {
    {128, 128, 8, 256}, {128, 64, 8, 128},  {64, 128, 8, 128}, {64, 64, 16, 256}, {64, 64, 16, 64},
    {32, 128, 16, 128}, {128, 32, 16, 128}, {64, 32, 16, 128}, {32, 64, 16, 128}, {32, 32, 16, 64},
    {16, 128, 16, 128}, {128, 16, 16, 128}, {16, 64, 16, 64},  {64, 16, 16, 64},  {16, 16, 16, 64}};

/// About how many multiprocessors there are: a GPU's L2 grows with them (132 beside 50 MiB).
double multiprocessorsOf(TargetAttr target) {
  return std::min(148.0, 72 + 1.2 * double(target.getL2Bytes() >> 20));
}

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

} // namespace

ContractionScheduleAttr contractionSchedule(ContractionOpInterface op, TargetAttr target) {
  ContractionDims dims = op.getContractionDims();
  auto product = [](ArrayRef<int64_t> extents) {
    return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
  };
  int64_t batch = product(dims.batch), m = product(dims.m), n = product(dims.n),
          k = product(dims.k);
  int64_t bytes = computeType(elementOf(op->getResult(0))).getIntOrFloatBitWidth() / 8;
  // So little work, or so little to share, that tiles would be mostly empty.
  if (batch * m * n * k <= 1024 || k < 4)
    return ContractionScheduleAttr::get(op.getContext(), 1, 1, 1, 1, 256);
  double processors = multiprocessorsOf(target), best = 0;
  Tile chosen{};
  int64_t splitK = 1;
  for (const Tile &tile : tiles) {
    int64_t stages = k > tile.k ? 2 : 1;
    if (stages * tile.k * (tile.m + tile.n + 8) * bytes > target.getSharedBytes() ||
        tile.threads > target.getMaxThreads())
      continue;
    if (bytes > 4 && tile.m * tile.n / tile.threads > 16) continue; // two registers a sum
    for (int64_t splits = 1; splits <= 64; splits *= 2) {
      bool worthwhile = k / splits >= 8 * tile.k && splits * batch * m * n * bytes <= (8 << 20);
      if (splits > 1 && !worthwhile) break;
      double cycles = cyclesOf(tile, double(m), double(n), double(k), double(batch), double(splits),
                               double(bytes), processors);
      if (best != 0 && cycles >= best) continue;
      best = cycles, chosen = tile, splitK = splits;
    }
  }
  return ContractionScheduleAttr::get(op.getContext(), chosen.m, chosen.n, chosen.k, splitK,
                                      chosen.threads);
}

} // namespace sinter::passes::fusion
