// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Short rows: one thread each.

func.func @row_sums(%x: tensor<64x8xf32>) -> tensor<64xf32> {
  %0 = sinter.mul %x, %x : tensor<64x8xf32>
  %r = sinter.sum %0 {dim = array<i64: 1>} : (tensor<64x8xf32>) -> tensor<64xf32>
  return %r : tensor<64xf32>
}
