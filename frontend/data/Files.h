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

} // namespace sinter::data
