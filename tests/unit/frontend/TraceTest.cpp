// What DSL calls become: the IR of small traces, letter by letter.
#include "FrontendTest.h"

using namespace sinter;
using testing::HasSubstr;

TEST(Trace, LinearRegressionHasTheArgumentsAndOpsItNames) {
  auto w = parameter("w", {2, 1}, init::zeros);
  auto b = parameter("b", {1}, init::zeros);
  auto loss = trace([&](Tensor x, Tensor y) { return mse_loss(x.matmul(w) + b, y); },
                    {{{100, 2}, f32}, {{100, 1}, f32}});
  std::string ir = loss.ir();
  EXPECT_THAT(ir, HasSubstr("func.func @main(%arg0: tensor<100x2xf32> {sinter.name = \"input0\", "
                            "sinter.role = \"input\"}"));
  EXPECT_THAT(
      ir, HasSubstr("%arg2: tensor<2x1xf32> {sinter.name = \"w\", sinter.role = \"parameter\"}"));
  EXPECT_THAT(ir,
              HasSubstr("%arg3: tensor<1xf32> {sinter.name = \"b\", sinter.role = \"parameter\"}"));
  EXPECT_THAT(ir, HasSubstr("sinter.matmul %arg0, %arg2 : (tensor<100x2xf32>, tensor<2x1xf32>) -> "
                            "tensor<100x1xf32>"));
  EXPECT_THAT(ir, HasSubstr("sinter.broadcast %arg3 : (tensor<1xf32>) -> tensor<100x1xf32>"));
  EXPECT_THAT(ir, HasSubstr("sinter.mse_loss"));
  EXPECT_EQ(loss.variables(), (std::vector<std::string>{"w", "b"}));
  EXPECT_EQ(loss.outputs(), (std::vector<TensorSpec>{{{}, f32}}));
}

TEST(Trace, GradReplacesTheResultByGradients) {
  auto w = parameter("w", {3}, init::ones);
  auto loss = trace([&](Tensor x) { return sum(x * w); }, {{{3}, f32}});
  auto grads = grad(loss, {w});
  EXPECT_THAT(
      grads.ir(),
      HasSubstr("sinter.gradient %1 wrt %arg1 : (tensor<f32>, tensor<3xf32>) -> tensor<3xf32>"));
  EXPECT_EQ(grads.outputs(), (std::vector<TensorSpec>{{{3}, f32}}));
  auto both = value_and_grad(loss, {w});
  EXPECT_EQ(both.outputs(), (std::vector<TensorSpec>{{{}, f32}, {{3}, f32}}));
}

TEST(Trace, LocationsAreTheUsersLinesUnderTheModulesPath) {
  struct Net : nn::Module {
    nn::Linear fc{this, "fc", {.in_features = 2, .out_features = 3}};
    Tensor forward(Tensor x) { return fc(x); }
  } net;
  int line = __LINE__ - 2;
  auto traced = trace([&](Tensor x) { return nn::call(net, x); }, {{{4, 2}, f32}});
  std::string ir = traced.ir(/*locations=*/true);
  std::string place = fmt::format("TraceTest.cpp\":{}:", line);
  EXPECT_THAT(ir, HasSubstr("(\"fc\"("));
  EXPECT_THAT(ir, HasSubstr(place));
}

TEST(Trace, FunctionsMayReturnSeveralTensors) {
  std::vector<TensorSpec> two{{{2}, f32}, {{2}, f32}};
  auto pair = trace([](Tensor a, Tensor b) { return std::pair(a + b, a - b); }, two);
  auto tuple = trace([](Tensor a, Tensor b) { return std::make_tuple(a, b, a * b); }, two);
  auto vector = trace([](const std::vector<Tensor> &x) { return x; }, two);
  EXPECT_EQ(pair.outputs().size(), 2u);
  EXPECT_EQ(tuple.outputs().size(), 3u);
  EXPECT_EQ(vector.outputs().size(), 2u);
}

TEST(Trace, ParametersAreArgumentsInOrderOfUse) {
  auto a = parameter("a", {2}), b = parameter("b", {2});
  auto traced = trace(
      [&](Tensor x) {
        Tensor unused = x + b;
        (void)unused;
        return x + a;
      },
      {{{2}, f32}});
  // b is used by an op whose result is not: dead code is the passes' business.
  EXPECT_EQ(traced.variables(), (std::vector<std::string>{"b", "a"}));
}

TEST(Trace, RandomOpsTakeSeedAndStepAndAdvanceTheStep) {
  auto traced = trace([](Tensor x) { return dropout(x, {.p = 0.25}); }, {{{8}, f32}});
  EXPECT_EQ(traced.variables(), (std::vector<std::string>{"step", "seed"}));
  EXPECT_THAT(
      traced.ir(),
      HasSubstr("{sinter.donated = 1 : i64, sinter.name = \"step\", sinter.role = \"state\"}"));
  EXPECT_THAT(traced.ir(), HasSubstr("p = 2.500000e-01"));
  auto still =
      trace([](Tensor x) { return dropout(x, {.p = 0.25, .training = false}); }, {{{8}, f32}});
  EXPECT_TRUE(still.variables().empty());
}

