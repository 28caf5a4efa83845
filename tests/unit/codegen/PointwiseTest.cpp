#include "KernelRun.h"

#include "sinter/runtime/cpu/KernelImage.h"

namespace sinter::test {
namespace {

using Pointwise = KernelRun;

TEST_F(Pointwise, ChainOverOneDimension) {
  for (int n : {1, 7, 16, 100, 1000, 70001}) {
    std::string t = fmt::format("tensor<{}xf32>", n);
    expectAgrees(kernel("pointwise", fmt::format("%a: {0}, %b: {0}", t),
                        fmt::format("  %c = sinter.add %a, %b : {0}\n  %d = sinter.relu %c : {0}\n"
                                    "  %e = sinter.mul %d, %a : {0}\n  yield %e",
                                    t),
                        t));
  }
}

TEST_F(Pointwise, BroadcastAndTranspose) {
  expectAgrees(kernel("pointwise", "%a: tensor<33x18xf32>, %b: tensor<33xf32>",
                      "  %t = sinter.transpose %a {permutation = array<i64: 1, 0>} : "
                      "(tensor<33x18xf32>) -> tensor<18x33xf32>\n"
                      "  %c = sinter.broadcast %b : (tensor<33xf32>) -> tensor<18x33xf32>\n"
                      "  %d = sinter.sub %t, %c : tensor<18x33xf32>\n  yield %d",
                      "tensor<18x33xf32>"));
}

TEST_F(Pointwise, EveryFunctionOnEveryInstructionSet) {
  for (const char *isa : {"avx512", "avx2", "generic"}) {
    if (!runtime::hostRuns(isa)) continue;
    for (const char *element : {"f32", "bf16", "f16", "f64"})
      for (const char *op : {"neg", "abs", "sign", "floor", "ceil", "exp", "log", "log1p", "sqrt",
                             "rsqrt", "sin", "cos", "tanh", "sigmoid", "erf", "relu", "gelu"}) {
        std::string t = fmt::format("tensor<37x{}>", element);
        std::vector<double> input;
        for (int i = 0; i < 37; ++i)
          input.push_back(std::string(op) == "log" || std::string(op) == "sqrt" ||
                                  std::string(op) == "rsqrt"
                              ? 0.1 + i * 0.3
                          : std::string(op) == "log1p" ? i * 0.3 - 0.9
                                                       : i * 0.3 - 5);
        expectAgrees(kernel("pointwise", "%a: " + t,
                            fmt::format("  %c = sinter.{} %a : {}\n  yield %c", op, t), t),
                     {input}, isa);
      }
  }
}

TEST_F(Pointwise, IntegersAndBooleans) {
  std::string i = "tensor<35xi32>", u = "tensor<35xui8>", b = "tensor<35xi1>";
  expectAgrees(
      kernel("pointwise", "%a: " + i + ", %b: " + i,
             fmt::format(
                 "  %one = sinter.constant dense<3> : {0}\n  %d = sinter.add %b, %one : {0}\n"
                 "  %q = sinter.floor_divide %a, %d : {0}\n  %r = sinter.remainder %a, %d : {0}\n"
                 "  %c = sinter.compare lt %q, %r : ({0}, {0}) -> {1}\n"
                 "  %s = sinter.select %c, %q, %a : ({1}, {0}, {0}) -> {0}\n  yield %q, %r, %c, %s",
                 i, b),
             i + ", " + i + ", " + b + ", " + i));
  expectAgrees(
      kernel("pointwise", "%a: " + u + ", %b: " + b,
             fmt::format(
                 "  %x = sinter.mul %a, %a : {0}\n  %f = sinter.cast %x : ({0}) -> tensor<35xf32>\n"
                 "  %k = sinter.cast %b : ({1}) -> {0}\n  %n = sinter.logical_not %b : {1}\n"
                 "  %g = sinter.cast %f : (tensor<35xf32>) -> tensor<35xi64>\n  yield %x, %f, %k, "
                 "%n, %g",
                 u, b),
             u + ", tensor<35xf32>, " + u + ", " + b + ", tensor<35xi64>"),
      {std::vector<double>(35, 200.0)});
}

TEST_F(Pointwise, ViewsThatAreNotAffine) {
  expectAgrees(
      kernel("pointwise", "%a: tensor<5x20xf32>, %b: tensor<3x20xf32>",
             "  %p = sinter.pad %a {low = array<i64: 1, 3>, high = array<i64: 2, 0>, interior = "
             "array<i64: 0, 1>, value = 2.5} : (tensor<5x20xf32>) -> tensor<8x42xf32>\n"
             "  %c = sinter.concat %a, %b {dim = 0 : i64} : (tensor<5x20xf32>, tensor<3x20xf32>) "
             "-> tensor<8x20xf32>\n"
             "  %s = sinter.slice %p {start = array<i64: 0, 1>, limit = array<i64: 8, 41>, step = "
             "array<i64: 1, 2>} : (tensor<8x42xf32>) -> tensor<8x20xf32>\n"
             "  %r = sinter.add %c, %s : tensor<8x20xf32>\n  yield %r",
             "tensor<8x20xf32>"));
  expectAgrees(kernel("pointwise", "%a: tensor<20x5xf32>, %b: tensor<20x4xf32>",
                      "  %c = sinter.concat %a, %b {dim = 1 : i64} : (tensor<20x5xf32>, "
                      "tensor<20x4xf32>) -> tensor<20x9xf32>\n"
                      "  %r = sinter.reshape %c : (tensor<20x9xf32>) -> tensor<3x60xf32>\n  %e = "
                      "sinter.exp %r : tensor<3x60xf32>\n  yield %e",
                      "tensor<3x60xf32>"));
}

TEST_F(Pointwise, RandomNumbersAndDropout) {
  std::string t = "tensor<6x50xf32>";
  expectAgrees(
      kernel("pointwise", "%x: " + t + ", %seed: tensor<i64>, %step: tensor<i64>",
             fmt::format("  %u = sinter.random_uniform %seed, %step {{stream = 4294967291 : i64, "
                         "low = -1.0, high = 3.0}} : (tensor<i64>, tensor<i64>) -> {0}\n"
                         "  %n = sinter.random_normal %seed, %step {{stream = 5 : i64}} : "
                         "(tensor<i64>, tensor<i64>) -> {0}\n"
                         "  %b = sinter.random_bernoulli %seed, %step {{stream = 6 : i64, p = "
                         "0.3}} : (tensor<i64>, tensor<i64>) -> {0}\n"
                         "  %d = sinter.dropout %x, %seed, %step {{stream = 7 : i64, p = 0.25}} : "
                         "({0}, tensor<i64>, tensor<i64>) -> {0}\n"
                         "  yield %u, %n, %b, %d",
                         t),
             t + ", " + t + ", " + t + ", " + t),
      {{}, {123456789012.0}, {77}});
}

TEST_F(Pointwise, IndexedAccess) {
  expectAgrees(kernel("pointwise", "%w: tensor<6x40xf32>, %i: tensor<3x4xi64>",
                      "  %e = sinter.embedding %w, %i : (tensor<6x40xf32>, tensor<3x4xi64>) -> "
                      "tensor<3x4x40xf32>\n  yield %e",
                      "tensor<3x4x40xf32>"));
  expectAgrees(kernel("pointwise", "%x: tensor<6x40xf32>, %i: tensor<3x40xi32>",
                      "  %e = sinter.gather %x, %i {dim = 0 : i64} : (tensor<6x40xf32>, "
                      "tensor<3x40xi32>) -> tensor<3x40xf32>\n"
                      "  %n = sinter.neg %e : tensor<3x40xf32>\n  yield %n",
                      "tensor<3x40xf32>"));
  expectAgrees(
      kernel("pointwise", "%i: tensor<37xi64>",
             "  %h = sinter.one_hot %i : (tensor<37xi64>) -> tensor<37x20xf32>\n  yield %h",
             "tensor<37x20xf32>"));
}

TEST_F(Pointwise, Windows) {
  struct Case {
    const char *x, *y, *attributes;
  };
  for (Case c :
       {Case{"2x3x26x26", "2x3x13x13", "kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>"},
        Case{"2x3x11x11", "2x3x5x5", "kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>"},
        Case{"2x2x20x40", "2x2x10x20",
             "kernel_size = array<i64: 3, 3>, stride = array<i64: 2, 2>, padding = array<i64: 1, "
             "1>"},
        Case{"1x2x8x8", "1x2x1x1", "kernel_size = array<i64: 8, 8>, stride = array<i64: 8, 8>"},
        Case{"1x2x9x9", "1x2x5x5",
             "kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>, ceil_mode = true"}}) {
    std::string x = fmt::format("tensor<{}xf32>", c.x), y = fmt::format("tensor<{}xf32>", c.y),
                p = fmt::format("tensor<{}xui8>", c.y);
    expectAgrees(kernel(
        "pointwise", "%x: " + x,
        fmt::format("  %y, %p = sinter.max_pool2d %x {{{}}} : ({}) -> ({}, {})\n  yield %y, %p",
                    c.attributes, x, y, p),
        y + ", " + p));
    expectAgrees(kernel("pointwise", "%x: " + x,
                        fmt::format("  %y = sinter.avg_pool2d %x {{{}}} : ({}) -> {}\n  yield %y",
                                    c.attributes, x, y),
                        y));
    expectAgrees(
        kernel("pointwise", "%g: " + y,
               fmt::format("  %x = sinter.avg_pool2d_grad %g {{{}}} : ({}) -> {}\n  yield %x",
                           c.attributes, y, x),
               x));
    expectAgrees(kernel(
        "pointwise", "%x: " + x + ", %g: " + y,
        fmt::format("  %y, %p = sinter.max_pool2d %x {{{0}}} : ({2}) -> ({1}, {3})\n"
                    "  %d = sinter.max_pool2d_grad %g, %p {{{0}}} : ({1}, {3}) -> {2}\n  yield %d",
                    c.attributes, y, x, p),
        x));
  }
}

TEST_F(Pointwise, Scatter) {
  expectAgrees(kernel("scatter", "%g: tensor<3x4x40xf32>, %i: tensor<3x4xi64>",
                      "  %w = sinter.embedding_grad %g, %i {padding_idx = 2 : i64} : "
                      "(tensor<3x4x40xf32>, tensor<3x4xi64>) -> tensor<6x40xf32>\n  yield %w",
                      "tensor<6x40xf32>"));
  expectAgrees(kernel("scatter", "%x: tensor<6x9xf32>, %i: tensor<4x7xi64>, %s: tensor<4x7xf32>",
                      "  %w = sinter.scatter_add %x, %i, %s {dim = 0 : i64} : (tensor<6x9xf32>, "
                      "tensor<4x7xi64>, tensor<4x7xf32>) -> tensor<6x9xf32>\n  yield %w",
                      "tensor<6x9xf32>"));
}

} // namespace
} // namespace sinter::test
