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
    EXPECT_USER_ERROR(adaptive_avg_pool2d(reshape(x, {1, 1, 2, 3}), 0),
                      "adaptive_avg_pool2d: 0 x 0 results of [1, 1, 2, 3]");
    EXPECT_USER_ERROR(adaptive_max_pool2d(x, 2),
                      "adaptive_max_pool2d: f32[2, 3] is not [N, C, H, W]");
    EXPECT_USER_ERROR(sort(x, 2), "sort: dimension 2 of a tensor of rank 2");
    EXPECT_USER_ERROR(topk(x, 4, 1), "topk: k is 4, expected 0 to 3, the size of dimension 1");
    EXPECT_USER_ERROR(cumsum(x, 2), "cumsum: dimension 2 of a tensor of rank 2");
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
    EXPECT_USER_ERROR(cross_entropy(x, sum(x, 1)),
                      "cross_entropy: target is f32[4], expected class indices (integers) or "
                      "probabilities [4, 10]");
    EXPECT_USER_ERROR(softplus(x, {.beta = -1}),
                      "softplus: beta is -1.000000e+00, expected a positive number");
    EXPECT_USER_ERROR(mse_loss(x, x.sum()),
                      "mse_loss: input [4, 10] and target [] differ in shape");
  });
}

TEST(UserMistake, NormsAndConvolutions) {
  in({{2, 6, 8}, f32}, [&](Tensor x) {
    Tensor six = ones({6}), weight = ones({4, 3, 3});
    EXPECT_USER_ERROR(group_norm(x, 4, six, six),
                      "group_norm: num_groups 4 does not divide 6 channels");
    EXPECT_USER_ERROR(rms_norm(x, ones({8}), {}), "rms_norm: eps must be given");
    EXPECT_USER_ERROR(conv1d(x, weight), "conv1d: input has 6 channels, weight expects 3");
    EXPECT_USER_ERROR(conv1d(x, ones({4, 6, 9})),
                      "conv1d: kernel [1, 9] with dilation [1, 1] does not fit input [1, 8] with "
                      "padding [0, 0]");
    Tensor image = reshape(x, {1, 6, 4, 4});
    EXPECT_USER_ERROR(conv_transpose2d(image, ones({4, 3, 3, 3})),
                      "conv_transpose2d: input has 6 channels, weight expects 4");
    EXPECT_USER_ERROR(conv_transpose2d(image, ones({6, 3, 3, 3}), {}, {.output_padding = 1}),
                      "conv_transpose2d: output_padding 1 is not less than the stride 1");
  });
  nn::RMSNorm *none = nullptr;
  EXPECT_USER_ERROR(none = new nn::RMSNorm(nullptr, "norm", {.normalized_shape = {8}}),
                    "nn::RMSNorm: eps must be given");
  EXPECT_EQ(none, nullptr);
}

TEST(UserMistake, AttentionAndEinsum) {
  in({{2, 4, 3, 8}, f32}, [&](Tensor x) {
    EXPECT_USER_ERROR(
        scaled_dot_product_attention(x, narrow(x, 3, 0, 4), x),
        "scaled_dot_product_attention: query f32[2, 4, 3, 8], key f32[2, 4, 3, 4] and value "
        "f32[2, 4, 3, 8]: query and key have other numbers of features");
    EXPECT_USER_ERROR(
        scaled_dot_product_attention(x, x, x, {.attn_mask = ones({3, 3}), .is_causal = true}),
        "scaled_dot_product_attention: attn_mask and is_causal exclude each other");
    Tensor two = narrow(x, 1, 0, 2);
    EXPECT_USER_ERROR(
        scaled_dot_product_attention(x, two, two),
        "scaled_dot_product_attention: query f32[2, 4, 3, 8], key f32[2, 2, 3, 8] and value "
        "f32[2, 2, 3, 8]: query and key have other batches or heads");
    EXPECT_USER_ERROR(einsum("ab,bc->ac", {x, x}),
                      "einsum: operand 0 is f32[2, 4, 3, 8], 'ab' has 2 letters");
    EXPECT_USER_ERROR(einsum("abcd,adce->ae", {x, x}), "einsum: 'd' is 8 and 4");
    EXPECT_USER_ERROR(einsum("...d->d", {x}), "einsum: '.' in '...d->d' is no letter");
    EXPECT_USER_ERROR(einsum("abcd->e", {x}),
                      "einsum: 'e' of the result is unknown or named twice");
    EXPECT_USER_ERROR(rotary_embedding(narrow(x, 3, 0, 3)),
                      "rotary_embedding: f32[2, 4, 3, 3] is not [..., L, E] with an even E");
  });
}

