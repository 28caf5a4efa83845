#include "TileCheck.h"

#include "../../support/OnDevice.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/frontend/detail/CompileModule.h"

#include <gmock/gmock.h>

#include <bit>
#include <random>
#include <regex>
#include <set>

using testing::HasSubstr;

namespace sinter::test {
namespace {

std::string textOf(const TileCase &c) {
  std::string arguments, types = c.types;
  for (size_t number = 0, at = 0; at != std::string::npos; ++number) {
    size_t end = types.find(", ", at);
    arguments += (number ? ", %" : "%") + std::string("x") + std::to_string(number) + ": " +
                 types.substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? end : end + 2;
  }
  std::string body = c.body;
  for (size_t at = 0; (at = body.find('%', at)) != std::string::npos; ++at)
    if (std::isdigit(static_cast<unsigned char>(body[at + 1]))) body.insert(at + 1, "x");
  return "func.func @f(" + arguments + ") -> " + c.result + " {\n" + body +
         "return %r : " + c.result + "\n}\n";
}

/// To the nearest number with ten bits of fraction, ties away from zero (PTX ISA, "cvt.rna.tf32.f32").
float asTf32(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x1000) & ~uint32_t(0x1fff));
}

/// NVRTC is given a kernel's headers and no others: what they include is among them.
void expectWholeHeaders(const runtime::Program &program) {
  static const std::regex include("#include \"([^\"]+)\"");
  for (const runtime::Kernel &kernel : program.kernels) {
    std::set<std::string> names;
    for (uint32_t header : kernel.headers) names.insert(program.headers[header].name);
    for (uint32_t header : kernel.headers) {
      const std::string &text = program.headers[header].text;
      for (std::sregex_iterator at(text.begin(), text.end(), include), end; at != end; ++at)
        EXPECT_TRUE(names.contains((*at)[1])) << (*at)[1] << " of " << kernel.name;
    }
  }
}

/// Uniform numbers in (-1, 1), for each argument.
std::vector<std::vector<double>> numbersFor(mlir::func::FuncOp function) {
  std::mt19937 random(7);
  std::vector<std::vector<double>> all;
  for (mlir::Type type : function.getArgumentTypes()) {
    auto &numbers = all.emplace_back(llvm::cast<mlir::RankedTensorType>(type).getNumElements());
    for (double &number : numbers) number = std::uniform_real_distribution<double>(-1, 1)(random);
  }
  return all;
}

/// The CUDA program of a planned module; its kernels bring all headers that they include.
mlir::FailureOr<runtime::Program> programOf(mlir::ModuleOp module) {
  codegen::CodegenOptions options;
  options.target = runtime::TargetKind::cuda;
  auto program = codegen::compileToProgram(module, options);
  if (succeeded(program)) expectWholeHeaders(*program);
  return program;
}

/// Runs @f on the emulated device and compares all results with what is expected.
void compare(runtime::Program program, mlir::ModuleOp reference,
             const std::vector<HostTensor> &inputs, const std::vector<HostTensor> &expected,
             const std::string &text) {
  auto device = runtime::emulatedCudaDevice({.schedules = 2, .seed = 1});
  ASSERT_TRUE(device.ok()) << device.error().message;
  auto executor = runtime::Executor::create(
      std::make_shared<const runtime::Program>(std::move(program)), *device);
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  std::vector<std::vector<uint8_t>> in, out;
  std::vector<const void *> addresses;
  std::vector<void *> outAddresses;
  for (const HostTensor &input : inputs) in.push_back(codegen::toBytes(input));
  for (const auto &bytes : in) addresses.push_back(bytes.data());
  auto types = resultTypes(reference, "f");
  for (auto type : types) out.emplace_back(codegen::tensorTypeOf(type).numBytes(), uint8_t(0xA5));
  for (auto &bytes : out) outAddresses.push_back(bytes.data());
  runtime::Status status = (*executor)->run(0, addresses, outAddresses);
  ASSERT_TRUE(status.ok()) << status.error().message << "\n" << text;
  std::vector<HostTensor> results;
  for (size_t i = 0; i < types.size(); ++i)
    results.push_back(codegen::fromBytes(types[i], out[i].data()));
  EXPECT_EQ(disagreement(expected, results), "") << text;
}

} // namespace

