// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @softmax(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{softmax: dim 2 is outside a tensor of shape [2, 3]}}
  %r = sinter.softmax %x {dim = 2 : i64} : tensor<2x3xf32>
  return
}

// -----
func.func @log_softmax(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{log_softmax: dim 2 is outside a tensor of shape [2, 3]}}
  %r = sinter.log_softmax %x {dim = 2 : i64} : tensor<2x3xf32>
  return
}

// -----
func.func @cross_entropy(%x: tensor<4x10xf32>, %t: tensor<5xi64>) {
  // expected-error @+2 {{cross_entropy: target has shape [5], logits [4, 10] expect [4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.cross_entropy %x, %t : (tensor<4x10xf32>, tensor<5xi64>) -> tensor<f32>
  return
}

// -----
func.func @cross_entropy(%x: tensor<4x10xf32>, %t: tensor<4xi64>) {
  // expected-error @+2 {{cross_entropy: reduction is 'avg', expected mean, sum or none}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.cross_entropy %x, %t {reduction = "avg"} : (tensor<4x10xf32>, tensor<4xi64>) -> tensor<f32>
  return
}

// -----
func.func @cross_entropy(%x: tensor<4x10xf32>, %t: tensor<4xi64>) {
  // expected-error @+2 {{cross_entropy: label_smoothing must be between 0 and 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.cross_entropy %x, %t {label_smoothing = 2.0 : f64} : (tensor<4x10xf32>, tensor<4xi64>) -> tensor<f32>
  return
}

// -----
func.func @cross_entropy_grad(%g: tensor<4xf32>, %x: tensor<4x10xf32>, %t: tensor<4xi64>) {
  // expected-error @+1 {{cross_entropy_grad: the cotangent has shape [4] for reduction mean}}
  %r = sinter.cross_entropy_grad %g, %x, %t : (tensor<4xf32>, tensor<4x10xf32>, tensor<4xi64>) -> tensor<4x10xf32>
  return
}

