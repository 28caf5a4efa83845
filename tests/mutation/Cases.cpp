#include "Cases.h"

#include "../ops/Harness.h"

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/codegen/cuda/DeviceHeaders.h"

#include "mlir/AsmParser/AsmParser.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sinter::test {
namespace {

/// A case of the op table.
struct Choice {
  std::string op, name, dtype;
  bool gradient;
};

const std::vector<Choice> few = {{"gelu", "shape33x65", "f32", false},
                                 {"pad", "2x3x17_to_2x4x21", "f32", false},
                                 {"sum", "33x130_over_1", "f32", false},
                                 {"argmax", "33x130_over_1", "f32", false},
                                 {"layer_norm", "3x130_over_130", "f32", false},
                                 {"max_pool2d", "padded", "f32", false},
                                 {"embedding", "rank2", "f32", false},
                                 {"scatter_add", "dim1", "f32", false},
                                 {"matmul", "33x70_by_70x49", "f32", false},
                                 {"conv2d", "padded", "f32", false},
                                 {"conv2d_input_grad", "strided", "f32", false},
                                 {"conv2d_weight_grad", "padded", "f32", false},
                                 {"attention", "long_causal", "f32", false},
                                 {"attention_backward", "causal", "f32", false},
                                 {"attention", "features64", "bf16", false},
                                 {"attention_backward", "features64", "bf16", false}};

int64_t elementsOf(const std::string &shape) {
  int64_t count = 1;
  for (size_t at = 0; at < shape.size(); at = std::min(shape.find('x', at), shape.size() - 1) + 1)
    count *= std::stoll(shape.substr(at));
  return count;
}

/// The largest `most` cases of a row.
std::vector<const OpCase *> largestOf(const OpRow &row, size_t most) {
  std::vector<std::pair<int64_t, const OpCase *>> sized;
  for (const OpCase &c : row.cases) {
    int64_t elements = 0;
    for (const OpInput &input : c.inputs) elements += elementsOf(input.shape);
    sized.push_back({-elements, &c});
  }
  std::stable_sort(sized.begin(), sized.end(),
                   [](const auto &a, const auto &b) { return a.first < b.first; });
  std::vector<const OpCase *> result;
  for (size_t i = 0; i < std::min(most, sized.size()); ++i) result.push_back(sized[i].second);
  return result;
}

std::vector<Choice> choicesOf(bool all) {
  if (!all) return few;
  std::vector<Choice> choices;
  for (const OpRow &row : opTable()) {
    bool hasFloat = std::count(row.dtypes.begin(), row.dtypes.end(), "f32");
    std::string dtype = hasFloat ? "f32" : row.dtypes[0];
    for (const OpCase *c : largestOf(row, 2)) {
      choices.push_back({row.op, c->name, dtype, false});
      if (c->gradientResults && !differentiableInputs(*c, dtype).empty())
        choices.push_back({row.op, c->name, dtype, true});
    }
    if (row.op == "matmul" || row.op.starts_with("conv2d") || row.op.starts_with("attention"))
      choices.push_back({row.op, largestOf(row, 1)[0]->name, "bf16", false});
  }
  return choices;
}

const OpCase *caseOf(const Choice &choice) {
  for (const OpCase &c : opRow(choice.op).cases)
    if (c.name == choice.name) return &c;
  return nullptr;
}

std::optional<MutationCase> caseFor(Ir &ir, const std::string &title, const std::string &text,
                                    const std::vector<HostTensor> &inputs,
                                    std::vector<std::string> &problems) {
  auto module = ir.parse(text);
  if (!module) {
    problems.push_back(title + ": " + ir.errors);
    return std::nullopt;
  }
  auto types = resultTypes(*module, "f");
  std::string problem;
  auto program = programFor(ir, *module, "cuda-emulated", problem);
  if (!program) {
    problems.push_back(title + ": " + problem);
    return std::nullopt;
  }
  MutationCase made{title, std::move(*program), "f", {}, {}};
  for (const HostTensor &input : inputs) made.inputs.push_back(codegen::toBytes(input));
  for (auto type : types) made.outputBytes.push_back(codegen::tensorTypeOf(type).numBytes());
  return made;
}

/// Momentum on parameters of three shapes: kernels of kind update, or whatever fusion makes of it.
std::optional<MutationCase> updateCase(Ir &ir, std::vector<std::string> &problems) {
  std::string arguments, body, results, types;
  std::vector<HostTensor> inputs;
  std::mt19937 random(5);
  for (int i = 0; const char *shape : {"9x37", "300", "5"}) {
    std::string type = fmt::format("tensor<{}xf32>", shape), comma = i ? ", " : "";
    for (const char *part : {"p", "g", "m"}) {
      arguments += fmt::format("{}%{}{}: {}", arguments.empty() ? "" : ", ", part, i, type);
      auto parsed = llvm::cast<mlir::RankedTensorType>(mlir::parseType(type, &ir.context));
      std::vector<double> numbers(parsed.getNumElements());
      for (double &x : numbers) x = std::uniform_real_distribution<double>(-1, 1)(random);
      inputs.push_back(codegen::fromNumbers(parsed, numbers));
    }
    body += fmt::format("  %n{0} = sinter.add %m{0}, %g{0} : {1}\n"
                        "  %q{0} = sinter.sub %p{0}, %n{0} : {1}\n",
                        i, type);
    results += fmt::format("{0}%n{1}, %q{1}", comma, i);
    types += fmt::format("{0}{1}, {1}", comma, type);
    ++i;
  }
  return caseFor(ir, "update of 3 parameters",
                 fmt::format("func.func @f({}) -> ({}) {{\n{}  return {} : {}\n}}\n", arguments,
                             types, body, results, types),
                 inputs, problems);
}

/// Matrix units: copies several steps ahead on both sides, on one, on none; tiles that are cut on every side.
struct Product {
  const char *title, *text;
};
const Product products[] = {
    {"matrix product, both sides copied",
     "func.func @f(%x: tensor<40x136xbf16>, %w: tensor<136x72xbf16>, %b: tensor<72xbf16>) -> "
     "tensor<40x72xbf16> {\n"
     "  %p = sinter.matmul %x, %w : (tensor<40x136xbf16>, tensor<136x72xbf16>) -> "
     "tensor<40x72xbf16>\n"
     "  %c = sinter.broadcast %b : (tensor<72xbf16>) -> tensor<40x72xbf16>\n"
     "  %r = sinter.add %p, %c : tensor<40x72xbf16>\n"
     "  return %r : tensor<40x72xbf16>\n}\n"},
    {"matrix product, transposed",
     "func.func @f(%x: tensor<104x72xf16>, %w: tensor<88x104xf16>) -> tensor<72x88xf16> {\n"
     "  %r = sinter.matmul %x, %w {transpose_a = true, transpose_b = true} : (tensor<104x72xf16>, "
     "tensor<88x104xf16>) -> tensor<72x88xf16>\n"
     "  return %r : tensor<72x88xf16>\n}\n"},
    {"convolution, one side copied",
     "func.func @f(%x: tensor<2x16x9x9xbf16>, %w: tensor<40x16x3x3xbf16>) -> tensor<2x40x9x9xbf16> "
     "{\n"
     "  %r = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<2x16x9x9xbf16>, "
     "tensor<40x16x3x3xbf16>) -> tensor<2x40x9x9xbf16>\n"
     "  return %r : tensor<2x40x9x9xbf16>\n}\n"},
    {"matrix product, odd sizes",
     "func.func @f(%x: tensor<35x70xbf16>, %w: tensor<70x49xbf16>) -> tensor<35x49xbf16> {\n"
     "  %r = sinter.matmul %x, %w : (tensor<35x70xbf16>, tensor<70x49xbf16>) -> "
     "tensor<35x49xbf16>\n"
     "  return %r : tensor<35x49xbf16>\n}\n"}};

std::vector<HostTensor> inputsOf(mlir::ModuleOp module) {
  std::vector<HostTensor> inputs;
  std::mt19937 random(3);
  for (mlir::Type type : Ir::function(module, "f").getArgumentTypes()) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    std::vector<double> numbers(tensor.getNumElements());
    for (double &x : numbers) x = std::uniform_real_distribution<double>(-1, 1)(random);
    inputs.push_back(codegen::fromNumbers(tensor, numbers));
  }
  return inputs;
}

