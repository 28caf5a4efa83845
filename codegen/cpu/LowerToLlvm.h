#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace sinter::codegen::cpu {

/// Instruction sets that kernels are compiled for; see runtime::bestHostIsa.
struct Isa {
  std::string name;           // "amx", "amx-emulated", "avx512_bf16", "avx512", "avx2", "generic"
  bool fma = true;            // a fused multiply-add is one instruction
  bool halfFloat = true;      // conversions from and to f16 are instructions
  bool tiles = false;         // those from f32 to bf16, too; tiles of bf16
  bool emulatesTiles = false; // tiles are arrays, and what is done with them loops
  static Isa of(llvm::StringRef name);
};

/// Loads the dialects and registers the translations that the functions below need. Call once for a
/// context, before any thread uses them.
void prepareContext(mlir::MLIRContext &context);

/// Turns a module of lowered kernels (LowerKernel.h, CPU form) into the LLVM dialect. exp, log, tanh
/// and the like on f32 become polynomials; other functions become calls of libm. With `strict`, those of
/// constants too, so that what is known is no other number than what is computed.
mlir::LogicalResult lowerToLlvm(mlir::ModuleOp module, const Isa &isa, bool strict = false);

} // namespace sinter::codegen::cpu
