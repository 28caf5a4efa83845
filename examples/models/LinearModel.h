#pragma once

#include <sinter/sinter.h>

namespace examples {

/// y = w x + b.
struct LinearModel : sinter::nn::Module {
  explicit LinearModel(int64_t features)
      : fc(this, "fc", {.in_features = features, .out_features = 1}) {}
  sinter::nn::Linear fc;
  sinter::Tensor forward(sinter::Tensor x) { return fc(x); }
};

} // namespace examples