TEST(UserMistake, DynamicSlices) {
  in({{4, 6}, f32}, [&](Tensor x) {
    Tensor i = full({}, 1, i64);
    EXPECT_USER_ERROR(dynamic_slice(x, {i}, {2, 3}),
                      "dynamic_slice: expected 2 scalars as start of a slice of shape [4, 6]");
    EXPECT_USER_ERROR(dynamic_slice(x, {i, i}, {5, 3}),
                      "dynamic_slice: a slice of shape [5, 3] does not fit into [4, 6]");
    EXPECT_USER_ERROR(dynamic_slice(x, {i, full({}, 1)}, {1, 1}),
                      "dynamic_slice: a start is f32[], expected an integer");
    EXPECT_USER_ERROR(dynamic_update_slice(x, ones({2, 7}), {i, i}),
                      "dynamic_update_slice: a slice of shape [2, 7] does not fit into [4, 6]");
  });
}

TEST(UserMistake, Scans) {
  in({{5, 2, 3}, f32}, [&](Tensor x) {
    Tensor h = zeros({2, 3}), inside;
    auto same = [](const std::vector<Tensor> &state, const std::vector<Tensor> &) {
      return ScanValues{state, {}};
    };
    EXPECT_USER_ERROR(scan(same, {h}, {x, zeros({4, 2})}), "scan: f32[4, 2] has not 5 slices");
    EXPECT_USER_ERROR(scan(same, {h}, {}), "scan: without slices the length must be given");
    EXPECT_USER_ERROR(scan(same, {h}, {full({}, 1)}), "scan: a scalar has no slices");
    auto wider = [](const std::vector<Tensor> &state, const std::vector<Tensor> &) {
      return ScanValues{{cat({state[0], state[0]}, 1)}, {}};
    };
    EXPECT_USER_ERROR(scan(wider, {h}, {x}),
                      "scan: state 0 starts as f32[2, 3], the step leaves f32[2, 6]");
    auto none = [](const std::vector<Tensor> &, const std::vector<Tensor> &slice) {
      return ScanValues{{}, slice};
    };
    EXPECT_USER_ERROR(scan(none, {h}, {x}),
                      "scan: the step leaves 0 tensors of state, it was given 1");
    auto leaking = [&](const std::vector<Tensor> &state, const std::vector<Tensor> &) {
      inside = state[0] * 2;
      return ScanValues{state, {}};
    };
    scan(leaking, {h}, {x});
    EXPECT_USER_ERROR(inside + 1,
                      "add: an operand belongs to the step of a scan, which has ended: outputs of "
                      "the scan are its way out");
  });
  nn::LSTM lstm(nullptr, "lstm", {.input_size = 4, .hidden_size = 3});
  in({{5, 2, 3}, f32},
     [&](Tensor x) { EXPECT_USER_ERROR(lstm(x), "LSTM: input f32[5, 2, 3] is not [L, N, 4]"); });
}

TEST(UserMistake, BranchesAndLoops) {
  using Tensors = std::vector<Tensor>;
  in({{2, 3}, f32}, [&](Tensor x) {
    auto same = [](const Tensors &state) { return state; };
    auto twice = [](const Tensors &state) { return Tensors{state[0], state[0]}; };
    auto column = [](const Tensors &state) { return Tensors{sum(state[0], 0)}; };
    auto none = [](const Tensors &) { return Tensors{}; };
    auto positive = [](const Tensors &state) { return sum(state[0]) > 0; };
    Tensor holds = sum(x) > 0;
    EXPECT_USER_ERROR(cond(x > 0, same, same, {x}),
                      "cond: the condition is i1[2, 3], expected one boolean");
    EXPECT_USER_ERROR(cond(holds, same, twice, {x}),
                      "cond: the true branch leaves 1 tensors, the false branch 2");
    EXPECT_USER_ERROR(
        cond(holds, same, column, {x}),
        "cond: the true branch leaves f32[2, 3] as tensor 0, the false branch f32[3]");
    EXPECT_USER_ERROR(cond(holds, same, none, {x}), "cond: the false branch leaves no tensors");
    EXPECT_USER_ERROR(while_loop([](const Tensors &s) { return s[0]; }, same, {x}),
                      "while_loop: the condition is f32[2, 3], expected one boolean");
    EXPECT_USER_ERROR(while_loop(positive, twice, {x}),
                      "while_loop: the step leaves 2 tensors of state, it was given 1");
    EXPECT_USER_ERROR(while_loop(positive, column, {x}),
                      "while_loop: state 0 starts as f32[2, 3], the step leaves f32[3]");
    Tensor inside;
    cond(holds, [&](const Tensors &v) { return Tensors{inside = v[0] * 2}; }, same, {x});
    EXPECT_USER_ERROR(inside + 1,
                      "add: an operand belongs to a branch or a loop, which has ended: what it "
                      "leaves is its way out");
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
