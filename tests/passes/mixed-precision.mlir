// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-mixed-precision | FileCheck %s
// RUN: not sinter-opt %s -split-input-file -sinter-mixed-precision=type=f16 2>&1 | FileCheck %s --check-prefix=F16
// RUN: not sinter-opt %s -split-input-file -sinter-mixed-precision=type=tf32 2>&1 | FileCheck %s --check-prefix=TYPE
// F16: mixed precision: gradients in f16 need a scaled loss, or small ones become zero
// TYPE: mixed precision: type is 'tf32', expected f32, bf16 or f16

// Low ops run in bf16; the parameter is cast once though it is used twice; results keep their type.
// CHECK-LABEL: func @low
// CHECK-SAME: (%[[X:.*]]: tensor<4x4xf32>, %[[W:.*]]: tensor<4x4xf32>
// CHECK-DAG: %[[XL:.*]] = sinter.cast %[[X]] : (tensor<4x4xf32>) -> tensor<4x4xbf16>
// CHECK-DAG: %[[WL:.*]] = sinter.cast %[[W]] : (tensor<4x4xf32>) -> tensor<4x4xbf16>
// CHECK-NOT: sinter.cast
// CHECK: %[[A:.*]] = sinter.matmul %[[XL]], %[[WL]] : (tensor<4x4xbf16>, tensor<4x4xbf16>) -> tensor<4x4xbf16>
// CHECK: %[[R:.*]] = sinter.relu %[[A]] : tensor<4x4xbf16>
// CHECK: %[[B:.*]] = sinter.matmul %[[R]], %[[WL]]
// CHECK: %[[Y:.*]] = sinter.cast %[[B]] : (tensor<4x4xbf16>) -> tensor<4x4xf32>
// CHECK: return %[[Y]] : tensor<4x4xf32>
func.func @low(%x: tensor<4x4xf32>, %w: tensor<4x4xf32> {sinter.role = "parameter"}) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = sinter.relu %a : tensor<4x4xf32>
  %b = sinter.matmul %r, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %b : tensor<4x4xf32>
}

// -----

// Full ops run in f32, and what follows them does too.
// CHECK-LABEL: func @full
// CHECK: %[[A:.*]] = sinter.matmul {{.*}} -> tensor<4x4xbf16>
// CHECK: %[[F:.*]] = sinter.cast %[[A]] : (tensor<4x4xbf16>) -> tensor<4x4xf32>
// CHECK: %[[S:.*]] = sinter.softmax %[[F]] {dim = 1 : i64} : tensor<4x4xf32>
// CHECK: %[[N:.*]] = sinter.neg %[[S]] : tensor<4x4xf32>
// CHECK: return %[[N]]
func.func @full(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = sinter.softmax %a {dim = 1} : tensor<4x4xf32>
  %n = sinter.neg %s : tensor<4x4xf32>
  return %n : tensor<4x4xf32>
}

// -----

// Widest: bf16 with f32 is f32; a literal follows the tensor, also through its broadcast.
// CHECK-LABEL: func @widest
// CHECK: %[[A:.*]] = sinter.matmul {{.*}} -> tensor<4x4xbf16>
// CHECK: %[[L:.*]] = sinter.cast %{{.*}} : (tensor<4x4xf32>) -> tensor<4x4xbf16>
// CHECK: sinter.mul %[[A]], %[[L]] : tensor<4x4xbf16>
// CHECK: sinter.add %{{.*}}, %{{.*}} : tensor<4x4xf32>
func.func @widest(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %half = sinter.constant dense<0.5> : tensor<f32>
  %halves = sinter.broadcast %half : (tensor<f32>) -> tensor<4x4xf32>
  %m = sinter.mul %a, %halves : tensor<4x4xf32>
  %s = sinter.add %m, %x : tensor<4x4xf32>
  return %s : tensor<4x4xf32>
}

// -----

// A bias follows the layer's result, as if it were an operand of the matmul; another parameter of the
// full shape widens, as does a rank-1 argument that is no parameter.
// CHECK-LABEL: func @bias
// CHECK-DAG: %[[B:.*]] = sinter.cast %arg2 : (tensor<4xf32>) -> tensor<4xbf16>
// CHECK-DAG: %[[BB:.*]] = sinter.broadcast %[[B]] : (tensor<4xbf16>) -> tensor<4x4xbf16>
// CHECK: sinter.add %{{.*}}, %{{.*}} : tensor<4x4xbf16>
// CHECK: sinter.relu %{{.*}} : tensor<4x4xbf16>
// CHECK: sinter.add %{{.*}}, %{{.*}} : tensor<4x4xf32>
// CHECK-LABEL: func @no_bias
// CHECK: sinter.add %{{.*}}, %{{.*}} : tensor<4x4xf32>
func.func @bias(%x: tensor<4x4xf32>, %w: tensor<4x4xf32> {sinter.role = "parameter"}, %b: tensor<4xf32> {sinter.role = "parameter"}) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %bb = sinter.broadcast %b : (tensor<4xf32>) -> tensor<4x4xf32>
  %s = sinter.add %a, %bb : tensor<4x4xf32>
  %r = sinter.relu %s : tensor<4x4xf32>
  %y = sinter.add %r, %w : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
func.func @no_bias(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %bb = sinter.broadcast %b : (tensor<4xf32>) -> tensor<4x4xf32>
  %s = sinter.add %a, %bb : tensor<4x4xf32>
  return %s : tensor<4x4xf32>
}

