#include "KernelRun.h"

namespace sinter::test {
namespace {

class Contraction : public KernelRun {
protected:
  void matmul(const std::string &a, const std::string &b, const std::string &c,
              const std::string &attributes = "", const std::string &element = "f32") {
    auto type = [&](const std::string &shape) {
      return fmt::format("tensor<{}x{}>", shape, element);
    };
    expectAgrees(kernel("contraction", fmt::format("%a: {}, %b: {}", type(a), type(b)),
                        fmt::format("  %c = sinter.matmul %a, %b {} : ({}, {}) -> {}\n  yield %c",
                                    attributes, type(a), type(b), type(c)),
                        type(c)));
  }
};

TEST_F(Contraction, Matmul) {
  matmul("7x9", "9x20", "7x20");
  matmul("64x64", "64x64", "64x64");
  matmul("100x10", "10x1", "100x1");
  matmul("1x300", "300x50", "1x50");
  matmul("3x17x33", "3x33x18", "3x17x18");
  matmul("130x257", "257x200", "130x200");
  matmul("9x7", "9x20", "7x20", "{transpose_a = true}");
  matmul("128x1600", "10x1600", "128x10", "{transpose_b = true}");
  matmul("90x70", "33x90", "70x33", "{transpose_a = true, transpose_b = true}");
  matmul("40x50", "50x70", "40x70", "", "bf16");
  matmul("40x50", "50x70", "40x70", "", "f64");
  matmul("33x70", "70x49", "33x49", "", "bf16"); // the last column is stored alone
  matmul("33x70", "70x49", "33x49", "", "f16");
  matmul("130x257", "257x200", "130x200", "", "f64");
  matmul("300x65", "130x300", "65x130", "{transpose_a = true, transpose_b = true}", "bf16");
  // Several blocks of columns in one unit, the last of them not whole.
  matmul("257x100", "257x130", "100x130", "{transpose_a = true}", "f64");
  matmul("16x600x81", "16x110x600", "16x81x110", "{transpose_a = true, transpose_b = true}");
}

// Products that are added up, with what is added to them besides; in f32 a row of a product may be read where it is.
TEST_F(Contraction, SumsOfProducts) {
  struct Sizes {
    std::vector<int64_t> depths;
    int64_t m, n;
    const char *element;
  };
  for (const Sizes &s : {Sizes{{64, 64}, 5, 7, "f32"},
                         {{64, 128, 64}, 72, 80, "f32"},
                         {{768, 256, 256}, 33, 100, "f32"},
                         {{128, 128, 128}, 130, 260, "f32"},
                         {{512, 1024}, 40, 90, "f32"},
                         {{64, 192}, 50, 40, "f64"},
                         {{64, 128, 64}, 72, 80, "bf16"},
                         {{768, 256, 256}, 40, 100, "bf16"},
                         {{384, 384, 384}, 96, 130, "bf16"},
                         {{192, 64}, 30, 50, "f16"}})
    for (bool a : {false, true})
      for (bool b : {false, true}) {
        auto type = [&](int64_t x, int64_t y) {
          return fmt::format("tensor<{}x{}x{}>", x, y, s.element);
        };
        std::string result = type(s.m, s.n), arguments = "%x: " + result, body, sum = "%x";
        for (auto [i, k] : llvm::enumerate(s.depths)) {
          std::string lhs = a ? type(k, s.m) : type(s.m, k), rhs = b ? type(s.n, k) : type(k, s.n);
          arguments += fmt::format(", %a{}: {}, %b{}: {}", i, lhs, i, rhs);
          body += fmt::format("  %p{0} = sinter.matmul %a{0}, %b{0} {{transpose_a = {1}, "
                              "transpose_b = {2}}} : ({3}, {4}) -> {5}\n",
                              i, a, b, lhs, rhs, result);
        }
        for (size_t i = 0; i < s.depths.size(); ++i) {
          body += fmt::format("  %s{0} = sinter.add {1}, %p{0} : {2}\n", i, sum, result);
          sum = fmt::format("%s{}", i);
        }
        body += fmt::format("  %t = sinter.tanh {} : {}\n  yield %t", sum, result);
        expectAgrees(kernel("contraction", arguments, body, result));
      }
}

// Several blocks of rows, of columns and of k, the last of each not whole, and operands that lie along either of
// their dimensions; rows a multiple of 4096 bytes apart.
TEST_F(Contraction, MatmulInBlocks) {
  struct Sizes {
    int64_t m, k, n;
  };
  for (Sizes s : {Sizes{300, 600, 500}, {70, 1024, 410}, {1030, 300, 50}, {40, 2048, 200}})
    for (const char *attributes : {"", "{transpose_a = true}", "{transpose_b = true}",
                                   "{transpose_a = true, transpose_b = true}"}) {
      bool a = std::string(attributes).find("_a") != std::string::npos,
           b = std::string(attributes).find("_b") != std::string::npos;
      auto shape = [](int64_t x, int64_t y) { return fmt::format("{}x{}", x, y); };
      for (const char *element : {"f32", "f16"})
        matmul(a ? shape(s.k, s.m) : shape(s.m, s.k), b ? shape(s.n, s.k) : shape(s.k, s.n),
               shape(s.m, s.n), attributes, element);
    }
  matmul("2x300x600", "2x600x500", "2x300x500");
}

// Where there is a matrix unit these go through its tiles: blocks of rows, columns and k, whole or not, and
// operands that lie along either of their dimensions.
TEST_F(Contraction, MatmulOfBf16) {
  struct Sizes {
    int64_t m, k, n;
  };
  for (Sizes s : {Sizes{64, 64, 64},
                  {32, 32, 32},
                  {1, 300, 500},
                  {500, 300, 1},
                  {16, 2000, 16},
                  {17, 33, 100},
                  {130, 257, 200},
                  {300, 65, 310},
                  {48, 1024, 48},
                  {5, 4, 2000},
                  {270, 1100, 40},
                  {33, 600, 600},
                  {10, 1600, 128},
                  {256, 520, 300}})
    for (const char *attributes : {"", "{transpose_a = true}", "{transpose_b = true}",
                                   "{transpose_a = true, transpose_b = true}"}) {
      bool a = std::string(attributes).find("_a") != std::string::npos,
           b = std::string(attributes).find("_b") != std::string::npos;
      auto shape = [](int64_t x, int64_t y) { return fmt::format("{}x{}", x, y); };
      matmul(a ? shape(s.k, s.m) : shape(s.m, s.k), b ? shape(s.n, s.k) : shape(s.k, s.n),
             shape(s.m, s.n), attributes, "bf16");
    }
  // Rows that are whole tiles of whole lines are read where they are; columns in several blocks, the last of them
  // not whole; more of k than is added up at once.
  for (Sizes s :
       {Sizes{48, 64, 300}, {272, 96, 48}, {16, 128, 272}, {80, 2144, 144}, {1040, 32, 130}})
    for (bool b : {false, true})
      matmul(fmt::format("{}x{}", s.m, s.k),
             b ? fmt::format("{}x{}", s.n, s.k) : fmt::format("{}x{}", s.k, s.n),
             fmt::format("{}x{}", s.m, s.n), b ? "{transpose_b = true}" : "", "bf16");
  matmul("3x48x64", "3x64x80", "3x48x80", "", "bf16");
  matmul("5x70x90", "5x90x50", "5x70x50", "", "bf16");
  matmul("3x90x70", "3x50x90", "3x70x50", "{transpose_a = true, transpose_b = true}", "bf16");
}

TEST_F(Contraction, TilesGiveTheSameOnAnyNumberOfThreads) {
  std::string text = kernel("contraction", "%a: tensor<528x320xbf16>, %b: tensor<320x400xbf16>",
                            "  %c = sinter.matmul %a, %b : (tensor<528x320xbf16>, "
                            "tensor<320x400xbf16>) -> tensor<528x400xbf16>\n  yield %c",
                            "tensor<528x400xbf16>");
  expectAgreesOnAnyNumberOfThreads(text);
}

// What fills a tile up beyond k meets infinities: as zeros on both sides it leaves no trace.
TEST_F(Contraction, InfinitiesBesideWhatFillsTilesUp) {
  for (const char *attributes : {"", "{transpose_a = true, transpose_b = true}"}) {
    bool turned = *attributes;
    std::vector<double> a(40 * 45, 0.5), b(45 * 50, 0.25);
    const double infinite = std::numeric_limits<double>::infinity();
    a[turned ? 44 * 40 + 3 : 3 * 45 + 44] = infinite;
    b[turned ? 7 * 45 + 44 : 44 * 50 + 7] = infinite;
    b[turned ? 49 * 45 + 1 : 1 * 50 + 49] = std::nan("");
    auto type = [&](int64_t x, int64_t y) {
      return fmt::format("tensor<{}x{}xbf16>", turned ? y : x, turned ? x : y);
    };
    expectAgrees(kernel("contraction", fmt::format("%a: {}, %b: {}", type(40, 45), type(45, 50)),
                        fmt::format("  %c = sinter.matmul %a, %b {} : ({}, {}) -> "
                                    "tensor<40x50xbf16>\n  yield %c",
                                    attributes, type(40, 45), type(45, 50)),
                        "tensor<40x50xbf16>"),
                 {a, b});
  }
}

// Operands that are computed on their way into panels, and rounded there.
TEST_F(Contraction, Bf16WithProducersAndEpilogue) {
  for (bool turned : {false, true}) {
    std::string x = turned ? "tensor<70x65xf32>" : "tensor<65x70xf32>",
                h = turned ? "tensor<70x65xbf16>" : "tensor<65x70xbf16>",
                w = turned ? "tensor<50x70xbf16>" : "tensor<70x50xbf16>", y = "tensor<65x50xbf16>";
    expectAgrees(
        kernel("contraction", fmt::format("%x: {}, %w: {}, %b: tensor<50xbf16>", x, w),
               fmt::format("  %r = sinter.relu %x : {0}\n  %h = sinter.cast %r : ({0}) -> {1}\n"
                           "  %e = sinter.exp %w : {2}\n"
                           "  %c = sinter.matmul %h, %e {4} : ({1}, {2}) -> {3}\n"
                           "  %bb = sinter.broadcast %b : (tensor<50xbf16>) -> {3}\n"
                           "  %d = sinter.add %c, %bb : {3}\n  %g = sinter.relu %d : {3}\n"
                           "  yield %g, %d",
                           x, h, w, y, turned ? "{transpose_a = true, transpose_b = true}" : ""),
               y + ", " + y));
  }
}

TEST_F(Contraction, MatmulWithProducersAndEpilogue) {
  expectAgrees(kernel("contraction",
                      "%x: tensor<65x70xf32>, %w: tensor<50x70xf32>, %b: tensor<50xf32>",
                      "  %r = sinter.relu %x : tensor<65x70xf32>\n"
                      "  %c = sinter.matmul %r, %w {transpose_b = true} : (tensor<65x70xf32>, "
                      "tensor<50x70xf32>) -> tensor<65x50xf32>\n"
                      "  %bb = sinter.broadcast %b : (tensor<50xf32>) -> tensor<65x50xf32>\n"
                      "  %d = sinter.add %c, %bb : tensor<65x50xf32>\n  %e = sinter.gelu %d : "
                      "tensor<65x50xf32>\n  yield %e, %d",
                      "tensor<65x50xf32>, tensor<65x50xf32>"));
}

// What follows several blocks of columns, the last of them not whole, is read through a reshape.
TEST_F(Contraction, EpilogueThroughAReshape) {
  for (int64_t n : {400, 405, 768}) {
    std::string c = fmt::format("tensor<60x{}xf32>", n), r = fmt::format("tensor<3x20x{}xf32>", n),
                b = fmt::format("tensor<{}xf32>", n), w = fmt::format("tensor<{}x300xf32>", n);
    expectAgrees(kernel("contraction",
                        fmt::format("%x: tensor<60x300xf32>, %w: {}, %b: {}, %s: {}", w, b, r),
                        fmt::format("  %c = sinter.matmul %x, %w {{transpose_b = true}} : "
                                    "(tensor<60x300xf32>, {0}) -> {1}\n"
                                    "  %bb = sinter.broadcast %b : ({2}) -> {1}\n"
                                    "  %d = sinter.add %c, %bb : {1}\n"
                                    "  %e = sinter.reshape %d : ({1}) -> {3}\n"
                                    "  %f = sinter.mul %e, %s : {3}\n  yield %e, %f",
                                    w, c, b, r),
                        r + ", " + r));
  }
}

struct Conv {
  const char *x, *w, *y, *attributes;
};
const Conv convolutions[] = {
    {"2x1x28x28", "32x1x3x3", "2x32x26x26", ""},
    {"2x32x13x13", "64x32x3x3", "2x64x11x11", ""},
    {"2x3x17x19", "8x3x3x3", "2x8x17x19", "padding = array<i64: 1, 1>"},
    {"2x4x15x16", "6x4x3x5", "2x6x9x5", "padding = array<i64: 2, 1>, stride = array<i64: 2, 3>"},
    {"1x4x15x16", "6x2x3x3", "1x6x11x12", "groups = 2 : i64, dilation = array<i64: 2, 2>"},
    {"3x8x7x7", "5x8x1x1", "3x5x7x7", ""},
    // Weight gradients over images that are larger than a block: blocks in them, and across their ends.
    {"3x8x24x24", "20x8x1x1", "3x20x24x24", ""},
    {"2x8x19x23", "20x8x1x1", "2x20x19x23", ""},
    // Weight gradients whose input is read from a box: of one image, of several, of lines of one, with
    // a last block or a last unit that is smaller, strided, dilated, in groups.
    {"3x20x14x15", "32x20x3x3", "3x32x14x15", "padding = array<i64: 1, 1>"},
    {"5x3x9x9", "16x3x3x3", "5x16x7x7", ""},
    {"2x1x30x40", "16x1x3x3", "2x16x28x38", ""},
    {"11x4x6x6", "16x4x3x3", "11x16x6x6", "padding = array<i64: 1, 1>"},
    {"3x41x6x7", "16x41x3x3", "3x16x6x7", "padding = array<i64: 1, 1>"},
    {"4x6x12x12", "16x6x5x5", "4x16x8x8", ""},
    {"7x5x20x21", "18x5x3x4", "7x18x10x10",
     "padding = array<i64: 1, 1>, stride = array<i64: 2, 2>"},
    {"2x8x17x18", "32x4x3x3", "2x32x13x14", "groups = 2 : i64, dilation = array<i64: 2, 2>"},
};

class Convolutions : public Contraction, public ::testing::WithParamInterface<const char *> {};

INSTANTIATE_TEST_SUITE_P(Types, Convolutions, ::testing::Values("f32", "bf16"),
                         [](const auto &info) { return std::string(info.param); });

TEST_P(Convolutions, AndTheirGradients) {
  for (const Conv &c : convolutions) {
    auto type = [](const char *shape) { return fmt::format("tensor<{}x{}>", shape, GetParam()); };
    std::string attributes = fmt::format("{{{}}}", c.attributes);
    expectAgrees(kernel("contraction", fmt::format("%x: {}, %w: {}", type(c.x), type(c.w)),
                        fmt::format("  %y = sinter.conv2d %x, %w {} : ({}, {}) -> {}\n  yield %y",
                                    attributes, type(c.x), type(c.w), type(c.y)),
                        type(c.y)));
    expectAgrees(
        kernel("contraction", fmt::format("%g: {}, %w: {}", type(c.y), type(c.w)),
               fmt::format("  %x = sinter.conv2d_input_grad %g, %w {} : ({}, {}) -> {}\n  yield %x",
                           attributes, type(c.y), type(c.w), type(c.x)),
               type(c.x)));
    expectAgrees(kernel(
        "contraction", fmt::format("%x: {}, %g: {}", type(c.x), type(c.y)),
        fmt::format("  %w = sinter.conv2d_weight_grad %x, %g {} : ({}, {}) -> {}\n  yield %w",
                    attributes, type(c.x), type(c.y), type(c.w)),
        type(c.w)));
  }
}

// By Winograd's minimal filtering where vectors have eight lanes and more: lines of tiles that are whole vectors or
// parts of one, blocks that have several pictures or not all of one, the last of them not whole, tiles that reach beyond
// the result, more channels than one step has, rows and channels that are no multiple of anything.
const Conv minimal[] = {
    {"2x16x8x8", "16x16x3x3", "2x16x8x8", "padding = array<i64: 1, 1>"},
    {"15x24x4x4", "20x24x3x3", "15x20x4x4", "padding = array<i64: 1, 1>"},
    {"3x20x13x15", "17x20x3x3", "3x17x11x13", ""},
    {"1x16x40x70", "18x16x3x3", "1x18x42x72", "padding = array<i64: 2, 2>"},
    {"4x150x8x8", "80x150x3x3", "4x80x8x8", "padding = array<i64: 1, 1>"},
    {"3x33x16x17", "30x33x3x3", "3x30x16x15", "padding = array<i64: 1, 0>"},
    {"2x70x7x32", "33x70x3x3", "2x33x7x32", "padding = array<i64: 1, 1>"},
};

class MinimalFiltering : public Contraction {
protected:
  /// The convolution and its gradients, each with what it reads computed on the way and something after it.
  static std::vector<std::string> kernels(const Conv &c) {
    auto type = [](const char *shape) { return fmt::format("tensor<{}xf32>", shape); };
    std::string x = type(c.x), w = type(c.w), y = type(c.y);
    auto one = [&](const std::string &op, const std::string &a, const std::string &b,
                   const std::string &relu, const std::string &result) {
      return kernel("contraction", fmt::format("%a: {}, %b: {}", a, b),
                    fmt::format("  %r = sinter.relu {0} : {1}\n"
                                "  %c = sinter.{2} {3} {{{4}}} : ({5}, {6}) -> {7}\n"
                                "  %n = sinter.neg %c : {7}\n  yield %n, %c",
                                relu, relu == "%a" ? a : b, op, relu == "%a" ? "%r, %b" : "%a, %r",
                                c.attributes, a, b, result),
                    result + ", " + result);
    };
    return {one("conv2d", x, w, "%a", y), one("conv2d_input_grad", y, w, "%a", x),
            one("conv2d_weight_grad", x, y, "%b", w)};
  }
};

TEST_F(MinimalFiltering, AgreesWithTheDefinition) {
  for (const Conv &c : minimal)
    for (const std::string &text : kernels(c))
      for (const char *isa : {"", "avx2"}) expectAgrees(text, {}, isa);
}

TEST_F(MinimalFiltering, GivesTheSameOnAnyNumberOfThreads) {
  for (const std::string &text : kernels(minimal[4])) expectAgreesOnAnyNumberOfThreads(text);
}

// An infinity stays one where the definition is followed, which a strict kernel is computed by.
TEST_F(MinimalFiltering, IsNotStrict) {
  std::string text = kernels(minimal[0])[0];
  std::string strict = "module attributes {sinter.numerics = \"strict\"} {\n" + text + "}\n";
  std::mt19937 before = random;
  expectAgrees(text);
  std::vector<std::vector<uint8_t>> minimally = lastOutputs;
  random = before;
  expectAgrees(strict);
  EXPECT_NE(minimally, lastOutputs);
  std::vector<double> x(2 * 16 * 8 * 8, 1), w(16 * 16 * 9, 0.5);
  x[20] = std::numeric_limits<double>::infinity();
  expectAgrees(strict, {x, w});
}

// Sums of other terms: small integers stay exact.
TEST_F(MinimalFiltering, IsExactForIntegers) {
  for (const std::string &text : kernels(minimal[0])) {
    std::vector<double> a(2 * 16 * 8 * 8), b(16 * 16 * 9);
    for (std::vector<double> *numbers : {&a, &b})
      for (double &x : *numbers) x = std::uniform_int_distribution<>(-3, 3)(random);
    if (text.find("weight_grad") != std::string::npos) b.resize(a.size());
    expectAgrees(text, {a, b});
  }
}

struct Pooled {
  const char *x, *w, *channels, *y, *p, *attributes, *pool;
};
const Pooled pooled[] = {
    {"2x1x28x28", "32x1x3x3", "32", "2x32x26x26", "2x32x13x13", "", "2"},
    {"3x32x13x13", "64x32x3x3", "64", "3x64x11x11", "3x64x5x5", "", "2"}, // a line of no window
    {"1x3x40x70", "9x3x3x3", "9", "1x9x40x70", "1x9x13x23", "padding = array<i64: 1, 1>", "3"},
    {"2x40x9x250", "5x40x1x1", "5", "2x5x9x250", "2x5x4x125", "", "2"}, // long lines
    {"2x4x8x8", "6x2x3x3", "6", "2x6x6x6", "2x6x3x3", "groups = 2 : i64", "2"},
    {"1x1x5x5", "2x1x2x2", "2", "1x2x4x4", "1x2x2x2", "", "2"}, // too small for panels
};

TEST_P(Convolutions, EndInWindows) {
  for (const Pooled &c : pooled) {
    auto type = [](const std::string &shape) {
      return fmt::format("tensor<{}x{}>", shape, GetParam());
    };
    std::string y = type(c.y), p = type(c.p), b = type(fmt::format("{}x1x1", c.channels));
    std::string places = fmt::format("tensor<{}xui8>", c.p);
    std::string window = fmt::format(
        "{{kernel_size = array<i64: {0}, {0}>, stride = array<i64: {0}, {0}>}}", c.pool);
    std::string arguments = fmt::format("%x: {}, %w: {}, %b: {}", type(c.x), type(c.w), b);
    std::string start =
        fmt::format("  %y = sinter.conv2d %x, %w {{{}}} : ({}, {}) -> {}\n  %bb = sinter.broadcast "
                    "%b : ({}) -> "
                    "{}\n  %s = sinter.add %y, %bb : {}\n  %r = sinter.relu %s : {}\n",
                    c.attributes, type(c.x), type(c.w), y, b, y, y, y);
    std::string largest = fmt::format(
        "  %p, %i = sinter.max_pool2d %r {} : ({}) -> ({}, {})\n  %n = sinter.neg %p : {}\n"
        "  yield %n, %p, %i",
        window, y, p, places, p);
    std::string mean =
        fmt::format("  %p = sinter.avg_pool2d %r {} : ({}) -> {}\n  yield %p", window, y, p);
    for (const char *isa : {"", "avx2", "generic"}) {
      expectAgrees(kernel("contraction", arguments, start + largest, p + ", " + p + ", " + places),
                   {}, isa, 2);
      expectAgrees(kernel("contraction", arguments, start + mean, p), {}, isa, 3);
    }
  }
}

} // namespace
} // namespace sinter::test
