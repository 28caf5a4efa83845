// CUDA contractions by warpgroups: tiles in both widths, one to many of them a block, operands that lie along k and
// across it, on the emulated device against the evaluator's bounds.
#include "TileCheck.h"

#include <gmock/gmock.h>

using namespace sinter::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

// Fewer slots than steps of k, and more; a block that makes every tile, three that share them, one for each. Then
// clusters, where there is an even number of tiles in a direction: one that makes every tile, two, and one for each two.
const Tile tiles[] = {{128, 128, 64, 1, 384, 3, 1}, {128, 256, 64, 1, 384, 4, 3},
                      {128, 128, 64, 1, 384, 2, 0}, {128, 128, 64, 1, 768, 2, 2},
                      {128, 256, 64, 1, 768, 4, 4}, {128, 128, 64, 1, 768, 3, 0}};

const TileCase cases[] = {
    {"whole", "tensor<256x320xbf16>, tensor<320x256xbf16>", "tensor<256x256xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<256x320xbf16>, tensor<320x256xbf16>) -> "
     "tensor<256x256xbf16>\n"},
    {"epilogue",
     "tensor<200x448xbf16>, tensor<448x136xbf16>, tensor<136xbf16>, tensor<200x136xbf16>",
     "tensor<200x136xf32>",
     "%p = sinter.matmul %0, %1 : (tensor<200x448xbf16>, tensor<448x136xbf16>) -> "
     "tensor<200x136xbf16>\n%c = sinter.broadcast %2 : (tensor<136xbf16>) -> "
     "tensor<200x136xbf16>\n%s = sinter.add %p, %c : tensor<200x136xbf16>\n%u = sinter.relu %s : "
     "tensor<200x136xbf16>\n%v = sinter.add %u, %3 : tensor<200x136xbf16>\n%r = sinter.cast %v : "
     "(tensor<200x136xbf16>) -> tensor<200x136xf32>\n"},
    {"residual", "tensor<200x192xf16>, tensor<136x192xf16>, tensor<200x136xf16>",
     "tensor<200x136xf16>",
     "%p = sinter.matmul %0, %1 {transpose_b = true} : (tensor<200x192xf16>, tensor<136x192xf16>) "
     "-> tensor<200x136xf16>\n%r = sinter.add %p, %2 : tensor<200x136xf16>\n"},
    {"edges", "tensor<136x72xf16>, tensor<72x200xf16>", "tensor<136x200xf16>",
     "%r = sinter.matmul %0, %1 : (tensor<136x72xf16>, tensor<72x200xf16>) -> "
     "tensor<136x200xf16>\n"},
    {"transposed", "tensor<3x136x72xbf16>, tensor<3x264x136xbf16>", "tensor<3x72x264xbf16>",
     "%r = sinter.matmul %0, %1 {transpose_a = true, transpose_b = true} : "
     "(tensor<3x136x72xbf16>, tensor<3x264x136xbf16>) -> tensor<3x72x264xbf16>\n"},
    {"transposedA", "tensor<320x136xf16>, tensor<320x72xf16>", "tensor<136x72xf16>",
     "%r = sinter.matmul %0, %1 {transpose_a = true} : (tensor<320x136xf16>, tensor<320x72xf16>) "
     "-> "
     "tensor<136x72xf16>\n"},
    {"transposedB", "tensor<2x40x136xbf16>, tensor<2x136x136xbf16>", "tensor<2x40x136xbf16>",
     "%r = sinter.matmul %0, %1 {transpose_b = true} : (tensor<2x40x136xbf16>, "
     "tensor<2x136x136xbf16>) -> tensor<2x40x136xbf16>\n"},
    {"oddResult", "tensor<37x64xbf16>, tensor<45x64xbf16>", "tensor<37x45xbf16>",
     "%r = sinter.matmul %0, %1 {transpose_b = true} : (tensor<37x64xbf16>, tensor<45x64xbf16>) -> "
     "tensor<37x45xbf16>\n"},
    {"row", "tensor<1x96xbf16>, tensor<96x40xbf16>", "tensor<1x40xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<1x96xbf16>, tensor<96x40xbf16>) -> tensor<1x40xbf16>\n"},
    {"manyRows", "tensor<1160x64xbf16>, tensor<64x264xbf16>", "tensor<1160x264xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<1160x64xbf16>, tensor<64x264xbf16>) -> "
     "tensor<1160x264xbf16>\n"},
    {"sum",
     "tensor<136x128xbf16>, tensor<200x128xbf16>, tensor<136x64xbf16>, "
     "tensor<200x64xbf16>, tensor<136x192xbf16>, tensor<200x192xbf16>, "
     "tensor<136x200xf32>",
     "tensor<136x200xf32>",
     "%pa = sinter.matmul %0, %1 {transpose_b = true} : (tensor<136x128xbf16>, "
     "tensor<200x128xbf16>) -> tensor<136x200xbf16>\n"
     "%fa = sinter.cast %pa : (tensor<136x200xbf16>) -> tensor<136x200xf32>\n"
     "%pb = sinter.matmul %2, %3 {transpose_b = true} : (tensor<136x64xbf16>, tensor<200x64xbf16>) "
     "-> tensor<136x200xbf16>\n"
     "%fb = sinter.cast %pb : (tensor<136x200xbf16>) -> tensor<136x200xf32>\n"
     "%pc = sinter.matmul %4, %5 {transpose_b = true} : (tensor<136x192xbf16>, "
     "tensor<200x192xbf16>) -> tensor<136x200xbf16>\n"
     "%fc = sinter.cast %pc : (tensor<136x200xbf16>) -> tensor<136x200xf32>\n"
     "%s = sinter.add %6, %fa : tensor<136x200xf32>\n"
     "%qb = sinter.add %s, %fb : tensor<136x200xf32>\n"
     "%r = sinter.add %qb, %fc : tensor<136x200xf32>\n"},
    {"sumTransposed",
     "tensor<64x136xf16>, tensor<64x72xf16>, tensor<128x136xf16>, tensor<128x72xf16>",
     "tensor<136x72xf16>",
     "%pa = sinter.matmul %0, %1 {transpose_a = true} : (tensor<64x136xf16>, tensor<64x72xf16>) -> "
     "tensor<136x72xf16>\n"
     "%pb = sinter.matmul %2, %3 {transpose_a = true} : (tensor<128x136xf16>, tensor<128x72xf16>) "
     "-> tensor<136x72xf16>\n"
     "%r = sinter.add %pa, %pb : tensor<136x72xf16>\n"}};

