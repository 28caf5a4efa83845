// On a CPU products that are added up in one kernel take a little longer than one by one; parts of a sum that are not
// written and read again can be worth it.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s

module attributes {sinter.target = #sinter.target<kind = "cpu", isa = "avx2">} {

// CHECK-LABEL: func.func @many_results
// CHECK-COUNT-1: schedule(#sinter.contraction)
// CHECK-NOT: schedule(
// CHECK: return
func.func @many_results(%q: tensor<2048x64xf32>, %k: tensor<2048x64xf32>, %wq: tensor<64x1024xf32>, %wk: tensor<64x1024xf32>) -> tensor<2048x1024xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<2048x64xf32>, tensor<64x1024xf32>) -> tensor<2048x1024xf32>
  %1 = sinter.matmul %k, %wk : (tensor<2048x64xf32>, tensor<64x1024xf32>) -> tensor<2048x1024xf32>
  %2 = sinter.add %0, %1 : tensor<2048x1024xf32>
  return %2 : tensor<2048x1024xf32>
}

// CHECK-LABEL: func.func @no_profit
// CHECK-SAME: refused = "no_profit"
// CHECK-COUNT-2: schedule(#sinter.contraction)
// CHECK: return
func.func @no_profit(%q: tensor<1024x768xf32>, %k: tensor<1024x768xf32>, %wq: tensor<768x768xf32>, %wk: tensor<768x768xf32>) -> tensor<1024x768xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<1024x768xf32>, tensor<768x768xf32>) -> tensor<1024x768xf32>
  %1 = sinter.matmul %k, %wk : (tensor<1024x768xf32>, tensor<768x768xf32>) -> tensor<1024x768xf32>
  %2 = sinter.add %0, %1 : tensor<1024x768xf32>
  return %2 : tensor<1024x768xf32>
}
}
