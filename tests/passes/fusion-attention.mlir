// Attention is a kernel of its own where the target has one, with what comes before it.
// RUN: sinter-opt %s --sinter-decompose=all | FileCheck %s --check-prefix=WHOLE
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s

module attributes {sinter.target = #sinter.target<kind = "cpu", isa = "avx2">} {
  // WHOLE-LABEL: func.func @views
  // WHOLE: sinter.attention
  // CHECK-LABEL: func.func @views
  // CHECK: %[[R:.*]] = sinter.fused(%{{.*}}) schedule(#sinter.attention)
  // CHECK-NEXT: ^bb0
  // CHECK: sinter.transpose
  // CHECK: sinter.attention
  // CHECK-NOT: sinter.fused
  func.func @views(%x: tensor<1x8x2x4xf32>) -> tensor<1x2x8x4xf32> {
    %q = sinter.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x8x2x4xf32>) -> tensor<1x2x8x4xf32>
    %r:2 = sinter.attention %q, %q, %q {scale = 0.5 : f64} : (tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>) -> (tensor<1x2x8x4xf32>, tensor<1x2x8xf32>)
    return %r#0 : tensor<1x2x8x4xf32>
  }

  // f64 is for checking gradients, and opened.
  // CHECK-LABEL: func.func @doubles
  // WHOLE-LABEL: func.func @doubles
  // WHOLE-NOT: sinter.attention
  // WHOLE: sinter.matmul
  func.func @doubles(%q: tensor<1x2x8x4xf64>) -> tensor<1x2x8x4xf64> {
    %r:2 = sinter.attention %q, %q, %q {scale = 0.5 : f64} : (tensor<1x2x8x4xf64>, tensor<1x2x8x4xf64>, tensor<1x2x8x4xf64>) -> (tensor<1x2x8x4xf64>, tensor<1x2x8xf64>)
    return %r#0 : tensor<1x2x8x4xf64>
  }

  // A row of attention is complete only when all keys have been seen.
  // CHECK-LABEL: func.func @no_attention_boundary
  // CHECK-SAME: producer = "attention"{{.*}}refused = "attention_boundary"
  func.func @no_attention_boundary(%q: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
    %r:2 = sinter.attention %q, %q, %q {scale = 0.5 : f64} : (tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>) -> (tensor<1x2x8x4xf32>, tensor<1x2x8xf32>)
    %e = sinter.exp %r#0 : tensor<1x2x8x4xf32>
    return %e : tensor<1x2x8x4xf32>
  }
}
