// Corners, errors and structure; values op by op are compared in VectorTest.cpp.

#include "sinter/codegen/reference/Evaluator.h"
#include "../../support/Ir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sinter::test {
namespace {

using codegen::EvaluatorOptions;
using codegen::HostTensor;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::nan("");

class EvaluatorTest : public testing::Test {
protected:
  /// Evaluates @f of `text` on numbers of its arguments' types.
  std::vector<HostTensor> run(const std::string &text,
                              const std::vector<std::vector<double>> &inputs,
                              const EvaluatorOptions &options = {}) {
    module = ir.parse(text);
    if (!module) {
      ADD_FAILURE() << ir.errors;
      return {};
    }
    auto function = Ir::function(*module, "f");
    llvm::SmallVector<HostTensor> tensors;
    for (auto [type, numbers] : llvm::zip(function.getArgumentTypes(), inputs))
      tensors.push_back(codegen::fromNumbers(llvm::cast<mlir::RankedTensorType>(type), numbers));
    auto results = codegen::evaluate(function, tensors, options);
    if (failed(results)) return {};
    return {results->begin(), results->end()};
  }
  HostTensor one(const std::string &text, const std::vector<std::vector<double>> &inputs) {
    auto results = run(text, inputs);
    EXPECT_EQ(results.size(), 1u) << ir.errors;
    return results.empty() ? HostTensor() : results[0];
  }
  /// @f with one op: `op` is its text after `%r = sinter.`.
  static std::string unary(const std::string &op, const std::string &from, const std::string &to) {
    return "func.func @f(%x: " + from + ") -> " + to + " {\n  %r = sinter." + op + " %x : (" +
           from + ") -> " + to + "\n  return %r : " + to + "\n}";
  }
  static std::string binary(const std::string &op, const std::string &type) {
    return "func.func @f(%x: " + type + ", %y: " + type + ") -> " + type + " {\n  %r = sinter." +
           op + " %x, %y : " + type + "\n  return %r : " + type + "\n}";
  }
  void expectError(const std::string &text, const std::vector<std::vector<double>> &inputs,
                   const std::string &message) {
    EXPECT_TRUE(run(text, inputs).empty());
    EXPECT_THAT(ir.errors, HasSubstr(message));
  }

