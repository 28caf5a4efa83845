// RUN: sinter-opt %s -split-input-file -verify-diagnostics --sinter-outline-control | FileCheck %s
// RUN: sinter-opt %s -split-input-file -verify-diagnostics --sinter-outline-control --sinter-fusion --sinter-outline --sinter-plan-memory | FileCheck %s --check-prefix=PLAN

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

// Regions may lie in regions: each is a function, the inner one's launch is one of the outer one's.
// CHECK-LABEL: func.func @scan_in_scan(
// CHECK: sinter.scan {{.*}}step = @[[OUTER:scan_step.*]]}
// CHECK-DAG: func.func private @[[OUTER]]({{.*}}tensor<3x2xf32> {sinter.name = "x1", sinter.role = "input"}
// CHECK-DAG: func.func private @scan_step{{.*}}({{.*}}%{{.*}}: tensor<2xf32> {sinter.name = "x1", sinter.role = "input"}
// PLAN-LABEL: func.func @scan_in_scan(
// PLAN-COUNT-1: sinter.launch @scan_
// PLAN: func.func private @scan_step
// PLAN: sinter.launch
// PLAN: func.func private @scan_step
// PLAN: sinter.launch
func.func @scan_in_scan(%h: tensor<2xf32>, %x: tensor<4x3x2xf32>) -> tensor<2xf32> {
  %r = sinter.scan init(%h) xs(%x) captures() attributes {count = 4 : i64} : (tensor<2xf32>, tensor<4x3x2xf32>) -> (tensor<2xf32>) {
  ^bb0(%s: tensor<2xf32>, %rows: tensor<3x2xf32>):
    %n = sinter.scan init(%s) xs(%rows) captures() attributes {count = 3 : i64} : (tensor<2xf32>, tensor<3x2xf32>) -> (tensor<2xf32>) {
    ^bb0(%t: tensor<2xf32>, %row: tensor<2xf32>):
      %e = sinter.mul %t, %row : tensor<2xf32>
      sinter.yield %e : tensor<2xf32>
    }
    sinter.yield %n : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}

// -----

// A loop's step donates its state, the condition first; branches read and write nothing else than their own.
// CHECK-LABEL: func.func @loop(
// CHECK: sinter.while init({{.*}}) captures() attributes {step = @while_step}
// CHECK: sinter.cond {{.*}} captures({{.*}}) attributes {branches = [@cond_then, @cond_else]}
// CHECK-DAG: func.func private @while_step({{.*}}tensor<i1> {sinter.donated = 0 : i64{{.*}}tensor<f32> {sinter.donated = 1 : i64
// CHECK-DAG: func.func private @cond_then({{.*}}tensor<f32> {sinter.name = "x0", sinter.role = "input"}
// CHECK-DAG: func.func private @cond_else(
// PLAN-LABEL: func.func @loop(
// PLAN: sinter.launch @while_0(
// PLAN: sinter.launch @cond_0(
func.func @loop(%c: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {
  %r:2 = sinter.while init(%c, %x) captures() : (tensor<i1>, tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  ^bb0(%go: tensor<i1>, %state: tensor<f32>):
    %twice = sinter.add %state, %state : tensor<f32>
    %next = sinter.is_finite %twice : (tensor<f32>) -> tensor<i1>
    sinter.yield %next, %twice : tensor<i1>, tensor<f32>
  }
  %b = sinter.cond %c captures(%r#1) : (tensor<i1>, tensor<f32>) -> tensor<f32> {
  ^bb0(%a: tensor<f32>):
    %y = sinter.exp %a : tensor<f32>
    sinter.yield %y : tensor<f32>
  } else {
  ^bb0(%a: tensor<f32>):
    sinter.yield %a : tensor<f32>
  }
  return %b : tensor<f32>
}
