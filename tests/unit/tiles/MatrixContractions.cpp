// CUDA contractions by matrix units: every kind of tile, every way into shared memory, sums in one and in several
// parts, on the emulated device against the evaluator's bounds.
#include "TileCheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

using namespace sinter::test;
using testing::HasSubstr;

namespace {

// Larger and smaller than the results below, one warp to eight, two slots to five, one to five parts.
const Tile tiles[] = {{64, 64, 32, 1, 128, 4}, {128, 128, 32, 1, 256, 3}, {16, 64, 32, 1, 64, 2},
                      {32, 32, 16, 2, 64, 4},  {128, 16, 16, 5, 128, 5},  {16, 16, 64, 1, 32, 3}};

const TileCase cases[] = {
    {"whole", "tensor<64x128xbf16>, tensor<128x64xbf16>", "tensor<64x64xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<64x128xbf16>, tensor<128x64xbf16>) -> "
     "tensor<64x64xbf16>\n"},
    {"epilogue", "tensor<64x64xbf16>, tensor<64x72xbf16>, tensor<72xbf16>, tensor<64x72xbf16>",
     "tensor<64x72xf32>",
     "%p = sinter.matmul %0, %1 : (tensor<64x64xbf16>, tensor<64x72xbf16>) -> "
     "tensor<64x72xbf16>\n%c = sinter.broadcast %2 : (tensor<72xbf16>) -> tensor<64x72xbf16>\n%s = "
     "sinter.add %p, %c : tensor<64x72xbf16>\n%u = sinter.relu %s : tensor<64x72xbf16>\n%v = "
     "sinter.add %u, %3 : tensor<64x72xbf16>\n%r = sinter.cast %v : (tensor<64x72xbf16>) -> "
     "tensor<64x72xf32>\n"},
    {"edges", "tensor<72x40xf16>, tensor<40x88xf16>", "tensor<72x88xf16>",
     "%r = sinter.matmul %0, %1 : (tensor<72x40xf16>, tensor<40x88xf16>) -> tensor<72x88xf16>\n"},
    {"odd", "tensor<37x29xbf16>, tensor<29x45xbf16>", "tensor<37x45xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<37x29xbf16>, tensor<29x45xbf16>) -> "
     "tensor<37x45xbf16>\n"},
    {"classes", "tensor<50x70xbf16>, tensor<70x10xbf16>", "tensor<50x10xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<50x70xbf16>, tensor<70x10xbf16>) -> "
     "tensor<50x10xbf16>\n"},
    {"row", "tensor<1x96xbf16>, tensor<96x40xbf16>", "tensor<1x40xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<1x96xbf16>, tensor<96x40xbf16>) -> tensor<1x40xbf16>\n"},
    {"transposed", "tensor<3x40x40xbf16>, tensor<3x56x40xbf16>", "tensor<3x40x56xbf16>",
     "%r = sinter.matmul %0, %1 {transpose_a = true, transpose_b = true} : (tensor<3x40x40xbf16>, "
     "tensor<3x56x40xbf16>) -> tensor<3x40x56xbf16>\n"},
    {"transposedB", "tensor<2x24x48xf16>, tensor<2x40x48xf16>", "tensor<2x24x40xf16>",
     "%r = sinter.matmul %0, %1 {transpose_b = true} : (tensor<2x24x48xf16>, tensor<2x40x48xf16>) "
     "-> tensor<2x24x40xf16>\n"},
    {"transposedA", "tensor<48x24xbf16>, tensor<48x40xbf16>", "tensor<24x40xbf16>",
     "%r = sinter.matmul %0, %1 {transpose_a = true} : (tensor<48x24xbf16>, tensor<48x40xbf16>) -> "
     "tensor<24x40xbf16>\n"},
    {"producer", "tensor<48x64xbf16>, tensor<64x40xbf16>", "tensor<48x40xbf16>",
     "%a = sinter.tanh %0 : tensor<48x64xbf16>\n%r = sinter.matmul %a, %1 : (tensor<48x64xbf16>, "
     "tensor<64x40xbf16>) -> tensor<48x40xbf16>\n"},
    {"conv", "tensor<2x4x13x11xbf16>, tensor<12x2x3x3xbf16>", "tensor<2x12x7x6xbf16>",
     "%r = sinter.conv2d %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: "
     "2, 2>} : (tensor<2x4x13x11xbf16>, tensor<12x2x3x3xbf16>) -> tensor<2x12x7x6xbf16>\n"},
    {"oneChannel", "tensor<2x1x12x12xf16>, tensor<16x1x5x5xf16>", "tensor<2x16x8x8xf16>",
     "%r = sinter.conv2d %0, %1 : (tensor<2x1x12x12xf16>, tensor<16x1x5x5xf16>) -> "
     "tensor<2x16x8x8xf16>\n"},
    {"threeChannels", "tensor<1x3x9x9xbf16>, tensor<20x3x3x3xbf16>", "tensor<1x20x9x9xbf16>",
     "%r = sinter.conv2d %0, %1 {padding = array<i64: 1, 1>} : (tensor<1x3x9x9xbf16>, "
     "tensor<20x3x3x3xbf16>) -> tensor<1x20x9x9xbf16>\n"},
    {"pointwise", "tensor<2x24x8x8xbf16>, tensor<40x24x1x1xbf16>", "tensor<2x40x8x8xbf16>",
     "%r = sinter.conv2d %0, %1 : (tensor<2x24x8x8xbf16>, tensor<40x24x1x1xbf16>) -> "
     "tensor<2x40x8x8xbf16>\n"},
    {"inputGrad", "tensor<2x12x7x6xbf16>, tensor<12x2x3x3xbf16>", "tensor<2x4x13x11xbf16>",
     "%r = sinter.conv2d_input_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = "
     "array<i64: 2, 2>} : (tensor<2x12x7x6xbf16>, tensor<12x2x3x3xbf16>) -> "
     "tensor<2x4x13x11xbf16>\n"},
    {"weightGrad", "tensor<2x4x13x11xbf16>, tensor<2x12x7x6xbf16>", "tensor<12x2x3x3xbf16>",
     "%r = sinter.conv2d_weight_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride "
     "= array<i64: 2, 2>} : (tensor<2x4x13x11xbf16>, tensor<2x12x7x6xbf16>) -> "
     "tensor<12x2x3x3xbf16>\n"},
    {"weightGradWhole", "tensor<2x8x10x10xf16>, tensor<2x16x8x8xf16>", "tensor<16x8x3x3xf16>",
     "%r = sinter.conv2d_weight_grad %0, %1 : (tensor<2x8x10x10xf16>, tensor<2x16x8x8xf16>) -> "
     "tensor<16x8x3x3xf16>\n"},
    // Products that are added up are one with all their terms; of one depth and of several.
    {"sum",
     "tensor<72x64xbf16>, tensor<64x88xbf16>, tensor<72x64xbf16>, tensor<64x88xbf16>, "
     "tensor<72x64xbf16>, tensor<64x88xbf16>, tensor<72x88xf32>",
     "tensor<72x88xf32>",
     "%pa = sinter.matmul %0, %1 : (tensor<72x64xbf16>, tensor<64x88xbf16>) -> tensor<72x88xbf16>\n"
     "%fa = sinter.cast %pa : (tensor<72x88xbf16>) -> tensor<72x88xf32>\n"
     "%pb = sinter.matmul %2, %3 : (tensor<72x64xbf16>, tensor<64x88xbf16>) -> tensor<72x88xbf16>\n"
     "%fb = sinter.cast %pb : (tensor<72x88xbf16>) -> tensor<72x88xf32>\n"
     "%pc = sinter.matmul %4, %5 : (tensor<72x64xbf16>, tensor<64x88xbf16>) -> tensor<72x88xbf16>\n"
     "%fc = sinter.cast %pc : (tensor<72x88xbf16>) -> tensor<72x88xf32>\n"
     "%s = sinter.add %6, %fa : tensor<72x88xf32>\n"
     "%qb = sinter.add %s, %fb : tensor<72x88xf32>\n"
     "%r = sinter.add %qb, %fc : tensor<72x88xf32>\n"},
    {"sumTransposed",
     "tensor<128x40xf16>, tensor<56x128xf16>, tensor<64x40xf16>, tensor<56x64xf16>",
     "tensor<40x56xf16>",
     "%pa = sinter.matmul %0, %1 {transpose_a = true, transpose_b = true} : (tensor<128x40xf16>, "
     "tensor<56x128xf16>) -> tensor<40x56xf16>\n"
     "%pb = sinter.matmul %2, %3 {transpose_a = true, transpose_b = true} : (tensor<64x40xf16>, "
     "tensor<56x64xf16>) -> tensor<40x56xf16>\n"
     "%r = sinter.add %pa, %pb : tensor<40x56xf16>\n"}};

class MatrixTiles : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(MatrixTiles, AgreeWithTheEvaluator) {
  std::string text;
  checkTile(cases[std::get<0>(GetParam())], tiles[std::get<1>(GetParam())], text);
  EXPECT_THAT(text, HasSubstr("mma<"));
}

/// The same in f32, rounded to tf32 on the way to the unit; sums, and what is fused behind them, are not.
const Tile tf32Tiles[] = {{64, 64, 32, 1, 128, 4, 0, true},
                          {128, 128, 32, 1, 128, 3, 0, true},
                          {16, 64, 16, 2, 64, 2, 0, true},
                          {64, 16, 16, 1, 32, 5, 0, true}};

/// Those whose factors are arguments.
std::vector<size_t> plainCases() {
  std::vector<size_t> plain;
  for (size_t i = 0; i < std::size(cases); ++i)
    if (std::string name = cases[i].name; name != "producer" && !name.starts_with("sum"))
      plain.push_back(i);
  return plain;
}

class MatrixTf32 : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(MatrixTf32, MultipliesRoundedFactors) {
  const TileCase &half = cases[std::get<0>(GetParam())];
  std::string name = half.name;
  auto whole = [](std::string text) {
    for (std::string type : {"xbf16>", "xf16>"})
      for (size_t at; (at = text.find(type)) != std::string::npos;)
        text.replace(at, type.size(), "xf32>");
    return text;
  };
  std::string types = whole(half.types), result = whole(half.result), body = whole(half.body), text;
  if (name == "epilogue") { // nothing is left to cast
    size_t cast = body.find("%r = sinter.cast");
    body = body.substr(0, cast);
    body.replace(body.find("%v = "), 5, "%r = ");
  }
  checkTile({half.name, types.c_str(), result.c_str(), body.c_str()},
            tf32Tiles[std::get<1>(GetParam())], text);
  EXPECT_THAT(text, HasSubstr("mmaTf32("));
}

INSTANTIATE_TEST_SUITE_P(All, MatrixTf32,
                         testing::Combine(testing::ValuesIn(plainCases()),
                                          testing::Range<size_t>(0, std::size(tf32Tiles))),
                         [](const auto &info) {
                           return nameOf(cases[std::get<0>(info.param)],
                                         tf32Tiles[std::get<1>(info.param)]);
                         });

/// Before each ldmatrix: the eight rows of a matrix lie in eight different places of 16 bytes, modulo 128.
const char *bankCheck = R"(
template <class P> SINTER_DEVICE P apart(P row) {
  u32 places = 1u << row.address / 16 % 8;
  for (int other = 1; other < 8; other *= 2) places |= __shfl_xor_sync(0xffffffffu, places, other);
  if (places != 0xffu) row[1 << 30];
  return row;
}
)";

