// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Few results of long sums: blocks sum parts of k, a second kernel adds the parts up in order.

func.func @weight_grad(%x: tensor<20000x16xf32>, %g: tensor<20000x8xf32>) -> tensor<16x8xf32> {
  %r = sinter.matmul %x, %g {transpose_a = true} : (tensor<20000x16xf32>, tensor<20000x8xf32>) -> tensor<16x8xf32>
  return %r : tensor<16x8xf32>
}

// CHECK: // matmul_0: 63 blocks of 128 threads, then 1 blocks of 256 threads
// CHECK-NEXT: // computes matmul
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(128)
// CHECK-NEXT: matmul_0_parts(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v0, 32, 32);
// CHECK-NEXT:   f32 v1[1][4];
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v2, 32, 64);
// CHECK-NEXT:   f32 v3[2][4];
// CHECK-NEXT:   f32 v4[4];
// CHECK-NEXT:   f32 v5[4];
// CHECK-NEXT:   f32 v6[4][4];
// CHECK-NEXT:   const i32 v7 = (i32)blockIdx.x;
// CHECK-NEXT:   const i32 v8 = (i32)threadIdx.x;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v9 = 0; v9 < 4; v9 += 1) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v10 = 0; v10 < 4; v10 += 1) {
// CHECK-NEXT:       v6[v9][v10] = 0.0f;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   for (i32 v11 = 0; v11 < 21; v11 += 1) {
// CHECK-NEXT:     const i1 v12 = v11 < 20;
// CHECK-NEXT:     if (v12) {
// CHECK-NEXT:       const i32 v13 = v8 % 16;
// CHECK-NEXT:       const i32 v14 = v7 * 320 + v11 * 16;
// CHECK-NEXT:       const i32 v15 = v14 + v8 / 16;
// CHECK-NEXT:       const i1 v16 = v13 < 4;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v17 = 0; v17 < 2; v17 += 1) {
// CHECK-NEXT:         const i32 v18 = v15 + v17 * 8;
// CHECK-NEXT:         if (v16 && v18 < 20000) {
// CHECK-NEXT:           const i32 v19 = v18 * 16 + v13 * 4;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v20 = 0; v20 < 4; v20 += 1) {
// CHECK-NEXT:             const f32 v21 = p0[v19 + v20];
// CHECK-NEXT:             v3[v17][v20] = v21;
// CHECK-NEXT:           }
// CHECK-NEXT:         } else {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v22 = 0; v22 < 4; v22 += 1) {
// CHECK-NEXT:             v3[v17][v22] = 0.0f;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v23 = v8 % 8;
// CHECK-NEXT:       const i32 v24 = v14 + v8 / 8;
// CHECK-NEXT:       if (v23 < 2 && v24 < 20000) {
// CHECK-NEXT:         const i32 v25 = v24 * 8 + v23 * 4;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v26 = 0; v26 < 4; v26 += 1) {
// CHECK-NEXT:           const f32 v27 = p1[v25 + v26];
// CHECK-NEXT:           v1[0][v26] = v27;
// CHECK-NEXT:         }
// CHECK-NEXT:       } else {
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v28 = 0; v28 < 4; v28 += 1) {
// CHECK-NEXT:           v1[0][v28] = 0.0f;
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v11 > 0) {
// CHECK-NEXT:       const i32 v29 = (v11 + 1) % 2 * 16;
// CHECK-NEXT:       const i32 v30 = v8 / 8 * 4;
// CHECK-NEXT:       const i32 v31 = v8 % 8 * 4;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v32 = 0; v32 < 16; v32 += 1) {
// CHECK-NEXT:         const i32 v33 = v29 + v32;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v34 = 0; v34 < 4; v34 += 1) {
// CHECK-NEXT:           const f32 v35 = v2[v33][v30 + v34];
// CHECK-NEXT:           v5[v34] = v35;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v36 = 0; v36 < 4; v36 += 1) {
// CHECK-NEXT:           const f32 v37 = v0[v33][v31 + v36];
// CHECK-NEXT:           v4[v36] = v37;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v38 = 0; v38 < 4; v38 += 1) {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v39 = 0; v39 < 4; v39 += 1) {
// CHECK-NEXT:             const f32 v40 = v4[v39];
// CHECK-NEXT:             const f32 v41 = v5[v38];
// CHECK-NEXT:             const f32 v42 = v6[v38][v39];
// CHECK-NEXT:             v6[v38][v39] = v42 + v41 * v40;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v12) {
// CHECK-NEXT:       const i32 v43 = v8 % 16 * 4;
// CHECK-NEXT:       const i32 v44 = v11 % 2 * 16;
// CHECK-NEXT:       const i32 v45 = v44 + v8 / 16;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v46 = 0; v46 < 2; v46 += 1) {
// CHECK-NEXT:         const i32 v47 = v45 + v46 * 8;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v48 = 0; v48 < 4; v48 += 1) {
// CHECK-NEXT:           const f32 v49 = v3[v46][v48];
// CHECK-NEXT:           v2[v47][v43 + v48] = v49;
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v50 = v8 % 8 * 4;
// CHECK-NEXT:       const i32 v51 = v44 + v8 / 8;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v52 = 0; v52 < 4; v52 += 1) {
// CHECK-NEXT:         const f32 v53 = v1[0][v52];
// CHECK-NEXT:         v0[v51][v50 + v52] = v53;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v54 = v8 / 8 * 4;
// CHECK-NEXT:   const i32 v55 = v8 % 8;
// CHECK-NEXT:   const i1 v56 = v55 < 2;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v57 = 0; v57 < 4; v57 += 1) {
// CHECK-NEXT:     const i32 v58 = v54 + v57;
// CHECK-NEXT:     if (v58 < 16 && v56) {
// CHECK-NEXT:       const i32 v59 = v7 * 128 + v58 * 8 + v55 * 4;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v60 = 0; v60 < 4; v60 += 1) {
// CHECK-NEXT:         const f32 v61 = v6[v57][v60];
// CHECK-NEXT:         p2[v59 + v60] = v61;
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
// CHECK-NEXT:       const f32 v3 = p3[v2 * 128 + v0];
// CHECK-NEXT:       v1 = v1 + v3;
// CHECK-NEXT:     }
// CHECK-NEXT:     p2[v0] = v1;
// CHECK-NEXT:   }
// CHECK-NEXT: }
