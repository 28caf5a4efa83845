// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-mixed-precision | FileCheck %s --implicit-check-not=sinter.precision
// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-mixed-precision=type=f32 | FileCheck %s --check-prefix=F32 --implicit-check-not=sinter.precision
// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-mixed-precision=explain=true -sinter-autodiff | FileCheck %s --check-prefix=WHY

// In an f32 scope everything is f32, what follows it by its type too; around it the pass's type counts.
// CHECK-LABEL: func @full_inside
// CHECK: %[[A:.*]] = sinter.matmul {{.*}} -> tensor<4x4xbf16>
// CHECK: %[[UP:.*]] = sinter.cast %[[A]] : (tensor<4x4xbf16>) -> tensor<4x4xf32>
// CHECK: %[[B:.*]] = sinter.matmul %[[UP]], %{{.*}} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK: %[[R:.*]] = sinter.relu %[[B]] : tensor<4x4xf32>
// CHECK: %[[DOWN:.*]] = sinter.cast %[[R]] : (tensor<4x4xf32>) -> tensor<4x4xbf16>
// CHECK: sinter.matmul %[[DOWN]], %{{.*}} -> tensor<4x4xbf16>
// F32-LABEL: func @full_inside
// F32-NOT: bf16
// WHY-LABEL: func @full_inside
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "contraction"}
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "scope at model.cpp:14"}
// WHY: sinter.relu {{.*}} {sinter.precision_reason = "widest of its inputs"}
func.func @full_inside(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = sinter.matmul %a, %w {sinter.precision = "f32", sinter.precision_scope = "model.cpp:14"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = sinter.relu %b : tensor<4x4xf32>
  %c = sinter.matmul %r, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// -----

// A narrow scope of an f32 graph: the policy inside, f32 again outside.
// F32-LABEL: func @low_inside
// F32: %[[A:.*]] = sinter.matmul %{{.*}} : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf16>
// F32: %[[R:.*]] = sinter.relu %[[A]] : tensor<4x4xf16>
// F32: %[[UP:.*]] = sinter.cast %[[R]] : (tensor<4x4xf16>) -> tensor<4x4xf32>
// F32: sinter.exp %[[UP]] : tensor<4x4xf32>
// F32: sinter.neg %{{.*}} : tensor<4x4xf32>
// In a graph of another narrow type values go straight from one to the other; together they are f32.
// CHECK-LABEL: func @low_inside
// CHECK: %[[A:.*]] = sinter.matmul %{{.*}} : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf16>
// CHECK: %[[R:.*]] = sinter.relu %[[A]] : tensor<4x4xf16>
// CHECK-DAG: %[[BF:.*]] = sinter.cast %[[R]] : (tensor<4x4xf16>) -> tensor<4x4xbf16>
// CHECK-DAG: sinter.exp %{{.*}} : tensor<4x4xf32>
// CHECK-DAG: %[[M:.*]] = sinter.matmul %[[BF]], %{{.*}} -> tensor<4x4xbf16>
// CHECK: sinter.add %{{.*}}, %{{.*}} : tensor<4x4xf32>
func.func @low_inside(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %x {sinter.precision = "f16"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = sinter.relu %a {sinter.precision = "f16"} : tensor<4x4xf32>
  %e = sinter.exp %r {sinter.precision = "f16"} : tensor<4x4xf32>
  %n = sinter.neg %r : tensor<4x4xf32>
  %m = sinter.matmul %r, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = sinter.add %m, %n : tensor<4x4xf32>
  %t = sinter.add %s, %r : tensor<4x4xf32>
  %u = sinter.add %t, %e : tensor<4x4xf32>
  return %u : tensor<4x4xf32>
}

// -----

// Gradients follow: those of the op in the scope are f32, those of the other bf16.
// WHY-LABEL: func @gradients
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "contraction"{{.*}} -> tensor<4x4xbf16>
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "scope"} {{.*}} -> tensor<4x4xf32>
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "scope", {{.*}} -> tensor<4x4xf32>
// WHY: sinter.matmul {{.*}} {sinter.precision_reason = "contraction", {{.*}} -> tensor<4x4xbf16>
func.func @gradients(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = sinter.matmul %a, %x {sinter.precision = "f32"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = sinter.sum %b {dim = array<i64: 0, 1>} : (tensor<4x4xf32>) -> tensor<f32>
  %g = sinter.gradient %l wrt %w : (tensor<f32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}

// -----

func.func @no_such_type(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @below {{mixed precision: sinter.precision is "fp8", expected "f32", "bf16" or "f16"}}
  %a = sinter.neg %x {sinter.precision = "fp8"} : tensor<4x4xf32>
  return %a : tensor<4x4xf32>
}
