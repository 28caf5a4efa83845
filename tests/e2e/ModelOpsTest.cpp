// Functions that are made of several ops against PyTorch's values and gradients.
#include "FollowsTorch.h"

#include <algorithm>
#include <numeric>

using namespace sinter;
using test::json, test::Tensors;

namespace {

class ModelOps : public test::FollowsTorch {};

Reduction reductionOf(const json &a) {
  std::string name = a.at("reduction");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}
Size2 pairOf(const json &value) { return {value.at(0).get<int64_t>(), value.at(1).get<int64_t>()}; }
std::vector<Tensor> one(Tensor tensor) { return {std::move(tensor)}; }

} // namespace

TEST_P(ModelOps, Activations) {
  auto finite = [](const std::string &name) { return name.find("special") == std::string::npos; };
  follow(
      "silu", [](Tensors &t, const json &) { return one(silu(t["input"])); }, finite);
  follow(
      "elu",
      [](Tensors &t, const json &a) {
        return one(elu(t["input"], {.alpha = a.value("alpha", 1.0)}));
      },
      finite);
  follow(
      "leaky_relu",
      [](Tensors &t, const json &a) {
        return one(leaky_relu(t["input"], {.negative_slope = a.value("negative_slope", 0.01)}));
      },
      finite);
  follow(
      "softplus",
      [](Tensors &t, const json &a) {
        return one(softplus(
            t["input"], {.beta = a.value("beta", 1.0), .threshold = a.value("threshold", 20.0)}));
      },
      finite);
}

TEST_P(ModelOps, NormsLossesAndSums) {
  follow("rms_norm", [](Tensors &t, const json &a) {
    return one(rms_norm(t["input"], t["weight"], {.eps = a.at("eps").get<double>()}));
  });
  follow("group_norm", [](Tensors &t, const json &a) {
    return one(
        group_norm(t["input"], a.at("num_groups"), t["weight"], t["bias"], {.eps = a.at("eps")}));
  });
  follow("binary_cross_entropy", [](Tensors &t, const json &a) {
    return one(binary_cross_entropy(t["input"], t["target"], {.reduction = reductionOf(a)}));
  });
  follow(
      "cross_entropy",
      [](Tensors &t, const json &a) {
        return one(cross_entropy(
            t["input"], t["target"],
            {.reduction = reductionOf(a), .label_smoothing = a.at("label_smoothing")}));
      },
      [](const std::string &name) { return name == "probabilities"; });
  follow("cumsum", [](Tensors &t, const json &a) { return one(cumsum(t["input"], a.at("dim"))); });
}

TEST_P(ModelOps, Orders) {
  auto both = [](const Sorted &s) { return std::vector<Tensor>{s.values, s.indices}; };
  follow("sort", [&](Tensors &t, const json &a) {
    return both(sort(t["input"], a.at("dim"), a.at("descending")));
  });
  follow("topk", [&](Tensors &t, const json &a) {
    return both(topk(t["input"], a.at("k"), a.at("dim"), a.at("largest")));
  });
  follow("argsort", [](Tensors &t, const json &a) {
    return one(argsort(t["input"], a.at("dim"), a.at("descending")));
  });
}

TEST_P(ModelOps, LongRowsAreSorted) {
  constexpr int64_t length = 777; // no power of two
  std::vector<float> numbers;
  for (int64_t i = 0; i < 2 * length; ++i) numbers.push_back(static_cast<float>(i * 7919 % 101));
  auto run = compile(trace([](Tensor x) { return argsort(x); }, {{{2, length}, f32}}),
                     {.device = device()});
  Array order = run(Array(numbers, {2, length}))[0];
  for (int64_t row = 0; row < 2; ++row) {
    std::vector<int64_t> expected(length);
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&](int64_t i, int64_t j) {
      return numbers[row * length + i] < numbers[row * length + j];
    });
    for (int64_t i = 0; i < length; ++i) ASSERT_EQ(order.at(row * length + i), expected[i]) << i;
  }
}

