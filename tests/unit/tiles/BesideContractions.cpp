// Products of one launch of a GPU, side by side: by ordinary arithmetic, by warps' and by warpgroups' products, of
// unequal widths and with their epilogues, on the emulated device against the evaluator's bounds.
#include "TileCheck.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <optional>

using namespace sinter::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

std::string tensor(std::initializer_list<int64_t> shape, const std::string &element) {
  return fmt::format("tensor<{}x{}>", fmt::join(shape, "x"), element);
}

/// Queries, keys and values of one x: weights as nn.Linear has them, with biases or without.
std::string projections(int64_t rows, int64_t depth, std::vector<int64_t> widths,
                        const std::string &element, bool biased) {
  std::string x = tensor({rows, depth}, element), arguments = "%x: " + x, body, results, types;
  for (auto [i, n] : llvm::enumerate(widths)) {
    std::string w = tensor({n, depth}, element), bias = tensor({n}, element),
                y = tensor({rows, n}, element);
    arguments += fmt::format(", %w{}: {}, %b{}: {}", i, w, i, bias);
    body += fmt::format(
        "%p{0} = sinter.matmul %x, %w{0} {{transpose_b = true}} : ({1}, {2}) -> {3}\n", i, x, w, y);
    if (biased)
      body += fmt::format("%c{0} = sinter.broadcast %b{0} : ({1}) -> {2}\n"
                          "%y{0} = sinter.add %p{0}, %c{0} : {2}\n",
                          i, bias, y);
    results += fmt::format("{}%{}{}", i ? ", " : "", biased ? "y" : "p", i);
    types += (i ? ", " : "") + y;
  }
  return fmt::format("func.func @f({}) -> ({}) {{\n{}return {} : {}\n}}\n", arguments, types, body,
                     results, types);
}

struct Case {
  const char *name;
  int64_t rows, depth;
  std::vector<int64_t> widths;
  const char *element, *architecture, *unit;
  std::optional<Tile> tile = {};
};

constexpr Tile warpgroupTile{128, 128, 64, 1, 384, 3};

const Case cases[] = {
    {"f32", 80, 64, {64, 64, 64}, "f32", "sm_80", "SINTER_SHARED_2D"},
    {"f32OfGroups", 37, 48, {96, 32, 32}, "f32", "sm_90", "SINTER_SHARED_2D"},
    {"f64", 40, 32, {48, 24}, "f64", "sm_90", "SINTER_SHARED_2D"},
    {"bf16", 72, 128, {64, 64, 64}, "bf16", "sm_80", "mma<"},
    {"bf16OfGroups", 72, 64, {136, 40, 40}, "bf16", "sm_90", "mma<"},
    {"f16OddWidths", 33, 45, {50, 35}, "f16", "sm_80", "mma<"},
    {"warpgroups", 256, 320, {256, 256, 256}, "bf16", "sm_90a", "multiplyBlocks<", warpgroupTile},
    {"warpgroupsOfGroups",
     200,
     192,
     {264, 72, 72},
     "f16",
     "sm_90a",
     "multiplyBlocks<",
     warpgroupTile},
};

class BesideProducts : public testing::TestWithParam<std::tuple<size_t, bool>> {};

TEST_P(BesideProducts, AgreeWithTheEvaluator) {
  const Case &c = cases[std::get<0>(GetParam())];
  std::string text;
  checkStages(projections(c.rows, c.depth, c.widths, c.element, std::get<1>(GetParam())),
              c.architecture, c.tile ? &*c.tile : nullptr, text);
  EXPECT_THAT(text, HasSubstr(c.unit));
}

INSTANTIATE_TEST_SUITE_P(All, BesideProducts,
                         testing::Combine(testing::Range<size_t>(0, std::size(cases)),
                                          testing::Bool()),
                         [](const auto &info) {
                           return std::string(cases[std::get<0>(info.param)].name) +
                                  (std::get<1>(info.param) ? "Biased" : "");
                         });

/// Rows of 37 elements are no bulk copy's: no stage has a warpgroup's products then, whose blocks are others.
TEST(BesideWarpgroups, AllOrNone) {
  std::string x = tensor({72, 64}, "bf16"), v = tensor({64, 128}, "bf16"),
              w = tensor({64, 37}, "bf16"), y = tensor({72, 128}, "bf16"),
              z = tensor({72, 37}, "bf16"), text;
  checkStages(fmt::format("func.func @f(%x: {0}, %v: {1}, %w: {2}) -> ({3}, {4}) {{\n"
                          "%p = sinter.matmul %x, %v : ({0}, {1}) -> {3}\n"
                          "%q = sinter.matmul %x, %w : ({0}, {2}) -> {4}\n"
                          "return %p, %q : {3}, {4}\n}}\n",
                          x, v, w, y, z),
              "sm_90a", &warpgroupTile, text);
  EXPECT_THAT(text, AllOf(HasSubstr("mma<"), Not(HasSubstr("multiplyBlocks<"))));
}

/// The gradients of two weights: rows of both are those of one x, what is summed over is long.
TEST(BesideGradients, OfWeights) {
  std::string x = tensor({256, 64}, "bf16"), d = tensor({256, 96}, "bf16"),
              w = tensor({96, 64}, "bf16"), text;
  checkStages(fmt::format("func.func @f(%x: {0}, %d: {1}, %e: {1}) -> ({2}, {2}) {{\n"
                          "%p = sinter.matmul %d, %x {{transpose_a = true}} : ({1}, {0}) -> {2}\n"
                          "%q = sinter.matmul %e, %x {{transpose_a = true}} : ({1}, {0}) -> {2}\n"
                          "return %p, %q : {2}, {2}\n}}\n",
                          x, d, w),
              "sm_90", nullptr, text);
}

} // namespace
