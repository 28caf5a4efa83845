// Index expressions stay what they are when they are simplified, and find their way back to the
// position that they were taken apart from.

#include "sinter/codegen/IndexMath.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <random>

using namespace mlir;

namespace sinter::codegen {
namespace {

int64_t valueAt(AffineExpr expr, int64_t point) {
  MLIRContext *context = expr.getContext();
  AffineExpr replaced = expr.replaceDims({getAffineConstantExpr(point, context)});
  return cast<AffineConstantExpr>(replaced).getValue();
}

void expectSame(AffineExpr expr, AffineExpr simplified, int64_t most) {
  for (int64_t point = 0; point <= most; ++point)
    ASSERT_EQ(valueAt(simplified, point), valueAt(expr, point)) << "at " << point;
}

/// Indices of position `position` in a tensor of `shape`.
SmallVector<AffineExpr> delinearized(AffineExpr position, ArrayRef<int64_t> shape) {
  SmallVector<AffineExpr> indices(shape.size());
  int64_t stride = 1;
  for (size_t dim = shape.size(); dim-- > 0; stride *= shape[dim]) {
    AffineExpr index = position.floorDiv(stride);
    indices[dim] = dim ? index % shape[dim] : index;
  }
  return indices;
}

TEST(IndexMath, PositionsComeBackFromWhereverTheyStart) {
  MLIRContext context;
  AffineExpr d = getAffineDimExpr(0, &context);
  for (const std::vector<int64_t> &shape :
       {std::vector<int64_t>{5, 4, 9}, std::vector<int64_t>{3, 7, 2, 5}}) {
    std::optional<IndexRange> range = IndexRange{0, 127};
    for (int64_t offset = 0; offset < 64; ++offset) {
      AffineExpr linear = linearIndex(delinearized(d + offset, shape), shape, &context);
      AffineExpr simplified = simplifyIndex(linear, range);
      EXPECT_EQ(simplified, d + offset);
      auto lanes = laneOffsets(linear, 0, 16, range);
      ASSERT_TRUE(lanes);
      for (int64_t lane = 0; lane < 16; ++lane) EXPECT_EQ((*lanes)[lane], lane);
    }
  }
}

// A tile's column is a block and a place in it; both are divided by what the block's size is a multiple of.
TEST(IndexMath, PositionsOfTilesComeBack) {
  MLIRContext context;
  AffineExpr row = getAffineDimExpr(0, &context), block = getAffineDimExpr(1, &context),
             column = getAffineDimExpr(2, &context);
  std::optional<IndexRange> ranges[] = {IndexRange{0, 127}, IndexRange{0, 6}, IndexRange{0, 239}};
  AffineExpr position = row * 1600 + block * 240 + column;
  std::vector<int64_t> shape{128, 64, 5, 5};
  AffineExpr simplified =
      simplifyIndex(linearIndex(delinearized(position, shape), shape, &context), ranges);
  EXPECT_EQ(simplified, simplifyIndex(position, ranges));
  for (int64_t b = 0; b < 7; ++b)
    for (int64_t c = 0; c < 240; ++c) {
      auto at = [&](AffineExpr expr) {
        auto number = [&](int64_t value) { return getAffineConstantExpr(value, &context); };
        return cast<AffineConstantExpr>(expr.replaceDims({number(3), number(b), number(c)}))
            .getValue();
      };
      AffineExpr channel = position.floorDiv(25) % 64;
      ASSERT_EQ(at(simplifyIndex(channel, ranges)), at(channel)) << b << " " << c;
    }
}

TEST(IndexMath, RandomExpressionsKeepTheirValues) {
  MLIRContext context;
  std::mt19937 random(3);
  auto upTo = [&](int64_t count) { return int64_t(random() % uint32_t(count)); };
  for (int turn = 0; turn < 2000; ++turn) {
    std::optional<IndexRange> range = IndexRange{0, 1 + upTo(90)};
    std::vector<AffineExpr> known = {getAffineDimExpr(0, &context)};
    for (int op = 0; op < 6; ++op) {
      AffineExpr x = known[upTo(known.size())], y = known[upTo(known.size())];
      switch (upTo(5)) {
      case 0:
        known.push_back(x + y);
        break;
      case 1:
        known.push_back(x + (upTo(40) - 10));
        break;
      case 2:
        known.push_back(x * (1 + upTo(9)));
        break;
      case 3:
        known.push_back(x.floorDiv(1 + upTo(12)));
        break;
      case 4:
        known.push_back(x % (1 + upTo(12)));
        break;
      }
    }
    AffineExpr expr = known.back();
    expectSame(expr, simplifyIndex(expr, range), range->most);
    if (HasFatalFailure()) return;
  }
}

} // namespace
} // namespace sinter::codegen