/// Whether a case's tiles come out even along m, or along n.
bool areEven(const TileCase &c, const Tile &tile) {
  std::string result = c.result; // "tensor<3x72x264xbf16>"
  std::vector<int64_t> sizes;
  for (size_t at = 7; std::isdigit(static_cast<unsigned char>(result[at]));
       at = result.find('x', at) + 1)
    sizes.push_back(std::stoll(result.substr(at)));
  auto tiles = [](int64_t size, int64_t edge) { return (size + edge - 1) / edge; };
  return tiles(sizes[sizes.size() - 2], tile.m) % 2 == 0 || tiles(sizes.back(), tile.n) % 2 == 0;
}

class WarpgroupTiles : public testing::TestWithParam<std::tuple<size_t, size_t>> {};

TEST_P(WarpgroupTiles, AgreeWithTheEvaluator) {
  std::string text;
  const TileCase &c = cases[std::get<0>(GetParam())];
  const Tile &tile = tiles[std::get<1>(GetParam())];
  checkTile(c, tile, text);
  EXPECT_THAT(text, AllOf(HasSubstr("multiplyBlocks<"), HasSubstr("bulkLoad(")));
  if (tile.threads == 768 && areEven(c, tile)) {
    EXPECT_THAT(text, AllOf(HasSubstr("__cluster_dims__(2, 1, 1)"), HasSubstr("bulkLoadTo<3>(")));
  } else {
    EXPECT_THAT(text, Not(HasSubstr("cluster")));
  }
}

