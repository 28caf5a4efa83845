// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @gradient(
// CHECK: sinter.gradient %{{.+}} wrt %{{.+}} : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @gradient(%loss: tensor<f32>, %w: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.gradient %loss wrt %w : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

