#pragma once

#include "sinter/runtime/Program.h"

#include "llvm/ADT/ArrayRef.h"

namespace sinter::codegen {

/// Where the memory of a step of a scan or a loop, or of a branch, lies in the entry that runs it. Its instructions
/// are those of its function: states lie in `state` by their number, slices and captures in `input`, outputs in
/// `output`, and temporaries in `arena`.
struct StepPlaces {
  size_t states = 0, slices = 0; // operands that are states, then slices of what the scan goes over
  int64_t count = 1;             // steps of a scan
  bool reverse = false;
  llvm::ArrayRef<runtime::Location> operands, outputs; // of the op, in the entry
  runtime::Location scratch;                           // for the step's arena

  /// Moves the operands of `body` to their places, of a scan to those at the first step; returns how they go on
  /// from there.
  std::vector<runtime::LoopOffset> moveInto(runtime::Block &body) const;

private:
  int64_t move(runtime::Location &location) const;
};

} // namespace sinter::codegen
