// RUN: sinter-emit %s --target cpu --arch amx | FileCheck %s
// RUN: sinter-emit %s --target cpu --arch avx512 | FileCheck %s --check-prefix=WITHOUT
// An attention of bf16 multiplies tiles where the target has them: scores from the query's rows and pairs of features,
// the result from weights, rounded to bf16, and pairs of keys. Its gradient has five such products.

// CHECK: func.func @attention_0
// CHECK-COUNT-4: amx.tile_zero
// CHECK-COUNT-4: amx.tile_mulf
// CHECK-COUNT-4: amx.tile_store
// CHECK: math.exp
// CHECK: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK-COUNT-4: amx.tile_mulf
// CHECK-COUNT-4: amx.tile_store
// CHECK-NOT: amx.tile_mulf
// WITHOUT-NOT: amx.
func.func @forward(%q: tensor<1x2x64x32xbf16>) -> tensor<1x2x64x32xbf16> {
  %r:2 = sinter.attention %q, %q, %q {scale = 0.125 : f64} : (tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>) -> (tensor<1x2x64x32xbf16>, tensor<1x2x64xf32>)
  return %r#0 : tensor<1x2x64x32xbf16>
}

// CHECK: func.func @attention_backward_0
// CHECK-COUNT-20: amx.tile_mulf
// CHECK-NOT: amx.tile_mulf
func.func @backward(%g: tensor<1x2x64x32xbf16>, %q: tensor<1x2x64x32xbf16>, %l: tensor<1x2x64xf32>) -> (tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>) {
  %r:3 = sinter.attention_backward %g, %q, %q, %q, %l, %l {scale = 0.125 : f64} : (tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64xf32>, tensor<1x2x64xf32>) -> (tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>)
  return %r#0, %r#1, %r#2 : tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>, tensor<1x2x64x32xbf16>
}

// Numbers of f16 stay with vectors.
// CHECK: func.func @attention_1
// CHECK-NOT: amx.
func.func @no_half_precision(%q: tensor<1x2x64x32xf16>) -> tensor<1x2x64x32xf16> {
  %r:2 = sinter.attention %q, %q, %q {scale = 0.125 : f64} : (tensor<1x2x64x32xf16>, tensor<1x2x64x32xf16>, tensor<1x2x64x32xf16>) -> (tensor<1x2x64x32xf16>, tensor<1x2x64xf32>)
  return %r#0 : tensor<1x2x64x32xf16>
}
