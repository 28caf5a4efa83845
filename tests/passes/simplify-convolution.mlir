// RUN: sinter-opt %s --sinter-simplify | FileCheck %s
// The results are the same before and after every pass, and on the CPU.
// RUN: sinter-check %s --quiet --no-device
// RUN: sinter-check %s --quiet --no-edges

// Each of four phases has its own places of the weight: of three in a row, the middle one, or the two outer ones.
// CHECK-LABEL: func @strided
// CHECK-SAME: (%[[G:.*]]: tensor<2x4x4x4xf32>, %[[W:.*]]: tensor<4x3x3x3xf32>
// CHECK-DAG: %[[W11:.*]] = sinter.slice %[[W]] {limit = array<i64: 4, 3, 3, 3>, start = array<i64: 0, 0, 1, 1>, step = array<i64: 1, 1, 2, 2>} : (tensor<4x3x3x3xf32>) -> tensor<4x3x1x1xf32>
// CHECK-DAG: sinter.conv2d_input_grad %[[G]], %[[W11]] : (tensor<2x4x4x4xf32>, tensor<4x3x1x1xf32>) -> tensor<2x3x4x4xf32>
// CHECK-DAG: %[[W00:.*]] = sinter.slice %[[W]] {limit = array<i64: 4, 3, 3, 3>, start = array<i64: 0, 0, 0, 0>, step = array<i64: 1, 1, 2, 2>} : (tensor<4x3x3x3xf32>) -> tensor<4x3x2x2xf32>
// CHECK-DAG: %[[D:.*]] = sinter.conv2d_input_grad %[[G]], %[[W00]] : (tensor<2x4x4x4xf32>, tensor<4x3x2x2xf32>) -> tensor<2x3x5x5xf32>
// CHECK-DAG: sinter.slice %[[D]] {limit = array<i64: 2, 3, 5, 5>, start = array<i64: 0, 0, 1, 1>, step = array<i64: 1, 1, 1, 1>} : (tensor<2x3x5x5xf32>) -> tensor<2x3x4x4xf32>
// CHECK: %[[ROWS:.*]] = sinter.concat {{.*}} {dim = 3 : i64} : (tensor<2x3x4x1x8xf32>, tensor<2x3x4x1x8xf32>) -> tensor<2x3x4x2x8xf32>
// CHECK-NEXT: %[[WHOLE:.*]] = sinter.reshape %[[ROWS]] : (tensor<2x3x4x2x8xf32>) -> tensor<2x3x8x8xf32>
// CHECK-NEXT: return %[[WHOLE]]
func.func @strided(%g: tensor<2x4x4x4xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<2x3x8x8xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 2, 2>, padding = array<i64: 1, 1>} : (tensor<2x4x4x4xf32>, tensor<4x3x3x3xf32>) -> tensor<2x3x8x8xf32>
  return %d : tensor<2x3x8x8xf32>
}

// The stem of a ResNet, groups, a stride in one direction, no padding, places that no output reads, much padding.
// CHECK-LABEL: func @stem
// CHECK-NOT: stride = array
// CHECK: return
func.func @stem(%g: tensor<1x4x8x8xf32>, %w: tensor<4x3x7x7xf32>) -> tensor<1x3x16x16xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 2, 2>, padding = array<i64: 3, 3>} : (tensor<1x4x8x8xf32>, tensor<4x3x7x7xf32>) -> tensor<1x3x16x16xf32>
  return %d : tensor<1x3x16x16xf32>
}
// CHECK-LABEL: func @groups
// CHECK: sinter.conv2d_input_grad {{.*}}groups = 2
// CHECK-NOT: stride = array
// CHECK: return
func.func @groups(%g: tensor<2x4x5x2xf32>, %w: tensor<4x2x2x4xf32>) -> tensor<2x4x6x9xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 1, 3>, padding = array<i64: 0, 0>, groups = 2 : i64} : (tensor<2x4x5x2xf32>, tensor<4x2x2x4xf32>) -> tensor<2x4x6x9xf32>
  return %d : tensor<2x4x6x9xf32>
}
// CHECK-LABEL: func @wide
// CHECK-NOT: stride = array
// CHECK: return
func.func @wide(%g: tensor<1x2x4x4xf32>, %w: tensor<2x3x5x4xf32>) -> tensor<1x3x6x8xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 3, 2>, padding = array<i64: 4, 1>} : (tensor<1x2x4x4xf32>, tensor<2x3x5x4xf32>) -> tensor<1x3x6x8xf32>
  return %d : tensor<1x3x6x8xf32>
}

// CHECK-LABEL: func @no_stride
// CHECK-NEXT: sinter.conv2d_input_grad
// CHECK-NEXT: return
func.func @no_stride(%g: tensor<1x2x4x4xf32>, %w: tensor<2x3x3x3xf32>) -> tensor<1x3x4x4xf32> {
  %d = sinter.conv2d_input_grad %g, %w {padding = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<1x3x4x4xf32>
  return %d : tensor<1x3x4x4xf32>
}
// CHECK-LABEL: func @no_dilated
// CHECK-NEXT: sinter.conv2d_input_grad
// CHECK-NEXT: return
func.func @no_dilated(%g: tensor<1x2x4x4xf32>, %w: tensor<2x3x3x3xf32>) -> tensor<1x3x8x8xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 2, 2>, padding = array<i64: 2, 2>, dilation = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<1x3x8x8xf32>
  return %d : tensor<1x3x8x8xf32>
}
// A kernel that is smaller than the stride reaches some phases only; the others are zeros.
// CHECK-LABEL: func @small_kernel
// CHECK-NOT: stride = array
// CHECK: return
func.func @small_kernel(%g: tensor<1x2x4x4xf32>, %w: tensor<2x3x1x1xf32>) -> tensor<1x3x8x8xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>, tensor<2x3x1x1xf32>) -> tensor<1x3x8x8xf32>
  return %d : tensor<1x3x8x8xf32>
}
// CHECK-LABEL: func @small_kernel_in_the_middle
// CHECK-NOT: stride = array
// CHECK: return
func.func @small_kernel_in_the_middle(%g: tensor<1x2x4x3xf32>, %w: tensor<2x3x2x1xf32>) -> tensor<1x3x9x9xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 3, 3>, padding = array<i64: 1, 0>} : (tensor<1x2x4x3xf32>, tensor<2x3x2x1xf32>) -> tensor<1x3x9x9xf32>
  return %d : tensor<1x3x9x9xf32>
}
// Places that no phase's weight brings anything to.
// CHECK-LABEL: func @little_reach
// CHECK-NOT: stride = array
// CHECK: return
func.func @little_reach(%g: tensor<1x2x1x1xf32>, %w: tensor<2x4x3x3xf32>) -> tensor<1x4x3x3xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 3, 3>, padding = array<i64: 1, 1>} : (tensor<1x2x1x1xf32>, tensor<2x4x3x3xf32>) -> tensor<1x4x3x3xf32>
  return %d : tensor<1x4x3x3xf32>
}

// CHECK-LABEL: func @no_rest
// CHECK-NEXT: sinter.conv2d_input_grad
// CHECK-NEXT: return
func.func @no_rest(%g: tensor<1x2x4x4xf32>, %w: tensor<2x3x3x3xf32>) -> tensor<1x3x9x9xf32> {
  %d = sinter.conv2d_input_grad %g, %w {stride = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<1x3x9x9xf32>
  return %d : tensor<1x3x9x9xf32>
}
