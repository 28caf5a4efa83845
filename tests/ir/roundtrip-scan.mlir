// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// A scan prints what it parses.

// CHECK-LABEL: func.func @scan(
// CHECK: sinter.scan init(%{{.+}}) xs(%{{.+}}) captures(%{{.+}}) attributes {count = 5 : i64} : (tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>) {
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<2x3xf32>, %{{.+}}: tensor<2x3xf32>, %{{.+}}: tensor<3x3xf32>):
// CHECK: sinter.yield %{{.+}}, %{{.+}} : tensor<2x3xf32>, tensor<2x3xf32>
func.func @scan(%h: tensor<2x3xf32>, %x: tensor<5x2x3xf32>, %w: tensor<3x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>) {
  %r:2 = sinter.scan init(%h) xs(%x) captures(%w) attributes {count = 5 : i64} : (tensor<2x3xf32>, tensor<5x2x3xf32>, tensor<3x3xf32>) -> (tensor<2x3xf32>, tensor<5x2x3xf32>) {
  ^bb0(%state: tensor<2x3xf32>, %slice: tensor<2x3xf32>, %weight: tensor<3x3xf32>):
    %p = sinter.matmul %state, %weight : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
    %s = sinter.add %p, %slice : tensor<2x3xf32>
    %n = sinter.tanh %s : tensor<2x3xf32>
    sinter.yield %n, %n : tensor<2x3xf32>, tensor<2x3xf32>
  }
  return %r#0, %r#1 : tensor<2x3xf32>, tensor<5x2x3xf32>
}

// Without state, slices or captures; from the last to the first.
// CHECK-LABEL: func.func @outputs_only(
// CHECK: sinter.scan init() xs(%{{.+}}) captures() attributes {count = 4 : i64, reverse = true}
func.func @outputs_only(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %r = sinter.scan init() xs(%x) captures() attributes {count = 4 : i64, reverse = true} : (tensor<4x2xf32>) -> tensor<4x2xf32> {
  ^bb0(%slice: tensor<2xf32>):
    %y = sinter.exp %slice : tensor<2xf32>
    sinter.yield %y : tensor<2xf32>
  }
  return %r : tensor<4x2xf32>
}