TEST_P(ModelOps, ConvolutionsAndPools) {
  follow("conv1d", [](Tensors &t, const json &a) {
    return one(conv1d(t["input"], t["weight"], t["bias"],
                      {.stride = a.at("stride").at(0),
                       .padding = a.at("padding").at(0),
                       .dilation = a.at("dilation").at(0),
                       .groups = a.at("groups")}));
  });
  follow("conv_transpose2d", [](Tensors &t, const json &a) {
    return one(conv_transpose2d(t["input"], t["weight"], t["bias"],
                                {.stride = pairOf(a.at("stride")),
                                 .padding = pairOf(a.at("padding")),
                                 .output_padding = pairOf(a.at("output_padding")),
                                 .groups = a.at("groups"),
                                 .dilation = pairOf(a.at("dilation"))}));
  });
  follow("adaptive_avg_pool2d", [](Tensors &t, const json &a) {
    return one(adaptive_avg_pool2d(t["input"], pairOf(a.at("output_size"))));
  });
  follow("adaptive_max_pool2d", [](Tensors &t, const json &a) {
    return one(adaptive_max_pool2d(t["input"], pairOf(a.at("output_size"))));
  });
}

TEST_P(ModelOps, ProductsAndAttention) {
  follow("einsum", [](Tensors &t, const json &a) {
    std::vector<Tensor> operands;
    while (t.count(fmt::format("operands.{}", operands.size())))
      operands.push_back(t[fmt::format("operands.{}", operands.size())]);
    return one(einsum(a.at("equation"), operands));
  });
  follow("scaled_dot_product_attention", [](Tensors &t, const json &a) {
    return one(scaled_dot_product_attention(t["query"], t["key"], t["value"],
                                            {.is_causal = a.at("is_causal")}));
  });
}

TEST_P(ModelOps, LongSumsAreMadeInBlocks) {
  constexpr int64_t length = 150;
  auto run = compile(trace([](Tensor x) { return cumsum(x, 1); }, {{{2, length}, f32}}),
                     {.device = device()});
  std::vector<float> numbers;
  for (int64_t i = 0; i < 2 * length; ++i) numbers.push_back(static_cast<float>(i * 37 % 11) - 4);
  Array sums = run(Array(numbers, {2, length}))[0];
  for (int64_t row = 0; row < 2; ++row) {
    float total = 0; // of whole numbers: exact
    for (int64_t i = row * length; i < (row + 1) * length; ++i) {
      total += numbers[i];
      EXPECT_EQ(sums.at(i), total) << i;
    }
  }
  // Gradients are sums from the other end.
  auto w = parameter("w", {length}, init::ones);
  auto loss = trace([&](Tensor c) { return sum(cumsum(w, 0) * c); }, {{{length}, f32}});
  Array back = compile(grad(loss, {w}), {.device = device()})(
      Array(std::vector<float>(numbers.begin(), numbers.begin() + length)))[0];
  float total = 0;
  for (int64_t i = length; i-- > 0;) {
    total += numbers[i];
    EXPECT_EQ(back.at(i), total) << i;
  }
}

TEST_P(ModelOps, SharedHeadsAreRepeatedOnes) {
  auto both = trace(
      [](Tensor q, Tensor k, Tensor v) {
        auto repeated = [](const Tensor &x) { // head h of the query reads head h / 2
          return reshape(broadcast_to(unsqueeze(x, 2), {2, 2, 2, 5, 4}), {2, 4, 5, 4});
        };
        Tensor mask = reshape(arange(5) < 4, {1, 1, 1, 5});
        return std::pair(
            scaled_dot_product_attention(q, k, v, {.attn_mask = mask, .enable_gqa = true}),
            scaled_dot_product_attention(q, repeated(k), repeated(v), {.attn_mask = mask}));
      },
      {{{2, 4, 3, 4}, f32}, {{2, 2, 5, 4}, f32}, {{2, 2, 5, 4}, f32}});
  auto drawn = [](Shape shape, int seed) {
    Array made = Array::empty(shape);
    for (int64_t i = 0; i < made.size(); ++i)
      made.data<float>()[i] = static_cast<float>((i * 29 + seed) % 17) / 8 - 1;
    return made;
  };
  auto out = compile(both, {.device = device()})(drawn({2, 4, 3, 4}, 1), drawn({2, 2, 5, 4}, 2),
                                                 drawn({2, 2, 5, 4}, 3));
  for (int64_t i = 0; i < out[0].size(); ++i) EXPECT_NEAR(out[0].at(i), out[1].at(i), 1e-6);
}

