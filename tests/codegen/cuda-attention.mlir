// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// RUN: sinter-emit %s --target cuda --arch sm_75 | FileCheck %s --check-prefix=WITHOUT

// A warp's rows of scores by the matrix unit; their exponentials, as a lane has them, are the next product's left factor.
// CHECK: // attention_0: 8 blocks of 128 threads
// CHECK: __syncthreads();
// CHECK: = loadMatrices<4>(
// CHECK: = loadMatrices<4>(
// CHECK: mma<bf16>
// CHECK: __shfl_xor_sync({{.*}}, 2, 32);
// CHECK: __shfl_xor_sync({{.*}}, 1, 32);
// CHECK: expf(
// CHECK: fragmentOf(
// CHECK: loadMatricesTransposed<4>(
// CHECK-COUNT-2: mma<bf16>
// CHECK-NOT: mma<
// CHECK: logf(
// Without the unit: products in f32.
// WITHOUT: // attention_0: 8 blocks of 128 threads
// WITHOUT-NOT: mma
// WITHOUT: expf(
func.func @forward(%q: tensor<1x4x128x64xbf16>, %k: tensor<1x2x128x64xbf16>) -> (tensor<1x4x128x64xbf16>, tensor<1x4x128xf32>) {
  %r:2 = sinter.attention %q, %k, %k {scale = 0.125 : f64, is_causal = true} : (tensor<1x4x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x2x128x64xbf16>) -> (tensor<1x4x128x64xbf16>, tensor<1x4x128xf32>)
  return %r#0, %r#1 : tensor<1x4x128x64xbf16>, tensor<1x4x128xf32>
}

// All keys of two heads that share them in one block: cotangents of scores go through shared memory to the query's.
// CHECK: // attention_backward_0: 2 blocks of 256 threads
// CHECK-COUNT-2: fragmentOf(
// CHECK-NOT: fragmentOf(
// CHECK: __syncthreads();
// CHECK: mma<bf16>
func.func @short(%g: tensor<1x4x128x64xbf16>, %q: tensor<1x4x128x64xbf16>, %k: tensor<1x2x128x64xbf16>, %l: tensor<1x4x128xf32>) -> (tensor<1x4x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x2x128x64xbf16>) {
  %r:3 = sinter.attention_backward %g, %q, %k, %k, %l, %l {scale = 0.125 : f64} : (tensor<1x4x128x64xbf16>, tensor<1x4x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x4x128xf32>, tensor<1x4x128xf32>) -> (tensor<1x4x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x2x128x64xbf16>)
  return %r#0, %r#1, %r#2 : tensor<1x4x128x64xbf16>, tensor<1x2x128x64xbf16>, tensor<1x2x128x64xbf16>
}

// Sixteen blocks with rows, then eight with keys.
// CHECK: // attention_backward_1: 24 blocks of 128 threads
// CHECK: if ({{v[0-9]+}} < 16) {
// CHECK-COUNT-3: fragmentOf(
// CHECK-NOT: fragmentOf(
func.func @long(%g: tensor<1x4x256x64xbf16>, %q: tensor<1x4x256x64xbf16>, %k: tensor<1x2x256x64xbf16>, %l: tensor<1x4x256xf32>) -> (tensor<1x4x256x64xbf16>, tensor<1x2x256x64xbf16>, tensor<1x2x256x64xbf16>) {
  %r:3 = sinter.attention_backward %g, %q, %k, %k, %l, %l {scale = 0.125 : f64} : (tensor<1x4x256x64xbf16>, tensor<1x4x256x64xbf16>, tensor<1x2x256x64xbf16>, tensor<1x2x256x64xbf16>, tensor<1x4x256xf32>, tensor<1x4x256xf32>) -> (tensor<1x4x256x64xbf16>, tensor<1x2x256x64xbf16>, tensor<1x2x256x64xbf16>)
  return %r#0, %r#1, %r#2 : tensor<1x4x256x64xbf16>, tensor<1x2x256x64xbf16>, tensor<1x2x256x64xbf16>
}

// Numbers of f32 are multiplied in f32.
// CHECK: attention_1
// CHECK-NOT: mma
func.func @no_half_precision(%q: tensor<1x4x128x64xf32>) -> tensor<1x4x128x64xf32> {
  %r:2 = sinter.attention %q, %q, %q {scale = 0.125 : f64} : (tensor<1x4x128x64xf32>, tensor<1x4x128x64xf32>, tensor<1x4x128x64xf32>) -> (tensor<1x4x128x64xf32>, tensor<1x4x128xf32>)
  return %r#0 : tensor<1x4x128x64xf32>
}
