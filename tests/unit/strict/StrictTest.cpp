#include "../../support/OnDevice.h"

#include "sinter/runtime/cpu/KernelImage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

// Strict numerics: the same bits however ops are put together in kernels.

namespace sinter::test {
namespace {

struct Result {
  std::vector<HostTensor> tensors;
  std::string problem;
};

/// Numbers of either sign, of magnitudes whose sums depend on their order.
std::vector<HostTensor> inputsOf(mlir::ModuleOp module) {
  std::mt19937_64 random(7);
  auto uniform = [&](double low, double high) {
    return low + (high - low) * double(random() >> 11) * 0x1p-53;
  };
  std::vector<HostTensor> inputs;
  for (mlir::Type type : Ir::function(module, "f").getArgumentTypes()) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    std::vector<double> numbers(tensor.getNumElements());
    for (double &x : numbers) x = uniform(-3, 3) * uniform(0.01, 1);
    inputs.push_back(codegen::fromNumbers(tensor, numbers));
  }
  return inputs;
}

Result run(Ir &ir, const std::string &text, const std::string &device, const std::string &numerics,
           bool fuse) {
  Result result;
  auto module = ir.parse(text);
  if (!module) return {{}, "is not valid: " + ir.errors};
  std::vector<HostTensor> inputs = inputsOf(*module);
  std::vector<mlir::RankedTensorType> types = resultTypes(*module, "f");
  passes::PipelineOptions options;
  options.numerics = numerics;
  options.fuse = fuse;
  OnDevice compiled(ir, *module, device, options);
  if (!compiled.problem.empty()) return {{}, compiled.problem};
  result.tensors = compiled.run("f", inputs, types);
  result.problem = compiled.problem;
  return result;
}

/// What the function gives fused and not fused differs in: empty for nothing.
std::string difference(const std::string &text, const std::string &device,
                       const std::string &numerics) {
  Ir ir;
  Result apart = run(ir, text, device, numerics, false),
         fused = run(ir, text, device, numerics, true);
  for (const Result *result : {&apart, &fused})
    if (!result->problem.empty()) return result->problem;
  return bitDifference(apart.tensors, fused.tensors);
}

/// Per row, how many elements of a producer equal the row's largest.
std::string equalsMax(const std::string &producer, const std::string &element) {
  std::string t = fmt::format("tensor<7x45x{}>", element),
              r = fmt::format("tensor<7x1x{}>", element);
  std::string body = producer;
  for (size_t at; (at = body.find("$t")) != std::string::npos;) body.replace(at, 2, t);
  return fmt::format(R"(func.func @f(%x: {0}, %a: {0}, %b: {0}) -> tensor<7xf32> {{
{2}
  %m = sinter.max %p {{dim = array<i64: 1>, keepdim = true}} : ({0}) -> {1}
  %w = sinter.broadcast %m : ({1}) -> {0}
  %e = sinter.compare eq %p, %w : ({0}, {0}) -> tensor<7x45xi1>
  %n = sinter.cast %e : (tensor<7x45xi1>) -> tensor<7x45xf32>
  %s = sinter.sum %n {{dim = array<i64: 1>}} : (tensor<7x45xf32>) -> tensor<7xf32>
  return %s : tensor<7xf32>
}}
)",
                     t, r, body);
}

const char *const producers[] = {
    "  %p = sinter.exp %x : $t",
    "  %p = sinter.gelu %x : $t",
    "  %q = sinter.mul %x, %a : $t\n  %p = sinter.add %q, %b : $t",
    "  %q = sinter.mul %x, %a : $t\n  %r = sinter.sub %q, %b : $t\n  %p = sinter.tanh %r : $t",
};

// The maximum is of the very values that it is compared with, though they are computed twice.
void expectEqualsMax(const std::string &device) {
  for (const char *producer : producers)
    for (const char *element : {"f32", "bf16", "f16"}) {
      std::string text = equalsMax(producer, element);
      for (const char *numerics : {"default", "strict"}) {
        Ir ir;
        Result fused = run(ir, text, device, numerics, true);
        ASSERT_EQ(fused.problem, "") << text;
        for (int64_t row = 0; row < 7; ++row)
          EXPECT_GE(fused.tensors[0].at(row), 1) << numerics << "\n" << text;
      }
      EXPECT_EQ(difference(text, device, "strict"), "") << text;
    }
}
TEST(Strict, MaximumEqualsWhatItIsOf) { expectEqualsMax("cpu"); }
TEST(Strict, MaximumEqualsWhatItIsOfOnCudaEmulated) { expectEqualsMax("cuda-emulated"); }

TEST(Strict, MaximumAndComparisonAreOneKernel) {
  Ir ir;
  auto module = ir.parse(equalsMax(producers[2], "f32"));
  ASSERT_TRUE(module) << ir.errors;
  std::string problem;
  auto program = programFor(ir, *module, "cpu", problem);
  ASSERT_TRUE(program) << problem;
  EXPECT_EQ(program->kernels.size(), 1u);
}

