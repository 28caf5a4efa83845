// RUN: sinter-opt %s -sinter-decompose | FileCheck %s
// RUN: sinter-opt %s -sinter-decompose=all | FileCheck %s --check-prefix=ALL

// One row kernel each: they stay, unless all are to be opened.
// CHECK-LABEL: func @rows
// CHECK: sinter.softmax
// CHECK: sinter.layer_norm
// CHECK: sinter.cross_entropy
// ALL-LABEL: func @rows
// ALL-NOT: sinter.softmax
// ALL: sinter.max {{.*}} {dim = array<i64: 1>, keepdim = true}
// ALL: sinter.exp
// ALL: sinter.sum {{.*}} {dim = array<i64: 1>, keepdim = true}
// ALL: sinter.div
// ALL: sinter.rsqrt
// ALL: sinter.iota {dim = 1 : i64} : tensor<2x5xi64>
func.func @rows(%x: tensor<2x5xf32>, %w: tensor<5xf32>, %t: tensor<2xi64>) -> (tensor<2x5xf32>, tensor<2x5xf32>, tensor<2xf32>) {
  %s = sinter.softmax %x {dim = 1} : tensor<2x5xf32>
  %n = sinter.layer_norm %x, %w, %w : (tensor<2x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x5xf32>
  %l = sinter.cross_entropy %x, %t {reduction = "none"} : (tensor<2x5xf32>, tensor<2xi64>) -> tensor<2xf32>
  return %s, %n, %l : tensor<2x5xf32>, tensor<2x5xf32>, tensor<2xf32>
}

// Reductions over rows and then over the rest: more than one kernel.
// CHECK-LABEL: func @mean_loss
// CHECK-NOT: sinter.cross_entropy
// CHECK: sinter.log
// CHECK: %[[N:.*]] = sinter.sum {{.*}} : (tensor<2x1xf32>) -> tensor<f32>
// CHECK: sinter.div %{{.*}}, %[[N]] : tensor<f32>
func.func @mean_loss(%x: tensor<2x5xf32>, %t: tensor<2xi64>) -> tensor<f32> {
  %l = sinter.cross_entropy %x, %t : (tensor<2x5xf32>, tensor<2xi64>) -> tensor<f32>
  return %l : tensor<f32>
}

// A target type that cannot hold ignore_index ignores nothing.
// CHECK-LABEL: func @bytes
// CHECK-NOT: sinter.compare ne
// CHECK: return
func.func @bytes(%x: tensor<2x5xf32>, %t: tensor<2xui8>) -> tensor<f32> {
  %l = sinter.cross_entropy %x, %t : (tensor<2x5xf32>, tensor<2xui8>) -> tensor<f32>
  return %l : tensor<f32>
}

// batch_norm reduces dimensions that are not neighbours; bf16 is widened once and narrowed once.
// CHECK-LABEL: func @norm
// CHECK: sinter.cast %{{.*}} : (tensor<2x3x4xbf16>) -> tensor<2x3x4xf32>
// CHECK: sinter.mean {{.*}} {dim = array<i64: 0, 2>, keepdim = true}
// CHECK: sinter.mean
// CHECK: sinter.cast %{{.*}} : (tensor<2x3x4xf32>) -> tensor<2x3x4xbf16>
// CHECK-NOT: sinter.cast
// CHECK: return
func.func @norm(%x: tensor<2x3x4xbf16>, %w: tensor<3xf32>, %b: tensor<3xf32>) -> (tensor<2x3x4xbf16>, tensor<3xf32>) {
  %y, %m, %v = sinter.batch_norm %x, %w, %b : (tensor<2x3x4xbf16>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4xbf16>, tensor<3xf32>, tensor<3xf32>)
  return %y, %m : tensor<2x3x4xbf16>, tensor<3xf32>
}

// A scatter adds in memory: in f32, or every addition would round.
// CHECK-LABEL: func.func @narrow_scatter
// CHECK-SAME: (%[[GRAD:.*]]: tensor<9x4xbf16>, %[[INDEX:.*]]: tensor<9xi64>)
// CHECK: %[[WIDE:.*]] = sinter.cast %[[GRAD]] : (tensor<9x4xbf16>) -> tensor<9x4xf32>
// CHECK: %[[SUM:.*]] = sinter.embedding_grad %[[WIDE]], %[[INDEX]] : (tensor<9x4xf32>, tensor<9xi64>) -> tensor<5x4xf32>
// CHECK: %[[ROUNDED:.*]] = sinter.cast %[[SUM]] : (tensor<5x4xf32>) -> tensor<5x4xbf16>
// CHECK: return %[[ROUNDED]]
func.func @narrow_scatter(%grad: tensor<9x4xbf16>, %index: tensor<9xi64>) -> tensor<5x4xbf16> {
  %r = sinter.embedding_grad %grad, %index : (tensor<9x4xbf16>, tensor<9xi64>) -> tensor<5x4xbf16>
  return %r : tensor<5x4xbf16>
}
