#pragma once

#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Profiler.h"
#include "sinter/runtime/Program.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sinter::detail {

/// What `report.html` shows of one compilation: fed while it compiles, then written as one page that
/// needs nothing else. frontend/report/ has its parts; docs/inspecting.md describes it.
class Report {
public:
  Report(const std::string &label, const std::string &device, const std::string &precision);

  /// The module after a stage of the pipeline.
  void stage(llvm::StringRef name, mlir::ModuleOp module);
  /// A file that was dumped: a kernel's text ("NAME.mlir", "NAME.ll", "NAME.cu") or the ledger.
  void text(const std::string &name, const std::string &text);
  void program(const runtime::Program &program);
  /// Times of one entry: the events of `runs` runs, in order.
  void measured(const std::string &entry, const std::vector<runtime::Profiler::Event> &events,
                int64_t runs);

  /// The page. `data` is a part of it, for tests.
  std::string page() const;
  const nlohmann::ordered_json &data() const { return all; }

private:
  using Json = nlohmann::ordered_json;

  void ledgers(const std::string &json);
  Json graphOf(mlir::func::FuncOp function);
  Json launchGraphOf(mlir::func::FuncOp function);
  Json kernelOf(ir::KernelOp kernel);
  Json at(mlir::Location location);
  Json &functionOf(llvm::StringRef name);
  int64_t fileIndex(const std::string &file, int line);
  void addSources(Json &data) const;

  Json all;
  bool fusionSeen = false;
  std::map<std::string, int64_t> files;
  std::map<std::string, std::set<int>> lines; // of each file that something came from
};

} // namespace sinter::detail
