// Summaries and profiles of compiled functions.
#include "sinter/frontend/detail/Compiler.h"
#include "sinter/frontend/detail/Dump.h"
#include "sinter/frontend/detail/Insight.h"
#include "sinter/frontend/detail/PrecisionTable.h"
#include "sinter/passes/MixedPrecision.h"

#include <fmt/format.h>

#include <algorithm>

using namespace mlir;

namespace sinter::detail {

static std::string readable(int64_t bytes) {
  auto value = static_cast<double>(bytes);
  if (bytes >= int64_t(1) << 30) return fmt::format("{:.2f} GiB", value / (int64_t(1) << 30));
  if (bytes >= 1 << 20) return fmt::format("{:.2f} MiB", value / (1 << 20));
  if (bytes >= 1 << 10) return fmt::format("{:.1f} KiB", value / (1 << 10));
  return fmt::format("{} bytes", bytes);
}

static std::string operations(int64_t count) {
  auto value = static_cast<double>(count);
  constexpr std::pair<double, const char *> units[] = {
      {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (auto [size, unit] : units)
    if (value >= size) return fmt::format("{:.2f} {}FLOP", value / size, unit);
  return fmt::format("{} FLOP", count);
}

static Insight insightOf(const Runner &runner, const CompileOptions &options) {
  OwningOpRef<ModuleOp> module = cast<ModuleOp>(runner.traced->module.get()->clone());
  return insightOf(*module, runner.entry, moduleOptions(options));
}

/// Bytes of the operands of every launch, copy and fill, once each.
static int64_t movedBytes(const runtime::Entry &entry) {
  int64_t moved = 0;
  for (const runtime::Instruction &instruction : entry.body) {
    if (const auto *launch = std::get_if<runtime::Launch>(&instruction.op)) {
      for (const auto &param : launch->params)
        if (const auto *pointer = std::get_if<runtime::PointerParam>(&param))
          moved += pointer->location.bytes;
    } else if (const auto *copy = std::get_if<runtime::Copy>(&instruction.op)) {
      moved += copy->from.bytes + copy->to.bytes;
    } else if (const auto *fill = std::get_if<runtime::Fill>(&instruction.op)) {
      moved += fill->to.bytes;
    }
  }
  return moved;
}

std::string Runner::summary(const CompileOptions &options) const {
  const runtime::Program &program = *compiled.program;
  const runtime::Entry &found = *program.findEntry(entry);
  Insight insight = insightOf(*this, options);
  Cost costs = cost();
  int64_t parameters = 0, elements = 0, parameterBytes = 0, flops = 0;
  for (const auto &variable : program.state)
    if (variable.role == runtime::StateRole::parameter) {
      ++parameters;
      elements += variable.type.numElements();
      parameterBytes += variable.type.numBytes();
    }
  std::set<std::string> kernels, contractions;
  for (const LaunchInsight &launch : insight.launches) {
    kernels.insert(launch.kernel);
    flops += launch.flops;
    contractions.insert(launch.contractions.begin(), launch.contractions.end());
  }
  std::string text = fmt::format("{} on {}\n", entry, options.device.description());
  auto row = [&](const char *name, const std::string &value) {
    text += fmt::format("  {:<12} {}\n", name, value);
  };
  row("parameters", fmt::format("{} in {} tensors, {}; {} of state in all", elements, parameters,
                                readable(parameterBytes), readable(costs.stateBytes)));
  row("kernels", fmt::format("{} a run, of {} different kernels", costs.kernels, kernels.size()));
  int64_t moved = movedBytes(found);
  row("operations",
      fmt::format("{} a run; {} moved, {:.1f} FLOP a byte", operations(flops), readable(moved),
                  moved ? static_cast<double>(flops) / static_cast<double>(moved) : 0.0));
  double over = costs.lowerBoundBytes ? 100.0 * (static_cast<double>(costs.peakBytes) /
                                                     static_cast<double>(costs.lowerBoundBytes) -
                                                 1)
                                      : 0.0;
  row("memory", fmt::format("{} ({} bytes) of working memory, {:.2f} % over the bound",
                            readable(costs.peakBytes), costs.peakBytes, over));
  const bool tf32 = options.tf32 && options.numerics != Numerics::strict &&
                    program.target == runtime::TargetKind::cuda;
  row("precision", sinter::text(options.precision) +
                       (contractions.empty() ? std::string()
                                             : fmt::format(": {}", fmt::join(contractions, ", "))) +
                       (tf32 ? "; f32 is multiplied as tf32" : ""));
  OwningOpRef<ModuleOp> module = cast<ModuleOp>(traced->module.get()->clone());
  if (options.precision != Precision::f32 || passes::hasPrecisionScopes(*module))
    for (const PrecisionRow &each : precisionTable(*module, entry, sinter::text(options.precision)))
      text += fmt::format("  {:<12} {:>6}  {}: {}, {}\n", "", each.count, each.op, each.type,
                          each.reason);
  int64_t refusedEdges = 0, refusedBytes = 0;
  std::vector<std::pair<std::string, Insight::Refused>> codes(insight.refused.begin(),
                                                              insight.refused.end());
  std::stable_sort(codes.begin(), codes.end(),
                   [](const auto &a, const auto &b) { return a.second.count > b.second.count; });
  for (const auto &[code, refused] : codes) {
    refusedEdges += refused.count;
    refusedBytes += refused.bytes;
  }
  row("fused", fmt::format("{} of {} edges between ops", insight.fusedEdges,
                           insight.fusedEdges + refusedEdges));
  row("not fused",
      fmt::format("{} edges, {} through memory", refusedEdges, readable(refusedBytes)));
  for (const auto &[code, refused] : codes)
    text +=
        fmt::format("  {:<12} {:>6}  {}, {}\n", "", refused.count, code, readable(refused.bytes));
  return text;
}

Profile Runner::profile(const std::vector<Array> &inputs, const CompileOptions &options,
                        const StateTable &table, int64_t runs) {
  Profile profile;
  profile.runs = std::max<int64_t>(runs, 1);
  profile.device = options.device.description();
  run(inputs, options.device, table); // what happens only once is not counted
  runtime::Profiler profiler;
  executor->setProfiler(&profiler);
  try {
    for (int64_t i = 0; i < profile.runs; ++i) run(inputs, options.device, table);
  } catch (...) {
    executor->setProfiler(nullptr);
    throw;
  }
  executor->setProfiler(nullptr);

  Insight insight = insightOf(*this, options);
  const std::vector<runtime::Profiler::Event> &events = profiler.events();
  size_t perRun = events.size() / static_cast<size_t>(profile.runs), next = 0;
  for (size_t i = 0; i < perRun; ++i) {
    std::vector<double> times;
    for (size_t run = 0; run < static_cast<size_t>(profile.runs); ++run)
      times.push_back(events[run * perRun + i].microseconds);
    std::sort(times.begin(), times.end());
    LaunchTime launch{events[i].label, times[times.size() / 2], {}, 0};
    // The second launch of a kernel in two parts is the same kernel's.
    bool again =
        i && events[i - 1].label == events[i].label &&
        (next == insight.launches.size() || insight.launches[next].kernel != events[i].label);
    if (again) {
      launch.lines = profile.launches.back().lines;
    } else if (next < insight.launches.size() && insight.launches[next].kernel == events[i].label) {
      launch.lines = insight.launches[next].lines;
      launch.flops = insight.launches[next++].flops;
    } else if (!events[i].source.empty()) {
      auto [line, module] = llvm::StringRef(events[i].source).split(' ');
      launch.lines.push_back({line.str(), module.str(), 1});
    }
    profile.launches.push_back(std::move(launch));
  }
  profile.chrome_trace = profiler.chromeTrace();
  if (compiled.dump) compiled.dump->measured(entry, events, profile.runs);
  return profile;
}

} // namespace sinter::detail
