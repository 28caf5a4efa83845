// On a CPU's tiles of bf16 a sum of large products takes longer than they do one by one.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s

module attributes {sinter.target = #sinter.target<kind = "cpu", isa = "avx512_bf16", vectorBytes = 64>} {

// CHECK-LABEL: func.func @no_profit
// CHECK-SAME: refused = "no_profit"
// CHECK-COUNT-2: schedule(#sinter.contraction)
// CHECK: return
func.func @no_profit(%q: tensor<1024x768xbf16>, %k: tensor<1024x768xbf16>, %wq: tensor<768x768xbf16>, %wk: tensor<768x768xbf16>) -> tensor<1024x768xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  %1 = sinter.cast %0 : (tensor<1024x768xbf16>) -> tensor<1024x768xf32>
  %2 = sinter.matmul %k, %wk : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  %3 = sinter.cast %2 : (tensor<1024x768xbf16>) -> tensor<1024x768xf32>
  %4 = sinter.add %1, %3 : tensor<1024x768xf32>
  return %4 : tensor<1024x768xf32>
}

// In f32 nothing is lost.
// CHECK-LABEL: func.func @vectors
// CHECK-COUNT-1: schedule(#sinter.contraction)
// CHECK-NOT: schedule(
// CHECK: return
func.func @vectors(%q: tensor<1024x768xf32>, %k: tensor<1024x768xf32>, %wq: tensor<768x768xf32>, %wk: tensor<768x768xf32>) -> tensor<1024x768xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<1024x768xf32>, tensor<768x768xf32>) -> tensor<1024x768xf32>
  %1 = sinter.matmul %k, %wk : (tensor<1024x768xf32>, tensor<768x768xf32>) -> tensor<1024x768xf32>
  %2 = sinter.add %0, %1 : tensor<1024x768xf32>
  return %2 : tensor<1024x768xf32>
}
}
