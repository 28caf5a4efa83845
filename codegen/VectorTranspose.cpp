#include "sinter/codegen/VectorTranspose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

void sinter::codegen::transposeVectors(OpBuilder &b, Location loc,
                                       SmallVectorImpl<Value> &vectors) {
  auto W = int64_t(vectors.size());
  for (int64_t distance = W / 2; distance >= 1; distance /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < W; ++lane) {
      bool second = lane & distance;
      low.push_back(second ? W + (lane ^ distance) : lane);
      high.push_back(second ? W + lane : (lane ^ distance));
    }
    for (int64_t row = 0; row < W; ++row) {
      if (row & distance) continue;
      Value upper = vectors[row], lower = vectors[row + distance];
      vectors[row] = vector::ShuffleOp::create(b, loc, upper, lower, low);
      vectors[row + distance] = vector::ShuffleOp::create(b, loc, upper, lower, high);
    }
  }
}