std::string nameOf(const TileCase &c, const Tile &tile) {
  return std::string(c.name) + "_" + std::to_string(tile.m) + "x" + std::to_string(tile.n) + "x" +
         std::to_string(tile.k) + "_parts" + std::to_string(tile.splits);
}

void checkTile(const TileCase &c, const Tile &tile, std::string &text,
               const std::function<void(std::string &source)> &edit) {
  Ir ir;
  auto module = ir.parse(textOf(c)), reference = ir.parse(textOf(c));
  ASSERT_TRUE(module) << ir.errors << textOf(c);
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.tf32 = tile.tf32;
  options.architecture = tile.threads >= 384 ? "sm_90a" : "sm_90";
  ASSERT_TRUE(succeeded(sinter::detail::planModule(*module, options))) << ir.errors;
  int contractions = 0;
  module->walk([&](ir::KernelOp kernel) {
    if (!isa<ir::ContractionScheduleAttr>(kernel.getSchedule())) return;
    kernel.setScheduleAttr(ir::ContractionScheduleAttr::get(
        &ir.context, tile.m, tile.n, tile.k, tile.splits, tile.threads, tile.stages));
    ++contractions;
  });
  ASSERT_EQ(contractions, 1);
  auto program = programOf(*module);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  for (runtime::Kernel &kernel : program->kernels) {
    if (edit) edit(kernel.source);
    text += kernel.source;
  }
  if (tile.grid)
    for (runtime::Instruction &instruction : program->entries[0].body)
      if (auto *launch = std::get_if<runtime::Launch>(&instruction.op))
        launch->shape.grid[0] = std::min(launch->shape.grid[0], tile.grid);
  if (tile.splits > 1 && tile.threads < 384) { EXPECT_THAT(text, HasSubstr("_parts(")); }

  auto function = Ir::function(*reference, "f");
  std::vector<HostTensor> inputs, factors; // what the device gets, and what it is to multiply
  std::vector<std::vector<double>> all = numbersFor(function);
  for (auto [type, numbers] : llvm::zip(function.getArgumentTypes(), all)) {
    inputs.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
    if (tile.tf32 && inputs.size() <= 2)
      for (double &number : numbers) number = asTf32(float(number));
    factors.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
  }
  auto expected = codegen::evaluate(function, factors);
  ASSERT_TRUE(succeeded(expected)) << ir.errors;

  compare(std::move(*program), *reference, inputs, {expected->begin(), expected->end()}, text);
}

void checkStages(const std::string &function, const std::string &architecture, const Tile *tile,
                 std::string &text) {
  Ir ir;
  auto module = ir.parse(function), reference = ir.parse(function);
  ASSERT_TRUE(module) << ir.errors;
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = architecture;
  ASSERT_TRUE(succeeded(sinter::detail::planModule(*module, options))) << ir.errors;
  int stages = 0;
  module->walk([&](ir::FusedOp stage) {
    if (tile)
      stage.setScheduleAttr(ir::ContractionScheduleAttr::get(
          &ir.context, tile->m, tile->n, tile->k, tile->splits, tile->threads, tile->stages));
    ++stages;
  });
  EXPECT_GT(stages, 1);
  auto program = programOf(*module);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  for (const runtime::Kernel &kernel : program->kernels) text += kernel.source;
  EXPECT_EQ(program->entries[0].body.size(), 1U) << text;
  auto evaluated = Ir::function(*reference, "f");
  std::vector<HostTensor> inputs;
  std::vector<std::vector<double>> all = numbersFor(evaluated);
  for (auto [type, numbers] : llvm::zip(evaluated.getArgumentTypes(), all))
    inputs.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
  auto expected = codegen::evaluate(evaluated, inputs);
  ASSERT_TRUE(succeeded(expected)) << ir.errors;
  compare(std::move(*program), *reference, inputs, {expected->begin(), expected->end()}, text);
}

} // namespace sinter::test
