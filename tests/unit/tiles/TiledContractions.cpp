// CUDA contractions under every kind of tile, sums in one and in several parts, on the emulated device against
// the evaluator's bounds.
#include "TileCheck.h"

#include <gmock/gmock.h>

using namespace sinter::test;
using testing::HasSubstr;

namespace {

// Larger and smaller than the results below, register tiles from 1x4 to 8x8, one to five parts.
const Tile tiles[] = {{64, 64, 16, 1, 256}, {128, 128, 8, 1, 256}, {16, 16, 16, 1, 64},
                      {32, 16, 8, 3, 32},   {16, 64, 4, 5, 64},    {128, 32, 16, 2, 128}};

const TileCase cases[] = {
    {"odd", "tensor<37x29xf32>, tensor<29x45xf32>", "tensor<37x45xf32>",
     "%r = sinter.matmul %0, %1 : (tensor<37x29xf32>, tensor<29x45xf32>) -> tensor<37x45xf32>\n"},
    {"whole", "tensor<64x128xf32>, tensor<128x64xf32>, tensor<64xf32>", "tensor<64x64xf32>",
     "%a = sinter.relu %0 : tensor<64x128xf32>\n"
     "%p = sinter.matmul %a, %1 : (tensor<64x128xf32>, tensor<128x64xf32>) -> tensor<64x64xf32>\n"
     "%c = sinter.broadcast %2 : (tensor<64xf32>) -> tensor<64x64xf32>\n"
     "%s = sinter.add %p, %c : tensor<64x64xf32>\n"
     "%r = sinter.tanh %s : tensor<64x64xf32>\n"},
    {"transposed", "tensor<3x40x36xf32>, tensor<3x52x40xf32>", "tensor<3x36x52xf32>",
     "%r = sinter.matmul %0, %1 {transpose_a = true, transpose_b = true} : (tensor<3x40x36xf32>, "
     "tensor<3x52x40xf32>) -> tensor<3x36x52xf32>\n"},
    {"bf16", "tensor<33x70xbf16>, tensor<70x49xbf16>", "tensor<33x49xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<33x70xbf16>, tensor<70x49xbf16>) -> "
     "tensor<33x49xbf16>\n"},
    {"f16", "tensor<20x64xf16>, tensor<64x24xf16>", "tensor<20x24xf16>",
     "%r = sinter.matmul %0, %1 : (tensor<20x64xf16>, tensor<64x24xf16>) -> tensor<20x24xf16>\n"},
    {"f64", "tensor<9x50xf64>, tensor<50x31xf64>", "tensor<9x31xf64>",
     "%r = sinter.matmul %0, %1 : (tensor<9x50xf64>, tensor<50x31xf64>) -> tensor<9x31xf64>\n"},
    {"conv", "tensor<2x4x13x11xf32>, tensor<12x2x3x3xf32>", "tensor<2x12x7x6xf32>",
     "%r = sinter.conv2d %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = "
     "array<i64: 2, 2>} : (tensor<2x4x13x11xf32>, tensor<12x2x3x3xf32>) -> "
     "tensor<2x12x7x6xf32>\n"},
    {"dilated", "tensor<2x3x12x12xf32>, tensor<8x3x3x3xf32>", "tensor<2x8x8x8xf32>",
     "%r = sinter.conv2d %0, %1 {dilation = array<i64: 2, 2>} : (tensor<2x3x12x12xf32>, "
     "tensor<8x3x3x3xf32>) -> tensor<2x8x8x8xf32>\n"},
    {"inputGrad", "tensor<2x12x7x6xf32>, tensor<12x2x3x3xf32>", "tensor<2x4x13x11xf32>",
     "%r = sinter.conv2d_input_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride = "
     "array<i64: 2, 2>} : (tensor<2x12x7x6xf32>, tensor<12x2x3x3xf32>) -> "
     "tensor<2x4x13x11xf32>\n"},
    {"weightGrad", "tensor<2x4x13x11xf32>, tensor<2x12x7x6xf32>", "tensor<12x2x3x3xf32>",
     "%r = sinter.conv2d_weight_grad %0, %1 {groups = 2 : i64, padding = array<i64: 1, 1>, stride "
     "= "
     "array<i64: 2, 2>} : (tensor<2x4x13x11xf32>, tensor<2x12x7x6xf32>) -> "
     "tensor<12x2x3x3xf32>\n"},
    {"sum",
     "tensor<37x64xf32>, tensor<45x64xf32>, tensor<37x192xf32>, tensor<45x192xf32>, "
     "tensor<37x64xf32>, tensor<45x64xf32>, tensor<37x45xf32>",
     "tensor<37x45xf32>",
     "%pa = sinter.matmul %0, %1 {transpose_b = true} : (tensor<37x64xf32>, tensor<45x64xf32>) -> "
     "tensor<37x45xf32>\n"
     "%pb = sinter.matmul %2, %3 {transpose_b = true} : (tensor<37x192xf32>, tensor<45x192xf32>) "
     "-> tensor<37x45xf32>\n"
     "%pc = sinter.matmul %4, %5 {transpose_b = true} : (tensor<37x64xf32>, tensor<45x64xf32>) -> "
     "tensor<37x45xf32>\n"
     "%s = sinter.add %6, %pa : tensor<37x45xf32>\n"
     "%qb = sinter.add %s, %pb : tensor<37x45xf32>\n"
     "%r = sinter.add %qb, %pc : tensor<37x45xf32>\n"},
    {"sumTransposed", "tensor<64x40xf32>, tensor<64x52xf32>, tensor<64x40xf32>, tensor<64x52xf32>",
     "tensor<40x52xf32>",
     "%pa = sinter.matmul %0, %1 {transpose_a = true} : (tensor<64x40xf32>, tensor<64x52xf32>) -> "
     "tensor<40x52xf32>\n"
     "%pb = sinter.matmul %2, %3 {transpose_a = true} : (tensor<64x40xf32>, tensor<64x52xf32>) -> "
     "tensor<40x52xf32>\n"
     "%r = sinter.add %pa, %pb : tensor<40x52xf32>\n"},
};

class Tiles : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(Tiles, AgreeWithTheEvaluator) {
  std::string text;
  checkTile(cases[std::get<0>(GetParam())], tiles[std::get<1>(GetParam())], text);
  EXPECT_THAT(text, HasSubstr("SINTER_SHARED_2D"));
}

INSTANTIATE_TEST_SUITE_P(All, Tiles,
                         testing::Combine(testing::Range<size_t>(0, std::size(cases)),
                                          testing::Range<size_t>(0, std::size(tiles))),
                         [](const auto &info) {
                           return nameOf(cases[std::get<0>(info.param)],
                                         tiles[std::get<1>(info.param)]);
                         });

} // namespace
