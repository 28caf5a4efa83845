// Least squares by gradient descent, held against the closed form.
#include "../common/Run.h"
#include "../models/LinearModel.h"

#include <algorithm>
#include <cmath>

using sinter::Array;

struct Table {
  int64_t rows = 0, features = 0;
  std::vector<double> x, y;
};

/// Ten measurements of 442 patients and the target, each column with mean 0 and deviation 1.
static Table readDiabetes(const std::string &path) {
  Array raw = sinter::data::read_csv(path);
  int64_t rows = raw.shape()[0], columns = raw.shape()[1];
  if (columns < 2) throw std::runtime_error(path + ": features and a target are expected");
  Table table{rows, columns - 1, {}, {}};
  std::vector<double> mean(static_cast<size_t>(columns)), deviation(static_cast<size_t>(columns));
  for (int64_t i = 0; i < raw.size(); ++i)
    mean[static_cast<size_t>(i % columns)] += raw.at(i) / static_cast<double>(rows);
  for (int64_t i = 0; i < raw.size(); ++i)
    deviation[static_cast<size_t>(i % columns)] +=
        std::pow(raw.at(i) - mean[static_cast<size_t>(i % columns)], 2) / static_cast<double>(rows);
  for (int64_t i = 0; i < raw.size(); ++i) {
    auto column = static_cast<size_t>(i % columns);
    double value = (raw.at(i) - mean[column]) / std::sqrt(deviation[column]);
    (i % columns == columns - 1 ? table.y : table.x).push_back(value);
  }
  return table;
}

/// y = 3 x0 - 2 x1 + 1 with a little noise.
static Table generate(uint64_t seed) {
  Table table{100, 2, {}, {}};
  uint64_t state = seed * 2 + 1;
  auto next = [&] { // a linear congruential generator: uniform in [-1, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) / 4503599627370496.0 - 1;
  };
  for (int64_t i = 0; i < table.rows; ++i) {
    double a = 2 * next(), b = 2 * next();
    table.x.insert(table.x.end(), {a, b});
    table.y.push_back(3 * a - 2 * b + 1 + 0.1 * next());
  }
  return table;
}

/// The smallest mean squared error of any line, by the normal equations.
static double closedForm(const Table &table) {
  auto n = static_cast<size_t>(table.features + 1);
  auto row = [&](int64_t i, size_t j) {
    return j + 1 == n ? 1.0 : table.x[static_cast<size_t>(i * table.features) + j];
  };
  std::vector<double> a(n * (n + 1)); // [X'X | X'y]
  for (int64_t i = 0; i < table.rows; ++i)
    for (size_t j = 0; j < n; ++j) {
      for (size_t k = 0; k < n; ++k) a[j * (n + 1) + k] += row(i, j) * row(i, k);
      a[j * (n + 1) + n] += row(i, j) * table.y[static_cast<size_t>(i)];
    }
  for (size_t j = 0; j < n; ++j) { // Gauss and Jordan, with pivots
    size_t pivot = j;
    for (size_t i = j; i < n; ++i)
      if (std::fabs(a[i * (n + 1) + j]) > std::fabs(a[pivot * (n + 1) + j])) pivot = i;
    for (size_t k = 0; k <= n; ++k) std::swap(a[j * (n + 1) + k], a[pivot * (n + 1) + k]);
    for (size_t i = 0; i < n; ++i) {
      if (i == j) continue;
      double factor = a[i * (n + 1) + j] / a[j * (n + 1) + j];
      for (size_t k = j; k <= n; ++k) a[i * (n + 1) + k] -= factor * a[j * (n + 1) + k];
    }
  }
  double loss = 0;
  for (int64_t i = 0; i < table.rows; ++i) {
    double error = -table.y[static_cast<size_t>(i)];
    for (size_t j = 0; j < n; ++j) error += row(i, j) * a[j * (n + 1) + n] / a[j * (n + 1) + j];
    loss += error * error / static_cast<double>(table.rows);
  }
  return loss;
}

int main(int argc, char **argv) {
  bool wantsGenerated = std::count(argv, argv + argc, std::string("generated")) > 0;
  auto options = examples::parse(
      argc, argv,
      "Linear regression on the diabetes data (442 x 10), full batch; --data generated: 100 x 2.",
      {.epochs = 1000,
       .batch_size = 442,
       .lr = wantsGenerated ? 0.01 : 0.1,
       .data = SINTER_EXAMPLES_DATA "/diabetes.csv.gz"});
  return examples::guarded([&] {
    bool generated = options.data == "generated";
    Table table = generated ? generate(options.seed) : readDiabetes(options.data);
    auto floats = [](const std::vector<double> &values) {
      return std::vector<float>(values.begin(), values.end());
    };
    sinter::data::TensorDataset data(Array(floats(table.x), {table.rows, table.features}),
                                     Array(floats(table.y), {table.rows, 1}));
    options.batch_size = std::min(options.batch_size, table.rows);
    examples::LinearModel model(table.features);
    sinter::Trainer trainer(model, sinter::mse_loss, sinter::optim::SGD{.lr = options.lr},
                            options.trainer());
    auto outcome = examples::train({.example = "linear_regression",
                                    .options = options,
                                    .model = model,
                                    .trainer = trainer,
                                    .train = data,
                                    .test = &data,
                                    .line_every_epochs = 100,
                                    .validate = false});
    fmt::print("\nloss {:.6f}, closed form {:.6f}\n", outcome.test["loss"], closedForm(table));
    if (generated) {
      std::vector<int64_t> first{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
      auto batch = data.batch(first);
      Array predicted = trainer.predict(batch.x);
      for (int64_t i = 0; i < 10; ++i)
        fmt::print("  x = ({:6.3f}, {:6.3f})  y = {:6.3f}  predicted {:6.3f}\n", batch.x.at(2 * i),
                   batch.x.at(2 * i + 1), batch.y.at(i), predicted.at(i));
    }
    return 0;
  });
}
