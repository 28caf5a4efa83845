// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-autodiff | FileCheck %s
// RUN: not sinter-opt %s -split-input-file -sinter-autodiff -mlir-print-debuginfo -mlir-print-local-scope 2>/dev/null \
// RUN:   | FileCheck %s --check-prefix=LOC

// A linear layer: the weight's gradient only, none for the input.
// CHECK-LABEL: func @linear
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>, %[[W:.*]]: tensor<2x3xf32>)
// CHECK: sinter.matmul %[[X]], %[[W]]
// CHECK: %[[ONE:.*]] = sinter.constant dense<1.000000e+00> : tensor<f32>
// CHECK: %[[R:.*]] = sinter.reshape %[[ONE]] : (tensor<f32>) -> tensor<1x1xf32>
// CHECK: %[[G:.*]] = sinter.broadcast %[[R]] : (tensor<1x1xf32>) -> tensor<4x2xf32>
// CHECK-NOT: sinter.matmul %[[G]], %[[W]]
// CHECK: %[[GW:.*]] = sinter.matmul %[[G]], %[[X]] {transpose_a = true} : (tensor<4x2xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: return %[[GW]]
func.func @linear(%x: tensor<4x3xf32>, %w: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = sinter.matmul %x, %w {transpose_b = true} : (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<4x2xf32>
  %l = sinter.sum %y {dim = array<i64: 0, 1>} : (tensor<4x2xf32>) -> tensor<f32>
  %g = sinter.gradient %l wrt %w : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %g : tensor<2x3xf32>
}

// -----

// Two uses are added; a value without a path has a gradient of zeros.
// CHECK-LABEL: func @uses
// CHECK-SAME: (%[[X:.*]]: tensor<f32>, %[[Z:.*]]: tensor<2xf32>)
// CHECK: %[[E:.*]] = sinter.exp %[[X]]
// CHECK: %[[ONE:.*]] = sinter.constant dense<1.0
// CHECK: %[[A:.*]] = sinter.mul %[[ONE]], %[[E]]
// CHECK: %[[B:.*]] = sinter.mul %[[ONE]], %[[X]]
// CHECK: %[[C:.*]] = sinter.mul %[[B]], %[[E]]
// CHECK: %[[S:.*]] = sinter.add %[[A]], %[[C]]
// CHECK: %[[ZERO:.*]] = sinter.constant dense<0.0{{.*}}> : tensor<2xf32>
// CHECK: return %[[S]], %[[ZERO]]
func.func @uses(%x: tensor<f32>, %z: tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>) {
  %e = sinter.exp %x : tensor<f32>
  %y = sinter.mul %x, %e : tensor<f32>
  %g:2 = sinter.gradient %y wrt %x, %z : (tensor<f32>, tensor<f32>, tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>)
  return %g#0, %g#1 : tensor<f32>, tensor<2xf32>
}

// -----

// Several outputs with cotangents; an output that is wrt gives its cotangent.
// CHECK-LABEL: func @cotangents
// CHECK-SAME: (%[[X:.*]]: tensor<3xf32>, %[[C:.*]]: tensor<3xf32>, %[[D:.*]]: tensor<3xf32>)
// CHECK: %[[N:.*]] = sinter.neg %[[D]]
// CHECK: %[[S:.*]] = sinter.add %[[C]], %[[N]]
// CHECK: return %[[S]]
func.func @cotangents(%x: tensor<3xf32>, %c: tensor<3xf32>, %d: tensor<3xf32>) -> tensor<3xf32> {
  %n = sinter.neg %x : tensor<3xf32>
  %g = sinter.gradient %x, %n wrt %x cotangents %c, %d : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %g : tensor<3xf32>
}

// -----

// A gradient of a gradient: the inner one is opened first.
// CHECK-LABEL: func @twice
// CHECK-NOT: sinter.gradient
// CHECK: return
func.func @twice(%x: tensor<f32>) -> tensor<f32> {
  %y = sinter.tanh %x : tensor<f32>
  %g = sinter.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %h = sinter.gradient %g wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %h : tensor<f32>
}

// -----

// Nothing flows through stop_gradient, floor or a comparison.
// CHECK-LABEL: func @constants
// CHECK: %[[ZERO:.*]] = sinter.constant dense<0.0{{.*}}> : tensor<f32>
// CHECK-NEXT: return %[[ZERO]]
func.func @constants(%x: tensor<f32>) -> tensor<f32> {
  %s = sinter.stop_gradient %x : tensor<f32>
  %f = sinter.floor %x : tensor<f32>
  %c = sinter.compare gt %x, %s : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %y = sinter.select %c, %s, %f : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
  %g = sinter.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %g : tensor<f32>
}

// -----

// A composite without a gradient of its own (the gradient of layer_norm) is opened.
// CHECK-LABEL: func @second_order
// CHECK-NOT: sinter.gradient
// CHECK-NOT: sinter.layer_norm_grad
// CHECK: return
func.func @second_order(%x: tensor<2x4xf32>, %w: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %y = sinter.layer_norm %x, %w, %b : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %g = sinter.gradient %y wrt %x cotangents %c : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %h = sinter.gradient %g wrt %x cotangents %c : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %h : tensor<2x4xf32>
}

// -----

// Gradients keep the user's line.
// LOC-LABEL: func @located
// LOC: sinter.cos {{.*}} loc("gradient"("model.cpp":14:3))
func.func @located(%x: tensor<f32>) -> tensor<f32> {
  %y = sinter.sin %x : tensor<f32> loc("model.cpp":14:3)
  %g = sinter.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32> loc("model.cpp":20:3)
  return %g : tensor<f32> loc("model.cpp":21:3)
}

// -----

func.func private @foreign(tensor<f32>) -> tensor<f32>
func.func @no_call(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{'func.call' cannot be differentiated}}
  %y = func.call @foreign(%x) : (tensor<f32>) -> tensor<f32>
  // expected-note @below {{the gradient asked for here flows through it}}
  %g = sinter.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %g : tensor<f32>
}