/// Queries, keys and values of one x, the gradients of their weights, and of x: products of one launch, and added up.
std::string projections(const std::string &element) {
  auto type = [&](const char *shape) { return fmt::format("tensor<{}x{}>", shape, element); };
  std::string x = type("512x64"), w = type("64x64"), body, sum;
  for (int i = 0; i < 3; ++i) {
    body +=
        fmt::format(R"(  %y{0} = sinter.matmul %x, %w{0} {{transpose_b = true}} : ({1}, {2}) -> {1}
  %t{0} = sinter.tanh %y{0} : {1}
  %g{0} = sinter.matmul %t{0}, %x {{transpose_a = true}} : ({1}, {1}) -> {2}
  %d{0} = sinter.matmul %t{0}, %w{0} : ({1}, {2}) -> {1}
)",
                    i, x, w);
    if (i) body += fmt::format("  %s{0} = sinter.add {1}, %d{0} : {2}\n", i, sum, x);
    sum = i ? fmt::format("%s{}", i) : "%d0";
  }
  return fmt::format(
      "func.func @f(%x: {0}, %w0: {1}, %w1: {1}, %w2: {1}) -> ({0}, {1}, {1}, {1}) {{\n"
      "{2}  return {3}, %g0, %g1, %g2 : {0}, {1}, {1}, {1}\n}}\n",
      x, w, body, sum);
}

void expectSameProducts(const std::string &device) {
  for (const char *element : {"f32", "bf16", "f64"})
    EXPECT_EQ(difference(projections(element), device, "strict"), "") << element;
}
TEST(Strict, ProductsDoNotDependOnWhatIsBesideThem) { expectSameProducts("cpu"); }
TEST(Strict, ProductsDoNotDependOnWhatIsBesideThemOnCudaEmulated) {
  expectSameProducts("cuda-emulated");
}

/// A function that reduces what a producer makes of its input.
struct Case {
  const char *from;     // the input's shape
  const char *producer; // from %x to %p
  const char *shape, *dims, *to;
};
std::string text(const Case &c, const std::string &element, const char *reduction) {
  auto type = [&](const char *shape) {
    return fmt::format("tensor<{}{}{}>", shape, *shape ? "x" : "", element);
  };
  std::string body = c.producer;
  auto replace = [&](const char *what, const std::string &by) {
    for (size_t at; (at = body.find(what)) != std::string::npos;) body.replace(at, 2, by);
  };
  replace("$f", type(c.from));
  replace("$t", type(c.shape));
  return fmt::format(
      "func.func @f(%x: {0}) -> {1} {{\n{2}\n  %s = sinter.{3} %p {{dim = array<i64: "
      "{4}>}} : ({5}) -> {1}\n  return %s : {1}\n}}\n",
      type(c.from), type(c.to), body, reduction, c.dims, type(c.shape));
}

const Case cases[] = {
    // Dimensions that the producer keeps from being walked through as one.
    {"6x7", "  %p = sinter.broadcast %x : ($f) -> $t", "5x6x7", "0, 1, 2", ""},
    {"4x9",
     "  %t = sinter.transpose %x {permutation = array<i64: 1, 0>} : ($f) -> tensor<9x4xE>\n"
     "  %p = sinter.exp %t : $t",
     "9x4", "0, 1", ""},
    {"1x40", "  %p = sinter.broadcast %x : ($f) -> $t", "13x40", "0, 1", ""},
    // Ends of lines under a mask or not.
    {"5x35", "  %p = sinter.mul %x, %x : $t", "5x35", "1", "5"},
    {"5x139", "  %p = sinter.exp %x : $t", "5x139", "1", "5"},
    {"3x50",
     "  %p = sinter.pad %x {low = array<i64: 0, 3>, high = array<i64: 0, 4>, "
     "interior = array<i64: 0, 0>} : ($f) -> $t",
     "3x57", "1", "3"},
    {"3x4x5x6", "  %p = sinter.gelu %x : $t", "3x4x5x6", "0, 2, 3", "4"},
    {"8x50", "  %p = sinter.sin %x : $t", "8x50", "0", "50"},
};

std::string withElement(std::string body, const std::string &element) {
  for (size_t at; (at = body.find("xE>")) != std::string::npos;)
    body.replace(at, 3, "x" + element + ">");
  return body;
}

void expectReductions(const std::string &device) {
  for (const Case &c : cases)
    for (const char *element : {"f32", "bf16", "f16"})
      for (const char *reduction : {"sum", "mean"}) {
        std::string function = withElement(text(c, element, reduction), element);
        EXPECT_EQ(difference(function, device, "strict"), "") << function;
      }
}
TEST(Strict, ReductionsDoNotDependOnWhatMakesTheirOperand) { expectReductions("cpu"); }
TEST(Strict, ReductionsDoNotDependOnWhatMakesTheirOperandOnCudaEmulated) {
  expectReductions("cuda-emulated");
}

// The shape alone decides in which order a sum is made, not what registers there are.
TEST(Strict, SumsAreTheSameOnEveryInstructionSet) {
  for (const char *shape : {"5x139", "7x16", "3x1000", "4x15"}) {
    std::string from = fmt::format("tensor<{}xf32>", shape),
                to = fmt::format("tensor<{}xf32>", std::string(shape).substr(0, 1));
    std::string function = fmt::format(
        "func.func @f(%x: {0}) -> {1} {{\n  %s = sinter.sum %x {{dim = array<i64: 1>}} : "
        "({0}) -> {1}\n  return %s : {1}\n}}\n",
        from, to);
    Ir ir;
    std::vector<HostTensor> first;
    for (const char *isa : {"generic", "avx2", "avx512", "avx512_bf16", "amx"}) {
      if (!runtime::hostRuns(isa)) continue;
      setenv("SINTER_CPU_ISA", isa, 1);
      Result made = run(ir, function, "cpu", "strict", true);
      unsetenv("SINTER_CPU_ISA");
      ASSERT_EQ(made.problem, "") << isa;
      if (first.empty()) first = made.tensors;
      EXPECT_EQ(bitDifference(first, made.tensors), "") << isa << " " << shape;
    }
  }
}

} // namespace
} // namespace sinter::test
