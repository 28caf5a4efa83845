#pragma once

#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Program.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace sinter::codegen {

/// A parameter after a kernel's pointers: a tensor map over the memory of pointer `param`.
struct CompiledMap {
  uint32_t param = 0;
  runtime::TensorMapParam map; // without its location
};

/// Where a kernel stands in a Program, and the shape of its launches.
struct CompiledPart {
  uint32_t kernel = 0; // into Program::kernels
  runtime::LaunchShape shape;
  double cycles = 0; // predicted, where there are alternatives
  std::vector<runtime::Alternative> alternatives;
  std::vector<CompiledMap> maps; // of the last launch of a kernel
};
struct CompiledKernel : CompiledPart {
  /// A kernel in two launches: the first takes the inputs and scratch memory that it fills, the second the
  /// inputs, the results and the scratch.
  std::optional<CompiledPart> first;
  int64_t scratchBytes = 0;
};

/// What a target makes of kernels. One object serves one Program.
class Backend {
public:
  virtual ~Backend() = default;
  virtual runtime::TargetKind kind() const = 0;
  /// Compiles `kernels` and adds what they need to `program` (kernels, images or headers, keepAlive);
  /// kernels of one structure may become one. Result i is for kernel i. Fails with an error emitted at
  /// the kernel that could not be compiled.
  virtual mlir::FailureOr<std::vector<CompiledKernel>> compile(llvm::ArrayRef<ir::KernelOp> kernels,
                                                               runtime::Program &program) = 0;
};

/// Called with the name and text of everything a backend makes, for dumps: "NAME.mlir", "NAME.ll", "NAME.cu".
using DumpText = std::function<void(const std::string &name, const std::string &text)>;

} // namespace sinter::codegen
