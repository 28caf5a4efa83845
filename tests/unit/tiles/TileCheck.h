#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sinter::test {

struct Tile {
  int64_t m, n, k, splits, threads, stages = 0;
  uint32_t grid = 0; // blocks that are launched; 0: as many as the kernel wants
  bool tf32 = false; // of the factors, which are the first two arguments
};

/// A function of one contraction: the types of its arguments (%0, %1, ... in the body), its result's type, and
/// its body, which ends in %r.
struct TileCase {
  const char *name, *types, *result, *body;
};

/// "odd_64x64x16_parts1".
std::string nameOf(const TileCase &c, const Tile &tile);

/// Compiles the case for CUDA with this tile, runs it on the emulated device and compares it with the evaluator,
/// within its bounds. Failures are gtest's; `text` gets the kernels, as `edit` leaves them.
void checkTile(const TileCase &c, const Tile &tile, std::string &text,
               const std::function<void(std::string &source)> &edit = nullptr);

/// Compiles a module's @f for CUDA, expects one launch of several stages, runs it on the emulated device and compares
/// with the evaluator. `tile`, if given, is what all stages have in place of what was chosen; `text` gets the kernel.
void checkStages(const std::string &function, const std::string &architecture, const Tile *tile,
                 std::string &text);

} // namespace sinter::test
