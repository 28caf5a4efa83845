// Whole models against PyTorch's: logits, loss and every gradient, from parameters that are loaded by name.
#include "../../examples/common/HuggingFace.h"
#include "../../examples/models/LstmText.h"
#include "../../examples/models/ResNet.h"
#include "../../examples/models/Vit.h"
#include "EndToEnd.h"

#include <sinter/runtime/Safetensors.h>

#include <cmath>

using namespace sinter;

namespace {

std::string folderOf(const std::string &name) {
  return SINTER_TEST_SOURCE_DIR "/oracle/models/" + name;
}

class Models : public test::OnDevice {
public:
  /// max |a - b| <= 1e-4 max |b|.
  static void expectNear(const runtime::NamedTensor &wanted, const Array &actual) {
    ASSERT_EQ(actual.shape(), wanted.type.shape) << wanted.name;
    Array expected = Array::copy(wanted.bytes.data(), wanted.type.shape, wanted.type.dtype);
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::fabs(expected.at(i)));
      double difference = std::fabs(expected.at(i) - actual.at(i));
      worst = difference <= worst ? worst : difference; // NaN counts
    }
    // A gradient that is zero but for roundings: a bias before a normalisation, a key's bias.
    double tolerance = std::max(1e-4 * largest, 1e-7);
    EXPECT_TRUE(worst <= tolerance) << wanted.name << ": " << worst << " of " << largest;
  }

  template <class Model>
  void follow(Model &model, const std::string &name, bool training,
              const std::function<Tensor(const Tensor &, const Tensor &)> &lossOf) {
    auto file = check(runtime::SafetensorsFile::open(folderOf(name) + "/expected.safetensors"));
    auto read = [&](const char *tensor) {
      const runtime::NamedTensor *found = file.find(tensor);
      return Array::copy(found->bytes.data(), found->type.shape, found->type.dtype);
    };
    Array x = read("x"), y = read("y");
    model.train(training);
    std::vector<Tensor> parameters = model.parameters();
    auto traced = trace(
        [&](const std::vector<Tensor> &in) {
          Tensor logits = nn::call(model, in[0]), loss = lossOf(logits, in[1]);
          std::vector<Tensor> results{logits, loss};
          for (Tensor &gradient : grad(loss, parameters)) results.push_back(std::move(gradient));
          return results;
        },
        {x.spec(), y.spec()});
    Executable compiled = compile(traced, {.device = device()});
    std::vector<std::string> names = compiled.variables();
    for (auto list : {model.named_parameters(), model.named_buffers()})
      for (const auto &named : list)
        if (std::count(names.begin(), names.end(), named.name))
          compiled.set(named.name, model.value(named.name));
    std::vector<Array> results = compiled(x, y);
    expectNear(*file.find("logits"), results[0]);
    expectNear(*file.find("loss"), results[1]);
    size_t next = 2;
    for (const auto &named : model.named_parameters()) {
      const runtime::NamedTensor *wanted = file.find("grad." + named.name);
      ASSERT_TRUE(wanted) << named.name;
      expectNear(*wanted, results[next++]);
    }
    EXPECT_EQ(file.tensors().size(), next + 2);
  }
};

Tensor classes(const Tensor &logits, const Tensor &target) { return cross_entropy(logits, target); }

} // namespace

TEST_P(Models, BertIsHuggingFaces) {
  auto config = examples::readBertConfig(folderOf("bert"));
  EXPECT_EQ(config.labels, (std::vector<std::string>{"O", "B-PER", "I-PER"}));
  examples::BertForTokenClassification model(config);
  EXPECT_TRUE(examples::loadBert(model, folderOf("bert")));
  follow(model, "bert", /*training=*/false, [](const Tensor &logits, const Tensor &target) {
    return examples::tokenLoss().value(logits, target);
  });
}

TEST_P(Models, ResNet18WithASmallStemIsTorchs) {
  examples::ResNet model({.depth = 18, .classes = 5, .width = 4, .small_stem = true});
  load(model, folderOf("resnet18") + "/model.safetensors");
  follow(model, "resnet18", /*training=*/true, classes);
}

TEST_P(Models, ResNet50IsTorchs) {
  examples::ResNet model({.depth = 50, .classes = 5, .width = 2});
  load(model, folderOf("resnet50") + "/model.safetensors");
  follow(model, "resnet50", /*training=*/true, classes);
}

TEST_P(Models, VitIsTorchs) {
  examples::Vit model({.image_size = 8,
                       .patch_size = 4,
                       .layers = 2,
                       .heads = 2,
                       .width = 16,
                       .hidden = 24,
                       .classes = 5});
  load(model, folderOf("vit") + "/model.safetensors");
  follow(model, "vit", /*training=*/false, classes);
}

TEST_P(Models, LstmTextIsTorchs) {
  examples::LstmText model({.words = 20, .classes = 3, .embedding = 6, .hidden = 8});
  load(model, folderOf("lstm_text") + "/model.safetensors");
  follow(model, "lstm_text", /*training=*/false, classes);
}

TEST(ModelSizes, AreThoseOfThePapers) {
  auto parameters = [](const auto &model) { return model.num_parameters(); };
  EXPECT_EQ(parameters(examples::ResNet({.depth = 18})), 11689512);
  EXPECT_EQ(parameters(examples::ResNet({.depth = 50})), 25557032);
  EXPECT_EQ(parameters(examples::Vit({})), 86567656);
  examples::BertConfig bert{.labels = std::vector<std::string>(9, "O")};
  EXPECT_EQ(parameters(examples::BertForTokenClassification(bert)), 108898569);
}

SINTER_ON_DEVICES(Models, "reference", "cpu");
