// Every refusal by name, as the ledger records it.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s

// Windows that overlap ask for the same sums several times.
// CHECK-LABEL: func.func @no_different_domain
// CHECK-SAME: consumer = "avg_pool2d"{{.*}}producer = "conv2d"{{.*}}refused = "different_domain"
func.func @no_different_domain(%x: tensor<1x1x6x6xf32>, %w: tensor<2x1x3x3xf32>) -> tensor<1x2x2x2xf32> {
  %c = sinter.conv2d %x, %w : (tensor<1x1x6x6xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x4x4xf32>
  %p = sinter.avg_pool2d %c {kernel_size = array<i64: 3, 3>, stride = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  return %p : tensor<1x2x2x2xf32>
}

// What is pooled is wanted itself, too: it would have to be stored after all.
// CHECK-LABEL: func.func @no_multiple_uses_of_windows
// CHECK-SAME: consumer = "max_pool2d"{{.*}}producer = "relu"{{.*}}refused = "{{multiple_uses|different_domain}}"
func.func @no_multiple_uses_of_windows(%x: tensor<1x1x6x6xf32>, %w: tensor<2x1x3x3xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x2x2xf32>) {
  %c = sinter.conv2d %x, %w : (tensor<1x1x6x6xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x4x4xf32>
  %r = sinter.relu %c : tensor<1x2x4x4xf32>
  %p, %i = sinter.max_pool2d %r {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xui8>)
  return %r, %p : tensor<1x2x4x4xf32>, tensor<1x2x2x2xf32>
}

// CHECK-LABEL: func.func @no_reduction_dims_differ
// CHECK-SAME: refused = "reduction_dims_differ"
func.func @no_reduction_dims_differ(%x: tensor<8x4xf32>) -> tensor<f32> {
  %r = sinter.sum %x {dim = array<i64: 1>} : (tensor<8x4xf32>) -> tensor<8xf32>
  %t = sinter.max %r {dim = array<i64: 0>} : (tensor<8xf32>) -> tensor<f32>
  return %t : tensor<f32>
}

// CHECK-LABEL: func.func @no_second_contraction
// CHECK-SAME: refused = "second_contraction"
func.func @no_second_contraction(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = sinter.matmul %a, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = sinter.matmul %x, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func.func @no_scatter_boundary
// CHECK-SAME: refused = "scatter_boundary"
func.func @no_scatter_boundary(%g: tensor<6x8xf32>, %i: tensor<6xi64>) -> tensor<10x8xf32> {
  %y = sinter.embedding_grad %g, %i : (tensor<6x8xf32>, tensor<6xi64>) -> tensor<10x8xf32>
  %n = sinter.neg %y : tensor<10x8xf32>
  return %n : tensor<10x8xf32>
}

// Both are sums of rows, but the second one's rows are made from the first one's result.
// CHECK-LABEL: func.func @no_would_create_cycle
// CHECK-SAME: consumer = "mul"{{.*}}producer = "sum"{{.*}}refused = "would_create_cycle"
func.func @no_would_create_cycle(%x: tensor<16x16xf32>, %z: tensor<1x16xf32>) -> tensor<16xf32> {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<16x16xf32>) -> tensor<16xf32>
  %c = sinter.reshape %s : (tensor<16xf32>) -> tensor<16x1xf32>
  %q = sinter.matmul %c, %z : (tensor<16x1xf32>, tensor<1x16xf32>) -> tensor<16x16xf32>
  %t = sinter.sum %q {dim = array<i64: 1>} : (tensor<16x16xf32>) -> tensor<16xf32>
  %y = sinter.mul %s, %t : tensor<16xf32>
  return %y : tensor<16xf32>
}

// An exponential in the loads of a contraction runs for each tile of the other operand.
// CHECK-LABEL: func.func @no_would_duplicate_heavy_work
// CHECK-SAME: producer = "exp"{{.*}}refused = "would_duplicate_heavy_work"
func.func @no_would_duplicate_heavy_work(%a: tensor<64x64xf32>, %b: tensor<64x1024xf32>) -> tensor<64x1024xf32> {
  %e = sinter.exp %a : tensor<64x64xf32>
  %x = sinter.matmul %e, %b : (tensor<64x64xf32>, tensor<64x1024xf32>) -> tensor<64x1024xf32>
  return %x : tensor<64x1024xf32>
}

// The cast could be a load, but is a result as well.
// CHECK-LABEL: func.func @no_multiple_uses
// CHECK-SAME: producer = "neg"{{.*}}refused = "multiple_uses"
func.func @no_multiple_uses(%a: tensor<8x4xf32>, %b: tensor<4x2xf32>) -> (tensor<8x2xf32>, tensor<8x4xf32>) {
  %n = sinter.neg %a : tensor<8x4xf32>
  %x = sinter.matmul %n, %b : (tensor<8x4xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
  return %x, %n : tensor<8x2xf32>, tensor<8x4xf32>
}

// The gradient's contraction does not swallow the update.
// CHECK-LABEL: func.func @no_is_output_of_other_kind
// CHECK-SAME: producer = "matmul"{{.*}}refused = "is_output_of_other_kind"
func.func @no_is_output_of_other_kind(%w: tensor<8x4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
                  %b: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                  %x: tensor<8x2xf32>, %g: tensor<2x4xf32>, %gb: tensor<4xf32>) -> (tensor<8x4xf32>, tensor<4xf32>) {
  %gw = sinter.matmul %x, %g : (tensor<8x2xf32>, tensor<2x4xf32>) -> tensor<8x4xf32>
  %w2 = sinter.sub %w, %gw : tensor<8x4xf32>
  %b2 = sinter.sub %b, %gb : tensor<4xf32>
  return %w2, %b2 : tensor<8x4xf32>, tensor<4xf32>
}

// Both sides compute more than they move: computing the first one twice costs more than its bytes.
// CHECK-LABEL: func.func @no_no_profit
// CHECK-SAME: refused = "no_profit"
func.func @no_no_profit(%x: tensor<4096xf32>) -> tensor<2x4096xf32> {
  %e0 = sinter.exp %x : tensor<4096xf32>
  %e1 = sinter.exp %e0 : tensor<4096xf32>
  %e2 = sinter.exp %e1 : tensor<4096xf32>
  %e3 = sinter.exp %e2 : tensor<4096xf32>
  %b = sinter.broadcast %e3 : (tensor<4096xf32>) -> tensor<2x4096xf32>
  %f0 = sinter.exp %b : tensor<2x4096xf32>
  %f1 = sinter.exp %f0 : tensor<2x4096xf32>
  %f2 = sinter.exp %f1 : tensor<2x4096xf32>
  %f3 = sinter.exp %f2 : tensor<2x4096xf32>
  %f4 = sinter.exp %f3 : tensor<2x4096xf32>
  %f5 = sinter.exp %f4 : tensor<2x4096xf32>
  %f6 = sinter.exp %f5 : tensor<2x4096xf32>
  %f7 = sinter.exp %f6 : tensor<2x4096xf32>
  %f8 = sinter.exp %f7 : tensor<2x4096xf32>
  %f9 = sinter.exp %f8 : tensor<2x4096xf32>
  return %f9 : tensor<2x4096xf32>
}
