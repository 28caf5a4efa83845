// op_programs: the op table as Programs for CUDA, each with inputs, the evaluator's values and its bounds,
// for machines that have a GPU and no compiler. One folder per op and type:
//   program.sinter, ENTRY.inN.npy, ENTRY.outN.npy (numbers as f64), ENTRY.boundN.npy (f64)

#include "../ops/Harness.h"

#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/runtime/Npy.h"

#include <CLI/CLI.hpp>

#include <filesystem>
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
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = "sm_90";
  auto program = sinter::detail::compileModule(*module, options);
  if (failed(program)) return fail(row.op + " in " + dtype + ": " + ir.errors), false;
  std::filesystem::create_directories(folder);
  runtime::Status saved = runtime::saveProgram(*program, folder + "/program.sinter");
  if (!saved.ok()) return fail(saved.error().message), false;
  for (size_t i = 0; i < entries.size(); ++i)
    if (!writeEntry(ir, *reference, *entries[i].first, dtype, nameOf(i), entries[i].second, folder))
      return false;
  return true;
}

/// Every function of a file of IR as an entry of one Program.
bool writeModule(const std::string &file, const std::string &folder) {
  Ir ir;
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, &ir.context);
  if (!module) return fail(ir.errors), false;
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = "sm_90";
  auto program = sinter::detail::compileModule(*module, options);
  if (failed(program)) return fail(file + ": " + ir.errors), false;
  std::filesystem::create_directories(folder);
  std::string name = std::filesystem::path(file).stem().string();
  runtime::Status saved = runtime::saveProgram(*program, folder + "/" + name + ".sinter");
  return saved.ok() || (fail(saved.error().message), false);
}

} // namespace

int main(int argc, char **argv) {
  std::string folder;
  std::vector<std::string> ops, dtypes, modules;
  CLI::App app("Writes the op table as Programs for CUDA, with inputs and expected values.");
  app.add_option("folder", folder)->required();
  app.add_option("--ops", ops, "Only these")->delimiter(',');
  app.add_option("--dtypes", dtypes, "Only these")->delimiter(',');
  app.add_option("--module", modules, "Instead of the op table: files of IR");
  CLI11_PARSE(app, argc, argv);
  for (const std::string &file : modules)
    if (!writeModule(file, folder)) return 1;
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