TEST(MatrixBanks, NoTwoRowsOfAMatrixMeet) {
  auto check = [](std::string &source) {
    for (const std::string call : {"loadMatrices<4>(", "loadMatricesTransposed<4>("})
      for (size_t at = 0; (at = source.find(call, at)) != std::string::npos;
           at += call.size() + 6) {
        source.insert(source.find(");", at), ")");
        source.insert(at + call.size(), "apart(");
      }
    source.insert(source.find("extern"), bankCheck);
  };
  for (const TileCase &c : cases) {
    if (std::string(c.name) != "whole" && std::string(c.name) != "transposed") continue;
    for (const Tile &tile : tiles) {
      std::string text;
      SCOPED_TRACE(nameOf(c, tile));
      checkTile(c, tile, text, check);
      EXPECT_THAT(text, HasSubstr(">(apart("));
    }
  }
  // Without the crossing of words the results are right, and rows meet.
  testing::TestPartResultArray failures;
  {
    testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    std::string text;
    checkTile(cases[0], tiles[0], text, [&](std::string &source) {
      const std::string cross = " ^ ";
      for (size_t at; (at = source.find(cross)) != std::string::npos;)
        source.replace(at, cross.size(), " + 0 * ");
      check(source);
    });
  }
  ASSERT_GE(failures.size(), 1);
  EXPECT_THAT(failures.GetTestPartResult(0).message(), HasSubstr("out of bounds"));
}

INSTANTIATE_TEST_SUITE_P(All, MatrixTiles,
                         testing::Combine(testing::Range<size_t>(0, std::size(cases)),
                                          testing::Range<size_t>(0, std::size(tiles))),
                         [](const auto &info) {
                           return nameOf(cases[std::get<0>(info.param)],
                                         tiles[std::get<1>(info.param)]);
                         });

} // namespace