TEST_P(ModelOps, RotationsTurnPairsByTheirPosition) {
  for (bool interleaved : {false, true}) {
    auto run = compile(trace(
                           [=](Tensor x) {
                             return rotary_embedding(
                                 x, {.base = 100, .interleaved = interleaved, .start = 2});
                           },
                           {{{1, 3, 4}, f32}}),
                       {.device = device()});
    Array x({1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f, 9.f, 10.f, 11.f, 12.f}, {1, 3, 4});
    Array y = run(x)[0];
    for (int64_t row = 0; row < 3; ++row)
      for (int64_t pair = 0; pair < 2; ++pair) {
        int64_t a = row * 4 + (interleaved ? 2 * pair : pair), b = a + (interleaved ? 1 : 2);
        double angle = static_cast<double>(row + 2) * (pair == 0 ? 1.0 : 0.1);
        EXPECT_NEAR(y.at(a), x.at(a) * std::cos(angle) - x.at(b) * std::sin(angle), 2e-6);
        EXPECT_NEAR(y.at(b), x.at(b) * std::cos(angle) + x.at(a) * std::sin(angle), 2e-6);
      }
  }
}

TEST_P(ModelOps, SlicesAtPlacesThatAreData) {
  auto run = compile(trace(
                         [](Tensor x, Tensor i, Tensor u) {
                           Tensor zero = full({}, 0, i64);
                           return std::pair(dynamic_slice(x, {i, zero}, {2, 3}),
                                            dynamic_update_slice(x, u, {zero, i}));
                         },
                         {{{4, 3}, f32}, {{}, i64}, {{1, 2}, f32}}),
                     {.device = device()});
  Array x({0.f, 1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f, 9.f, 10.f, 11.f}, {4, 3});
  auto at = [&](int64_t i) { return run(x, Array::scalar(double(i), i64), Array({{-1.f, -2.f}})); };
  EXPECT_EQ(at(1)[0].text(), "[[3, 4, 5],\n [6, 7, 8]]");
  EXPECT_EQ(at(9)[0].text(), "[[6, 7, 8],\n [9, 10, 11]]"); // moved to the last that fits
  EXPECT_EQ(at(-3)[0].text(), "[[0, 1, 2],\n [3, 4, 5]]");
  EXPECT_EQ(at(1)[1].text(), "[[0, -1, -2],\n [3, 4, 5],\n [6, 7, 8],\n [9, 10, 11]]");
}

TEST_P(ModelOps, LossesOnProbabilities) {
  using testing::HasSubstr, testing::Not;
  std::vector<TensorSpec> inputs{{{2, 3}, f32}, {{2}, i64}};
  auto ofSoftmax = trace(
      [](Tensor x, Tensor y) { return cross_entropy(softmax(x, 1), y, {.from_logits = false}); },
      inputs);
  EXPECT_THAT(ofSoftmax.ir(), Not(HasSubstr("sinter.log ")));
  auto ofSigmoid = trace([](Tensor x) { return binary_cross_entropy(sigmoid(x), x); }, {inputs[0]});
  EXPECT_THAT(ofSigmoid.ir(), HasSubstr("sinter.bce_with_logits"));
  // Keras clips to [1e-7, 1 - 1e-7] and normalises.
  auto clipped = compile(
      trace([](Tensor p, Tensor y) { return cross_entropy(p, y, {.from_logits = false}); }, inputs),
      {.device = device()});
  double loss =
      clipped(Array({{0.25f, 0.75f, 0.f}, {0.f, 1.f, 0.f}}), Array({1, 2}).to(i64))[0].item();
  double first = -std::log(0.75 / (1 + 1e-7)), second = -std::log(1e-7 / (1 + 1e-7));
  EXPECT_NEAR(loss, (first + second) / 2, 1e-4);
}

SINTER_ON_DEVICES(ModelOps, "reference", "cpu", "cuda-emulated");
