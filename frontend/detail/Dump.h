#pragma once

#include "sinter/frontend/detail/Report.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace sinter::detail {

/// A folder that receives what one compilation makes; files are numbered in the order of writing.
class Dump {
public:
  /// `folder` may be empty: then nothing is written. Throws RuntimeError when it cannot be made.
  Dump(const std::string &folder, const std::string &label, const std::string &device,
       const std::string &precision);

  explicit operator bool() const { return !path.empty(); }
  /// Writes `NN-stage.mlir` for people and `exact/NN-stage.mlir` with all locations. Their first line
  /// makes them again from the file before.
  void stage(llvm::StringRef stage, llvm::StringRef pipeline, mlir::ModuleOp module);
  void file(std::string_view name, std::string_view text);
  /// Writes the memory plan, the stages' times and `report.html`; with `assembly`, CUDA kernels' PTX.
  void finish(const runtime::Program &program, bool assembly);
  /// Writes the report again, with the times of `runs` runs of an entry.
  void measured(const std::string &entry, const std::vector<runtime::Profiler::Event> &events,
                int64_t runs);

private:
  void ptxOf(const runtime::Program &program);

  using Clock = std::chrono::steady_clock;
  Clock::time_point resumed = Clock::now(); // when the compiler went on after the latest stage
  std::string timings;
  std::string path, previous;
  int count = 0;
  Report report;
};

} // namespace sinter::detail