std::optional<MutationCase> productCase(Ir &ir, const Product &product,
                                        std::vector<std::string> &problems) {
  auto module = ir.parse(product.text);
  return caseFor(ir, product.title, product.text,
                 module ? inputsOf(*module) : std::vector<HostTensor>(), problems);
}

/// A softmax of a row that a cluster of two blocks shares, the second of which has fewer columns.
std::optional<MutationCase> clusterRowCase(Ir &ir, const std::string &title,
                                           std::vector<std::string> &problems) {
  auto module = ir.parse("func.func @f(%x: tensor<1x33000xf32>) -> tensor<1x33000xf32> {\n"
                         "  %r = sinter.softmax %x {dim = 1 : i64} : tensor<1x33000xf32>\n"
                         "  return %r : tensor<1x33000xf32>\n}\n");
  auto target = codegen::cudaTarget(ir.context, "sm_90");
  mlir::FailureOr<runtime::Program> program = mlir::failure();
  if (module && succeeded(target)) {
    (*module)->setAttr(ir::targetAttr, *target);
    codegen::CodegenOptions options;
    options.target = runtime::TargetKind::cuda;
    if (succeeded(passes::runPipeline(*module, {}, {}, nullptr)))
      program = codegen::compileToProgram(*module, options);
  }
  if (failed(program)) {
    problems.push_back(title + ": " + ir.errors);
    return std::nullopt;
  }
  MutationCase made{title, std::move(*program), "f", {}, {33000 * 4}};
  std::vector<float> row(33000);
  std::mt19937 random(4);
  for (float &x : row) x = std::uniform_real_distribution<float>(-1, 1)(random);
  const auto *bytes = reinterpret_cast<const uint8_t *>(row.data());
  made.inputs.emplace_back(bytes, bytes + row.size() * 4);
  return made;
}

