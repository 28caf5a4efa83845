#pragma once

#include <sinter/sinter.h>

#include <stdexcept>

namespace examples {

/// The handwritten digits: 64 pixels from 0 to 16 and the digit, row by row; images [1, 8, 8] in [0, 1].
inline sinter::data::TensorDataset readDigits(const std::string &path) {
  sinter::Array table = sinter::data::read_csv(path);
  if (table.shape()[1] != 65)
    throw std::runtime_error(path + ": rows of 64 pixels and a digit are expected");
  int64_t rows = table.shape()[0];
  std::vector<float> pixels;
  std::vector<int64_t> digits;
  for (int64_t i = 0; i < rows * 65; ++i)
    if (i % 65 == 64)
      digits.push_back(static_cast<int64_t>(table.at(i)));
    else
      pixels.push_back(static_cast<float>(table.at(i) / 16));
  return {sinter::Array(pixels, {rows, 1, 8, 8}), sinter::Array(digits)};
}

} // namespace examples
