// What a model's writer expects of fusion: fulfilled, it leaves no trace; else it is an error at its place.
// RUN: sinter-opt %s --sinter-fusion --sinter-outline --sinter-plan-memory --sinter-check-expectations --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @fulfilled
// CHECK-NOT: expect
// CHECK: sinter.launch
// CHECK-NOT: expect
func.func @fulfilled(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %v = sinter.reshape %e : (tensor<8xf32>) -> tensor<2x4xf32>
  %r = sinter.relu %v : tensor<2x4xf32>
  %w = sinter.reshape %r : (tensor<2x4xf32>) -> tensor<8xf32>
  sinter.expect_fused %v, %r, %x : tensor<2x4xf32>, tensor<2x4xf32>, tensor<8xf32>
  sinter.expect_kernels max 1
  return %w : tensor<8xf32>
}

// -----
// What only the expectation needs is not computed for it.
func.func @unused(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %r = sinter.relu %x : tensor<8xf32>
  // expected-error @+1 {{expect_fused: no result needs one of the values: it is not computed at all}}
  sinter.expect_fused %e, %r : tensor<8xf32>, tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----
func.func @no_fused(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %b = sinter.fusion_barrier %e : tensor<8xf32>
  %r = sinter.relu %b : tensor<8xf32>
  // expected-error-re @+1 {{expect_fused: exp (%0, {{.*}}) and relu (%2, {{.*}}) are not one kernel: barrier (a fusion_barrier stands between, {{.*}}); 32 bytes go through memory, from kernel exp_0 to relu_0.}}
  sinter.expect_fused %b, %r : tensor<8xf32>, tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----
// The first boundary on the way, where the two are not neighbours.
func.func @no_fused_far(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = sinter.matmul %a, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = sinter.relu %x : tensor<4x4xf32>
  %y = sinter.matmul %r, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  // expected-error-re @+1 {{the first boundary on the way is relu (%1, {{.*}}) -> matmul (%2, {{.*}}), second_contraction}}
  sinter.expect_fused %x, %y : tensor<4x4xf32>, tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----
func.func @no_kernels(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = sinter.exp %x : tensor<8xf32>
  %b = sinter.fusion_barrier %e : tensor<8xf32>
  %r = sinter.relu %b : tensor<8xf32>
  // expected-error-re @+1 {{expect_kernels: no_kernels is 2 kernels, expected 1 or fewer. The largest boundaries: exp (%0, {{.*}}) -> relu (%2, {{.*}}): barrier, 32 bytes}}
  sinter.expect_kernels max 1
  return %r : tensor<8xf32>
}

// -----
// A result that is an argument as it came is copied by a kernel.
func.func @no_kernels_with_copies(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = sinter.exp %x : tensor<8xf32>
  // expected-error @+1 {{expect_kernels: no_kernels_with_copies is 2 kernels, expected 1 or fewer.}}
  sinter.expect_kernels max 1
  return %e, %x : tensor<8xf32>, tensor<8xf32>
}
