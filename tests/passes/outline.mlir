// RUN: sinter-opt %s --sinter-fusion=ledger=true --sinter-outline | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion --sinter-outline --mlir-print-op-generic | sinter-opt | FileCheck %s --check-prefix=AGAIN

// CHECK-LABEL: func.func @first
// CHECK-SAME: fused = "exp_neg_0"
// CHECK-NEXT: %[[A:.*]] = sinter.launch @exp_neg_0(%{{.*}}) : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: return %[[A]]
func.func @first(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = sinter.exp %x : tensor<4x4xf32>
  %n = sinter.neg %e : tensor<4x4xf32>
  return %n : tensor<4x4xf32>
}

// Regions of one structure share a kernel, wherever their ops come from; the ledger follows.
// CHECK-LABEL: func.func @equal
// CHECK-SAME: fused = "exp_neg_0"
// CHECK-NEXT: sinter.launch @exp_neg_0(%{{.*}}) : (tensor<4x4xf32>) -> tensor<4x4xf32>
func.func @equal(%y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %f = sinter.exp %y : tensor<4x4xf32>
  %o = sinter.neg %f : tensor<4x4xf32>
  return %o : tensor<4x4xf32>
}

// Another shape is another kernel, under the next number.
// CHECK-LABEL: func.func @other_shape
// CHECK: sinter.launch @exp_neg_2
func.func @other_shape(%x: tensor<16xf32>) -> tensor<16xf32> {
  %e = sinter.exp %x : tensor<16xf32>
  %n = sinter.neg %e : tensor<16xf32>
  return %n : tensor<16xf32>
}

// So is another attribute. A reshape stays between the launches.
// CHECK-LABEL: func.func @attributes
// CHECK-NEXT: %[[M:.*]] = sinter.launch @matmul_0
// CHECK-NEXT: %[[R:.*]] = sinter.reshape %[[M]]
// CHECK-NEXT: %[[N:.*]] = sinter.launch @matmul_1(%[[R]], %{{.*}})
// CHECK-NEXT: return %[[N]]
func.func @attributes(%x: tensor<2x8xf32>, %w: tensor<8x8xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %m = sinter.matmul %x, %w : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %r = sinter.reshape %m : (tensor<2x8xf32>) -> tensor<4x4xf32>
  %n = sinter.matmul %r, %y {transpose_b = true} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %n : tensor<4x4xf32>
}

// CHECK: sinter.kernel @exp_neg_0 schedule(#sinter.pointwise) : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK: sinter.kernel @exp_neg_2 schedule(#sinter.pointwise) : (tensor<16xf32>) -> tensor<16xf32>
// CHECK: sinter.kernel @matmul_0 schedule(#sinter.contraction)
// CHECK: sinter.kernel @matmul_1 schedule(#sinter.contraction)
// CHECK-NOT: sinter.kernel
// AGAIN: sinter.launch @exp_neg_0
// AGAIN: sinter.kernel @exp_neg_0
