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

// -----
func.func @segments(%r0: tensor<f32>, %a0: tensor<2x3xf32>, %b0: tensor<5xf32>) {
  %u:2 = sinter.fused(%r0, %a0, %b0) schedule(#sinter.update) {
  ^bb0(%r: tensor<f32>, %a: tensor<2x3xf32>, %b: tensor<5xf32>):
    // expected-error @+1 {{2 inputs of 1 segments do not fit the region's arguments}}
    %n:2 = sinter.segments(%r) of (%a, %b) over [2x3] {
    ^bb0(%s: tensor<f32>, %x: tensor<2x3xf32>):
      %y = sinter.exp %x : tensor<2x3xf32>
      sinter.yield %y : tensor<2x3xf32>
    }
    sinter.yield %n#0, %n#1 : tensor<2x3xf32>, tensor<5xf32>
  }
  return
}

// -----
func.func @segments(%r0: tensor<f32>, %a0: tensor<2x3xf32>, %b0: tensor<5xf32>) {
  %u:2 = sinter.fused(%r0, %a0, %b0) schedule(#sinter.update) {
  ^bb0(%r: tensor<f32>, %a: tensor<2x3xf32>, %b: tensor<5xf32>):
    // expected-error @+3 {{is no pointwise op on scalars and the segment's shape}}
    %n:2 = sinter.segments(%r) of (%a, %b) over [2x3, 5] {
    ^bb0(%s: tensor<f32>, %x: tensor<2x3xf32>):
      %y = sinter.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
      %z = sinter.reshape %y : (tensor<3x2xf32>) -> tensor<2x3xf32>
      sinter.yield %z : tensor<2x3xf32>
    }
    sinter.yield %n#0, %n#1 : tensor<2x3xf32>, tensor<5xf32>
  }
  return
}

// -----
func.func @segments(%r0: tensor<f32>, %a0: tensor<2x3xf32>, %b0: tensor<5xf32>) {
  %u:2 = sinter.fused(%r0, %a0, %b0) schedule(#sinter.update) {
  ^bb0(%r: tensor<f32>, %a: tensor<2x3xf32>, %b: tensor<5xf32>):
    // expected-error @+1 {{yields a scalar}}
    %n:2 = sinter.segments(%r) of (%a, %b) over [2x3, 5] {
    ^bb0(%s: tensor<f32>, %x: tensor<2x3xf32>):
      %y = sinter.exp %s : tensor<f32>
      sinter.yield %y : tensor<f32>
    }
    sinter.yield %n#0, %n#1 : tensor<2x3xf32>, tensor<5xf32>
  }
  return
}
