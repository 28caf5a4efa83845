// RUN: sinter-opt %s --pass-pipeline='builtin.module(sinter-fusion{budget=20000 ledger=true})' | FileCheck %s --check-prefix=LEDGER
// RUN: sinter-opt %s --pass-pipeline='builtin.module(sinter-fusion{budget=20000},sinter-outline,sinter-rematerialize{budget=20000},sinter-plan-memory{budget=20000},sinter-check-plan)' | FileCheck %s
// RUN: not sinter-opt %s --pass-pipeline='builtin.module(sinter-fusion,sinter-outline,sinter-rematerialize{budget=20000})' 2>&1 | FileCheck %s --check-prefix=FUSED
// RUN: sinter-opt %s --pass-pipeline='builtin.module(sinter-fusion{budget=40000})' | FileCheck %s --check-prefix=ENOUGH

// One kernel for both sums and their addition reads both products, which are then there at once: with no part of
// it apart and nothing computed again does that fit. Sums of their own leave one product at a time.
// LEDGER: over_budget
// CHECK-LABEL: func.func @sums
// CHECK: %[[A:.*]] = sinter.launch @matmul_0(
// CHECK-NEXT: %[[R:.*]] = sinter.launch @sum_0(%[[A]])
// CHECK-NEXT: %[[B:.*]] = sinter.launch @matmul_0(
// CHECK-NEXT: %[[S:.*]] = sinter.launch @sum_0(%[[B]])
// CHECK-NEXT: sinter.launch @add_0(%[[R]], %[[S]])
// CHECK-NEXT: return
// FUSED: @sums needs 32.00 KiB of working memory at once, and its budget is 19.53 KiB
// ENOUGH-LABEL: func.func @sums
// ENOUGH-COUNT-3: = sinter.fused
// ENOUGH-NOT: = sinter.fused
func.func @sums(%x: tensor<64x64xf32>, %y: tensor<64x64xf32>, %z: tensor<64x64xf32>,
                %w: tensor<64x64xf32>) -> tensor<64xf32> {
  %a = sinter.matmul %x, %y : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %b = sinter.matmul %z, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %r = sinter.sum %a {dim = array<i64: 1>} : (tensor<64x64xf32>) -> tensor<64xf32>
  %s = sinter.sum %b {dim = array<i64: 1>} : (tensor<64x64xf32>) -> tensor<64xf32>
  %t = sinter.add %r, %s : tensor<64xf32>
  return %t : tensor<64xf32>
}