/// Products by warpgroups, which the model would not choose for so little: more steps of k than slots, tiles that are cut,
/// one block, or a cluster of two, that makes several, bias and residual on their way out.
std::optional<MutationCase> warpgroupCase(Ir &ir, const std::string &title, bool transposed,
                                          unsigned cluster, unsigned parts,
                                          std::vector<std::string> &problems) {
  std::string x = transposed ? "tensor<320x136xbf16>" : "tensor<136x320xbf16>",
              w = transposed ? "tensor<200x320xbf16>" : "tensor<320x200xbf16>",
              how = transposed ? " {transpose_a = true, transpose_b = true}" : "";
  // A result of 16 bits leaves by bulk copies, one of 32 does not.
  std::string result = transposed ? "tensor<136x200xf32>" : "tensor<136x200xbf16>",
              last = transposed ? "  %r = sinter.cast %s : (tensor<136x200xbf16>) -> " + result
                                : "  %r = sinter.relu %s : " + result;
  std::string text =
      fmt::format("func.func @f(%x: {0}, %w: {1}, %b: tensor<200xbf16>) -> {3} {{\n"
                  "  %p = sinter.matmul %x, %w{2} : ({0}, {1}) -> tensor<136x200xbf16>\n"
                  "  %c = sinter.broadcast %b : (tensor<200xbf16>) -> tensor<136x200xbf16>\n"
                  "  %s = sinter.add %p, %c : tensor<136x200xbf16>\n{4}\n  return %r : {3}\n}}\n",
                  x, w, how, result, last);
  auto module = ir.parse(text);
  auto target = codegen::cudaTarget(ir.context, "sm_90a");
  if (!module || mlir::failed(target)) {
    problems.push_back(title + ": " + ir.errors);
    return std::nullopt;
  }
  MutationCase made{title, {}, "f", {}, {}};
  for (const HostTensor &input : inputsOf(*module)) made.inputs.push_back(codegen::toBytes(input));
  for (auto type : resultTypes(*module, "f"))
    made.outputBytes.push_back(codegen::tensorTypeOf(type).numBytes());
  (*module)->setAttr(ir::targetAttr, *target);
  codegen::CodegenOptions options;
  options.target = runtime::TargetKind::cuda;
  bool planned = mlir::succeeded(passes::runPipeline(*module, {}, {}, nullptr));
  module->walk([&](ir::KernelOp kernel) {
    if (isa<ir::ContractionScheduleAttr>(kernel.getSchedule()))
      kernel.setScheduleAttr(ir::ContractionScheduleAttr::get(
          &ir.context, 128, 128, 64, /*splitK=*/parts, /*threads=*/cluster * 384, /*stages=*/2));
  });
  mlir::FailureOr<runtime::Program> program = mlir::failure();
  if (planned) program = codegen::compileToProgram(*module, options);
  if (mlir::failed(program)) {
    problems.push_back(title + ": " + ir.errors);
    return std::nullopt;
  }
  made.program = std::move(*program);
  for (runtime::Instruction &instruction : made.program.entries[0].body)
    if (auto *launch = std::get_if<runtime::Launch>(&instruction.op); launch && parts == 1)
      launch->shape.grid[0] = cluster;
  return made;
}

} // namespace

