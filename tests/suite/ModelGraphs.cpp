// model_graphs FOLDER [--tiny] [--precisions f32,bf16] [--models A,B]: the examples' models as traced graphs (init,
// train_step, eval_step, predict), from which op_programs makes Programs for a GPU that is not here. Beside each
// NAME_PRECISION.mlir lies NAME_PRECISION.about.json: the model, its inputs, and below what number the inputs' integers
// are.

#include "../../examples/models/Bert.h"
#include "../../examples/models/CharGpt.h"
#include "../../examples/models/Cifar10Cnn.h"
#include "../../examples/models/Cnn112.h"
#include "../../examples/models/DigitsCnn.h"
#include "../../examples/models/LinearModel.h"
#include "../../examples/models/LstmText.h"
#include "../../examples/models/MnistCnn.h"
#include "../../examples/models/Recommender.h"
#include "../../examples/models/ResNet.h"
#include "../../examples/models/Vit.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <unistd.h>

using sinter::TensorSpec;
namespace fs = std::filesystem;

namespace {

/// A batch: `x` are numbers below `words` where they are integers, `y` below `classes`.
struct Batch {
  TensorSpec x, y;
  int64_t words = 0, classes = 0;
};

class Writer {
public:
  Writer(fs::path folder, std::vector<std::string> precisions, std::vector<std::string> names)
      : folder(std::move(folder)), precisions(std::move(precisions)), wanted(std::move(names)) {}

  /// `make` constructs the model; it is traced once for each precision.
  template <class Make> void model(const std::string &name, const Batch &batch,
                                   const sinter::Loss &loss,
                                   const sinter::optim::Optimizer &optimizer, const Make &make) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) return;
    for (const std::string &precision : precisions) {
      // The graph as traced is the first file of a dump; what it is compiled to here is not kept.
      fs::path work = fs::temp_directory_path() / fmt::format("model_graphs.{}", getpid());
      fs::create_directories(work);
      auto model = make();
      sinter::Trainer trainer(*model, loss, optimizer,
                              {.device = sinter::Device::cuda_emulated(),
                               .precision = sinter::precisionNamed(precision),
                               .dump_dir = work / "dump"});
      trainer.save_program(work / "program.sinter", batch.x, batch.y);
      fs::path out = folder / (name + "_" + precision);
      fs::copy_file(work / "dump" / "program" / "exact" / "00-traced.mlir", out.string() + ".mlir",
                    fs::copy_options::overwrite_existing);
      nlohmann::json about{{"model", name},
                           {"precision", precision},
                           {"shapes", {batch.x.shape, batch.y.shape}},
                           {"below", {{"x", batch.words}, {"y", batch.classes}}}};
      std::ofstream(out.string() + ".about.json") << about.dump(2) << "\n";
      fs::remove_all(work);
      ++written;
    }
  }
  int written = 0;

private:
  fs::path folder;
  std::vector<std::string> precisions, wanted;
};

TensorSpec images(int64_t batch, int64_t channels, int64_t side) {
  return {{batch, channels, side, side}, sinter::f32};
}
TensorSpec numbers(sinter::Shape shape) { return {std::move(shape), sinter::i64}; }

/// Ten classes from the last state of an LSTM.
struct Lstm : sinter::nn::Module {
  explicit Lstm(int64_t width)
      : lstm(this, "lstm", {.input_size = width, .hidden_size = width, .batch_first = true}),
        fc(this, "fc", {.in_features = width, .out_features = 10}) {}
  sinter::nn::LSTM lstm;
  sinter::nn::Linear fc;
  sinter::Tensor forward(sinter::Tensor x) { return fc(select(lstm(x).h_n, 0, -1)); }
};

sinter::Tensor nextCharacter(const sinter::Tensor &logits, const sinter::Tensor &next) {
  int64_t count = next.size(0) * next.size(1);
  return cross_entropy(reshape(logits, {count, logits.size(-1)}), reshape(next, {count}));
}

template <class Model, class... Arguments> auto maker(Arguments... arguments) {
  return [=] { return std::make_unique<Model>(arguments...); };
}

