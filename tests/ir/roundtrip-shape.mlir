// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @constant(
// CHECK: sinter.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
func.func @constant() -> tensor<2xf32> {
  %r = sinter.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @iota(
// CHECK: sinter.iota {dim = 1 : i64} : tensor<2x3xi64>
func.func @iota() -> tensor<2x3xi64> {
  %r = sinter.iota {dim = 1 : i64} : tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: func.func @reshape(
// CHECK: sinter.reshape %{{.+}} : (tensor<2x3xf32>) -> tensor<6xf32>
func.func @reshape(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  %r = sinter.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  return %r : tensor<6xf32>
}

// CHECK-LABEL: func.func @transpose(
// CHECK: sinter.transpose %{{.+}} {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
func.func @transpose(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %r = sinter.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// CHECK-LABEL: func.func @broadcast(
// CHECK: sinter.broadcast %{{.+}} : (tensor<3xf32>) -> tensor<2x3xf32>
func.func @broadcast(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  %r = sinter.broadcast %x : (tensor<3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @slice(
// CHECK: sinter.slice %{{.+}} {limit = array<i64: 2, 3>, start = array<i64: 0, 1>, step = array<i64: 1, 2>} : (tensor<2x3xf32>) -> tensor<2x1xf32>
func.func @slice(%x: tensor<2x3xf32>) -> tensor<2x1xf32> {
  %r = sinter.slice %x {limit = array<i64: 2, 3>, start = array<i64: 0, 1>, step = array<i64: 1, 2>} : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return %r : tensor<2x1xf32>
}

// CHECK-LABEL: func.func @pad(
// CHECK: sinter.pad %{{.+}} {high = array<i64: 0, 2>, interior = array<i64: 0, 0>, low = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x5xf32>
func.func @pad(%x: tensor<2x3xf32>) -> tensor<3x5xf32> {
  %r = sinter.pad %x {high = array<i64: 0, 2>, interior = array<i64: 0, 0>, low = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x5xf32>
  return %r : tensor<3x5xf32>
}

// CHECK-LABEL: func.func @concat(
// CHECK: sinter.concat %{{.+}}, %{{.+}} {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<2x1xf32>) -> tensor<2x4xf32> {
  %r = sinter.concat %a, %b {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @relayout(
// CHECK: sinter.relayout %{{.+}} : (tensor<2x3xf32>) -> tensor<2x3xf32, #sinter.layout<[1, 0]>>
func.func @relayout(%x: tensor<2x3xf32>) -> tensor<2x3xf32, #sinter.layout<[1, 0]>> {
  %r = sinter.relayout %x : (tensor<2x3xf32>) -> tensor<2x3xf32, #sinter.layout<[1, 0]>>
  return %r : tensor<2x3xf32, #sinter.layout<[1, 0]>>
}

// CHECK-LABEL: func.func @stop_gradient(
// CHECK: sinter.stop_gradient %{{.+}} : tensor<2x3xf32>
func.func @stop_gradient(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.stop_gradient %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @fusion_barrier(
// CHECK: sinter.fusion_barrier %{{.+}} : tensor<2x3xf32>
func.func @fusion_barrier(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.fusion_barrier %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @embedding(
// CHECK: sinter.embedding %{{.+}}, %{{.+}} : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
func.func @embedding(%w: tensor<10x4xf32>, %i: tensor<2x3xi64>) -> tensor<2x3x4xf32> {
  %r = sinter.embedding %w, %i : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  return %r : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @embedding_grad(
// CHECK: sinter.embedding_grad %{{.+}}, %{{.+}} {padding_idx = 0 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x4xf32>
func.func @embedding_grad(%g: tensor<2x3x4xf32>, %i: tensor<2x3xi64>) -> tensor<10x4xf32> {
  %r = sinter.embedding_grad %g, %i {padding_idx = 0 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x4xf32>
  return %r : tensor<10x4xf32>
}

// CHECK-LABEL: func.func @gather(
// CHECK: sinter.gather %{{.+}}, %{{.+}} {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
func.func @gather(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>) -> tensor<2x2xf32> {
  %r = sinter.gather %x, %i {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @scatter_add(
// CHECK: sinter.scatter_add %{{.+}}, %{{.+}}, %{{.+}} {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
func.func @scatter_add(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>, %s: tensor<2x2xf32>) -> tensor<2x3xf32> {
  %r = sinter.scatter_add %x, %i, %s {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @one_hot(
// CHECK: sinter.one_hot %{{.+}} : (tensor<2xi64>) -> tensor<2x5xf32>
func.func @one_hot(%i: tensor<2xi64>) -> tensor<2x5xf32> {
  %r = sinter.one_hot %i : (tensor<2xi64>) -> tensor<2x5xf32>
  return %r : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @dynamic_slice(
// CHECK: sinter.dynamic_slice %{{.+}}[%{{.+}}, %{{.+}}] {size = array<i64: 2, 3>} : (tensor<4x6xf32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
func.func @dynamic_slice(%x: tensor<4x6xf32>, %i: tensor<i64>, %j: tensor<i64>) -> tensor<2x3xf32> {
  %r = sinter.dynamic_slice %x[%i, %j] {size = array<i64: 2, 3>} : (tensor<4x6xf32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @dynamic_update_slice(
// CHECK: sinter.dynamic_update_slice %{{.+}}, %{{.+}}[%{{.+}}, %{{.+}}] : (tensor<4x6xf32>, tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<4x6xf32>
func.func @dynamic_update_slice(%x: tensor<4x6xf32>, %u: tensor<2x3xf32>, %i: tensor<i64>, %j: tensor<i64>) -> tensor<4x6xf32> {
  %r = sinter.dynamic_update_slice %x, %u[%i, %j] : (tensor<4x6xf32>, tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}
