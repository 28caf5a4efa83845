// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @gradient(
// CHECK: sinter.gradient %{{.+}} wrt %{{.+}} : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @gradient(%loss: tensor<f32>, %w: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.gradient %loss wrt %w : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @expect_fused(
// CHECK: sinter.expect_fused %{{.+}}, %{{.+}} : tensor<2x3xf32>, tensor<2x3xf32>
func.func @expect_fused(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %h = sinter.exp %x : tensor<2x3xf32>
  %y = sinter.relu %h : tensor<2x3xf32>
  sinter.expect_fused %h, %y : tensor<2x3xf32>, tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @expect_kernels(
// CHECK: sinter.expect_kernels max 1
func.func @expect_kernels(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = sinter.relu %x : tensor<2x3xf32>
  sinter.expect_kernels max 1
  return %y : tensor<2x3xf32>
}
