// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @softmax(
// CHECK: sinter.softmax %{{.+}} {dim = 1 : i64} : tensor<2x3xf32>
func.func @softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.softmax %x {dim = 1 : i64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @log_softmax(
// CHECK: sinter.log_softmax %{{.+}} {dim = 1 : i64} : tensor<2x3xf32>
func.func @log_softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.log_softmax %x {dim = 1 : i64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cross_entropy(
// CHECK: sinter.cross_entropy %{{.+}}, %{{.+}} {label_smoothing = 1.000000e-01 : f64} : (tensor<4x10xf32>, tensor<4xi64>) -> tensor<f32>
func.func @cross_entropy(%x: tensor<4x10xf32>, %t: tensor<4xi64>) -> tensor<f32> {
  %r = sinter.cross_entropy %x, %t {label_smoothing = 1.000000e-01 : f64} : (tensor<4x10xf32>, tensor<4xi64>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @cross_entropy_grad(
// CHECK: sinter.cross_entropy_grad %{{.+}}, %{{.+}}, %{{.+}} {label_smoothing = 1.000000e-01 : f64} : (tensor<f32>, tensor<4x10xf32>, tensor<4xi64>) -> tensor<4x10xf32>
func.func @cross_entropy_grad(%g: tensor<f32>, %x: tensor<4x10xf32>, %t: tensor<4xi64>) -> tensor<4x10xf32> {
  %r = sinter.cross_entropy_grad %g, %x, %t {label_smoothing = 1.000000e-01 : f64} : (tensor<f32>, tensor<4x10xf32>, tensor<4xi64>) -> tensor<4x10xf32>
  return %r : tensor<4x10xf32>
}

// CHECK-LABEL: func.func @mse_loss(
// CHECK: sinter.mse_loss %{{.+}}, %{{.+}} {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
func.func @mse_loss(%x: tensor<2x3xf32>, %t: tensor<2x3xf32>) -> tensor<f32> {
  %r = sinter.mse_loss %x, %t {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @l1_loss(
// CHECK: sinter.l1_loss %{{.+}}, %{{.+}} {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
func.func @l1_loss(%x: tensor<2x3xf32>, %t: tensor<2x3xf32>) -> tensor<f32> {
  %r = sinter.l1_loss %x, %t {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @bce_with_logits(
// CHECK: sinter.bce_with_logits %{{.+}}, %{{.+}} {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
func.func @bce_with_logits(%x: tensor<2x3xf32>, %t: tensor<2x3xf32>) -> tensor<f32> {
  %r = sinter.bce_with_logits %x, %t {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @batch_norm(
// CHECK: sinter.batch_norm %{{.+}}, %{{.+}}, %{{.+}} : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
func.func @batch_norm(%x: tensor<2x3x4x4xf32>, %w: tensor<3xf32>, %b: tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>) {
  %r:3 = sinter.batch_norm %x, %w, %b : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return %r#0, %r#1, %r#2 : tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @batch_norm_grad(
// CHECK: sinter.batch_norm_grad %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : (tensor<2x3x4x4xf32>, tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
func.func @batch_norm_grad(%g: tensor<2x3x4x4xf32>, %x: tensor<2x3x4x4xf32>, %w: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>) {
  %r:3 = sinter.batch_norm_grad %g, %x, %w, %m, %v : (tensor<2x3x4x4xf32>, tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>)
  return %r#0, %r#1, %r#2 : tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @batch_norm_inference(
// CHECK: sinter.batch_norm_inference %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4x4xf32>
func.func @batch_norm_inference(%x: tensor<2x3x4x4xf32>, %w: tensor<3xf32>, %b: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>) -> tensor<2x3x4x4xf32> {
  %r = sinter.batch_norm_inference %x, %w, %b, %m, %v : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4x4xf32>
  return %r : tensor<2x3x4x4xf32>
}

// CHECK-LABEL: func.func @layer_norm(
// CHECK: sinter.layer_norm %{{.+}}, %{{.+}}, %{{.+}} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @layer_norm(%x: tensor<2x3xf32>, %w: tensor<3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
  %r = sinter.layer_norm %x, %w, %b : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @layer_norm_grad(
// CHECK: sinter.layer_norm_grad %{{.+}}, %{{.+}}, %{{.+}} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>)
func.func @layer_norm_grad(%g: tensor<2x3xf32>, %x: tensor<2x3xf32>, %w: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %r:3 = sinter.layer_norm_grad %g, %x, %w : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  return %r#0, %r#1, %r#2 : tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @max_pool2d(
// CHECK: sinter.max_pool2d %{{.+}} {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x4x4xf32>) -> (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>)
func.func @max_pool2d(%x: tensor<2x3x4x4xf32>) -> (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) {
  %r:2 = sinter.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x4x4xf32>) -> (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>)
  return %r#0, %r#1 : tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>
}

// CHECK-LABEL: func.func @max_pool2d_grad(
// CHECK: sinter.max_pool2d_grad %{{.+}}, %{{.+}} {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) -> tensor<2x3x4x4xf32>
func.func @max_pool2d_grad(%g: tensor<2x3x2x2xf32>, %p: tensor<2x3x2x2xui8>) -> tensor<2x3x4x4xf32> {
  %r = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) -> tensor<2x3x4x4xf32>
  return %r : tensor<2x3x4x4xf32>
}

// CHECK-LABEL: func.func @avg_pool2d(
// CHECK: sinter.avg_pool2d %{{.+}} {count_include_pad = false, kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x4x4xf32>) -> tensor<2x3x2x2xf32>
func.func @avg_pool2d(%x: tensor<2x3x4x4xf32>) -> tensor<2x3x2x2xf32> {
  %r = sinter.avg_pool2d %x {count_include_pad = false, kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x4x4xf32>) -> tensor<2x3x2x2xf32>
  return %r : tensor<2x3x2x2xf32>
}

// CHECK-LABEL: func.func @avg_pool2d_grad(
// CHECK: sinter.avg_pool2d_grad %{{.+}} {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>) -> tensor<2x3x4x4xf32>
func.func @avg_pool2d_grad(%g: tensor<2x3x2x2xf32>) -> tensor<2x3x4x4xf32> {
  %r = sinter.avg_pool2d_grad %g {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>) -> tensor<2x3x4x4xf32>
  return %r : tensor<2x3x4x4xf32>
}

// CHECK-LABEL: func.func @binary_cross_entropy(
// CHECK: sinter.binary_cross_entropy %{{.+}}, %{{.+}} {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
func.func @binary_cross_entropy(%x: tensor<2x3xf32>, %t: tensor<2x3xf32>) -> tensor<f32> {
  %r = sinter.binary_cross_entropy %x, %t {reduction = "sum"} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @rms_norm(
// CHECK: sinter.rms_norm %{{.+}}, %{{.+}} {eps = 9.9999999999999995E-7 : f64} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @rms_norm(%x: tensor<2x3xf32>, %w: tensor<3xf32>) -> tensor<2x3xf32> {
  %r = sinter.rms_norm %x, %w {eps = 9.9999999999999995E-7 : f64} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @rms_norm_grad(
// CHECK: sinter.rms_norm_grad %{{.+}}, %{{.+}}, %{{.+}} {eps = 9.9999999999999995E-7 : f64} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>)
func.func @rms_norm_grad(%g: tensor<2x3xf32>, %x: tensor<2x3xf32>, %w: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>) {
  %r:2 = sinter.rms_norm_grad %g, %x, %w {eps = 9.9999999999999995E-7 : f64} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>)
  return %r#0, %r#1 : tensor<2x3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @group_norm(
// CHECK: sinter.group_norm %{{.+}}, %{{.+}}, %{{.+}} {num_groups = 2 : i64} : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
func.func @group_norm(%x: tensor<4x6xf32>, %w: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<4x6xf32> {
  %r = sinter.group_norm %x, %w, %b {num_groups = 2 : i64} : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @group_norm_grad(
// CHECK: sinter.group_norm_grad %{{.+}}, %{{.+}}, %{{.+}} {num_groups = 2 : i64} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<6xf32>) -> (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>)
func.func @group_norm_grad(%g: tensor<4x6xf32>, %x: tensor<4x6xf32>, %w: tensor<6xf32>) -> (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) {
  %r:3 = sinter.group_norm_grad %g, %x, %w {num_groups = 2 : i64} : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<6xf32>) -> (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>)
  return %r#0, %r#1, %r#2 : tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>
}
