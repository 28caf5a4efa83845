// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @gradient(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{gradient: without cotangents there must be one scalar output, for example a loss}}
  %r = sinter.gradient %x wrt %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @gradient(%l: tensor<f32>, %x: tensor<2x3xf32>) {
  // expected-error @+1 {{gradient: a gradient by f32[2, 3] has type f32[2, 4]}}
  %r = sinter.gradient %l wrt %x : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----
func.func @expect_fused(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'sinter.expect_fused' op wants two values or more}}
  sinter.expect_fused %x : tensor<2x3xf32>
  return
}

// -----
func.func @expect_kernels() {
  // expected-error @+1 {{attribute 'max' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  sinter.expect_kernels max -1
  return
}
