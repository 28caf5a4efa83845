// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @sum(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{sum: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.sum %x {dim = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @sum(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{sum: dimensions [1, 0] are not ascending}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.sum %x {dim = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @mean(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{mean: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.mean %x {dim = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @mean(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{mean: dimensions [1, 0] are not ascending}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.mean %x {dim = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @max(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{max: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.max %x {dim = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @max(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{max: dimensions [1, 0] are not ascending}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.max %x {dim = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @min(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{min: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.min %x {dim = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @min(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{min: dimensions [1, 0] are not ascending}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.min %x {dim = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @argmax(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{argmax: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.argmax %x {dim = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<2xi64>
  return
}

// -----
func.func @argmax(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{argmax: dimensions [1, 0] are not ascending}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.argmax %x {dim = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<2xi64>
  return
}

// -----
func.func @max(%x: tensor<2x0xf32>) {
  // expected-error @+1 {{max: dimension 1 of f32[2, 0] is empty}}
  %r = sinter.max %x {dim = array<i64: 1>} : (tensor<2x0xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @min(%x: tensor<2x0xf32>) {
  // expected-error @+1 {{min: dimension 1 of f32[2, 0] is empty}}
  %r = sinter.min %x {dim = array<i64: 1>} : (tensor<2x0xf32>) -> tensor<2xf32>
  return
}

// -----
func.func @argmax(%x: tensor<2x0xf32>) {
  // expected-error @+1 {{argmax: dimension 1 of f32[2, 0] is empty}}
  %r = sinter.argmax %x {dim = array<i64: 1>} : (tensor<2x0xf32>) -> tensor<2xi64>
  return
}

// -----
func.func @cumsum(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{cumsum: dim 2 is outside a tensor of shape [2, 3]}}
  %r = sinter.cumsum %x {dim = 2 : i64} : tensor<2x3xf32>
  return
}

// -----
func.func @argsort(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{argsort: dim 2 is outside a tensor of shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.argsort %x {dim = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xi64>
  return
}

// -----
func.func @argsort(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{argsort}}
  %r = sinter.argsort %x {dim = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