  Ir ir;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(EvaluatorTest, NarrowFloatsRoundToNearestEven) {
  using runtime::DType;
  EXPECT_EQ(codegen::roundTo(DType::bf16, 1 + 0x1p-8), 1);             // a tie, to even
  EXPECT_EQ(codegen::roundTo(DType::bf16, 1 + 0x3p-8), 1 + 0x1p-6);    // a tie, to even
  EXPECT_EQ(codegen::roundTo(DType::bf16, 1 + 0x1.01p-8), 1 + 0x1p-7); // above the tie
  EXPECT_EQ(codegen::roundTo(DType::f16, 65519.9), 65504);
  EXPECT_EQ(codegen::roundTo(DType::f16, 65520), infinity);
  EXPECT_EQ(codegen::roundTo(DType::f16, 0x1p-25), 0);          // half of the smallest, to even
  EXPECT_EQ(codegen::roundTo(DType::f16, 0x1.8p-25), 0x1p-24);  // subnormal
  EXPECT_EQ(codegen::roundTo(DType::bf16, -3.4e38), -infinity); // beyond the largest
  EXPECT_TRUE(std::isnan(codegen::roundTo(DType::bf16, nan)));
  EXPECT_TRUE(std::signbit(codegen::roundTo(DType::bf16, -0.0)));
  EXPECT_EQ(codegen::roundTo(DType::f32, 0.1), static_cast<double>(0.1f));
}

TEST_F(EvaluatorTest, BytesGoBothWays) {
  for (auto [name, numbers] : std::vector<std::pair<std::string, std::vector<double>>>{
           {"f32", {1.5, -0.0, infinity, 0x1p-149}},
           {"f64", {0.1, -0.0, infinity, 0x1p-1074}},
           {"bf16", {1.5, -0.0, -infinity, 0x1p-133}},
           {"f16", {1.5, -0.0, -infinity, 0x1p-24}},
           {"i32", {-2147483648.0, 2147483647, 0, -1}},
           {"i64", {-0x1p63, 0x1p53, 0, -1}},
           {"i1", {0, 1, 1, 0}},
           {"u8", {0, 255, 128, 1}}}) {
    auto type = mlir::RankedTensorType::get(
        {4}, codegen::elementTypeOf(&ir.context, *runtime::parseDType(name)));
    HostTensor tensor = codegen::fromNumbers(type, numbers);
    std::vector<uint8_t> bytes = codegen::toBytes(tensor);
    EXPECT_EQ(bytes.size(), 4u * runtime::byteWidth(*runtime::parseDType(name)));
    HostTensor again = codegen::fromBytes(type, bytes.data());
    EXPECT_EQ(codegen::toBytes(again), bytes) << name;
    for (size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(again.at(i), numbers[i]) << name;
  }
  auto bf16 =
      mlir::RankedTensorType::get({1}, codegen::elementTypeOf(&ir.context, runtime::DType::bf16));
  EXPECT_THAT(codegen::toBytes(codegen::fromNumbers(bf16, {1.0})), ElementsAre(0x80, 0x3F));
}

TEST_F(EvaluatorTest, IntegersWrap) {
  EXPECT_THAT(one(binary("add", "tensor<2xi32>"), {{2147483647, -2147483648.0}, {1, -1}}).integers,
              ElementsAre(-2147483648LL, 2147483647));
  EXPECT_THAT(one(binary("mul", "tensor<2xui8>"), {{200, 16}, {2, 16}}).integers,
              ElementsAre(144, 0));
  EXPECT_THAT(one(binary("sub", "tensor<1xui8>"), {{1}, {2}}).integers, ElementsAre(255));
  EXPECT_THAT(one(binary("floor_divide", "tensor<1xi32>"), {{-2147483648.0}, {-1}}).integers,
              ElementsAre(-2147483648LL));
  EXPECT_THAT(one(binary("remainder", "tensor<4xi64>"), {{7, -7, 7, -7}, {3, 3, -3, -3}}).integers,
              ElementsAre(1, 2, -2, -1));
}

TEST_F(EvaluatorTest, FloatsToIntegersTruncateAndSaturate) {
  std::vector<double> x{2.9, -2.9, nan, infinity, -infinity, 300, 1e20};
  EXPECT_THAT(one(unary("cast", "tensor<7xf32>", "tensor<7xi32>"), {x}).integers,
              ElementsAre(2, -2, 0, 2147483647, -2147483648LL, 300, 2147483647));
  EXPECT_THAT(one(unary("cast", "tensor<7xf32>", "tensor<7xui8>"), {x}).integers,
              ElementsAre(2, 0, 0, 255, 0, 255, 255));
  EXPECT_THAT(one(unary("cast", "tensor<7xf32>", "tensor<7xi64>"), {x}).integers,
              ElementsAre(2, -2, 0, INT64_MAX, INT64_MIN, 300, INT64_MAX));
  EXPECT_THAT(one(unary("cast", "tensor<4xf32>", "tensor<4xi1>"), {{0.5, 0, -0.0, nan}}).integers,
              ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(one(unary("cast", "tensor<2xi64>", "tensor<2xui8>"), {{257, -1}}).integers,
              ElementsAre(1, 255));
}

TEST_F(EvaluatorTest, PhiloxIsThePublishedOne) {
  // The known answers of Random123: counter 0, key 0, and a counter and key of ones.
  const char *text = R"(func.func @f(%seed: tensor<i64>, %step: tensor<i64>) -> tensor<6xf32> {
    %r = sinter.random_uniform %seed, %step {stream = STREAM} : (tensor<i64>, tensor<i64>) -> tensor<6xf32>
    return %r : tensor<6xf32>
  })";
  auto withStream = [&](const std::string &stream) {
    std::string with = text;
    return with.replace(with.find("STREAM"), 6, stream);
  };
  auto drawn = one(withStream("0"), {{0}, {0}});
  uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(drawn.values[i], (words[i] >> 8) * 0x1p-24);
  EXPECT_NE(drawn.values[4], drawn.values[0]);
  EXPECT_NE(one(withStream("1"), {{0}, {0}}).values, drawn.values);
  EXPECT_NE(one(withStream("0"), {{1}, {0}}).values, drawn.values);
  EXPECT_NE(one(withStream("0"), {{0}, {1}}).values, drawn.values);
}

TEST_F(EvaluatorTest, RandomNumbersHaveTheirMoments) {
  auto drawn = run(
      R"(func.func @f(%seed: tensor<i64>, %step: tensor<i64>) -> (tensor<20000xf32>, tensor<20000xf32>, tensor<20000xf32>) {
    %n = sinter.random_normal %seed, %step {stream = 7, mean = 1.0 : f64, std = 2.0 : f64} : (tensor<i64>, tensor<i64>) -> tensor<20000xf32>
    %b = sinter.random_bernoulli %seed, %step {stream = 8, p = 3.0e-1 : f64} : (tensor<i64>, tensor<i64>) -> tensor<20000xf32>
    %c = sinter.constant dense<1.0> : tensor<20000xf32>
    %d = sinter.dropout %c, %seed, %step {stream = 8, p = 3.0e-1 : f64} : (tensor<20000xf32>, tensor<i64>, tensor<i64>) -> tensor<20000xf32>
    return %n, %b, %d : tensor<20000xf32>, tensor<20000xf32>, tensor<20000xf32>
  })",
      {{42}, {3}});
  ASSERT_EQ(drawn.size(), 3u) << ir.errors;
  double sum = 0, squares = 0, ones = 0;
  for (int i = 0; i < 20000; ++i) {
    sum += drawn[0].values[i];
    squares += (drawn[0].values[i] - 1) * (drawn[0].values[i] - 1);
    ones += drawn[1].values[i];
    // One stream, one mask: what Bernoulli draws is what dropout drops.
    EXPECT_EQ(drawn[2].values[i] == 0, drawn[1].values[i] == 1);
  }
  EXPECT_NEAR(sum / 20000, 1, 0.06);
  EXPECT_NEAR(squares / 20000, 4, 0.16);
  EXPECT_NEAR(ones / 20000, 0.3, 0.013);
}