void eachCase(bool all, const std::string &filter, std::vector<std::string> &problems,
              const std::function<void(const MutationCase &)> &body) {
  auto visit = [&](const std::string &title, auto make) {
    if (title.find(filter) == std::string::npos) return;
    Ir ir;
    if (std::optional<MutationCase> made = make(ir)) body(*made);
  };
  for (const Choice &choice : choicesOf(all)) {
    std::string title = fmt::format("{} {} {}{}", choice.op, choice.name, choice.dtype,
                                    choice.gradient ? " gradient" : "");
    const OpCase *c = caseOf(choice);
    if (!c) {
      problems.push_back(title + ": not in the op table");
      continue;
    }
    visit(title, [&](Ir &ir) {
      std::string text = choice.gradient ? gradientText(*c, choice.dtype, "f")
                                         : functionText(*c, choice.dtype, "f");
      return caseFor(ir, title, text, inputsOf(ir, *c, choice.dtype, choice.gradient), problems);
    });
  }
  for (const Product &product : products)
    visit(product.title, [&](Ir &ir) { return productCase(ir, product, problems); });
  for (unsigned cluster : {1u, 2u})
    for (bool transposed : {false, true}) {
      std::string title = fmt::format("warpgroups' product{}{}", transposed ? ", transposed" : "",
                                      cluster > 1 ? ", of clusters" : "");
      visit(title,
            [&](Ir &ir) { return warpgroupCase(ir, title, transposed, cluster, 1, problems); });
    }
  std::string parts = "warpgroups' product, in parts by clusters";
  visit(parts, [&](Ir &ir) { return warpgroupCase(ir, parts, false, 2, 2, problems); });
  std::string row = "softmax of a row by a cluster";
  visit(row, [&](Ir &ir) { return clusterRowCase(ir, row, problems); });
  visit("update of 3 parameters", [&](Ir &ir) { return updateCase(ir, problems); });
}

MutationCase headerCase() {
  using namespace runtime;
  MutationCase made{"block functions of the device headers", {}, "f", {}, {}};
  Program &program = made.program;
  program.target = TargetKind::cuda;
  Kernel kernel;
  kernel.name = "blockFunctions";
  for (const auto &header : codegen::deviceHeaders()) {
    kernel.headers.push_back(uint32_t(program.headers.size()));
    program.headers.push_back({header.name, header.text});
  }
  // Each function again and again at one place, with no other barrier between: its array is written
  // again while slow warps may still read it.
  kernel.source = R"(#include "sinter/memory.cuh"
#include "sinter/reduce.cuh"

extern "C" __global__ void __launch_bounds__(96)
blockFunctions(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL(f32) p1) {
  const i64 v0 = (i64)threadIdx.x;
  f32 v1 = loadOr(p0, v0, v0 < 83, 0.0f), v2 = 0.0f;
  for (i64 v3 = 0; v3 < 3; v3 += 1)
    v2 += blockReduce<96>(v1 * (f32)(v3 + 1), Sum{});
  for (i64 v4 = 0; v4 < 3; v4 += 1)
    v1 = blockScan<96>(v1, Sum{}) * 0.125f;
  storeIf(p1, v0, v0 < 83, v1 + v2);
}
)";
  program.kernels.push_back(kernel);
  Launch launch;
  launch.shape.block = {96, 1, 1};
  launch.params = {PointerParam{{Space::input, 0, 0, 83 * 4}, false},
                   PointerParam{{Space::output, 0, 0, 83 * 4}, true}};
  Entry entry;
  entry.name = "f";
  entry.inputs = {{"x", {DType::f32, {83}}}};
  entry.outputs = {{"y", {DType::f32, {83}}}};
  entry.body.push_back({launch, {}});
  program.entries = {entry};
  std::vector<float> numbers(83);
  std::mt19937 random(11);
  for (float &x : numbers) x = float(random() % 1000) / 64;
  made.inputs.emplace_back(83 * 4);
  std::memcpy(made.inputs[0].data(), numbers.data(), 83 * 4);
  made.outputBytes = {83 * 4};
  return made;
}

std::vector<HeaderMutant> headerMutants(const MutationCase &original) {
  struct Edit {
    const char *from, *to;
  };
  // Checks of lanes in reduce.cuh, of bounds in memory.cuh, and every block barrier.
  const Edit edits[] = {
      {"__syncthreads();", ";"},
      {"laneId() < warps ?", "true ?"},
      {"laneId() >= delta", "true"},
      {"return inBounds ? static_cast<T>(p[i]) : other;", "return static_cast<T>(p[i]);"},
      {"if (inBounds) p[i] = x;", "p[i] = x;"}};
  std::vector<HeaderMutant> mutants;
  for (size_t h = 0; h < original.program.headers.size(); ++h) {
    const auto &[name, text] = original.program.headers[h];
    if (name != "sinter/reduce.cuh" && name != "sinter/memory.cuh") continue;
    for (const Edit &edit : edits)
      for (size_t at = 0; (at = text.find(edit.from, at)) != std::string::npos; ++at) {
        HeaderMutant mutant;
        auto line = 1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(at), '\n');
        mutant.what = fmt::format("{}:{} {}", name, line, edit.from);
        mutant.program = original.program;
        mutant.program.headers[h].text =
            text.substr(0, at) + edit.to + text.substr(at + std::strlen(edit.from));
        mutants.push_back(std::move(mutant));
      }
  }
  return mutants;
}

} // namespace sinter::test
