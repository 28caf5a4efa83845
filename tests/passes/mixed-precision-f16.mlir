// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-mixed-precision=type=f16 | FileCheck %s

// The same policy as for bf16: low, widest, full; one cast of a parameter; f32 at the function's border.
// CHECK-LABEL: func @policy
// CHECK-SAME: (%[[X:.*]]: tensor<4x4xf32>, %[[W:.*]]: tensor<4x4xf32>
// CHECK-DAG: %[[XL:.*]] = sinter.cast %[[X]] : (tensor<4x4xf32>) -> tensor<4x4xf16>
// CHECK-DAG: %[[WL:.*]] = sinter.cast %[[W]] : (tensor<4x4xf32>) -> tensor<4x4xf16>
// CHECK: %[[A:.*]] = sinter.matmul %[[XL]], %[[WL]] : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf16>
// CHECK: %[[R:.*]] = sinter.relu %[[A]] : tensor<4x4xf16>
// CHECK: %[[B:.*]] = sinter.matmul %[[R]], %[[WL]]
// CHECK: %[[F:.*]] = sinter.cast %[[B]] : (tensor<4x4xf16>) -> tensor<4x4xf32>
// CHECK: %[[S:.*]] = sinter.softmax %[[F]] {dim = 1 : i64} : tensor<4x4xf32>
// CHECK: return %[[S]] : tensor<4x4xf32>
func.func @policy(%x: tensor<4x4xf32>, %w: tensor<4x4xf32> {sinter.role = "parameter"}) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = sinter.relu %a : tensor<4x4xf32>
  %b = sinter.matmul %r, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = sinter.softmax %b {dim = 1} : tensor<4x4xf32>
  return %s : tensor<4x4xf32>
}

// -----

// A scaled loss: its scale, the cotangent, stays f32.
// CHECK-LABEL: func @scaled
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: tensor<f32>
// CHECK: %[[L:.*]] = sinter.cast %{{.*}} : (tensor<f16>) -> tensor<f32>
// CHECK: %[[G:.*]] = sinter.gradient %[[L]] wrt %{{.*}} cotangents %[[SCALE]] : (tensor<f32>, tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
// CHECK: return %[[G]]
func.func @scaled(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %scale: tensor<f32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = sinter.mean %a {dim = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<f32>
  %g = sinter.gradient %l wrt %w cotangents %scale : (tensor<f32>, tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}

// -----

// Where nothing runs in f16 nothing can underflow.
// CHECK-LABEL: func @no_f16
// CHECK-NOT: f16
// CHECK: sinter.gradient
func.func @no_f16(%x: tensor<4xf32>) -> tensor<4xf32> {
  %l = sinter.sum %x {dim = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  %g = sinter.gradient %l wrt %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func @no_unscaled(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = sinter.mean %a {dim = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<f32>
  // expected-error @below {{mixed precision: gradients in f16 need a scaled loss, or small ones become zero}}
  %g = sinter.gradient %l wrt %x : (tensor<f32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