TEST_F(EvaluatorTest, FusedRegionsAndLaunchesAreTheirBodies) {
  auto results = run(R"(
    sinter.kernel @k schedule(#sinter.pointwise) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {
    ^bb0(%a: tensor<2xf32>, %b: tensor<2xf32>):
      %m = sinter.mul %a, %b : tensor<2xf32>
      sinter.yield %m : tensor<2xf32>
    }
    func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
      %0 = sinter.fused (%x) schedule(#sinter.pointwise) : (tensor<2xf32>) -> tensor<2xf32> {
      ^bb0(%a: tensor<2xf32>):
        %n = sinter.neg %a : tensor<2xf32>
        %e = sinter.add %n, %n : tensor<2xf32>
        sinter.yield %e : tensor<2xf32>
      }
      %1 = sinter.launch @k(%0, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      return %0, %1 : tensor<2xf32>, tensor<2xf32>
    })",
                     {{3, -4}});
  ASSERT_EQ(results.size(), 2u) << ir.errors;
  EXPECT_THAT(results[0].values, ElementsAre(-6, 8));
  EXPECT_THAT(results[1].values, ElementsAre(-18, -32));
  EXPECT_TRUE(results[1].error.empty()); // small whole numbers are exact
}

TEST_F(EvaluatorTest, TheHookSeesEveryResult) {
  std::vector<std::string> seen;
  EvaluatorOptions options;
  options.onResult = [&](mlir::Operation *op, unsigned, const HostTensor &value) {
    seen.push_back(op->getName().getStringRef().str());
    if (std::isinf(value.at(0))) seen.push_back("not finite");
  };
  run(R"(func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
    %0 = sinter.exp %x : tensor<1xf32>
    %1 = sinter.fused (%0) schedule(#sinter.pointwise) : (tensor<1xf32>) -> tensor<1xf32> {
    ^bb0(%a: tensor<1xf32>):
      %n = sinter.neg %a : tensor<1xf32>
      sinter.yield %n : tensor<1xf32>
    }
    return %1 : tensor<1xf32>
  })",
      {{1000}}, options);
  EXPECT_THAT(seen, ElementsAre("sinter.exp", "not finite", "sinter.neg", "not finite",
                                "sinter.fused", "not finite"));
}

TEST_F(EvaluatorTest, MistakesAreNamed) {
  expectError(R"(func.func @f(%w: tensor<3x2xf32>, %i: tensor<2xi64>) -> tensor<2x2xf32> {
    %r = sinter.embedding %w, %i : (tensor<3x2xf32>, tensor<2xi64>) -> tensor<2x2xf32>
    return %r : tensor<2x2xf32>
  })",
              {{1, 2, 3, 4, 5, 6}, {2, 3}},
              "'sinter.embedding' op index 3 at element 1 is outside [0, 3)");
  expectError(binary("floor_divide", "tensor<2xi32>"), {{1, 1}, {1, 0}},
              "'sinter.floor_divide' op divides by zero at element 1");
  expectError(R"(func.func @f(%x: tensor<2x3xf32>, %t: tensor<2xi64>) -> tensor<f32> {
    %r = sinter.cross_entropy %x, %t : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<f32>
    return %r : tensor<f32>
  })",
              {{1, 2, 3, 4, 5, 6}, {0, -1}}, "target -1 at element 1 is outside [0, 3)");
  expectError(R"(func.func @f(%x: tensor<f32>) -> tensor<f32> {
    %y = sinter.exp %x : tensor<f32>
    %r = sinter.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
    return %r : tensor<f32>
  })",
              {{1}}, "'sinter.gradient' op cannot be evaluated: run the autodiff pass");
  expectError(R"(func.func @f(%x: tensor<f32>) -> tensor<f32> {
    %c = arith.constant dense<1.0> : tensor<f32>
    return %c : tensor<f32>
  })",
              {{1}}, "'arith.constant' op is not an op that the reference evaluator knows");
  module = ir.parse(binary("add", "tensor<2xf32>"));
  HostTensor wrong(
      mlir::RankedTensorType::get({3}, codegen::elementTypeOf(&ir.context, runtime::DType::f32)));
  EXPECT_TRUE(failed(codegen::evaluate(Ir::function(*module, "f"), {wrong, wrong})));
  EXPECT_THAT(ir.errors, HasSubstr("argument 0 is 'tensor<2xf32>' and was given 'tensor<3xf32>'"));
}

TEST_F(EvaluatorTest, EveryOpHasAHandler) {
  for (mlir::RegisteredOperationName name : ir.context.getRegisteredOperations()) {
    if (name.getDialectNamespace() != "sinter" || name.getStringRef() == "sinter.gradient")
      continue;
    EXPECT_TRUE(codegen::isEvaluable(name.getStringRef())) << name.getStringRef().str();
  }
}

} // namespace
} // namespace sinter::test
