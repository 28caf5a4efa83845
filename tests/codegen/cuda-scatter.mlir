// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Additions in the order of indices: the same bits each time.

func.func @scatter(%x: tensor<10x4xf32>, %i: tensor<6x4xi64>, %s: tensor<6x4xf32>) -> tensor<10x4xf32> {
  %r = sinter.scatter_add %x, %i, %s {dim = 0 : i64} : (tensor<10x4xf32>, tensor<6x4xi64>, tensor<6x4xf32>) -> tensor<10x4xf32>
  return %r : tensor<10x4xf32>
}

// CHECK: // scatter_add_0: 1 blocks of 256 threads
// CHECK-NEXT: // computes scatter_add
// CHECK: #include "sinter/math.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: scatter_add_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(i64) p1, SINTER_GLOBAL_CONST(f32) p2, SINTER_GLOBAL(f32) p3) {
// CHECK-NEXT:   const i32 v0 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v0 < 4) {
// CHECK-NEXT:     for (i32 v1 = 0; v1 < 10; v1 += 1) {
// CHECK-NEXT:       const i32 v2 = v0 + v1 * 4;
// CHECK-NEXT:       const f32 v3 = p0[v2];
// CHECK-NEXT:       p3[v2] = v3;
// CHECK-NEXT:     }
// CHECK-NEXT:     for (i32 v4 = 0; v4 < 6; v4 += 1) {
// CHECK-NEXT:       const i32 v5 = v0 + v4 * 4;
// CHECK-NEXT:       const i64 v6 = p1[v5];
// CHECK-NEXT:       const f32 v7 = p2[v5];
// CHECK-NEXT:       const i32 v8 = v0 + (i32)minimum(maximum(v6, i64(0)), i64(9)) * 4;
// CHECK-NEXT:       const f32 v9 = p3[v8];
// CHECK-NEXT:       p3[v8] = v9 + v7;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