TEST(Trace, ShapesOfViews) {
  auto shapeOf = [](auto function, Shape shape) {
    return trace(function, {{shape, f32}}).outputs()[0].shape;
  };
  EXPECT_EQ(shapeOf([](Tensor x) { return flatten(x, 1); }, {2, 3, 4}), (Shape{2, 12}));
  EXPECT_EQ(shapeOf([](Tensor x) { return reshape(x, {-1, 6}); }, {2, 3, 4}), (Shape{4, 6}));
  EXPECT_EQ(shapeOf([](Tensor x) { return permute(x, {2, 0, 1}); }, {2, 3, 4}), (Shape{4, 2, 3}));
  EXPECT_EQ(shapeOf([](Tensor x) { return transpose(x, -1, 0); }, {2, 3, 4}), (Shape{4, 3, 2}));
  EXPECT_EQ(shapeOf([](Tensor x) { return unsqueeze(x, -1); }, {2, 3}), (Shape{2, 3, 1}));
  EXPECT_EQ(shapeOf([](Tensor x) { return squeeze(x); }, {1, 3, 1}), (Shape{3}));
  EXPECT_EQ(shapeOf([](Tensor x) { return stack({x, x, x}, 1); }, {2, 5}), (Shape{2, 3, 5}));
  EXPECT_EQ(shapeOf([](Tensor x) { return cat({x, x}, -1); }, {2, 5}), (Shape{2, 10}));
  EXPECT_EQ(shapeOf([](Tensor x) { return slice(x, 1, -3, {}, 2); }, {2, 5}), (Shape{2, 2}));
  EXPECT_EQ(shapeOf([](Tensor x) { return narrow(x, 0, 1, 3); }, {5, 2}), (Shape{3, 2}));
  EXPECT_EQ(shapeOf([](Tensor x) { return select(x, 0, -1); }, {5, 2}), (Shape{2}));
  EXPECT_EQ(shapeOf([](Tensor x) { return pad(x, {1, 2, 0, 3}); }, {5, 2}), (Shape{8, 5}));
  EXPECT_EQ(shapeOf([](Tensor x) { return pad(x, {-1, 2}); }, {5, 2}), (Shape{5, 3}));
  EXPECT_EQ(shapeOf(
                [](Tensor x) {
                  return broadcast_to(x, {4, -1, 3});
                },
                {2, 1}),
            (Shape{4, 2, 3}));
  EXPECT_EQ(shapeOf([](Tensor x) { return sum(x, {0, -1}, true); }, {2, 3, 4}), (Shape{1, 3, 1}));
  EXPECT_EQ(shapeOf([](Tensor x) { return mean(x, 1); }, {2, 3, 4}), (Shape{2, 4}));
  EXPECT_EQ(shapeOf([](Tensor x) { return one_hot(to(x, i64), 7); }, {2, 3}), (Shape{2, 3, 7}));
  EXPECT_EQ(shapeOf([](Tensor x) { return avg_pool2d(x, {.kernel_size = 3, .stride = 2}); },
                    {1, 2, 7, 9}),
            (Shape{1, 2, 3, 4}));
  EXPECT_EQ(shapeOf(
                [](Tensor x) {
                  return adaptive_avg_pool2d(x, {2, 3});
                },
                {1, 2, 4, 9}),
            (Shape{1, 2, 2, 3}));
  EXPECT_EQ(shapeOf([](Tensor x) { return global_avg_pool2d(x); }, {1, 2, 4, 9}), (Shape{1, 2}));
}

TEST(Trace, MatmulTakesVectorsMatricesAndBatches) {
  auto shapeOf = [](Shape a, Shape b) {
    return trace([](Tensor x, Tensor y) { return matmul(x, y); }, {{a, f32}, {b, f32}})
        .outputs()[0]
        .shape;
  };
  EXPECT_EQ(shapeOf({3}, {3}), (Shape{}));
  EXPECT_EQ(shapeOf({2, 3}, {3}), (Shape{2}));
  EXPECT_EQ(shapeOf({3}, {3, 4}), (Shape{4}));
  EXPECT_EQ(shapeOf({2, 3}, {3, 4}), (Shape{2, 4}));
  EXPECT_EQ(shapeOf({5, 2, 3}, {3, 4}), (Shape{5, 2, 4}));
  EXPECT_EQ(shapeOf({5, 2, 3}, {3}), (Shape{5, 2}));
  EXPECT_EQ(shapeOf({2, 3}, {5, 3, 4}), (Shape{5, 2, 4}));
  EXPECT_EQ(shapeOf({7, 1, 2, 3}, {5, 3, 4}), (Shape{7, 5, 2, 4}));
  EXPECT_EQ(shapeOf({3}, {5, 3, 4}), (Shape{5, 4}));
}
