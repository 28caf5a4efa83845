// RUN: sinter-opt %s --pass-pipeline='builtin.module(sinter-fusion,sinter-outline,sinter-rematerialize{budget=20000},sinter-plan-memory{budget=20000},sinter-check-plan)' | FileCheck %s

// One kernel for both updates keeps both gradients. Each updated as soon as its gradient is there, the
// second takes the place of the first; equal parts are one kernel.
// CHECK-LABEL: func.func @updates
// CHECK-SAME: sinter.arena_bytes = 16384 : i64
// CHECK: %[[G:.*]] = sinter.launch @matmul_0(
// CHECK-NEXT: sinter.launch @update_0_part(%[[G]], %arg0) {home = array<i64: 0>, in_place = array<i64: 1>
// CHECK-NEXT: %[[H:.*]] = sinter.launch @matmul_0(
// CHECK-NEXT: sinter.launch @update_0_part(%[[H]], %arg1) {home = array<i64: 1>, in_place = array<i64: 1>
// CHECK-NEXT: return
// CHECK-NOT: sinter.kernel @update_0 schedule
// CHECK: sinter.kernel @update_0_part schedule(#sinter.update)
// CHECK-NOT: sinter.kernel @update_0 schedule
func.func @updates(%p: tensor<64x64xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
                   %q: tensor<64x64xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                   %x: tensor<64x64xf32>, %y: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %lr = sinter.constant dense<0.1> : tensor<64x64xf32>
  %g = sinter.matmul %x, %y : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %h = sinter.matmul %y, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %gl = sinter.mul %g, %lr : tensor<64x64xf32>
  %hl = sinter.mul %h, %lr : tensor<64x64xf32>
  %np = sinter.sub %p, %gl : tensor<64x64xf32>
  %nq = sinter.sub %q, %hl : tensor<64x64xf32>
  return %np, %nq : tensor<64x64xf32>, tensor<64x64xf32>
}