// -----

// batch_norm follows x and leaves the parameters f32; statistics are f32.
// CHECK-LABEL: func @norm
// CHECK: sinter.batch_norm %{{.*}} : (tensor<2x3x4x4xbf16>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xbf16>, tensor<3xf32>, tensor<3xf32>)
func.func @norm(%x: tensor<2x3x4x4xf32>, %w: tensor<3x3x1x1xf32>, %s: tensor<3xf32>, %b: tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>) {
  %a = sinter.conv2d %x, %w : (tensor<2x3x4x4xf32>, tensor<3x3x1x1xf32>) -> tensor<2x3x4x4xf32>
  %y, %m, %v = sinter.batch_norm %a, %s, %b : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return %y, %m : tensor<2x3x4x4xf32>, tensor<3xf32>
}

// -----

// f64 and integers are untouched.
// CHECK-LABEL: func @untouched
// CHECK-NOT: bf16
func.func @untouched(%x: tensor<2x2xf64>, %i: tensor<3xi32>) -> (tensor<2x2xf64>, tensor<3xi32>) {
  %a = sinter.matmul %x, %x : (tensor<2x2xf64>, tensor<2x2xf64>) -> tensor<2x2xf64>
  %j = sinter.add %i, %i : tensor<3xi32>
  return %a, %j : tensor<2x2xf64>, tensor<3xi32>
}

// -----

// The loss is f32 again, gradients of parameters are f32, and a lowered wrt is differentiated where
// it is.
// CHECK-LABEL: func @gradient
// CHECK: %[[A:.*]] = sinter.matmul {{.*}} -> tensor<4x4xbf16>
// CHECK: %[[L:.*]] = sinter.cast %{{.*}} : (tensor<bf16>) -> tensor<f32>
// CHECK: %[[G:.*]]:2 = sinter.gradient %[[L]] wrt %{{.*}}, %[[A]] : (tensor<f32>, tensor<4x4xf32>, tensor<4x4xbf16>) -> (tensor<4x4xf32>, tensor<4x4xbf16>)
// CHECK: %[[H:.*]] = sinter.cast %[[G]]#1 : (tensor<4x4xbf16>) -> tensor<4x4xf32>
// CHECK: return %[[G]]#0, %[[H]]
func.func @gradient(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = sinter.mean %a {dim = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<f32>
  %g:2 = sinter.gradient %l wrt %w, %a : (tensor<f32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %g#0, %g#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Logarithms of probabilities do not stand it; in f32 they stay as they are.
func.func @no_probabilities(%p: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<f32> {
  // expected-error @below {{mixed precision: binary_cross_entropy of probabilities is not safe in 'bf16': use the form that takes logits, or ask for f32 here}}
  %l = sinter.binary_cross_entropy %p, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}

// -----

// CHECK-LABEL: func @probabilities_in_f32
// CHECK: sinter.binary_cross_entropy {{.*}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
func.func @probabilities_in_f32(%p: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<f32> {
  %l = sinter.binary_cross_entropy %p, %t {sinter.precision = "f32"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}

// -----

// The policy holds inside a scan; state, slices and outputs keep their types.
// CHECK-LABEL: func @scan
// CHECK: ^bb0(%[[H:.*]]: tensor<2x2xf32>, %[[W:.*]]: tensor<2x2xf32>):
// CHECK-DAG: %[[HL:.*]] = sinter.cast %[[H]] : (tensor<2x2xf32>) -> tensor<2x2xbf16>
// CHECK-DAG: %[[WL:.*]] = sinter.cast %[[W]] : (tensor<2x2xf32>) -> tensor<2x2xbf16>
// CHECK: %[[P:.*]] = sinter.matmul %[[HL]], %[[WL]]
// CHECK: %[[N:.*]] = sinter.cast %[[P]] : (tensor<2x2xbf16>) -> tensor<2x2xf32>
// CHECK: sinter.yield %[[N]] : tensor<2x2xf32>
func.func @scan(%h: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %r = sinter.scan init(%h) xs() captures(%w) attributes {count = 3 : i64} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> {
  ^bb0(%s: tensor<2x2xf32>, %m: tensor<2x2xf32>):
    %p = sinter.matmul %s, %m : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
    sinter.yield %p : tensor<2x2xf32>
  }
  return %r : tensor<2x2xf32>
}

// -----

// Attention is low; its logarithms stay f32, and a mask of booleans is what it is.
// CHECK-LABEL: func @attention
// CHECK: %[[Q:.*]] = sinter.cast %{{.*}} : (tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xbf16>
// CHECK: %[[R:.*]], %[[L:.*]] = sinter.attention %[[Q]], %[[Q]], %[[Q]] mask %{{.*}} : (tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x1x1x4xi1>) -> (tensor<1x2x4x8xbf16>, tensor<1x2x4xf32>)
// CHECK: %[[Y:.*]] = sinter.cast %[[R]] : (tensor<1x2x4x8xbf16>) -> tensor<1x2x4x8xf32>
// CHECK: return %[[Y]], %[[L]]
func.func @attention(%q: tensor<1x2x4x8xf32>, %m: tensor<1x1x1x4xi1>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>) {
  %r:2 = sinter.attention %q, %q, %q mask %m {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x1x1x4xi1>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>)
  return %r#0, %r#1 : tensor<1x2x4x8xf32>, tensor<1x2x4xf32>
}
