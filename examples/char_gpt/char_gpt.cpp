// A transformer that writes text, character after character. --data names any text file; without it, sentences
// are made up.
#include "../common/Run.h"
#include "../models/CharGpt.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>
#include <random>
#include <span>
#include <sstream>

namespace {

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Sentences of a few words each, in which who does something decides what is done.
std::string madeUp(int64_t sentences) {
  const std::vector<std::vector<std::string>> parts{
      {"the cat sleeps", "the dog barks", "the bird sings", "a fish swims"},
      {" in the house", " by the river", " under a tree", " all day long"},
      {".\n", ", and nobody minds.\n", ", as it always does.\n"}};
  std::mt19937_64 random(1);
  std::string text;
  for (int64_t i = 0; i < sentences; ++i)
    for (const auto &part : parts) text += part[random() % part.size()];
  return text;
}

/// The characters of a text by number, and the other way.
struct Characters {
  std::string all;
  explicit Characters(const std::string &text) : all(text) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  int64_t operator[](char c) const {
    auto found = std::lower_bound(all.begin(), all.end(), c);
    if (found == all.end() || *found != c)
      throw std::runtime_error("a character of the prompt is none of the text's");
    return found - all.begin();
  }
  /// Pieces of `block` characters, and the same one character further on.
  sinter::data::TensorDataset pieces(const std::string &text, int64_t block) const {
    auto count = (static_cast<int64_t>(text.size()) - 1) / block;
    if (count < 1) throw std::runtime_error("the text is shorter than a block");
    std::vector<int64_t> x, y;
    for (int64_t i = 0; i < count * block; ++i) {
      x.push_back((*this)[text[static_cast<size_t>(i)]]);
      y.push_back((*this)[text[static_cast<size_t>(i + 1)]]);
    }
    return {sinter::Array(x, {count, block}), sinter::Array(y, {count, block})};
  }
};

/// Draws from the `most` likeliest of what the logits say, at a temperature; the likeliest itself at 0.
int64_t draw(std::span<const float> logits, double temperature, int64_t most,
             std::mt19937_64 &random) {
  std::vector<int64_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  if (temperature == 0) return order.front();
  if (most > 0 && most < static_cast<int64_t>(order.size()))
    order.resize(static_cast<size_t>(most));
  std::vector<double> weights;
  for (int64_t i : order)
    weights.push_back(
        std::exp((logits[static_cast<size_t>(i)] - logits[static_cast<size_t>(order.front())]) /
                 temperature));
  return order[std::discrete_distribution<size_t>(weights.begin(), weights.end())(random)];
}

/// Cosine from the rate down to a tenth, after a warm-up of a twentieth of all steps.
sinter::optim::Schedule schedule(int64_t steps) {
  auto warm = std::max<int64_t>(1, steps / 20);
  return {.factor =
              [=](int64_t step) {
                if (step < warm) return double(step + 1) / double(warm);
                double done = double(step - warm) / double(std::max<int64_t>(1, steps - warm));
                return 0.1 + 0.45 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
              },
          .every = sinter::optim::Every::step};
}

sinter::Tensor loss(const sinter::Tensor &logits, const sinter::Tensor &next) {
  int64_t count = next.size(0) * next.size(1);
  return cross_entropy(reshape(logits, {count, logits.size(-1)}), reshape(next, {count}));
}

} // namespace

int main(int argc, char **argv) {
  return examples::guarded([&] {
    examples::CharGpt::Options shape;
    int64_t sample = 200, topK = 0;
    double temperature = 0.8;
    auto options =
        examples::parse(argc, argv, "Characters: a transformer that continues a text",
                        {.epochs = 10, .batch_size = 16, .lr = 1e-3},
                        {{"--layers", "of the transformer", &shape.layers, 1},
                         {"--width", "features of a character", &shape.width, 1},
                         {"--heads", "of attention", &shape.heads, 1},
                         {"--block", "characters seen at once", &shape.block, 1},
                         {"--sample", "characters to write at the end (0: none)", &sample},
                         {"--temperature", "0: always the likeliest character", &temperature},
                         {"--top-k", "draw from the likeliest only (0: from all)", &topK}});
    if (shape.width % shape.heads)
      throw std::runtime_error(
          fmt::format("{} heads do not divide a width of {}", shape.heads, shape.width));
    std::string text =
        options.data.empty() || options.data == "generated" ? madeUp(1200) : readText(options.data);
    Characters characters(text);
    shape.characters = static_cast<int64_t>(characters.all.size());
    size_t split = text.size() * 9 / 10;
    auto training = characters.pieces(text.substr(0, split), shape.block),
         test = characters.pieces(text.substr(split), shape.block);
    int64_t perEpoch = (training.size() + options.batch_size - 1) / options.batch_size;
    int64_t steps = options.steps ? options.steps : options.epochs * perEpoch;

    examples::CharGpt model(shape);
    sinter::Trainer trainer(
        model, loss,
        sinter::optim::AdamW{.lr = options.lr, .weight_decay = 0.1, .schedule = schedule(steps)},
        options.trainer());
    auto outcome = examples::train({.example = "char_gpt",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = training,
                                    .test = &test});
    double last = outcome.test["loss"];
    fmt::print("test loss {:.4f}, perplexity {:.3f}\n", last, std::exp(last));
    if (sample == 0) return 0;

    // The prompt's character goes in first, then each one drawn; a full block starts anew with the last one.
    model.eval();
    auto next = sinter::compile(
        sinter::trace([&](sinter::Tensor c, sinter::Tensor at) { return model.next(c, at); },
                      {{{}, sinter::i64}, {{}, sinter::i64}}),
        {.device = sinter::Device::named(options.device, options.threads),
         .precision = sinter::precisionNamed(options.precision)});
    for (const auto &named : model.named_parameters())
      next.set(named.name, model.value(named.name));
    std::mt19937_64 random(options.seed);
    int64_t character = characters[text[split]], position = 0;
    std::string written(1, characters.all[static_cast<size_t>(character)]);
    for (int64_t i = 0; i < sample; ++i) {
      auto number = [](int64_t x) { return sinter::Array::scalar(double(x), sinter::i64); };
      auto logits = next(number(character), number(position))[0];
      character = draw(std::as_const(logits).data<float>(), temperature, topK, random);
      written += characters.all[static_cast<size_t>(character)];
      position = (position + 1) % shape.block;
    }
    fmt::print("{}\n", written);
    return 0;
  });
}
