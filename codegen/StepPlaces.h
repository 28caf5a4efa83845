#pragma once

#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Program.h"

namespace sinter::codegen {

/// Where the memory of a scan's step lies in the entry that runs it. A step's instructions are those of its
/// function: its states lie in `state` by their number, its slices and captures in `input`, its outputs in
/// `output`, and its temporaries in `arena`.
struct StepPlaces {
  ir::ScanOp scan;
  llvm::ArrayRef<runtime::Location> operands, outputs; // of the scan, in the entry
  runtime::Location scratch;                           // for the step's arena

  /// Moves the operands of `body` to their places at the first step; returns how they go on from there.
  std::vector<runtime::LoopOffset> moveInto(runtime::Block &body);

private:
  int64_t move(runtime::Location &location);
};

} // namespace sinter::codegen
