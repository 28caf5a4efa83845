// Clicks of users on items, from embeddings of both. --data names a CSV file of user, item and label (0 or 1),
// users and items being any words; without it, clicks are made up from hidden tastes.
#include "../models/Recommender.h"
#include "../common/Run.h"

#include <sinter/frontend/data/text/Lines.h>

#include <algorithm>
#include <map>
#include <random>

namespace {

struct Click {
  std::string user, item;
  bool clicked = false;
};

std::vector<std::string> columns(const std::string &line) {
  std::vector<std::string> found(1);
  for (char c : line)
    if (c == ',')
      found.emplace_back();
    else if (c != ' ' && c != '\t')
      found.back() += c;
  return found;
}

/// Rows of user, item and label; a first row whose label is no number has names.
std::vector<Click> readClicks(const std::string &path) {
  std::vector<Click> clicks;
  for (const auto &line : sinter::data::text::lines(path)) {
    if (line.text.find_first_not_of(" \t") == std::string::npos) continue;
    auto fail = [&](const std::string &what) {
      throw std::runtime_error(fmt::format("{}: line {}: {}", path, line.number, what));
    };
    std::vector<std::string> row = columns(line.text);
    if (row.size() != 3) fail(fmt::format("{} columns, expected user, item and label", row.size()));
    if (row[0].empty() || row[1].empty()) fail("no user or no item");
    if (row[2] != "0" && row[2] != "1") {
      if (line.number == 1) continue;
      fail(fmt::format("label '{}' is neither 0 nor 1", row[2]));
    }
    clicks.push_back({row[0], row[1], row[2] == "1"});
  }
  return clicks;
}

std::vector<Click> madeUp(int64_t count, uint64_t seed) {
  constexpr size_t users = 200, items = 100, tastes = 4;
  std::mt19937_64 random(seed);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  std::vector<double> taste;
  for (size_t i = 0; i < (users + items) * tastes; ++i) taste.push_back(2 * uniform() - 1);
  std::vector<Click> clicks;
  for (int64_t n = 0; n < count; ++n) {
    size_t user = below(users), item = below(items);
    double likes = 0;
    for (size_t i = 0; i < tastes; ++i)
      likes += taste[user * tastes + i] * taste[(users + item) * tastes + i];
    bool clicked = uniform() < 1 / (1 + std::exp(-8 * likes));
    clicks.push_back({"u" + std::to_string(user), "i" + std::to_string(item), clicked});
  }
  return clicks;
}

/// Users and items by number. 0 is whoever training has not seen.
struct Numbers {
  std::map<std::string, int64_t> users, items;

  explicit Numbers(const std::vector<Click> &clicks) {
    for (const Click &click : clicks) {
      users.emplace(click.user, static_cast<int64_t>(users.size()) + 1);
      items.emplace(click.item, static_cast<int64_t>(items.size()) + 1);
    }
  }
  sinter::data::TensorDataset dataset(const std::vector<Click> &clicks) const {
    std::vector<int64_t> x;
    std::vector<float> y;
    auto number = [](const auto &known, const std::string &word) {
      auto found = known.find(word);
      return found == known.end() ? 0 : found->second;
    };
    for (const Click &click : clicks) {
      x.push_back(number(users, click.user)), x.push_back(number(items, click.item));
      y.push_back(click.clicked ? 1.0f : 0.0f);
    }
    return {sinter::Array(x, {static_cast<int64_t>(clicks.size()), 2}), sinter::Array(y)};
  }
};

} // namespace

int main(int argc, char **argv) {
  return examples::guarded([&] {
    int64_t dim = 8;
    auto options = examples::parse(argc, argv, "Clicks of users on items, from embeddings of both.",
                                   {.epochs = 20, .batch_size = 128, .lr = 1e-2},
                                   {{"--dim", "of an embedding", &dim}});
    std::vector<Click> clicks = options.data.empty() || options.data == "generated"
                                    ? madeUp(20000, 1)
                                    : readClicks(options.data);
    if (clicks.size() < 10) throw std::runtime_error("fewer than 10 rows");
    std::shuffle(clicks.begin(), clicks.end(), std::mt19937_64(options.seed));
    auto split = clicks.begin() + static_cast<int64_t>(clicks.size() * 4 / 5);
    std::vector<Click> training(clicks.begin(), split), kept(split, clicks.end());
    Numbers numbers(training);
    auto train = numbers.dataset(training), test = numbers.dataset(kept);
    fmt::print("{} users, {} items, {} rows to train, {} to test\n", numbers.users.size(),
               numbers.items.size(), train.size(), test.size());

    examples::Recommender model({.users = static_cast<int64_t>(numbers.users.size()) + 1,
                                 .items = static_cast<int64_t>(numbers.items.size()) + 1,
                                 .dim = dim});
    sinter::Trainer trainer(model, sinter::bce_with_logits,
                            sinter::optim::AdamW{.lr = options.lr, .weight_decay = 0.05},
                            options.trainer());
    examples::Run run{.example = "recommender",
                      .options = options,
                      .model = model,
                      .trainer = trainer,
                      .train = train,
                      .test = &test};
    auto outcome = examples::train(run);
    outcome.test.values["auc"] =
        sinter::metrics::roc_auc(test.y(), trainer.predict(test, options.batch_size));
    examples::writeRecord(run, outcome);
    fmt::print("test loss {:.4f}, AUC {:.4f}\n", outcome.test["loss"], outcome.test["auc"]);
    return 0;
  });
}
