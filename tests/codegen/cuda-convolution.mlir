// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// An implicit matrix product: where a tile is filled, places in the padding are zero.

func.func @conv(%x: tensor<2x3x16x16xf32>, %w: tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32> {
  %r = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<2x3x16x16xf32>, tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32>
  return %r : tensor<2x8x16x16xf32>
}
