// op_programs: the op table as Programs for CUDA, each with inputs, the evaluator's values and its bounds,
// for machines that have a GPU and no compiler. One folder per op and type, for sm_90; where sm_90a has other kernels
// (warpgroups, clusters), one for that, too, named with it:
//   program.sinter, ENTRY.inN.npy, ENTRY.outN.npy (numbers as f64), ENTRY.boundN.npy (f64)
// With --module instead files of IR, each function an entry, and beside NAME.sinter what NAME's entries cost at least
// (NAME.cost.json).

#include "../ops/Harness.h"

#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/runtime/Npy.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>

using namespace sinter;
using namespace sinter::test;

namespace {

int fail(const std::string &message) {
  std::cerr << "op_programs: error: " << message << "\n";
  return 1;
}

bool write(const std::string &path, const runtime::TensorType &type,
           std::span<const uint8_t> bytes) {
  runtime::Status status = runtime::writeNpy(path, type, bytes);
  if (!status.ok()) fail(status.error().message);
  return status.ok();
}
bool writeNumbers(const std::string &path, const HostTensor &tensor,
                  const std::function<double(int64_t)> &number) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < tensor.numElements(); ++i) numbers.push_back(number(i));
  runtime::TensorType type = codegen::tensorTypeOf(tensor.type);
  type.dtype = runtime::DType::f64;
  return write(path, type, {reinterpret_cast<const uint8_t *>(numbers.data()), numbers.size() * 8});
}

bool writeEntry(Ir &ir, mlir::ModuleOp reference, const OpCase &c, const std::string &dtype,
                const std::string &entry, bool gradient, const std::string &folder) {
  std::vector<HostTensor> inputs = inputsOf(ir, c, dtype, gradient);
  auto expected = codegen::evaluate(Ir::function(reference, entry), inputs);
  if (failed(expected)) return fail("@" + entry + ": " + ir.errors), false;
  std::string prefix = folder + "/" + entry;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!write(prefix + ".in" + std::to_string(i) + ".npy", codegen::tensorTypeOf(inputs[i].type),
               codegen::toBytes(inputs[i])))
      return false;
  for (size_t i = 0; i < expected->size(); ++i) {
    const HostTensor &tensor = (*expected)[i];
    if (!writeNumbers(prefix + ".out" + std::to_string(i) + ".npy", tensor,
                      [&](int64_t at) { return tensor.at(at); }) ||
        !writeNumbers(prefix + ".bound" + std::to_string(i) + ".npy", tensor,
                      [&](int64_t at) { return tensor.errorAt(at); }))
      return false;
  }
  return true;
}

mlir::FailureOr<runtime::Program> compiledFor(mlir::ModuleOp module, const char *architecture) {
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = architecture;
  mlir::OwningOpRef<mlir::ModuleOp> copy(module.clone());
  return sinter::detail::compileModule(*copy, options);
}

bool sameKernels(const runtime::Program &one, const runtime::Program &other) {
  return std::equal(one.kernels.begin(), one.kernels.end(), other.kernels.begin(),
                    other.kernels.end(),
                    [](const auto &a, const auto &b) { return a.source == b.source; });
}

bool writeRow(const OpRow &row, const std::string &dtype, const std::string &folder) {
  std::string text;
  std::vector<std::pair<const OpCase *, bool>> entries;
  auto nameOf = [](size_t number) { return "entry" + std::to_string(number); };
  for (const OpCase &c : row.cases) {
    text += functionText(c, dtype, nameOf(entries.size()));
    entries.push_back({&c, false});
    if (c.gradientResults == 0 || differentiableInputs(c, dtype).empty()) continue;
    text += gradientText(c, dtype, nameOf(entries.size()));
    entries.push_back({&c, true});
  }
  Ir ir;
  auto module = ir.parse(text), reference = ir.parse(text);
  if (!module || !runPasses(ir, *reference, "func.func(sinter-autodiff)"))
    return fail(row.op + ": " + ir.errors), false;
  auto plain = compiledFor(*module, "sm_90"), accelerated = compiledFor(*module, "sm_90a");
  if (failed(plain) || failed(accelerated))
    return fail(row.op + " in " + dtype + ": " + ir.errors), false;
  auto writeAll = [&](const runtime::Program &program, const std::string &to) {
    std::filesystem::create_directories(to);
    runtime::Status saved = runtime::saveProgram(program, to + "/program.sinter");
    if (!saved.ok()) return fail(saved.error().message), false;
    for (size_t i = 0; i < entries.size(); ++i)
      if (!writeEntry(ir, *reference, *entries[i].first, dtype, nameOf(i), entries[i].second, to))
        return false;
    return true;
  };
  return writeAll(*plain, folder) &&
         (sameKernels(*plain, *accelerated) || writeAll(*accelerated, folder + "_sm_90a"));
}

