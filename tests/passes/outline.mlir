// RUN: sinter-opt %s --sinter-fusion=ledger=true --sinter-outline | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion --sinter-outline --mlir-print-op-generic | sinter-opt | FileCheck %s --check-prefix=AGAIN

// Regions of one structure share a kernel, wherever their ops come from; the ledger follows.
// CHECK-LABEL: func.func @shared
// CHECK-SAME: fused = "exp_neg_0"{{.*}}fused = "exp_neg_0"
// CHECK-NEXT: %[[A:.*]] = sinter.launch @exp_neg_0(%{{.*}}) : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[M:.*]] = sinter.launch @matmul_0(%[[A]], %{{.*}})
// CHECK-NEXT: %[[B:.*]] = sinter.launch @exp_neg_0(%{{.*}}) : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[N:.*]] = sinter.launch @matmul_0(%[[M]], %[[B]])
// CHECK-NEXT: return %[[N]]
func.func @shared(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = sinter.exp %x : tensor<4x4xf32>
  %n = sinter.neg %e : tensor<4x4xf32>
  %m = sinter.matmul %n, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %f = sinter.exp %y : tensor<4x4xf32>
  %o = sinter.neg %f : tensor<4x4xf32>
  %p = sinter.matmul %m, %o : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %p : tensor<4x4xf32>
}

// Another shape is another kernel, under the next number; a reshape stays between the launches.
// CHECK-LABEL: func.func @other_shape
// CHECK: sinter.launch @exp_neg_2
// CHECK: sinter.reshape
// CHECK: sinter.launch @matmul_0
func.func @other_shape(%x: tensor<16xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = sinter.exp %x : tensor<16xf32>
  %n = sinter.neg %e : tensor<16xf32>
  %r = sinter.reshape %n : (tensor<16xf32>) -> tensor<4x4xf32>
  %m = sinter.matmul %y, %r : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %m : tensor<4x4xf32>
}

// CHECK: sinter.kernel @exp_neg_0 schedule(#sinter.pointwise) : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK: sinter.kernel @matmul_0 schedule(#sinter.contraction)
// CHECK: sinter.kernel @exp_neg_2 schedule(#sinter.pointwise) : (tensor<16xf32>) -> tensor<16xf32>
// CHECK-NOT: sinter.kernel
// AGAIN: sinter.launch @exp_neg_0
// AGAIN: sinter.kernel @exp_neg_0
