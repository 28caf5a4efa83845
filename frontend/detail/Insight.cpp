#include "sinter/frontend/detail/Insight.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/Trace.h"
#include "sinter/ir/Segments.h"
#include "sinter/passes/fusion/Ledger.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace mlir;

namespace sinter::detail {

static std::string moduleOf(const Origin &origin) {
  if (origin.phase != "backward") return origin.path;
  return origin.path.empty() ? "gradient" : origin.path + " gradient";
}

/// The launch's lines, each with its part of the operations that the kernel does.
static std::vector<LineShare> sharesOf(ir::LaunchOp launch, ir::KernelOp kernel) {
  std::vector<Origin> origins = originsOf(launch.getLoc());
  std::vector<double> weights(origins.size());
  kernel.getBody().walk([&](ir::FusibleOpInterface op) {
    std::vector<Origin> own = originsOf(op.getLoc());
    for (auto [origin, weight] : llvm::zip(origins, weights))
      if (llvm::is_contained(own, origin))
        weight +=
            static_cast<double>(op.getFlops()) * ir::timesRun(op) / static_cast<double>(own.size());
  });
  double sum = 0;
  for (double weight : weights) sum += weight;
  std::vector<LineShare> shares;
  for (auto [origin, weight] : llvm::zip(origins, weights)) {
    double share = sum > 0 ? weight / sum : 1.0 / static_cast<double>(origins.size());
    std::string line =
        origin.file.empty() ? "no line" : fmt::format("{}:{}", baseName(origin.file), origin.line);
    shares.push_back({line, moduleOf(origin), share});
  }
  return shares;
}

Insight insightOf(ModuleOp module, const std::string &entry, ModuleOptions options) {
  Insight insight;
  options.text = [&](const std::string &name, const std::string &text) {
    if (name != "ledger.json") return;
    for (const auto &ledger : nlohmann::json::parse(text)) {
      if (ledger["function"] != entry) continue;
      for (const auto &edge : ledger["edges"]) {
        if (!edge.contains("refused")) {
          ++insight.fusedEdges;
          continue;
        }
        Insight::Refused &refused = insight.refused[edge["refused"].get<std::string>()];
        ++refused.count;
        refused.bytes += edge["bytes"].get<int64_t>();
      }
    }
  };
  Diagnostics diagnostics;
  std::string stage;
  if (failed(planModule(module, options, &stage))) throw CompileError(stage, diagnostics.text());
  auto function = module.lookupSymbol<func::FuncOp>(entry);
  if (!function) return insight;
  for (auto launch : function.getBody().front().getOps<ir::LaunchOp>()) {
    auto kernel = module.lookupSymbol<ir::KernelOp>(launch.getKernel());
    LaunchInsight one{launch.getKernel().str(), 0, sharesOf(launch, kernel), {}};
    kernel.getBody().walk([&](Operation *op) {
      if (auto fusible = dyn_cast<ir::FusibleOpInterface>(op))
        one.flops += std::llround(double(fusible.getFlops()) * ir::timesRun(op));
      if (isa<ir::ContractionOpInterface>(op) || ir::attentionFactsOf(op)) {
        std::string text;
        llvm::raw_string_ostream stream(text);
        stream << op->getName().stripDialect() << " in " << ir::elementOf(op->getOperand(0));
        one.contractions.insert(text);
      }
    });
    insight.launches.push_back(std::move(one));
  }
  return insight;
}

} // namespace sinter::detail
