// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Arithmetic in f32, each result rounded to its declared type.

func.func @scale(%x: tensor<100xbf16>, %s: tensor<100xbf16>) -> tensor<100xbf16> {
  %0 = sinter.mul %x, %s : tensor<100xbf16>
  %r = sinter.exp %0 : tensor<100xbf16>
  return %r : tensor<100xbf16>
}

// CHECK: // mul_exp_0: 1 blocks of 256 threads
// CHECK-NEXT: // computes mul exp
// CHECK: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: mul_exp_0(SINTER_GLOBAL_CONST(bf16) p0, SINTER_GLOBAL_CONST(bf16) p1, SINTER_GLOBAL(bf16) p2) {
// CHECK-NEXT:   alignas(16) bf16 v0[4];
// CHECK-NEXT:   const i32 v1 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v1 < 25) {
// CHECK-NEXT:     const i32 v2 = v1 * 4;
// CHECK-NEXT:     const Vec<bf16, 4> v3 = loadVec<4>(p0, v2);
// CHECK-NEXT:     const Vec<bf16, 4> v4 = loadVec<4>(p1, v2);
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v5 = 0; v5 < 4; v5 += 1) {
// CHECK-NEXT:       v0[v5] = bf16((f32)bf16(expf((f32)bf16((f32)v3[v5] * (f32)v4[v5]))));
// CHECK-NEXT:     }
// CHECK-NEXT:     const Vec<bf16, 4> v6 = loadVec<4>(v0, 0);
// CHECK-NEXT:     storeVec(p2, v2, v6);
// CHECK-NEXT:   }
// CHECK-NEXT: }
