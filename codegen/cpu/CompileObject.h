#pragma once

#include "sinter/codegen/cpu/LowerToLlvm.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sinter::codegen::cpu {

struct CompileOptions {
  Isa isa;
  bool addressSanitizer = false; // instrument loads and stores with LLVM's pass
  bool strict = false;           // a function of libm is called, not computed in advance
};

/// Translates a module in the LLVM dialect, gives each kernel its public entry (runtime::CpuFunction)
/// under its own name, and optimises for the instruction set. `kernels` are the functions' names.
/// Returns null, with an error emitted, when the translation fails.
std::unique_ptr<llvm::Module> translateAndOptimize(mlir::ModuleOp module,
                                                   llvm::ArrayRef<std::string> kernels,
                                                   llvm::LLVMContext &context,
                                                   const CompileOptions &options);

/// Machine code of an optimised module: an ELF relocatable object, or assembly text.
std::vector<uint8_t> emitMachineCode(llvm::Module &module, const CompileOptions &options,
                                     bool assembly = false);

} // namespace sinter::codegen::cpu
