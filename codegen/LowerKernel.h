#pragma once

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <array>
#include <string>

/// Turns `sinter.kernel` ops into kernel functions in MLIR's own dialects. The same lowering serves
/// CPU and GPU; what prints or compiles the function decides nothing.
///
/// A lowered kernel is a `func.func @name` without results:
///   - one argument per kernel input, then one per kernel result, each a rank-1 `memref<Nxt>` of the
///     tensor's elements in row-major order, where t is the element type, or i8 for i1 and ui8.
///     An input's memref may be the same memory as a result's (in-place updates): code reads an
///     element before it writes it;
///   - CPU: two more arguments `%begin, %end : index`. The function does units [begin, end) of
///     [0, range); begin is a multiple of `grain`, and so is end unless it is `range`.
///     GPU: no more arguments; `grid` blocks of `block` threads run it (one-dimensional, `gpu.block_id x`,
///     `gpu.thread_id x`).
/// Its body is verified and holds only
///   - func: return, and call of a private function beside it: the body of an update's segments, on memrefs and two
///     more index arguments, from which element to which, held to the same. Memrefs are passed to it through
///     memref.reinterpret_cast to another static length;
///   - scf: for (any iter_args), if (with and without results), yield. Bounds may be run-time values;
///   - arith: constant (scalars; vectors on the CPU), every integer and float op on i1, i8, i32, i64, index, f32, f64,
///     with bf16 and f16 only in extf and truncf; divisions of index values are divui/remui where operands are known
///     to be non-negative, else floordivsi and the like expanded to divsi and select. cmpi, cmpf, select, index_cast;
///   - math: absf ceil cos erf exp floor log log1p powf sin sqrt tanh fma;
///   - memref: load, store, alloca (rank 1 or 2, static; in memory space 0 thread-private, on the GPU also
///     in #gpu.address_space<workgroup>: one per block), get_global of a private constant memref.global;
///   - CPU only: vector.load/store/maskedload/maskedstore/broadcast/shuffle/extract/from_elements/bitcast/fma and arith and
///     math ops on rank-1 vectors; memref.prefetch; with tiles, amx.tile_zero/load/store/mulf of 16 rows of 64 bytes;
///     LLVM intrinsics none;
///   - GPU only: gpu.block_id/thread_id (x), gpu.barrier, gpu.shuffle (xor, down); a loop with
///     `sinter.unroll` is unrolled whole, in a function with `sinter.narrow` no index passes 32 bits;
///   - GPUs with a matrix unit: one gpu.dynamic_shared_memory of `sharedBytes` and memref.view of it;
///     nvgpu.device_async_copy/create_group/wait (tokens are order, ub.poison is a token of nothing, neither is
///     printed), nvgpu.ldmatrix, nvgpu.mma.sync (16x8x16), and on the fragments (vector<4x2xt>, vector<2x2xt>,
///     sums vector<2x2xf32>, also as elements of thread-private memrefs) constant zero, vector.extract of a
///     sum, vector.from_elements of a vector<4x2xt> or a sum and vector.extract_strided_slice of whole rows;
///     vector.load and vector.store of neighbours, vector.extract of one of them;
///   - GPUs whose warpgroups multiply: calls of the device library (DeviceCall.h), gpu.grid_dim (x), and arguments after
///     the results that are tensor maps, memref<128xi8> with `sinter.tensor_map`.
/// Indices are plain arithmetic on `index`; no affine ops remain.
namespace sinter::codegen {

/// What the lowering needs to know of the machine. Taken from #sinter.target.
struct LoweringOptions {
  bool gpu = false;
  int64_t vectorLanes = 16; // CPU: f32 lanes of a vector register; 1 keeps everything scalar
  int64_t registers = 32;   // CPU: vector registers, for the tiles of contractions
  bool tiles = false;       // CPU: a matrix unit multiplies tiles of bf16 (AMX)
  bool maskedTails = true;  // CPU: a masked run is cheaper than one element after the other
  bool fma = true;          // CPU: a fused multiply-add is one instruction
  int64_t l1Bytes = 32768, l2Bytes = 1048576;
  int64_t sharedBytes = 49152;  // GPU: of one block
  int64_t largeSharedBytes = 0; // GPU: of a block whose launch asks for it
  std::string matrix = "none";  // GPU: what a warp's matrix unit multiplies (ir/Machine.h)
  int64_t maxThreads = 1024;
  bool strict = false; // results do not depend on what is in the kernel besides (ir/Numerics.h)

  static LoweringOptions of(ir::TargetAttr target);
};

struct LoweredKernel {
  mlir::func::FuncOp function;
  int64_t range = 1, grain = 1; // CPU
  int64_t grid = 1, block = 1;  // GPU
  int64_t sharedBytes = 0;      // GPU: that the launch asks for
  /// GPU, where a kernel runs in two launches: `first` takes the inputs and `scratchBytes` of scratch
  /// memory, which it fills; `function` takes the scratch after its results.
  mlir::func::FuncOp first;
  int64_t firstGrid = 1, firstBlock = 1, firstSharedBytes = 0, scratchBytes = 0;
};

/// Marks a loop that is to be unrolled whole (GPU), a function whose index values fit 32 bits, and an
/// argument of which neighbours are read or written together: its address is a multiple of 16.
/// `strictAttr`: of a function whose multiplications and additions no compiler may contract.
/// `tilesAttr`: of a function that multiplies on a matrix unit, which takes subnormal numbers for zeros; how it
/// rounds to bf16 may, too.
inline constexpr llvm::StringLiteral strictAttr = "sinter.strict", tilesAttr = "sinter.tiles";
inline constexpr llvm::StringLiteral unrollAttr = "sinter.unroll", narrowAttr = "sinter.narrow",
                                     alignedAttr = "sinter.aligned";
/// Of an argument: that it is a tensor map, as a dictionary of what it is of (`param`, the number of the pointer argument
/// whose memory it describes, `shape`, `strides` in bytes, `box`, outermost first, `swizzle` as cuda.h counts them); that
/// its memory is written, though not through it.
inline constexpr llvm::StringLiteral tensorMapAttr = "sinter.tensor_map",
                                     writtenAttr = "sinter.written";

/// Lowers `kernel` to a function at the builder's insertion point (inside a module). The kernel is not
/// changed. Fails with an error at the op that cannot be lowered.
mlir::FailureOr<LoweredKernel> lowerKernel(ir::KernelOp kernel, mlir::OpBuilder &builder,
                                           const LoweringOptions &options);

} // namespace sinter::codegen
