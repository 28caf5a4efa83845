// A user's program over the installed DSL: fits y = 2 x by gradient descent.
#include <sinter/sinter.h>

namespace nn = sinter::nn;
using sinter::Tensor;

struct Line : nn::Module {
  nn::Linear fc{this, "fc", {.in_features = 1, .out_features = 1}};
  Tensor forward(Tensor x) { return fc(x); }
};

int main() {
  Line model;
  auto step = sinter::train_step(model, sinter::mse_loss, sinter::optim::SGD{.lr = 0.1},
                                 {.device = sinter::Device::cpu()});
  sinter::Array x({{-1.f}, {0.f}, {1.f}, {2.f}}), y({{-2.f}, {0.f}, {2.f}, {4.f}});
  double loss = 0;
  for (int i = 0; i < 100; ++i) loss = step(x, y);
  fmt::print("loss {:.6f}, slope {:.4f}\n", loss, model.value("fc.weight").item());
  return loss < 1e-3 ? 0 : 1;
}
