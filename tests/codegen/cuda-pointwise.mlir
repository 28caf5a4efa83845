// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// One thread an element; everything in between stays in registers.

func.func @bias_relu(%x: tensor<33x10xf32>, %b: tensor<10xf32>) -> tensor<33x10xf32> {
  %0 = sinter.broadcast %b : (tensor<10xf32>) -> tensor<33x10xf32>
  %1 = sinter.add %x, %0 : tensor<33x10xf32>
  %r = sinter.relu %1 : tensor<33x10xf32>
  return %r : tensor<33x10xf32>
}

// CHECK: // add_relu_0: 2 blocks of 256 threads
// CHECK-NEXT: // computes broadcast add relu
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: add_relu_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   const i32 v0 = (i32)blockIdx.x * 256 + (i32)threadIdx.x;
// CHECK-NEXT:   if (v0 < 330) {
// CHECK-NEXT:     const f32 v1 = p1[v0];
// CHECK-NEXT:     const f32 v2 = p0[v0 % 10];
// CHECK-NEXT:     const f32 v3 = v1 + v2;
// CHECK-NEXT:     p2[v0] = 0.0f > v3 ? 0.0f : v3;
// CHECK-NEXT:   }
// CHECK-NEXT: }
