// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// One thread for neighbours, in words; everything in between stays in registers.

func.func @bias_relu(%x: tensor<33x10xf32>, %b: tensor<10xf32>) -> tensor<33x10xf32> {
  %0 = sinter.broadcast %b : (tensor<10xf32>) -> tensor<33x10xf32>
  %1 = sinter.add %x, %0 : tensor<33x10xf32>
  %r = sinter.relu %1 : tensor<33x10xf32>
  return %r : tensor<33x10xf32>
}

// CHECK: // add_relu_0: 1 blocks of 256 threads
// CHECK-NEXT: // computes broadcast add relu
// CHECK: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: add_relu_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   alignas(16) f32 v0[2];
// CHECK-NEXT:   const i32 v1 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v1 < 165) {
// CHECK-NEXT:     const i32 v2 = v1 * 2;
// CHECK-NEXT:     const Vec<f32, 2> v3 = loadVec<2>(p1, v2);
// CHECK-NEXT:     const Vec<f32, 2> v4 = loadVec<2>(p0, v1 % 5 * 2);
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v5 = 0; v5 < 2; v5 += 1) {
// CHECK-NEXT:       const f32 v6 = v3[v5] + v4[v5];
// CHECK-NEXT:       v0[v5] = 0.0f > v6 ? 0.0f : v6;
// CHECK-NEXT:     }
// CHECK-NEXT:     const Vec<f32, 2> v7 = loadVec<2>(v0, 0);
// CHECK-NEXT:     storeVec(p2, v2, v7);
// CHECK-NEXT:   }
// CHECK-NEXT: }
