// What stands on the two sides of a sinter.fusion_barrier is never one kernel; nothing is copied for it.
// RUN: sinter-opt %s --sinter-fusion=ledger=true --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @apart
// CHECK-SAME: consumer = "relu"{{.*}}detail = "a fusion_barrier stands between, {{.*}}"{{.*}}producer = "exp"{{.*}}refused = "barrier"
// CHECK-NOT: fusion_barrier %
// CHECK: %[[A:.*]] = sinter.fused(%{{.*}}) schedule(#sinter.pointwise
// CHECK: sinter.exp
// CHECK: %[[B:.*]] = sinter.fused(%[[A]]) schedule(#sinter.pointwise
// CHECK: sinter.relu
// CHECK: return %[[B]]
func.func @apart(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %b = sinter.fusion_barrier %e : tensor<8xf32>
  %r = sinter.relu %b : tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----
// Not by way of a third op either, and not beside it; the reshape is looked through.
// CHECK-LABEL: func.func @no_way_round
// CHECK-COUNT-2: schedule(
// CHECK-NOT: schedule(
// CHECK: return
func.func @no_way_round(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %n = sinter.neg %e : tensor<8xf32>
  %v = sinter.reshape %e : (tensor<8xf32>) -> tensor<2x4xf32>
  %b = sinter.fusion_barrier %v : tensor<2x4xf32>
  %w = sinter.reshape %b : (tensor<2x4xf32>) -> tensor<8xf32>
  %r = sinter.add %n, %w : tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----
// Small reductions would be stages of one launch on a CPU.
module attributes {sinter.target = #sinter.target<kind = "cpu", isa = "avx2">} {
// CHECK-LABEL: func.func @no_stages
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @no_stages(%x: tensor<16x8xf32>) -> tensor<4xf32> {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<16x8xf32>) -> tensor<16xf32>
  %b = sinter.fusion_barrier %s : tensor<16xf32>
  %r = sinter.reshape %b : (tensor<16xf32>) -> tensor<4x4xf32>
  %m = sinter.max %r {dim = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4xf32>
  return %m : tensor<4xf32>
}
}

// -----
// In front of arguments, constants and results there is nothing to keep apart.
// CHECK-LABEL: func.func @idle
// CHECK: %[[A:.*]] = sinter.fused(%{{[^,]*}}) schedule(
// CHECK: return %[[A]]
func.func @idle(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c = sinter.constant dense<2.0> : tensor<8xf32>
  %a = sinter.fusion_barrier %x : tensor<8xf32>
  %b = sinter.fusion_barrier %c : tensor<8xf32>
  %m = sinter.mul %a, %b : tensor<8xf32>
  %e = sinter.exp %m : tensor<8xf32>
  %r = sinter.fusion_barrier %e : tensor<8xf32>
  return %r : tensor<8xf32>
}