/// Operations of the products in a region: what a matrix unit has to do.
int64_t productsIn(mlir::Region &region) {
  int64_t total = 0;
  for (mlir::Operation &op : region.getOps())
    if (auto grad = llvm::dyn_cast<ir::Conv2dInputGradOp>(op)) {
      // Each element of the gradient meets each weight of its channel, whatever the stride.
      auto from = llvm::cast<mlir::RankedTensorType>(grad.getGrad().getType()),
           weight = llvm::cast<mlir::RankedTensorType>(grad.getWeight().getType());
      total += 2 * from.getNumElements() * (weight.getNumElements() / weight.getDimSize(0));
    } else if (llvm::isa<ir::MatmulOp, ir::Conv2dOp, ir::Conv2dWeightGradOp, ir::AttentionOp,
                         ir::AttentionBackwardOp>(op))
      total += llvm::cast<ir::FusibleOpInterface>(op).getFlops();
    else
      for (mlir::Region &inner : op.getRegions()) {
        auto scan = llvm::dyn_cast<ir::ScanOp>(op);
        total += productsIn(inner) * (scan ? scan.getCount() : 1);
      }
  return total;
}

int64_t bytesOf(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  return tensor ? codegen::tensorTypeOf(tensor).numBytes() : 0;
}

/// What is read and written at least: every argument that is used, every result. Of a table that is only looked up,
/// the rows.
int64_t bytesAtLeast(mlir::func::FuncOp function) {
  int64_t total = 0;
  for (mlir::Type type : function.getResultTypes()) total += bytesOf(type);
  for (mlir::BlockArgument argument : function.getArguments()) {
    int64_t rows = 0;
    bool isTable = true;
    for (mlir::Operation *user : argument.getUsers()) {
      isTable &= llvm::isa<ir::EmbeddingOp>(user) && user->getOperand(0) == argument;
      if (isTable) rows += bytesOf(user->getResult(0).getType());
    }
    int64_t whole = argument.use_empty() ? 0 : bytesOf(argument.getType());
    total += isTable ? std::min(rows, whole) : whole;
  }
  return total;
}

struct ModuleChoice {
  std::string precision = "f32", architecture = "sm_90a";
  unsigned alternatives = 0;
};

/// Every function of a file of IR as an entry of one Program.
bool writeModule(const std::string &file, const std::string &folder, const ModuleChoice &choice) {
  Ir ir;
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, &ir.context);
  if (!module) return fail(file + ": " + ir.errors), false;
  mlir::OwningOpRef<mlir::ModuleOp> opened = module->clone();
  if (!runPasses(ir, *opened, "func.func(sinter-autodiff)"))
    return fail(file + ": " + ir.errors), false;
  nlohmann::json costs;
  for (auto function : opened->getOps<mlir::func::FuncOp>())
    costs[function.getName().str()] = {{"operations", productsIn(function.getBody())},
                                       {"bytes", bytesAtLeast(function)}};
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = choice.architecture;
  options.early = true;
  options.precision = choice.precision;
  options.alternatives = choice.alternatives;
  options.savable = true;
  auto begin = std::chrono::steady_clock::now();
  auto program = sinter::detail::compileModule(*module, options);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (failed(program)) return fail(file + ": " + ir.errors), false;
  costs["passes_seconds"] = seconds.count();
  std::filesystem::create_directories(folder);
  std::string to = folder + "/" + std::filesystem::path(file).stem().string();
  runtime::Status saved = runtime::saveProgram(*program, to + ".sinter");
  if (!saved.ok()) return fail(saved.error().message), false;
  std::ofstream costFile(to + ".cost.json");
  costFile << costs.dump(2) << "\n";
  return costFile.good() || (fail(to + ".cost.json: cannot be written"), false);
}

} // namespace

int main(int argc, char **argv) {
  std::string folder;
  std::vector<std::string> ops, dtypes, modules;
  ModuleChoice choice;
  CLI::App app("Writes the op table as Programs for CUDA, with inputs and expected values.");
  app.add_option("folder", folder)->required();
  app.add_option("--ops", ops, "Only these")->delimiter(',');
  app.add_option("--dtypes", dtypes, "Only these")->delimiter(',');
  app.add_option("--module", modules, "Instead of the op table: files of IR");
  app.add_option("--precision", choice.precision, "Of modules")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--arch", choice.architecture, "The GPU that modules are compiled for");
  app.add_option("--alternatives", choice.alternatives,
                 "Kernels besides the model's choice that go with modules, for --autotune");
  CLI11_PARSE(app, argc, argv);
  for (const std::string &file : modules)
    if (!writeModule(file, folder, choice)) return 1;
  if (!modules.empty()) return 0;
  int rows = 0;
  for (const OpRow &row : opTable()) {
    if (!ops.empty() && !llvm::is_contained(ops, row.op)) continue;
    for (const std::string &dtype : row.dtypes) {
      if (!dtypes.empty() && !llvm::is_contained(dtypes, dtype)) continue;
      if (!writeRow(row, dtype, folder + "/" + row.op + "_" + dtype)) return 1;
      ++rows;
    }
  }
  std::cout << rows << " rows of the op table in " << folder << "\n";
  return rows ? 0 : fail("no row has these names");
}
