// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Additions in the order of indices: the same bits each time.

func.func @scatter(%x: tensor<10x4xf32>, %i: tensor<6x4xi64>, %s: tensor<6x4xf32>) -> tensor<10x4xf32> {
  %r = sinter.scatter_add %x, %i, %s {dim = 0 : i64} : (tensor<10x4xf32>, tensor<6x4xi64>, tensor<6x4xf32>) -> tensor<10x4xf32>
  return %r : tensor<10x4xf32>
}
