// What users read when they make a mistake: file, line, op and the facts.
#include "FrontendTest.h"

using namespace sinter;

static Tensor leaked;

/// Runs `function` in a trace of one input.
template <class F> static void in(TensorSpec spec, F function) {
  trace(
      [&](Tensor x) {
        function(x);
        return x;
      },
      {spec});
}

TEST(UserMistake, WrongChannels) {
  nn::Conv2d conv(nullptr, "conv1", {.in_channels = 16, .out_channels = 8, .kernel_size = 3});
  in({{1, 3, 8, 8}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(conv(x), "conv2d: input has 3 channels, weight 'conv1.weight' expects 16");
  });
}

TEST(UserMistake, WrongFeatures) {
  nn::Linear fc(nullptr, "fc", {.in_features = 10, .out_features = 2});
  in({{4, 12}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(fc(x),
                      "linear: input f32[4, 12] has 12 features, weight 'fc.weight' expects 10");
  });
}

TEST(UserMistake, ShapesThatDoNotBroadcast) {
  auto w = parameter("w", {4});
  in({{2, 3}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(x + w, "add: shapes [2, 3] and [4] do not broadcast");
    EXPECT_USER_ERROR(matmul(x, x), "matmul: f32[2, 3] and f32[2, 3]: inner sizes 3 and 2 differ");
    EXPECT_USER_ERROR(reshape(x, {4, -1}),
                      "reshape: f32[2, 3] has 6 elements, which do not make shape [4, -1]");
    EXPECT_USER_ERROR(broadcast_to(x, {3, 3}),
                      "broadcast_to: f32[2, 3] does not broadcast to [3, 3]");
  });
}

TEST(UserMistake, DimensionsOutOfRange) {
  in({{2, 3}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(softmax(x, 2), "softmax: dimension 2 of a tensor of rank 2");
    EXPECT_USER_ERROR(sum(x, {0, -2}), "sum: dimension -2 is named twice");
    EXPECT_USER_ERROR(x.size(5), "size: dimension 5 of f32[2, 3]");
    EXPECT_USER_ERROR(permute(x, {0, 0}), "permute: [0, 0] is no order of the 2 dimensions");
    EXPECT_USER_ERROR(narrow(x, 1, 2, 4), "narrow: [2, 6) lies outside dimension 1 of f32[2, 3]");
    EXPECT_USER_ERROR(adaptive_avg_pool2d(reshape(x, {1, 1, 2, 3}), 2),
                      "adaptive_avg_pool2d: 2 x 2 does not divide the input's 2 x 3");
  });
}

TEST(UserMistake, WrongTypes) {
  in({{2, 3}, i32}, [&](Tensor x) {
    EXPECT_USER_ERROR(mean(x), "mean: the mean of i32[2, 3]: cast it to a floating type first");
    EXPECT_USER_ERROR(where(x, x, x), "where: the condition is i32[2, 3], not booleans");
    EXPECT_USER_ERROR((x < 1) + (x > 2), "add: both operands are booleans");
    EXPECT_USER_ERROR(dropout(to(x, f32), {.p = 1.5}), "dropout: p is 1.5, expected a probability");
  });
  in({{4, 10}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(cross_entropy(x, x),
                      "cross_entropy: target is f32[4, 10], expected class indices (integers)");
    EXPECT_USER_ERROR(mse_loss(x, x.sum()),
                      "mse_loss: input [4, 10] and target [] differ in shape");
  });
}

TEST(UserMistake, OpsOutsideOfTraces) {
  auto w = parameter("w", {4});
  const char *noTrace =
      "relu: no trace is running: ops work on tensors inside the function given to "
      "sinter::trace, or in a module's forward that Trainer or train_step calls";
  EXPECT_USER_ERROR(relu(w), noTrace);
  EXPECT_USER_ERROR(relu(Tensor()), "relu: a tensor without a value (default-constructed)");
  in({{2, 3}, f32}, [&](Tensor x) { leaked = x; });
  EXPECT_USER_ERROR(relu(leaked), "relu: an operand belongs to a trace that has ended");
  in({{2, 3}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(leaked + x, "add: its operands belong to two different traces");
    in({{2, 3}, f32}, [&](Tensor y) {
      EXPECT_USER_ERROR(x * y, "mul: its operands belong to two different traces");
    });
  });
  leaked = {};
}

TEST(UserMistake, TraceAndGrad) {
  auto w = parameter("w", {3}), other = parameter("other", {3});
  std::vector<TensorSpec> two{{{3}, f32}, {{3}, f32}};
  EXPECT_USER_ERROR(trace([](Tensor x) { return x; }, two),
                    "trace: the function takes 1 tensors, 2 are specified");
  auto vector = trace([&](Tensor x) { return x * w; }, {{{3}, f32}});
  EXPECT_USER_ERROR(grad(vector, {w}),
                    "grad: the traced function gives f32[3], not one floating-point scalar");
  auto loss = trace([&](Tensor x) { return sum(x * w); }, {{{3}, f32}});
  EXPECT_USER_ERROR(grad(loss, {other}), "grad: the traced function does not use 'other'");
  EXPECT_USER_ERROR(grad(loss, {}), "grad: no parameters to differentiate by");
  auto twin = parameter("w", {3});
  try {
    trace([&](Tensor x) { return x * w + twin; }, {{{3}, f32}});
    ADD_FAILURE();
  } catch (const UserError &error) {
    EXPECT_THAT(error.message, testing::HasSubstr("two parameters are named 'w'"));
  }
}

TEST(UserMistake, OptionsLeftOut) {
  EXPECT_USER_ERROR(nn::Linear(nullptr, "fc", {.out_features = 3}), "nn::Linear: in_features is 0");
  EXPECT_USER_ERROR(
      init::gain("swish"),
      "init::gain: 'swish' is none of linear, conv2d, sigmoid, tanh, relu, leaky_relu");
  EXPECT_USER_ERROR(parameter("b", {3}, init::xavier_uniform()),
                    "init: fan_in and fan_out need a shape of two or more dimensions, got [3]");
}
