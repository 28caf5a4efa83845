// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Arithmetic in f32, each result rounded to its declared type.

func.func @scale(%x: tensor<100xbf16>, %s: tensor<100xbf16>) -> tensor<100xbf16> {
  %0 = sinter.mul %x, %s : tensor<100xbf16>
  %r = sinter.exp %0 : tensor<100xbf16>
  return %r : tensor<100xbf16>
}

// CHECK: // mul_exp_0: 1 blocks of 256 threads
// CHECK-NEXT: // computes mul exp
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: mul_exp_0(SINTER_GLOBAL_CONST(bf16) p0, SINTER_GLOBAL_CONST(bf16) p1, SINTER_GLOBAL(bf16) p2) {
// CHECK-NEXT:   const i32 v0 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v0 < 100) {
// CHECK-NEXT:     const bf16 v1 = p0[v0];
// CHECK-NEXT:     const bf16 v2 = p1[v0];
// CHECK-NEXT:     p2[v0] = bf16((f32)bf16(expf((f32)bf16((f32)v1 * (f32)v2))));
// CHECK-NEXT:   }
// CHECK-NEXT: }
