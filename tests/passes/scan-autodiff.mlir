// RUN: sinter-opt %s --sinter-autodiff | FileCheck %s
// RUN: sinter-opt %s --sinter-autodiff --sinter-simplify | FileCheck %s --check-prefix=SIMPLE

// The forward scan keeps the state before each step and the product; the scan back reads them, computes the
// step again and adds up the gradient of what all steps read.
// CHECK-LABEL: func.func @gradient(
// CHECK: %[[F:.*]]:4 = sinter.scan init(%arg0) xs(%arg1) captures(%arg2) attributes {count = 5 : i64, saved = 2 : i64}
// CHECK: sinter.matmul
// CHECK: sinter.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
// CHECK: sinter.scan init(%{{.*}}, %{{.*}}) xs(%[[F]]#2, %[[F]]#3, %arg1, %arg3) captures(%arg2) attributes {count = 5 : i64, reverse = true}
// CHECK: sinter.matmul {{.*}}sinter.known = 3
// CHECK-NOT: sinter.gradient
// CHECK: sinter.add
// CHECK: sinter.yield

// What is kept takes the product's place, and the slices of x, which only a sum needed, are not read.
// SIMPLE-LABEL: func.func @gradient(
// SIMPLE: sinter.scan
// SIMPLE: sinter.matmul
// SIMPLE: sinter.scan init
// SIMPLE-SAME: reverse = true
// SIMPLE-NOT: sinter.known
// SIMPLE-COUNT-2: sinter.matmul
// SIMPLE-NOT: sinter.matmul
// SIMPLE: sinter.yield
func.func @gradient(%h: tensor<2x3xf32>, %x: tensor<5x2x3xf32>, %w: tensor<3x3xf32>, %c: tensor<5x2x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>) {
  %r:2 = sinter.scan init(%h) xs(%x) captures(%w) attributes {count = 5 : i64} : (tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>) {
  ^bb0(%state: tensor<2x3xf32>, %slice: tensor<2x3xf32>, %weight: tensor<3x3xf32>):
    %p = sinter.matmul %state, %weight : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
    %s = sinter.add %p, %slice : tensor<2x3xf32>
    %n = sinter.tanh %s : tensor<2x3xf32>
    sinter.yield %n, %n : tensor<2x3xf32>, tensor<2x3xf32>
  }
  %g:3 = sinter.gradient %r#1 wrt %h, %x, %w cotangents %c : (tensor<5x2x3xf32>, tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>, tensor<5x2x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>)
  return %g#0, %g#1, %g#2 : tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>
}
