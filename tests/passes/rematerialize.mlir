// RUN: sinter-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(sinter-fusion{singletons=true},sinter-outline,sinter-rematerialize{budget=40000},sinter-plan-memory{budget=40000},sinter-check-plan)' | FileCheck %s

// %a waits for %e while two products are made: three values of 16 KiB. Computed again it need not wait.
// CHECK-LABEL: func.func @again
// CHECK-SAME: sinter.arena_bytes = 32768 : i64, sinter.lower_bound_bytes = 32768 : i64
// CHECK: %[[A:.*]] = sinter.launch @exp_0(%arg0)
// CHECK-NEXT: sinter.launch @matmul_0(%[[A]]
// CHECK-NEXT: sinter.launch @matmul_0
// CHECK-NEXT: %[[D:.*]] = sinter.launch @matmul_0
// CHECK-NEXT: %[[AGAIN:.*]] = sinter.launch @exp_0(%arg0) {{{.*}}sinter.recomputed
// CHECK-NEXT: sinter.launch @add_0(%[[D]], %[[AGAIN]])
func.func @again(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %a = sinter.exp %x : tensor<64x64xf32>
  %b = sinter.matmul %a, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %c = sinter.matmul %b, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %d = sinter.matmul %c, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %e = sinter.add %d, %a : tensor<64x64xf32>
  return %e : tensor<64x64xf32>
}

// -----

// What a value is computed from may be gone, too: both launches run again, through a reshape.
// CHECK-LABEL: func.func @chain
// CHECK: sinter.launch @exp_0(%arg0)
// CHECK-COUNT-4: sinter.launch @matmul
// CHECK: %[[E:.*]] = sinter.launch @exp_0(%arg0) {{{.*}}sinter.recomputed
// CHECK: %[[R:.*]] = sinter.reshape %[[E]]
// CHECK: %[[P:.*]] = sinter.launch @matmul{{.*}}(%[[R]], %arg1) {{{.*}}sinter.recomputed
// CHECK: sinter.launch @add_0(%{{.*}}, %[[P]])
func.func @chain(%x: tensor<1024xf32>, %w: tensor<16x64xf32>, %u: tensor<64x80xf32>, %v: tensor<80x72xf32>, %z: tensor<72x64xf32>) -> tensor<64x64xf32> {
  %x0 = sinter.exp %x : tensor<1024xf32>
  %x1 = sinter.reshape %x0 : (tensor<1024xf32>) -> tensor<64x16xf32>
  %a = sinter.matmul %x1, %w : (tensor<64x16xf32>, tensor<16x64xf32>) -> tensor<64x64xf32>
  %b = sinter.matmul %a, %u : (tensor<64x64xf32>, tensor<64x80xf32>) -> tensor<64x80xf32>
  %c = sinter.matmul %b, %v : (tensor<64x80xf32>, tensor<80x72xf32>) -> tensor<64x72xf32>
  %d = sinter.matmul %c, %z : (tensor<64x72xf32>, tensor<72x64xf32>) -> tensor<64x64xf32>
  %e = sinter.add %d, %a : tensor<64x64xf32>
  return %e : tensor<64x64xf32>
}

// -----

// What fits stays as it is.
// CHECK-LABEL: func.func @no_need
// CHECK-COUNT-3: sinter.launch
// CHECK-NOT: sinter.launch
// CHECK: return
func.func @no_need(%x: tensor<64x32xf32>, %w: tensor<32x32xf32>) -> tensor<64x32xf32> {
  %a = sinter.exp %x : tensor<64x32xf32>
  %b = sinter.matmul %a, %w : (tensor<64x32xf32>, tensor<32x32xf32>) -> tensor<64x32xf32>
  %e = sinter.add %b, %a : tensor<64x32xf32>
  return %e : tensor<64x32xf32>
}

// -----

// Nothing helps where all is read at once: the error is at what runs then.
func.func @no_fit(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %a = sinter.exp %x : tensor<64x64xf32>
  %b = sinter.matmul %a, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @below {{@no_fit needs 48.00 KiB of working memory at once, and its budget is 39.06 KiB, although all is computed again that helps. The largest values while @matmul_0 runs: 16.00 KiB tensor<64x64xf32> of rematerialize.mlir:60, 16.00 KiB tensor<64x64xf32> of rematerialize.mlir:61, 16.00 KiB tensor<64x64xf32> of rematerialize.mlir:63}}
  %c = sinter.matmul %b, %a : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %d = sinter.matmul %c, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %d : tensor<64x64xf32>
}

// -----

// The state that %a was made from has its new value by the time that %a is read.
func.func @no_old_state(%s: tensor<64x64xf32> {sinter.role = "state", sinter.donated = 0 : i64}, %w: tensor<64x64xf32>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %a = sinter.exp %s : tensor<64x64xf32>
  %n = sinter.matmul %a, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %b = sinter.neg %n : tensor<64x64xf32>
  // expected-error @below {{@no_old_state needs 48.00 KiB}}
  %c = sinter.matmul %b, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %d = sinter.matmul %c, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %e = sinter.add %d, %a : tensor<64x64xf32>
  return %n, %e : tensor<64x64xf32>, tensor<64x64xf32>
}
