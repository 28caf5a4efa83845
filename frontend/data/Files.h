#pragma once

#include "sinter/frontend/data/Dataset.h"

/// Readers of the usual files. All take files compressed by gzip too. A file that is missing,
/// truncated, too long or of another kind: a RuntimeError that names it and says what is wrong.
namespace sinter::data {

/// An IDX file, big-endian: bytes as u8, floats as f32 or f64, other integers as i32.
/// http://yann.lecun.com/exdb/mnist (the format's description)
Array read_idx(const std::string &path);

struct TrainTest {
  TensorDataset train, test;
};

/// MNIST or Fashion-MNIST: four IDX files of the usual names, with or without ".gz". Images are f32
/// [1, 28, 28] in [0, 1] (transforms::to_float), labels i64.
TrainTest mnist(const std::string &folder);

/// CIFAR-10, binary version: data_batch_1.bin to data_batch_5.bin and test_batch.bin, in the folder or
/// in its "cifar-10-batches-bin". Images are f32 [3, 32, 32] in [0, 1], labels i64.
TrainTest cifar10(const std::string &folder);

struct CsvOptions {
  char delimiter = ',';
  int64_t skip_rows = 0; // a header
};
/// A table of numbers, f64 [rows, columns]. A row of another length or a word that is no number is an
/// error with its line.
Array read_csv(const std::string &path, CsvOptions options = {});

struct CsvDatasetOptions {
  std::string label = {};                 // the label's column; the last one without it
  std::vector<std::string> features = {}; // the inputs' columns, in order; all others without it
  /// The label is a number (y is f32 [N]); otherwise a class, whose index among the words that occur, ascending, is
  /// the target (y is i64 [N]).
  bool regression = false;
  std::optional<bool> header =
      {}; // the first row has names; by default where one of them, the last apart, is no number
  char delimiter = ',';
};
/// A table of numeric features and a label: x is f32 [N, features]. Words may stand in double quotes. A word that is no
/// number, a row of another length or an absent value: a RuntimeError with file, line and column. A name of a column
/// that is not there: a UserError that lists the columns. Without a header columns are named "0", "1" and so on.
class Csv : public TensorDataset {
public:
  explicit Csv(const std::string &path, CsvDatasetOptions options = {},
               Where where = Where::current());

  const std::vector<std::string> &feature_names() const { return features_; }
  /// Words of the label by index: numbers in their order, else by letters. None in a regression.
  const std::vector<std::string> &classes() const { return classes_; }

private:
  std::vector<std::string> features_, classes_;
};

} // namespace sinter::data