/// tests/benchmarks/gpu_models.py has the same models and sizes.
void writeModels(Writer &out, bool tiny) {
  using namespace sinter::optim;
  auto size = [&](int64_t real, int64_t small) { return tiny ? small : real; };
  const sinter::Loss crossEntropy = sinter::cross_entropy;
  auto classes = [](int64_t batch) { return numbers({batch}); };

  int64_t batch = size(100, 4);
  out.model("linear_regression", {{{batch, 2}, sinter::f32}, {{batch, 1}, sinter::f32}},
            sinter::mse_loss, SGD{.lr = 0.01}, maker<examples::LinearModel>(int64_t(2)));
  batch = size(64, 4);
  out.model("digits_cnn", {images(batch, 1, 8), classes(batch), 0, 10}, crossEntropy, Adam{},
            maker<examples::DigitsCnn>());
  batch = size(128, 4);
  out.model("mnist_cnn", {images(batch, 1, 28), classes(batch), 0, 10}, crossEntropy, Adam{},
            maker<examples::MnistCnn>());
  out.model("cifar10_cnn", {images(batch, 3, 32), classes(batch), 0, 10}, crossEntropy, Adam{},
            maker<examples::Cifar10Cnn>());
  batch = size(32, 1);
  out.model("cnn112", {images(batch, 3, 112), classes(batch), 0, 10}, crossEntropy, Adam{},
            maker<examples::Cnn112>());
  batch = size(32, 3);
  int64_t width = size(128, 8);
  out.model("lstm", {{{batch, size(128, 5), width}, sinter::f32}, classes(batch), 0, 10},
            crossEntropy, AdamW{}, maker<Lstm>(width));
  int64_t words = size(10000, 20);
  out.model("lstm_text", {numbers({batch, size(64, 6)}), classes(batch), words, 4}, crossEntropy,
            Adam{},
            maker<examples::LstmText>(examples::LstmText::Options{.words = words, .classes = 4}));
  words = size(100000, 20), batch = size(1024, 8);
  out.model(
      "recommender", {numbers({batch, 2}), {{batch}, sinter::f32}, words}, sinter::bce_with_logits,
      AdamW{},
      maker<examples::Recommender>(examples::Recommender::Options{.users = words, .items = words}));

  examples::BertConfig bert{.hidden_dropout_prob = 0,
                            .attention_probs_dropout_prob = 0,
                            .labels = std::vector<std::string>(9, "O")};
  if (tiny) {
    bert.vocab_size = 40, bert.hidden_size = 16, bert.num_hidden_layers = 2;
    bert.num_attention_heads = 2, bert.intermediate_size = 24, bert.max_position_embeddings = 16;
  }
  int64_t tokens = size(128, 6);
  batch = size(8, 2);
  out.model("bert", {numbers({batch, tokens}), numbers({batch, tokens}), bert.vocab_size, 9},
            examples::tokenLoss(), AdamW{.lr = 2e-5},
            maker<examples::BertForTokenClassification>(bert));
  int64_t characters = size(65, 11);
  tokens = size(256, 6);
  out.model("char_gpt",
            {numbers({batch, tokens}), numbers({batch, tokens}), characters, characters},
            nextCharacter, AdamW{},
            maker<examples::CharGpt>(examples::CharGpt::Options{.characters = characters,
                                                                .block = tokens,
                                                                .layers = size(6, 2),
                                                                .width = size(384, 16),
                                                                .heads = size(6, 2)}));
  examples::VitOptions vit;
  if (tiny)
    vit = {.image_size = 8,
           .patch_size = 4,
           .layers = 2,
           .heads = 2,
           .width = 16,
           .hidden = 24,
           .classes = 10};
  batch = size(32, 2);
  out.model("vit", {images(batch, 3, vit.image_size), classes(batch), 0, vit.classes}, crossEntropy,
            AdamW{}, maker<examples::Vit>(vit));
  SGD momentum{.lr = 0.01, .momentum = 0.9};
  batch = size(64, 2);
  out.model("resnet18", {images(batch, 3, size(32, 8)), classes(batch), 0, 10}, crossEntropy,
            momentum,
            maker<examples::ResNet>(examples::ResNetOptions{
                .depth = 18, .classes = 10, .width = size(64, 4), .small_stem = true}));
  batch = size(32, 2);
  out.model("resnet50", {images(batch, 3, size(224, 32)), classes(batch), 0, size(1000, 10)},
            crossEntropy, momentum,
            maker<examples::ResNet>(examples::ResNetOptions{
                .depth = 50, .classes = size(1000, 10), .width = size(64, 4)}));
}

} // namespace

int main(int argc, char **argv) {
  std::string folder;
  std::vector<std::string> precisions{"f32", "bf16"}, models;
  bool tiny = false;
  CLI::App app("Writes the examples' models as traced graphs.");
  app.add_option("folder", folder)->required();
  app.add_option("--precisions", precisions)->delimiter(',');
  app.add_option("--models", models, "Only these")->delimiter(',');
  app.add_flag("--tiny", tiny, "Sizes for a check instead of those to time");
  CLI11_PARSE(app, argc, argv);
  try {
    fs::create_directories(folder);
    Writer writer(folder, precisions, models);
    writeModels(writer, tiny);
    std::cout << writer.written << " graphs in " << folder << "\n";
    if (writer.written) return 0;
    std::cerr << "model_graphs: error: no model has these names\n";
  } catch (const std::exception &error) {
    std::cerr << "model_graphs: error: " << error.what() << "\n";
  }
  return 1;
}
