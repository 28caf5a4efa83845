// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Short rows: one thread each.

func.func @row_sums(%x: tensor<64x8xf32>) -> tensor<64xf32> {
  %0 = sinter.mul %x, %x : tensor<64x8xf32>
  %r = sinter.sum %0 {dim = array<i64: 1>} : (tensor<64x8xf32>) -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// CHECK: // mul_sum_0: 1 blocks of 256 threads
// CHECK-NEXT: // computes mul sum
// CHECK: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: mul_sum_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL(f32) p1) {
// CHECK-NEXT:   const i32 v0 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v0 < 64) {
// CHECK-NEXT:     const i32 v1 = v0 * 8;
// CHECK-NEXT:     f32 v2 = 0.0f;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v3 = 0; v3 < 2; v3 += 1) {
// CHECK-NEXT:       const Vec<f32, 4> v4 = loadVec<4>(p0, v1 + v3 * 4);
// CHECK-NEXT:       f32 v5 = v2;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v6 = 0; v6 < 4; v6 += 1) {
// CHECK-NEXT:         const f32 v7 = v4[v6];
// CHECK-NEXT:         v5 = v5 + v7 * v7;
// CHECK-NEXT:       }
// CHECK-NEXT:       v2 = v5;
// CHECK-NEXT:     }
// CHECK-NEXT:     p1[v0] = v2;
// CHECK-NEXT:   }
// CHECK-NEXT: }
