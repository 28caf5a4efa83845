#pragma once

#include "sinter/codegen/Backend.h"
#include "sinter/codegen/cuda/CudaBackend.h"

#include "mlir/IR/BuiltinOps.h"

namespace sinter::codegen {

/// Makes a Program of an outlined module: every public function becomes an entry whose body is its
/// launches, in order, with the dependencies that memory imposes.
///
/// A function holds sinter.launch, sinter.reshape (another name for the same memory), sinter.constant and
/// func.return only. Arguments of role "input" are the entry's inputs; the other roles are variables of
/// the state, named by `sinter.name`, which all entries share. A result that an argument of state is
/// donated to ends there; the others are the outputs, under their `sinter.name` or as out0, out1, ....
///
/// Where values live:
///   - with a memory plan, as LaunchOp's `home` and `offset` say (Kernel.td). `sinter.arena_bytes` and
///     `sinter.lower_bound_bytes` on the function give the arena's size and the bound;
///   - without one, every value gets bytes of its own in the arena, or is written where it is returned.
/// A value that is returned but lives elsewhere is copied at the end.
///
/// Fails with an error at the op or function that does not fit.
mlir::FailureOr<runtime::Program> buildProgram(mlir::ModuleOp module, Backend &backend);

/// What a module is compiled to.
struct CodegenOptions {
  runtime::TargetKind target = runtime::TargetKind::cpu;
  std::string isa;      // CPU: empty for SINTER_CPU_ISA, else this machine's best
  bool savable = false; // the Program can be written to a file
  bool cache = true;
  int threads = 0; // that compile
  CudaBackendOptions cuda;
  DumpText dump;
  bool assembly = false; // dump the assembly of CPU kernels, too
};
/// buildProgram with the backend that `options` name; for the reference device, a Program that calls the
/// evaluator (the module then need not be outlined).
mlir::FailureOr<runtime::Program> compileToProgram(mlir::ModuleOp module,
                                                   const CodegenOptions &options);

} // namespace sinter::codegen