// -----
func.func @mse_loss(%x: tensor<2x3xf32>, %t: tensor<2x4xf32>) {
  // expected-error @+2 {{mse_loss: input is f32[2, 3], target f32[2, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.mse_loss %x, %t : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----
func.func @l1_loss(%x: tensor<2x3xf32>, %t: tensor<2x4xf32>) {
  // expected-error @+2 {{l1_loss: input is f32[2, 3], target f32[2, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.l1_loss %x, %t : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----
func.func @bce_with_logits(%x: tensor<2x3xf32>, %t: tensor<2x4xf32>) {
  // expected-error @+2 {{bce_with_logits: input is f32[2, 3], target f32[2, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.bce_with_logits %x, %t : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----
func.func @batch_norm(%x: tensor<2x3x4x4xf32>, %w: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error @+2 {{batch_norm: weight has shape [4], expected [3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:3 = sinter.batch_norm %x, %w, %b : (tensor<2x3x4x4xf32>, tensor<4xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----
func.func @batch_norm_grad(%x: tensor<2x3x4x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+2 {{batch_norm_grad: operand has shape [4], expected [3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:3 = sinter.batch_norm_grad %x, %x, %w, %w, %w : (tensor<2x3x4x4xf32>, tensor<2x3x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----
func.func @batch_norm_inference(%x: tensor<2x3x4x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+2 {{batch_norm_inference: weight has shape [4], expected [3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.batch_norm_inference %x, %w, %w, %w, %w : (tensor<2x3x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x3x4x4xf32>
  return
}

// -----
func.func @layer_norm(%x: tensor<2x3xf32>, %w: tensor<4xf32>) {
  // expected-error @+2 {{layer_norm: weight has shape [4], which is not the end of the input's shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.layer_norm %x, %w, %w : (tensor<2x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @layer_norm_grad(%x: tensor<2x3xf32>, %w: tensor<4xf32>) {
  // expected-error @+2 {{layer_norm_grad: weight has shape [4], which is not the end of the input's shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:3 = sinter.layer_norm_grad %x, %x, %w : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<4xf32>) -> (tensor<2x3xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----
func.func @max_pool2d(%x: tensor<2x3x4x4xf32>) {
  // expected-error @+2 {{max_pool2d: kernel_size [5, 5] does not fit input [4, 4] with padding [0, 0]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.max_pool2d %x {kernel_size = array<i64: 5, 5>, stride = array<i64: 1, 1>} : (tensor<2x3x4x4xf32>) -> (tensor<2x3x1x1xf32>, tensor<2x3x1x1xui8>)
  return
}

// -----
func.func @max_pool2d(%x: tensor<2x3x4x4xf32>) {
  // expected-error @+2 {{max_pool2d: padding [2, 2] is more than half of kernel_size [2, 2]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.max_pool2d %x {kernel_size = array<i64: 2, 2>, padding = array<i64: 2, 2>, stride = array<i64: 1, 1>} : (tensor<2x3x4x4xf32>) -> (tensor<2x3x7x7xf32>, tensor<2x3x7x7xui8>)
  return
}

// -----
func.func @max_pool2d_grad(%g: tensor<2x3x2x2xf32>, %p: tensor<2x3x2x2xui8>) {
  // expected-error @+1 {{max_pool2d_grad: grad f32[2, 3, 2, 2] and place ui8[2, 3, 2, 2] should have shape [2, 3, 3, 3]}}
  %r = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 1, 1>} : (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) -> tensor<2x3x4x4xf32>
  return
}

// -----
func.func @avg_pool2d(%x: tensor<2x3x4x4xf32>) {
  // expected-error @+2 {{avg_pool2d: kernel_size has 1 values, expected 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.avg_pool2d %x {kernel_size = array<i64: 2>, stride = array<i64: 2, 2>} : (tensor<2x3x4x4xf32>) -> tensor<2x3x2x2xf32>
  return
}

// -----
func.func @avg_pool2d_grad(%g: tensor<2x3x2x2xf32>) {
  // expected-error @+1 {{avg_pool2d_grad: grad has shape [2, 3, 2, 2], expected [2, 3, 3, 3]}}
  %r = sinter.avg_pool2d_grad %g {kernel_size = array<i64: 2, 2>, stride = array<i64: 1, 1>} : (tensor<2x3x2x2xf32>) -> tensor<2x3x4x4xf32>
  return
}

// -----
func.func @binary_cross_entropy(%x: tensor<2x3xf32>, %t: tensor<2x4xf32>) {
  // expected-error @+2 {{binary_cross_entropy: input is f32[2, 3], target f32[2, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.binary_cross_entropy %x, %t : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----
func.func @rms_norm(%x: tensor<2x3xf32>, %w: tensor<2xf32>) {
  // expected-error @+2 {{rms_norm: weight has shape [2], which is not the end of the input's shape [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.rms_norm %x, %w {eps = 1.0e-6 : f64} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @rms_norm_grad(%g: tensor<3x3xf32>, %x: tensor<2x3xf32>, %w: tensor<3xf32>) {
  // expected-error @+2 {{rms_norm_grad: grad has shape [3, 3], x [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.rms_norm_grad %g, %x, %w {eps = 1.0e-6 : f64} : (tensor<3x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>)
  return
}

// -----
func.func @group_norm(%x: tensor<2x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+2 {{group_norm: num_groups 3 does not divide 4 channels}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.group_norm %x, %w, %w {num_groups = 3 : i64} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----
func.func @group_norm_grad(%x: tensor<2x4xf32>, %w: tensor<3xf32>) {
  // expected-error @+2 {{group_norm_grad: weight has shape [3], expected [4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:3 = sinter.group_norm_grad %x, %x, %w {num_groups = 2 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<3xf32>) -> (tensor<2x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}
