// RUN: sinter-opt %s --sinter-simplify | FileCheck %s

// Outputs that nobody reads go, and the slices and captures that only they read.
// CHECK-LABEL: func.func @unused(
// CHECK: %[[R:.*]]:2 = sinter.scan init(%arg0) xs(%arg1) captures() attributes {count = 4 : i64}
// CHECK-NEXT: ^bb0(%[[H:.*]]: tensor<2xf32>, %[[X:.*]]: tensor<2xf32>):
// CHECK-NEXT: %[[N:.*]] = sinter.add %[[H]], %[[X]]
// CHECK-NEXT: sinter.yield %[[N]], %[[N]]
// CHECK: return %[[R]]#1
func.func @unused(%h: tensor<2xf32>, %x: tensor<4x2xf32>, %y: tensor<4x2xf32>, %c: tensor<2xf32>) -> tensor<4x2xf32> {
  %r:3 = sinter.scan init(%h) xs(%x, %y) captures(%c) attributes {count = 4 : i64, saved = 1 : i64} : (tensor<2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  ^bb0(%s: tensor<2xf32>, %a: tensor<2xf32>, %b: tensor<2xf32>, %k: tensor<2xf32>):
    %n = sinter.add %s, %a : tensor<2xf32>
    %u = sinter.mul %b, %k : tensor<2xf32>
    sinter.yield %n, %n, %u : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  }
  return %r#1 : tensor<4x2xf32>
}

// What is the same at every step is computed once, before.
// CHECK-LABEL: func.func @invariant(
// CHECK: %[[E:.*]] = sinter.exp %arg1
// CHECK: sinter.scan init(%arg0) xs() captures(%[[E]])
// CHECK-NEXT: ^bb0(%[[H:.*]]: tensor<2xf32>, %[[K:.*]]: tensor<2xf32>):
// CHECK-NEXT: sinter.mul %[[H]], %[[K]]
func.func @invariant(%h: tensor<2xf32>, %c: tensor<2xf32>) -> tensor<2xf32> {
  %r = sinter.scan init(%h) xs() captures(%c) attributes {count = 4 : i64} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%s: tensor<2xf32>, %k: tensor<2xf32>):
    %e = sinter.exp %k : tensor<2xf32>
    %n = sinter.mul %s, %e : tensor<2xf32>
    sinter.yield %n : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}

// A view costs nothing inside and would be memory outside.
// CHECK-LABEL: func.func @no_view(
// CHECK: sinter.scan init(%arg0) xs() captures(%arg1)
// CHECK: sinter.broadcast
func.func @no_view(%h: tensor<3x2xf32>, %c: tensor<2xf32>) -> tensor<3x2xf32> {
  %r = sinter.scan init(%h) xs() captures(%c) attributes {count = 4 : i64} : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32> {
  ^bb0(%s: tensor<3x2xf32>, %k: tensor<2xf32>):
    %b = sinter.broadcast %k : (tensor<2xf32>) -> tensor<3x2xf32>
    %n = sinter.mul %s, %b : tensor<3x2xf32>
    sinter.yield %n : tensor<3x2xf32>
  }
  return %r : tensor<3x2xf32>
}
