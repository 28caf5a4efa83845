#pragma once

#include "sinter/codegen/Backend.h"
#include "sinter/codegen/cpu/CompileObject.h"

namespace sinter::codegen {

struct CpuBackendOptions {
  std::string isa; // "amx", "avx512_bf16", "avx512", ...; empty: SINTER_CPU_ISA, else the best here
  bool savable =
      false;         // link a shared object into the Program, so that it can be written to a file
  bool cache = true; // keep objects in the kernel cache
  int threads = 0;   // that compile; 0: as many as run kernels
  bool addressSanitizer = false;
  DumpText dump;
  bool assembly = false; // dump it, too
};

/// Compiles kernels for this machine: one object each, several at a time, linked into the process by
/// ORC. Fails when the instruction set cannot run here.
runtime::Result<std::unique_ptr<Backend>> cpuBackend(CpuBackendOptions options);

/// The target attribute of an instruction set, with this machine's cache sizes. An unknown name is an
/// error.
runtime::Result<ir::TargetAttr> cpuTarget(mlir::MLIRContext &context, const std::string &isa = "");

/// Makes a Program of in-process kernels writable: links its objects into `cpuImages`. The Program must
/// come from a cpuBackend of this process.
runtime::Status addImages(runtime::Program &program);

enum class CpuText { kernelMlir, llvmIr, assembly };
/// The text of one kernel, for people.
mlir::FailureOr<std::string> cpuText(ir::KernelOp kernel, CpuText what, const std::string &isa);

} // namespace sinter::codegen
