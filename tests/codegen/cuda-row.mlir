// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// A block a row: two reductions within warps and then over them, one write.

func.func @softmax(%x: tensor<8x100xf32>) -> tensor<8x100xf32> {
  %r = sinter.softmax %x {dim = 1 : i64} : tensor<8x100xf32>
  return %r : tensor<8x100xf32>
}
