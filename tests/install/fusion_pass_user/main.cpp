// A user's program with a fusion pass of their own: fewer kernels, the same values.
//   fusion_pass_user [PLUGIN]      without one, SINTER_PASS_PLUGINS names it
#include <sinter/sinter.h>

using sinter::Tensor;

int main(int argc, char **argv) {
  const sinter::TensorSpec spec{{256, 1024}, sinter::f32};
  auto traced =
      sinter::trace([](Tensor x, Tensor y) { return std::pair(exp(x), tanh(y)); }, {spec, spec});
  auto plain = sinter::compile(traced, {.device = sinter::Device::cpu()});
  sinter::CompileOptions options{.device = sinter::Device::cpu()};
  if (argc > 1) options.plugins = {argv[1]};
  options.passes = {{"after-fusion", "builtin.module(func.func(horizontal-pointwise))"}};
  auto merged = sinter::compile(traced, options);

  auto x = sinter::Array::full(spec.shape, 0.5), y = sinter::Array::full(spec.shape, -0.25);
  auto expected = plain(x, y), found = merged(x, y);
  bool same = expected[0].at(7) == found[0].at(7) && expected[1].at(7) == found[1].at(7);
  fmt::print("{} kernels without the pass, {} with it; values {}\n", plain.kernels(),
             merged.kernels(), same ? "agree" : "differ");
  if (plain.kernels() != 2 || merged.kernels() != 1 || !same) return 1;

  try { // another name than the plug-in brings
    options.passes = {{"after-fusion", "func.func(vertical-pointwise)"}};
    sinter::compile(traced, options);
    return 2;
  } catch (const sinter::CompileError &error) { fmt::print("{}\n", error.what()); }
  return 0;
}
