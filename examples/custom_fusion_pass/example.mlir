// Two pointwise kernels of one shape that have nothing to do with each other: the pass makes them one.
// RUN: sinter-opt %s --load-plugin=HorizontalPointwise.so --horizontal-pointwise | FileCheck %s

// CHECK-LABEL: func.func @independent
// CHECK: %[[BOTH:.+]]:2 = sinter.fused
// CHECK: sinter.exp
// CHECK: sinter.tanh
// CHECK-NOT: sinter.fused
// CHECK: return %[[BOTH]]#0, %[[BOTH]]#1
func.func @independent(%x: tensor<64x3xf32>, %y: tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xf32>) {
  %0 = sinter.fused (%x) schedule(#sinter.pointwise) : (tensor<64x3xf32>) -> tensor<64x3xf32> {
  ^bb0(%a: tensor<64x3xf32>):
    %e = sinter.exp %a : tensor<64x3xf32>
    sinter.yield %e : tensor<64x3xf32>
  }
  %1 = sinter.fused (%y) schedule(#sinter.pointwise) : (tensor<64x3xf32>) -> tensor<64x3xf32> {
  ^bb0(%a: tensor<64x3xf32>):
    %t = sinter.tanh %a : tensor<64x3xf32>
    sinter.yield %t : tensor<64x3xf32>
  }
  return %0, %1 : tensor<64x3xf32>, tensor<64x3xf32>
}

// The second needs the first: they stay two.
// CHECK-LABEL: func.func @no_dependent
// CHECK-COUNT-2: sinter.fused
func.func @no_dependent(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = sinter.fused (%x) schedule(#sinter.pointwise) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%a: tensor<8xf32>):
    %e = sinter.exp %a : tensor<8xf32>
    sinter.yield %e : tensor<8xf32>
  }
  %1 = sinter.fused (%0) schedule(#sinter.pointwise) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%a: tensor<8xf32>):
    %t = sinter.tanh %a : tensor<8xf32>
    sinter.yield %t : tensor<8xf32>
  }
  return %1 : tensor<8xf32>
}

// Another shape: they stay two.
// CHECK-LABEL: func.func @no_shape
// CHECK-COUNT-2: sinter.fused
func.func @no_shape(%x: tensor<8xf32>, %y: tensor<9xf32>) -> (tensor<8xf32>, tensor<9xf32>) {
  %0 = sinter.fused (%x) schedule(#sinter.pointwise) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%a: tensor<8xf32>):
    %e = sinter.exp %a : tensor<8xf32>
    sinter.yield %e : tensor<8xf32>
  }
  %1 = sinter.fused (%y) schedule(#sinter.pointwise) : (tensor<9xf32>) -> tensor<9xf32> {
  ^bb0(%a: tensor<9xf32>):
    %t = sinter.tanh %a : tensor<9xf32>
    sinter.yield %t : tensor<9xf32>
  }
  return %0, %1 : tensor<8xf32>, tensor<9xf32>
}
