// Low-rank adapters on a small BERT: what they train, what they leave, and what is written of them.
#include "../../examples/common/HuggingFace.h"
#include "EndToEnd.h"

#include <cmath>

using namespace sinter;
using testing::HasSubstr;

namespace {

const std::string folder = SINTER_TEST_SOURCE_DIR "/oracle/models/bert";

examples::BertConfig configOf(int64_t rank) {
  auto config = examples::readBertConfig(folder);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  config.lora = {.r = rank, .alpha = 16};
  return config;
}

data::TensorDataset sentences() {
  std::vector<int64_t> x, y;
  for (int64_t i = 0; i < 8 * 12; ++i) {
    bool first = i % 12 == 0;
    x.push_back(first ? 2 : 5 + i * 7 % 35);
    y.push_back(first ? -100 : x.back() % 3);
  }
  return {Array(x, {8, 12}), Array(y, {8, 12})};
}

double largestDifference(const Array &a, const Array &b) {
  double most = 0, largest = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::fabs(a.at(i) - b.at(i)));
    largest = std::max(largest, std::fabs(b.at(i)));
  }
  return most / largest;
}

Array predict(examples::BertForTokenClassification &model, const Array &x) {
  return Trainer(model, examples::tokenLoss(), optim::SGD{}, {.device = Device::cpu()}).predict(x);
}

} // namespace

TEST(Lora, TrainsAHundredthAtMost) {
  examples::BertConfig config{.labels = std::vector<std::string>(9, "O"), .lora = {.r = 8}};
  examples::BertForTokenClassification model(config); // BERT-base
  nn::freeze_base(model, {"classifier"});
  // Two matrices [8, 768] at two layers' products in each of twelve, and the classifier.
  int64_t trained = nn::num_trainable_parameters(model);
  EXPECT_EQ(trained, 12 * 2 * 2 * 8 * 768 + 768 * 9 + 9);
  EXPECT_LE(100 * trained, model.num_parameters());
}

TEST(Lora, LeavesTheBaseAndIsMerged) {
  examples::BertForTokenClassification model(configOf(2)), plain(configOf(0));
  examples::loadBert(model, folder);
  examples::loadBert(plain, folder);
  auto set = sentences();
  // Adapters start as nothing.
  EXPECT_EQ(predict(model, set.x()).text(), predict(plain, set.x()).text());

  nn::freeze_base(model, {"classifier"});
  Trainer trainer(model, examples::tokenLoss(), optim::AdamW{.lr = 0.02},
                  {.device = Device::cpu()});
  auto history = trainer.fit(set, {.epochs = 30, .batch_size = 4, .verbosity = Verbosity::silent});
  EXPECT_LT(history.epochs.back().train_loss, 0.7 * history.epochs.front().train_loss);
  for (const auto &named : plain.named_parameters()) {
    bool same = model.value(named.name).text() == plain.value(named.name).text();
    EXPECT_EQ(same, !named.name.starts_with("classifier")) << named.name;
  }

  test::TemporaryFolder made;
  Array trained = trainer.predict(set.x());
  EXPECT_GT(largestDifference(trained, predict(plain, set.x())), 0.01);
  // Merged, for a model without adapters.
  nn::save_merged(model, made / "merged.safetensors", model.config.lora);
  load(plain, made / "merged.safetensors");
  EXPECT_LE(largestDifference(predict(plain, set.x()), trained), 1e-5);
  // Alone, for another model on the same base.
  nn::save_adapter(model, made / "adapter", model.config.lora, {"classifier"});
  examples::BertForTokenClassification other(configOf(2));
  examples::loadBert(other, folder);
  nn::load_adapter(other, made / "adapter", other.config.lora);
  EXPECT_EQ(predict(other, set.x()).text(), trained.text());

  examples::BertForTokenClassification wider(configOf(3));
  try {
    nn::load_adapter(wider, made / "adapter", wider.config.lora);
    ADD_FAILURE() << "no error";
  } catch (const RuntimeError &error) {
    EXPECT_THAT(error.what(), HasSubstr("rank 2 and alpha 16, the model has 3 and 16"));
  }
  auto all = configOf(2);
  all.lora_targets = {"query", "key", "value"};
  examples::BertForTokenClassification more(all);
  try {
    nn::load_adapter(more, made / "adapter", more.config.lora);
    ADD_FAILURE() << "no error";
  } catch (const RuntimeError &error) {
    EXPECT_THAT(error.what(), HasSubstr("is not a checkpoint of this model's adapters; missing: "
                                        "'bert.encoder.layer.0.attention.self.key.lora_A.weight'"));
  }
}
