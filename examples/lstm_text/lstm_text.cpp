// Texts into classes by an LSTM. --data names a CSV or TSV file with a label and a text in each line; without
// it, sentences are made up whose class is the last direction that they name.
#include "../common/Run.h"
#include "../models/LstmText.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

namespace {

struct Line {
  std::string label;
  std::vector<std::string> words;
};

std::vector<std::string> wordsOf(const std::string &text) {
  std::vector<std::string> words;
  std::string word;
  for (char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '\'') {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

/// A label, a comma or a tab, and the text, which may stand in quotes.
std::vector<Line> readLines(const std::string &path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::vector<Line> lines;
  std::string text;
  for (int64_t number = 1; std::getline(file, text); ++number) {
    if (text.empty()) continue;
    size_t end = text.find('\t');
    if (end == std::string::npos) end = text.find(',');
    if (end == std::string::npos)
      throw std::runtime_error(
          fmt::format("{}:{}: expected a label, a comma or a tab, and a text", path, number));
    lines.push_back({text.substr(0, end), wordsOf(text.substr(end + 1))});
  }
  return lines;
}

/// Which direction was named last cannot be seen from the words without their order.
std::vector<Line> madeUp(int64_t count, uint64_t seed) {
  const std::vector<std::string> directions{"north", "east", "south", "west"};
  const std::vector<std::string> others{"then", "walk", "a", "mile", "and", "turn", "rest", "the"};
  std::mt19937_64 random(seed);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  std::vector<Line> lines;
  for (int64_t i = 0; i < count; ++i) {
    Line line;
    size_t length = 4 + below(9);
    for (size_t w = 0; w < length; ++w) {
      bool direction = w == 0 || below(3) == 0;
      line.words.push_back(direction ? directions[below(4)] : others[below(others.size())]);
      if (direction) line.label = line.words.back();
    }
    lines.push_back(line);
  }
  return lines;
}

/// Words and labels as numbers. 0 is the padding, 1 a word that training has not seen.
struct Numbers {
  std::map<std::string, int64_t> words, labels;
  size_t longest = 1;

  explicit Numbers(const std::vector<Line> &lines, size_t most) {
    for (const Line &line : lines) {
      labels.emplace(line.label, 0);
      for (const std::string &word : line.words)
        words.emplace(word, static_cast<int64_t>(words.size()) + 2);
      longest = std::max(longest, std::min(line.words.size(), most));
    }
    int64_t next = 0;
    for (auto &[label, number] : labels) number = next++;
  }
  sinter::data::TensorDataset dataset(const std::vector<Line> &lines) const {
    std::vector<int64_t> x, y;
    for (const Line &line : lines) {
      auto label = labels.find(line.label);
      if (label == labels.end())
        throw std::runtime_error("label '" + line.label + "' is not among those of training");
      y.push_back(label->second);
      for (size_t i = 0; i < longest; ++i) {
        auto word = i < line.words.size() ? words.find(line.words[i]) : words.end();
        x.push_back(i >= line.words.size() ? 0 : word == words.end() ? 1 : word->second);
      }
    }
    auto rows = static_cast<int64_t>(lines.size());
    return {sinter::Array(x, {rows, static_cast<int64_t>(longest)}), sinter::Array(y)};
  }
};

} // namespace

int main(int argc, char **argv) {
  return examples::guarded([&] {
    auto options =
        examples::parse(argc, argv, "Texts: an LSTM", {.epochs = 12, .batch_size = 32, .lr = 5e-3});
    std::vector<Line> lines = options.data.empty() || options.data == "generated"
                                  ? madeUp(1600, 1)
                                  : readLines(options.data);
    if (lines.size() < 10) throw std::runtime_error("fewer than 10 texts");
    std::shuffle(lines.begin(), lines.end(), std::mt19937_64(options.seed));
    size_t split = lines.size() * 4 / 5;
    std::vector<Line> training(lines.begin(), lines.begin() + static_cast<int64_t>(split)),
        test(lines.begin() + static_cast<int64_t>(split), lines.end());
    Numbers numbers(training, /*most=*/128);
    auto trainSet = numbers.dataset(training), testSet = numbers.dataset(test);

    examples::LstmText model({.words = static_cast<int64_t>(numbers.words.size()) + 2,
                              .classes = static_cast<int64_t>(numbers.labels.size())});
    sinter::Trainer trainer(model, sinter::cross_entropy, sinter::optim::Adam{.lr = options.lr},
                            options.trainer());
    auto outcome = examples::train({.example = "lstm_text",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = trainSet,
                                    .test = &testSet,
                                    .metrics = {sinter::metrics::accuracy}});
    fmt::print("test accuracy {:.2f}%\n", 100 * outcome.test["accuracy"]);
    return 0;
  });
}
