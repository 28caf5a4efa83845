// Types of results, as PyTorch's torch.result_type gives them.
#include "FrontendTest.h"

using namespace sinter;

static DType typeOf(DType a, Shape shapeA, DType b, Shape shapeB) {
  return trace([](Tensor x, Tensor y) { return x * y; }, {{shapeA, a}, {shapeB, b}})
      .outputs()[0]
      .dtype;
}
static DType typeOf(DType a, DType b) { return typeOf(a, {2}, b, {2}); }

TEST(Promotion, OfTwoTensors) {
  EXPECT_EQ(typeOf(f32, f64), f64);
  EXPECT_EQ(typeOf(bf16, f32), f32);
  EXPECT_EQ(typeOf(bf16, f16), f32);
  EXPECT_EQ(typeOf(f16, f16), f16);
  EXPECT_EQ(typeOf(i64, bf16), bf16);
  EXPECT_EQ(typeOf(i32, i64), i64);
  EXPECT_EQ(typeOf(u8, i32), i32);
  EXPECT_EQ(typeOf(i1, u8), u8);
  EXPECT_EQ(typeOf(i1, f32), f32);
}

TEST(Promotion, AScalarTensorLiftsTheCategoryOnly) {
  EXPECT_EQ(typeOf(bf16, {2}, f32, {}), bf16);
  EXPECT_EQ(typeOf(bf16, {2}, f64, {}), bf16);
  EXPECT_EQ(typeOf(i32, {2}, i64, {}), i32);
  EXPECT_EQ(typeOf(i32, {2}, f32, {}), f32);
  EXPECT_EQ(typeOf(i32, {2}, bf16, {}), bf16);
  EXPECT_EQ(typeOf(f32, {}, f64, {}), f64);
}

TEST(Promotion, ALiteralNeverWidensATensor) {
  auto withLiteral = [](DType dtype, auto literal) {
    return trace([=](Tensor x) { return x + literal; }, {{{2}, dtype}}).outputs()[0].dtype;
  };
  EXPECT_EQ(withLiteral(bf16, 1.5), bf16);
  EXPECT_EQ(withLiteral(f64, 1.5f), f64);
  EXPECT_EQ(withLiteral(u8, 1), u8);
  EXPECT_EQ(withLiteral(i32, 1), i32);
  EXPECT_EQ(withLiteral(i32, 1.5), f32);
  EXPECT_EQ(withLiteral(i1, 1), i64);
  EXPECT_EQ(withLiteral(i64, true), i64);
}

TEST(Promotion, DivisionOfIntegersIsTrueDivision) {
  auto traced = trace([](Tensor a, Tensor b) { return a / b; }, {{{2}, i32}, {{2}, i32}});
  EXPECT_EQ(traced.outputs()[0].dtype, f32);
  EXPECT_EQ(trace([](Tensor a) { return 1 / a; }, {{{2}, i64}}).outputs()[0].dtype, f32);
  EXPECT_EQ(trace([](Tensor a) { return a % 3; }, {{{2}, i64}}).outputs()[0].dtype, i64);
}

TEST(Promotion, FunctionsAndReductions) {
  auto of = [](auto function, DType dtype) {
    return trace(function, {{{2, 2}, dtype}}).outputs()[0].dtype;
  };
  EXPECT_EQ(of([](Tensor x) { return exp(x); }, i64), f32);
  EXPECT_EQ(of([](Tensor x) { return sqrt(x); }, bf16), bf16);
  EXPECT_EQ(of([](Tensor x) { return sum(x); }, i32), i64);
  EXPECT_EQ(of([](Tensor x) { return sum(x); }, i1), i64);
  EXPECT_EQ(of([](Tensor x) { return sum(x); }, bf16), bf16);
  EXPECT_EQ(of([](Tensor x) { return amax(x); }, i32), i32);
  EXPECT_EQ(of([](Tensor x) { return argmax(x, 1); }, f32), i64);
  EXPECT_EQ(of([](Tensor x) { return x < 1; }, f32), i1);
  EXPECT_EQ(of([](Tensor x) { return where(x < 1, x, 0.0); }, bf16), bf16);
  EXPECT_EQ(of([](Tensor x) { return maximum(x, 0.5); }, i32), f32);
  EXPECT_EQ(of([](Tensor x) { return cat({x, to(x, i64)}); }, f16), f16);
  EXPECT_EQ(of([](Tensor x) { return floor(x); }, i32), i32);
}
