// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Few results of long sums: blocks sum parts of k, a second kernel adds the parts up in order.

func.func @weight_grad(%x: tensor<20000x16xf32>, %g: tensor<20000x8xf32>) -> tensor<16x8xf32> {
  %r = sinter.matmul %x, %g {transpose_a = true} : (tensor<20000x16xf32>, tensor<20000x8xf32>) -> tensor<16x8xf32>
  return %r : tensor<16x8xf32>
}

// CHECK: // matmul_0: 63 blocks of 64 threads, then 1 blocks of 256 threads
// CHECK-NEXT: // computes matmul
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(64)
// CHECK-NEXT: matmul_0_parts(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v0, 32, 16);
// CHECK-NEXT:   f32 v1[1][4];
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v2, 32, 16);
// CHECK-NEXT:   f32 v3[1][4];
// CHECK-NEXT:   f32 v4[2];
// CHECK-NEXT:   f32 v5[2];
// CHECK-NEXT:   f32 v6[2][2];
// CHECK-NEXT:   const i32 v7 = (i32)blockIdx.x;
// CHECK-NEXT:   const i32 v8 = (i32)threadIdx.x;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v9 = 0; v9 < 2; v9 += 1) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v10 = 0; v10 < 2; v10 += 1) {
// CHECK-NEXT:       v6[v9][v10] = 0.0f;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v11 = v7 * 320;
// CHECK-NEXT:   const i32 v12 = v8 / 4;
// CHECK-NEXT:   const i32 v13 = v8 % 4;
// CHECK-NEXT:   const i1 v14 = v13 < 2;
// CHECK-NEXT:   const i32 v15 = v13 * 4;
// CHECK-NEXT:   for (i32 v16 = 0; v16 < 21; v16 += 1) {
// CHECK-NEXT:     const i32 v17 = v11 + v16 * 16 + v12;
// CHECK-NEXT:     const i1 v18 = v17 < 20000;
// CHECK-NEXT:     if (v18) {
// CHECK-NEXT:       const i32 v19 = v17 * 16;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v20 = 0; v20 < 4; v20 += 1) {
// CHECK-NEXT:         const f32 v21 = p0[v19 + v20 + v15];
// CHECK-NEXT:         v3[0][v20] = v21;
// CHECK-NEXT:       }
// CHECK-NEXT:     } else {
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v22 = 0; v22 < 4; v22 += 1) {
// CHECK-NEXT:         v3[0][v22] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v14 && v18) {
// CHECK-NEXT:       const i32 v23 = v15 + v17 * 8;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v24 = 0; v24 < 4; v24 += 1) {
// CHECK-NEXT:         const f32 v25 = p1[v23 + v24];
// CHECK-NEXT:         v1[0][v24] = v25;
// CHECK-NEXT:       }
// CHECK-NEXT:     } else {
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v26 = 0; v26 < 4; v26 += 1) {
// CHECK-NEXT:         v1[0][v26] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v16 > 0) {
// CHECK-NEXT:       const i32 v27 = (v16 + 1) % 2 * 16;
// CHECK-NEXT:       const i32 v28 = v8 / 8 * 2;
// CHECK-NEXT:       const i32 v29 = v8 % 8 * 2;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v30 = 0; v30 < 16; v30 += 1) {
// CHECK-NEXT:         const i32 v31 = v30 + v27;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v32 = 0; v32 < 2; v32 += 1) {
// CHECK-NEXT:           const f32 v33 = v2[v31][v32 + v28];
// CHECK-NEXT:           v5[v32] = v33;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v34 = 0; v34 < 2; v34 += 1) {
// CHECK-NEXT:           const f32 v35 = v0[v31][v34 + v29];
// CHECK-NEXT:           v4[v34] = v35;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v36 = 0; v36 < 2; v36 += 1) {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v37 = 0; v37 < 2; v37 += 1) {
// CHECK-NEXT:             const f32 v38 = v5[v36];
// CHECK-NEXT:             const f32 v39 = v4[v37];
// CHECK-NEXT:             const f32 v40 = v6[v36][v37];
// CHECK-NEXT:             v6[v36][v37] = v40 + v38 * v39;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v41 = v16 % 2 * 16 + v12;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v42 = 0; v42 < 4; v42 += 1) {
// CHECK-NEXT:       const f32 v43 = v3[0][v42];
// CHECK-NEXT:       v2[v41][v42 + v15] = v43;
// CHECK-NEXT:     }
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v44 = 0; v44 < 4; v44 += 1) {
// CHECK-NEXT:       const f32 v45 = v1[0][v44];
// CHECK-NEXT:       v0[v41][v44 + v15] = v45;
// CHECK-NEXT:     }
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v46 = v8 % 8;
// CHECK-NEXT:   const i1 v47 = v46 < 4;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v48 = 0; v48 < 2; v48 += 1) {
// CHECK-NEXT:     if (v47) {
// CHECK-NEXT:       const i32 v49 = v7 * 128 + v48 * 8 + v46 * 2;
// CHECK-NEXT:       const i32 v50 = v8 / 8 * 16;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v51 = 0; v51 < 2; v51 += 1) {
// CHECK-NEXT:         const f32 v52 = v6[v48][v51];
// CHECK-NEXT:         p2[v49 + v51 + v50] = v52;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: matmul_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2, SINTER_GLOBAL_CONST(f32) p3) {
// CHECK-NEXT:   const i32 v0 = (i32)threadIdx.x;
// CHECK-NEXT:   if (v0 < 128) {
// CHECK-NEXT:     f32 v1 = 0.0f;
// CHECK-NEXT:     for (i32 v2 = 0; v2 < 63; v2 += 1) {
// CHECK-NEXT:       const f32 v3 = p3[v0 + v2 * 128];
// CHECK-NEXT:       v1 = v1 + v3;
// CHECK-NEXT:     }
// CHECK-NEXT:     p2[v0] = v1;
// CHECK-NEXT:   }
// CHECK-NEXT: }
