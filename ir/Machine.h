#pragma once

#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <cstdint>

namespace sinter::ir {

/// About how many multiprocessors a GPU has: its L2 grows with them (132 beside 50 MiB).
inline double multiprocessorsOf(int64_t l2Bytes) {
  return std::min(148.0, 72 + 1.2 * double(l2Bytes >> 20));
}

/// Clusters of blocks came with blocks of 227 KiB of shared memory (sm_90).
inline bool hasClusters(int64_t largeSharedBytes) { return largeSharedBytes >= (227 << 10); }

// What `matrix` of a #sinter.target says: "m16n8k16" of bf16 and f16 by warps; "m64nNk16" also by warpgroups, from shared
// memory; and "+tf32" behind it, that f32 is to be rounded to tf32 and multiplied there, too.

inline bool warpgroupsMultiply(llvm::StringRef matrix) { return matrix.starts_with("m64nNk16"); }
inline bool multipliesTf32(llvm::StringRef matrix) { return matrix.ends_with("+tf32"); }

} // namespace sinter::ir
