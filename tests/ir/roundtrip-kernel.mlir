// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @gradient(
// CHECK: sinter.gradient %{{.+}} wrt %{{.+}} : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @gradient(%loss: tensor<f32>, %w: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.gradient %loss wrt %w : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @expect_fused(
// CHECK: sinter.expect_fused %{{.+}}, %{{.+}} : tensor<2x3xf32>, tensor<2x3xf32>
func.func @expect_fused(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %h = sinter.exp %x : tensor<2x3xf32>
  %y = sinter.relu %h : tensor<2x3xf32>
  sinter.expect_fused %h, %y : tensor<2x3xf32>, tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @expect_kernels(
// CHECK: sinter.expect_kernels max 1
func.func @expect_kernels(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = sinter.relu %x : tensor<2x3xf32>
  sinter.expect_kernels max 1
  return %y : tensor<2x3xf32>
}

// Types of operands and results may be said.
// CHECK-LABEL: func.func @fused(
// CHECK: sinter.fused(%{{.+}}) schedule(#sinter.pointwise) {
// CHECK: sinter.fused(%{{.+}}, %{{.+}}) schedule(#sinter.pointwise) attributes {sinter.name = "add_0"} {
func.func @fused(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = sinter.fused(%x) schedule(#sinter.pointwise) : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    %r = sinter.exp %a : tensor<2x3xf32>
    sinter.yield %r : tensor<2x3xf32>
  }
  %z = sinter.fused(%x, %y) schedule(#sinter.pointwise) attributes {sinter.name = "add_0"} {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>):
    %r = sinter.add %a, %b : tensor<2x3xf32>
    sinter.yield %r : tensor<2x3xf32>
  }
  return %z : tensor<2x3xf32>
}

// Segments that are all of a region are printed without it.
// CHECK-LABEL: func.func @only_segments(
// CHECK: %{{.+}}:2 = sinter.fused(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}) schedule(#sinter.update) over [2x3, 5] {
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<f32>, %{{.+}}: tensor<2x3xf32>, %{{.+}}: tensor<2x3xf32>):
// CHECK-NOT: sinter.segments
// CHECK: sinter.yield %{{.+}} : tensor<2x3xf32>
func.func @only_segments(%rate: tensor<f32>, %w: tensor<2x3xf32>, %dw: tensor<2x3xf32>, %b: tensor<5xf32>,
                         %db: tensor<5xf32>) -> (tensor<2x3xf32>, tensor<5xf32>) {
  %r:2 = sinter.fused(%rate, %w, %dw, %b, %db) schedule(#sinter.update) over [2x3, 5] {
  ^bb0(%rr: tensor<f32>, %p: tensor<2x3xf32>, %g: tensor<2x3xf32>):
    %wide = sinter.broadcast %rr : (tensor<f32>) -> tensor<2x3xf32>
    %step = sinter.mul %g, %wide : tensor<2x3xf32>
    %q = sinter.sub %p, %step : tensor<2x3xf32>
    sinter.yield %q : tensor<2x3xf32>
  }
  return %r#0, %r#1 : tensor<2x3xf32>, tensor<5xf32>
}

// CHECK-LABEL: func.func @segments(
// CHECK: %{{.+}}:2 = sinter.fused(%{{.+}}) schedule(#sinter.update) {
// CHECK: %[[S:.+]]:2 = sinter.segments(%[[R:.+]]) of (%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}) over [2x3, 5] {
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<f32>, %{{.+}}: tensor<2x3xf32>, %{{.+}}: tensor<2x3xf32>):
// CHECK: sinter.yield %[[S]]#0, %[[S]]#1 : tensor<2x3xf32>, tensor<5xf32>
func.func @segments(%rate: tensor<f32>, %w: tensor<2x3xf32>, %dw: tensor<2x3xf32>, %b: tensor<5xf32>,
                    %db: tensor<5xf32>) -> (tensor<2x3xf32>, tensor<5xf32>) {
  %r:2 = sinter.fused(%w, %rate, %dw, %b, %db) schedule(#sinter.update) {
  ^bb0(%p0: tensor<2x3xf32>, %r: tensor<f32>, %g0: tensor<2x3xf32>, %p1: tensor<5xf32>, %g1: tensor<5xf32>):
    %new:2 = sinter.segments(%r) of (%p0, %g0, %p1, %g1) over [2x3, 5] {
    ^bb0(%rr: tensor<f32>, %p: tensor<2x3xf32>, %g: tensor<2x3xf32>):
      %wide = sinter.broadcast %rr : (tensor<f32>) -> tensor<2x3xf32>
      %step = sinter.mul %g, %wide : tensor<2x3xf32>
      %q = sinter.sub %p, %step : tensor<2x3xf32>
      sinter.yield %q : tensor<2x3xf32>
    }
    sinter.yield %new#0, %new#1 : tensor<2x3xf32>, tensor<5xf32>
  }
  return %r#0, %r#1 : tensor<2x3xf32>, tensor<5xf32>
}
