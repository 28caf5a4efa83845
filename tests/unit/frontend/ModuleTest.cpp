#include "FrontendTest.h"

#include <cmath>

using namespace sinter;
using testing::ElementsAre;

namespace {

struct Block : nn::Module {
  Block(nn::Module *parent, std::string name, int64_t width)
      : Module(parent, std::move(name)),
        fc(this, "fc", {.in_features = width, .out_features = width}) {}
  nn::Linear fc;
  Tensor forward(Tensor x) { return relu(fc(x)); }
};

struct Net : nn::Module {
  nn::ModuleList<Block> blocks{this, "blocks"};
  nn::BatchNorm2d norm{this, "norm", {.num_features = 3}};
  Net() {
    blocks.emplace(4);
    blocks.emplace(4);
  }
};

std::vector<std::string> names(const std::vector<nn::Module::Named> &named) {
  std::vector<std::string> result;
  for (const auto &each : named) result.push_back(each.name);
  return result;
}

} // namespace

TEST(Module, PathsArePyTorchs) {
  Net net;
  EXPECT_THAT(names(net.named_parameters()),
              ElementsAre("blocks.0.fc.weight", "blocks.0.fc.bias", "blocks.1.fc.weight",
                          "blocks.1.fc.bias", "norm.weight", "norm.bias"));
  EXPECT_THAT(names(net.named_buffers()),
              ElementsAre("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"));
  EXPECT_EQ(net.num_parameters(), 2 * (16 + 4) + 6);
}

TEST(Module, SequentialCountsFunctionsToo) {
  nn::Sequential net;
  net.add<nn::Linear>({.in_features = 4, .out_features = 3});
  net.add(relu);
  net.add(max_pool2d, {.kernel_size = 3});
  net.add([](const Tensor &x) { return x * 2; });
  net.add<nn::Linear>({.in_features = 3, .out_features = 2, .bias = false});
  EXPECT_THAT(names(net.named_parameters()), ElementsAre("0.weight", "0.bias", "4.weight"));
}

TEST(Module, TwoChildrenOfOneName) {
  nn::Sequential net;
  nn::LinearOptions options{.in_features = 4, .out_features = 3};
  nn::Linear first(&net, "fc", options);
  std::string expected =
      fmt::format("nn::Module: child 'fc' (line {}) and child 'fc' (line {}) have one name",
                  __LINE__ - 3, __LINE__ + 1);
  EXPECT_USER_ERROR(nn::Linear(&net, "fc", options), expected);
  EXPECT_USER_ERROR(nn::Linear(&net, "a.b", options),
                    "nn::Module: 'a.b' is no name of a child: it must not be empty or have dots");
}

TEST(Module, TrainAndEvalReachAllChildren) {
  Net net;
  net.eval();
  EXPECT_FALSE(net.norm.training());
  EXPECT_FALSE(net.blocks[1].fc.training());
  net.norm.train();
  auto modes = net.modes();
  net.train();
  net.set_modes(modes);
  EXPECT_TRUE(net.norm.training());
  EXPECT_FALSE(net.blocks[0].training());
}

TEST(Module, TiedParametersAreOneVariable) {
  struct Tied : nn::Module {
    nn::Embedding embed{this, "embed", {.num_embeddings = 5, .embedding_dim = 4}};
    nn::Linear head{this, "head", {.in_features = 4, .out_features = 5, .bias = false}};
    Tied() { head.tie(head.weight, embed.weight); }
    Tensor forward(Tensor x) { return head(embed(x)); }
  } net;
  EXPECT_THAT(names(net.named_parameters()), ElementsAre("embed.weight", "head.weight"));
  EXPECT_EQ(net.num_parameters(), 20);
  auto traced = trace([&](Tensor x) { return net.forward(x); }, {{{3}, i64}});
  EXPECT_THAT(traced.variables(), ElementsAre("embed.weight"));
}

TEST(Module, BatchNormUpdatesItsStatisticsInTrainingOnly) {
  nn::BatchNorm2d norm(nullptr, "bn", {.num_features = 3});
  auto run = [&] { return trace([&](Tensor x) { return norm(x); }, {{{2, 3, 4, 4}, f32}}); };
  auto training = run();
  EXPECT_THAT(training.ir(), testing::HasSubstr("sinter.batch_norm "));
  EXPECT_THAT(training.ir(), testing::HasSubstr("sinter.donated = 3"));
  norm.eval();
  auto evaluation = run();
  EXPECT_THAT(evaluation.ir(), testing::HasSubstr("sinter.batch_norm_inference"));
  EXPECT_THAT(evaluation.ir(), testing::Not(testing::HasSubstr("sinter.donated")));
}

TEST(Init, InitialValuesFollowSeedAndPathAlone) {
  auto values = [](uint64_t seed, const char *name) {
    nn::Linear fc(nullptr, name, {.in_features = 100, .out_features = 30});
    TrainerOptions options{.device = Device::reference(), .seed = seed};
    TrainStep step(fc, mse_loss, optim::SGD{}, options); // takes the seed
    return fc.value(std::string(name) + ".weight").text();
  };
  EXPECT_EQ(values(1, "fc"), values(1, "fc"));
  EXPECT_NE(values(1, "fc"), values(2, "fc"));
  EXPECT_NE(values(1, "fc"), values(1, "gc"));
}

TEST(Init, DefaultsAreWithinPyTorchsBounds) {
  nn::Linear fc(nullptr, "fc", {.in_features = 100, .out_features = 30});
  Array weight = fc.value("fc.weight");
  double largest = 0, sum = 0;
  for (float value : std::as_const(weight).data<float>()) {
    largest = std::max<double>(largest, std::fabs(value));
    sum += value;
  }
  EXPECT_LE(largest, 0.1); // 1 / sqrt(100)
  EXPECT_GT(largest, 0.099);
  EXPECT_LT(std::fabs(sum / 3000), 0.005);
  auto xavier = init::xavier_uniform().resolve({30, 100}, Where::current());
  EXPECT_DOUBLE_EQ(xavier.b, std::sqrt(6.0 / 130));
  auto kaiming = init::kaiming_normal().resolve({16, 8, 3, 3}, Where::current());
  EXPECT_DOUBLE_EQ(kaiming.b, std::sqrt(2.0) / std::sqrt(72.0));
}

TEST(Init, TheRowOfAPaddingIndexIsZero) {
  nn::Embedding embed(nullptr, "embed",
                      {.num_embeddings = 4, .embedding_dim = 3, .padding_idx = 2});
  Array weight = embed.value("embed.weight");
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(weight.at(i) == 0, i / 3 == 2) << i;
}
