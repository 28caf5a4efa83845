// RUN: sinter-opt %s -split-input-file -verify-diagnostics --sinter-outline-scans | FileCheck %s
// RUN: sinter-opt %s -split-input-file -verify-diagnostics --sinter-outline-scans --sinter-fusion --sinter-outline --sinter-plan-memory | FileCheck %s --check-prefix=PLAN

// The step is a function: its state is donated to what replaces it.
// CHECK-LABEL: func.func @scan(
// CHECK: sinter.scan init(%arg0) xs(%arg1) captures() attributes {count = 4 : i64, step = @scan_step}
// CHECK: func.func private @scan_step(
// CHECK-SAME: %[[H:.*]]: tensor<2xf32> {sinter.donated = 0 : i64, sinter.name = "state0", sinter.role = "state"}
// CHECK-SAME: %[[X:.*]]: tensor<2xf32> {sinter.name = "x1", sinter.role = "input"}
// CHECK: %[[N:.*]] = sinter.mul %[[H]], %[[X]]
// CHECK: return %[[N]], %[[N]]

// One launch, whose kernel keeps the region; the step's launches are its function's.
// PLAN-LABEL: func.func @scan(
// PLAN: sinter.launch @scan_0(
// PLAN: func.func private @scan_step(
// PLAN-SAME: sinter.arena_bytes
// PLAN: sinter.launch @mul_0({{.*}}) {home = array<i64: 0>
// PLAN: sinter.kernel @scan_0 schedule(#sinter.scan)
// PLAN: sinter.scan
func.func @scan(%h: tensor<2xf32>, %x: tensor<4x2xf32>) -> (tensor<2xf32>, tensor<4x2xf32>) {
  %r:2 = sinter.scan init(%h) xs(%x) captures() attributes {count = 4 : i64} : (tensor<2xf32>, tensor<4x2xf32>) -> (tensor<2xf32>, tensor<4x2xf32>) {
  ^bb0(%s: tensor<2xf32>, %a: tensor<2xf32>):
    %n = sinter.mul %s, %a : tensor<2xf32>
    sinter.yield %n, %n : tensor<2xf32>, tensor<2xf32>
  }
  return %r#0, %r#1 : tensor<2xf32>, tensor<4x2xf32>
}

// -----

func.func @no_nested(%h: tensor<2xf32>) -> tensor<2xf32> {
  %r = sinter.scan init(%h) xs() captures() attributes {count = 4 : i64} : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%s: tensor<2xf32>):
    // expected-error @below {{scan: a scan in a scan has no form that runs on this device}}
    %n = sinter.scan init(%s) xs() captures() attributes {count = 4 : i64} : (tensor<2xf32>) -> tensor<2xf32> {
    ^bb0(%t: tensor<2xf32>):
      %e = sinter.exp %t : tensor<2xf32>
      sinter.yield %e : tensor<2xf32>
    }
    sinter.yield %n : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}
