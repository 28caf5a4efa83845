#pragma once

#include <string>

/// Training steps of stacks of equal layers, as the frontend traces them: to see what a compiler makes of many.
namespace sinter::test {

struct EncoderSize {
  int batch = 4, tokens = 16, width = 64, heads = 4, hidden = 2 * 64;
};

/// @train_step of `layers` dense layers with ReLU, a head with cross-entropy, and Adam.
std::string mlpStep(int layers);
/// The same of `layers` encoder blocks (layer norm, attention of four heads from matmul and softmax, residual,
/// layer norm, two dense layers with GELU, residual).
std::string encoderStep(int layers);
std::string encoderStep(int layers, const EncoderSize &size);

} // namespace sinter::test
