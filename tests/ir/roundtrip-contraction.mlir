// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @matmul(
// CHECK: sinter.matmul %{{.+}}, %{{.+}} {transpose_b = true} : (tensor<8x2x3xf32>, tensor<8x4x3xf32>) -> tensor<8x2x4xf32>
func.func @matmul(%a: tensor<8x2x3xf32>, %b: tensor<8x4x3xf32>) -> tensor<8x2x4xf32> {
  %r = sinter.matmul %a, %b {transpose_b = true} : (tensor<8x2x3xf32>, tensor<8x4x3xf32>) -> tensor<8x2x4xf32>
  return %r : tensor<8x2x4xf32>
}

// CHECK-LABEL: func.func @conv2d(
// CHECK: sinter.conv2d %{{.+}}, %{{.+}} {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x4x9x9xf32>, tensor<6x2x3x3xf32>) -> tensor<2x6x5x5xf32>
func.func @conv2d(%x: tensor<2x4x9x9xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<2x6x5x5xf32> {
  %r = sinter.conv2d %x, %w {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x4x9x9xf32>, tensor<6x2x3x3xf32>) -> tensor<2x6x5x5xf32>
  return %r : tensor<2x6x5x5xf32>
}

// CHECK-LABEL: func.func @conv2d_input_grad(
// CHECK: sinter.conv2d_input_grad %{{.+}}, %{{.+}} {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x6x5x5xf32>, tensor<6x2x3x3xf32>) -> tensor<2x4x9x9xf32>
func.func @conv2d_input_grad(%g: tensor<2x6x5x5xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<2x4x9x9xf32> {
  %r = sinter.conv2d_input_grad %g, %w {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x6x5x5xf32>, tensor<6x2x3x3xf32>) -> tensor<2x4x9x9xf32>
  return %r : tensor<2x4x9x9xf32>
}

// CHECK-LABEL: func.func @conv2d_weight_grad(
// CHECK: sinter.conv2d_weight_grad %{{.+}}, %{{.+}} {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x4x9x9xf32>, tensor<2x6x5x5xf32>) -> tensor<6x2x3x3xf32>
func.func @conv2d_weight_grad(%x: tensor<2x4x9x9xf32>, %g: tensor<2x6x5x5xf32>) -> tensor<6x2x3x3xf32> {
  %r = sinter.conv2d_weight_grad %x, %g {groups = 2 : i64, padding = array<i64: 1, 1>, stride = array<i64: 2, 2>} : (tensor<2x4x9x9xf32>, tensor<2x6x5x5xf32>) -> tensor<6x2x3x3xf32>
  return %r : tensor<6x2x3x3xf32>
}

