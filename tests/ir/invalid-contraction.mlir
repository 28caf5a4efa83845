// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @matmul(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error @+2 {{matmul: left operand of shape [2, 3] has inner size 3, right operand of shape [4, 5] has 4}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.matmul %a, %b : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----
func.func @matmul(%a: tensor<8x2x3xf32>, %b: tensor<7x3x5xf32>) {
  // expected-error @+2 {{matmul: batch dimensions [8] and [7] differ}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.matmul %a, %b : (tensor<8x2x3xf32>, tensor<7x3x5xf32>) -> tensor<8x2x5xf32>
  return
}

// -----
func.func @matmul(%a: tensor<2x3xf32>, %b: tensor<3x5xbf16>) {
  // expected-error @+2 {{matmul: operands are f32[2, 3] and bf16[3, 5]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.matmul %a, %b : (tensor<2x3xf32>, tensor<3x5xbf16>) -> tensor<2x5xf32>
  return
}

// -----
func.func @conv2d(%x: tensor<2x3x9x9xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{conv2d: input has 3 channels, weight expects 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.conv2d %x, %w : (tensor<2x3x9x9xf32>, tensor<6x2x3x3xf32>) -> tensor<2x6x7x7xf32>
  return
}

// -----
func.func @conv2d(%x: tensor<2x2x2x9xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{conv2d: kernel [3, 3] with dilation [1, 1] does not fit input [2, 9] with padding [0, 0]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.conv2d %x, %w : (tensor<2x2x2x9xf32>, tensor<6x2x3x3xf32>) -> tensor<2x6x1x7xf32>
  return
}

// -----
func.func @conv2d(%x: tensor<2x2x9x9xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{conv2d: stride is [0, 1], each must be at least 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.conv2d %x, %w {stride = array<i64: 0, 1>} : (tensor<2x2x9x9xf32>, tensor<6x2x3x3xf32>) -> tensor<2x6x7x7xf32>
  return
}

// -----
func.func @conv2d_input_grad(%g: tensor<2x6x5x5xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+1 {{conv2d_input_grad: grad has shape [2, 6, 5, 5], expected [2, 6, 7, 7]}}
  %r = sinter.conv2d_input_grad %g, %w : (tensor<2x6x5x5xf32>, tensor<6x2x3x3xf32>) -> tensor<2x2x9x9xf32>
  return
}

// -----
func.func @conv2d_weight_grad(%x: tensor<2x2x9x9xf32>, %g: tensor<2x6x5x5xf32>) {
  // expected-error @+1 {{conv2d_weight_grad: grad has shape [2, 6, 5, 5], expected [2, 6, 7, 7]}}
  %r = sinter.conv2d_weight_grad %x, %g : (tensor<2x2x9x9xf32>, tensor<2x6x5x5xf32>) -> tensor<6x2x3x3xf32>
  return
}
