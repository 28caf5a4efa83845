// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @constant() {
  // expected-error @+1 {{'value'}}
  %r = "sinter.constant"() : () -> tensor<2xf32>
  return
}

// -----
func.func @iota() {
  // expected-error @+1 {{iota: dim 2 is outside a tensor of shape [2, 3]}}
  %r = sinter.iota {dim = 2 : i64} : tensor<2x3xi64>
  return
}

// -----
func.func @reshape(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{reshape: shape [2, 3] has 6 elements, [7] has 7}}
  %r = sinter.reshape %x : (tensor<2x3xf32>) -> tensor<7xf32>
  return
}

// -----
func.func @transpose(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{transpose: [0, 0] is no permutation of 2 dimensions}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.transpose %x {permutation = array<i64: 0, 0>} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----
func.func @broadcast(%x: tensor<3xf32>) {
  // expected-error @+1 {{broadcast: shape [3] does not broadcast to [3, 2]}}
  %r = sinter.broadcast %x : (tensor<3xf32>) -> tensor<3x2xf32>
  return
}

// -----
func.func @slice(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{slice: 1:4:1 does not fit dimension 1 of size 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.slice %x {limit = array<i64: 2, 4>, start = array<i64: 0, 1>, step = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @pad(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{pad: amounts of dimension 0 must not be negative}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.pad %x {high = array<i64: 0, 2>, interior = array<i64: 0, 0>, low = array<i64: -1, 0>} : (tensor<2x3xf32>) -> tensor<1x5xf32>
  return
}

// -----
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<3x1xf32>) {
  // expected-error @+2 {{concat: f32[2, 3] and f32[3, 1] differ outside dimension 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.concat %a, %b {dim = 1 : i64} : (tensor<2x3xf32>, tensor<3x1xf32>) -> tensor<2x4xf32>
  return
}

// -----
func.func @relayout(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{relayout: changes the logical type from f32[2, 3] to f32[3, 2]}}
  %r = sinter.relayout %x : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----
func.func @stop_gradient(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.stop_gradient"(%x) : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----
func.func @fusion_barrier(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.fusion_barrier"(%x) : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----
func.func @embedding(%w: tensor<2x3x4xf32>, %i: tensor<2xi64>) {
  // expected-error @+2 {{embedding: weight has shape [2, 3, 4], expected [V, D]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.embedding %w, %i : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>
  return
}

// -----
func.func @embedding(%w: tensor<10x4xf32>, %i: tensor<2x3xi64>) {
  // expected-error @+2 {{embedding: padding_idx 10 is outside 10 rows}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.embedding %w, %i {padding_idx = 10 : i64} : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  return
}

// -----
func.func @embedding_grad(%g: tensor<2x3x4xf32>, %i: tensor<2x3xi64>) {
  // expected-error @+1 {{embedding_grad: grad f32[2, 3, 4] and indices i64[2, 3] do not make a gradient of f32[10, 5]}}
  %r = sinter.embedding_grad %g, %i : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x5xf32>
  return
}

// -----
func.func @gather(%x: tensor<2x3xf32>, %i: tensor<3x2xi64>) {
  // expected-error @+2 {{gather: index of shape [3, 2] reaches outside x of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.gather %x, %i {dim = 1 : i64} : (tensor<2x3xf32>, tensor<3x2xi64>) -> tensor<3x2xf32>
  return
}

// -----
func.func @scatter_add(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>) {
  // expected-error @+2 {{scatter_add: src is f32[2, 3], expected index's shape [2, 2] and x's type}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.scatter_add %x, %i, %x {dim = 1 : i64} : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @one_hot(%i: tensor<2xi64>) {
  // expected-error @+1 {{one_hot: indices have shape [2], the result [3, 5] should add one dimension at the end}}
  %r = sinter.one_hot %i : (tensor<2xi64>) -> tensor<3x5xf32>
  return
}

// -----
func.func @dynamic_slice(%x: tensor<4x6xf32>, %i: tensor<i64>) {
  // expected-error @+2 {{dynamic_slice: expected 2 scalars as start of a slice of shape [4, 6]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.dynamic_slice %x[%i] {size = array<i64: 2, 3>} : (tensor<4x6xf32>, tensor<i64>) -> tensor<2x3xf32>
  return
}

// -----
func.func @dynamic_slice(%x: tensor<4x6xf32>, %i: tensor<i64>) {
  // expected-error @+2 {{dynamic_slice: a slice of shape [5, 3] does not fit into [4, 6]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.dynamic_slice %x[%i, %i] {size = array<i64: 5, 3>} : (tensor<4x6xf32>, tensor<i64>, tensor<i64>) -> tensor<5x3xf32>
  return
}

// -----
func.func @dynamic_update_slice(%x: tensor<4x6xf32>, %u: tensor<2x3xbf16>, %i: tensor<i64>) {
  // expected-error @+2 {{dynamic_update_slice: update is bf16[2, 3], x f32[4, 6]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.dynamic_update_slice %x, %u[%i, %i] : (tensor<4x6xf32>, tensor<2x3xbf16>, tensor<i64>, tensor<i64>) -> tensor<4x6xf32>
  return
}