// Sums in two and four parts, of whole steps and of cut ones, by a cluster for each tile.
class WarpgroupParts : public testing::TestWithParam<std::tuple<size_t, int64_t>> {};

TEST_P(WarpgroupParts, AgreeWithTheEvaluator) {
  std::string text;
  auto [number, parts] = GetParam();
  checkTile(cases[number], {128, 128, 64, parts, parts * 384, 2, 0}, text);
  EXPECT_THAT(text, AllOf(HasSubstr("multiplyBlocks<"),
                          HasSubstr("clusterSums<" + std::to_string(parts) + ">(")));
}

// Cases whose sums have at least as many steps of k as parts.
INSTANTIATE_TEST_SUITE_P(All, WarpgroupParts,
                         testing::Values(std::make_tuple(0, 2), std::make_tuple(1, 2),
                                         std::make_tuple(1, 4), std::make_tuple(3, 2),
                                         std::make_tuple(4, 2), std::make_tuple(5, 2),
                                         std::make_tuple(8, 2)),
                         [](const auto &info) {
                           return std::string(cases[std::get<0>(info.param)].name) + "_parts" +
                                  std::to_string(std::get<1>(info.param));
                         });

INSTANTIATE_TEST_SUITE_P(All, WarpgroupTiles,
                         testing::Combine(testing::Range<size_t>(0, std::size(cases)),
                                          testing::Range<size_t>(0, std::size(tiles))),
                         [](const auto &info) {
                           const Tile &tile = tiles[std::get<1>(info.param)];
                           return nameOf(cases[std::get<0>(info.param)], tile) + "_stages" +
                                  std::to_string(tile.stages) +
                                  (tile.threads == 768 ? "_cluster" : "");
                         });

// What bulk copies cannot bring is multiplied by warps, whatever the schedule says.
const TileCase others[] = {
    {"oddPitch", "tensor<40x64xbf16>, tensor<64x45xbf16>", "tensor<40x45xbf16>",
     "%r = sinter.matmul %0, %1 : (tensor<40x64xbf16>, tensor<64x45xbf16>) -> "
     "tensor<40x45xbf16>\n"},
    {"producer", "tensor<48x64xbf16>, tensor<64x40xbf16>", "tensor<48x40xbf16>",
     "%a = sinter.tanh %0 : tensor<48x64xbf16>\n%r = sinter.matmul %a, %1 : (tensor<48x64xbf16>, "
     "tensor<64x40xbf16>) -> tensor<48x40xbf16>\n"},
    {"conv", "tensor<2x8x9x9xbf16>, tensor<16x8x3x3xbf16>", "tensor<2x16x9x9xbf16>",
     "%r = sinter.conv2d %0, %1 {padding = array<i64: 1, 1>} : (tensor<2x8x9x9xbf16>, "
     "tensor<16x8x3x3xbf16>) -> tensor<2x16x9x9xbf16>\n"}};

TEST(WarpgroupFallback, LeaveToWarpsWhatBulkCopiesCannotBring) {
  for (const TileCase &c : others) {
    std::string text;
    SCOPED_TRACE(c.name);
    checkTile(c, tiles[2], text);
    EXPECT_THAT(text, AllOf(HasSubstr("mma<bf16>("), Not(HasSubstr("bulkLoad("))));
    text.clear();
    checkTile(c, {128, 128, 64, 2, 768, 4, 0}, text); // parts of the sums would be two launches
    EXPECT_THAT(
        text, AllOf(HasSubstr("mma<bf16>("), Not(HasSubstr("cluster")), Not(HasSubstr("_parts("))));
  }
}

} // namespace
