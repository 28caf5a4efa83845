// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// An implicit matrix product: where a tile is filled, places in the padding are zero.

func.func @conv(%x: tensor<2x3x16x16xf32>, %w: tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32> {
  %r = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<2x3x16x16xf32>, tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32>
  return %r : tensor<2x8x16x16xf32>
}

// CHECK: // conv2d_0: 32 blocks of 64 threads
// CHECK-NEXT: // computes conv2d
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(64)
// CHECK-NEXT: conv2d_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v0, 32, 16);
// CHECK-NEXT:   f32 v1[4][1];
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v2, 32, 20);
// CHECK-NEXT:   f32 v3[4][1];
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
// CHECK-NEXT:   const i32 v11 = v8 / 16;
// CHECK-NEXT:   const i32 v12 = v8 % 16;
// CHECK-NEXT:   for (i32 v13 = 0; v13 < 3; v13 += 1) {
// CHECK-NEXT:     const i32 v14 = v13 * 16;
// CHECK-NEXT:     const i32 v15 = v14 + v12;
// CHECK-NEXT:     const i1 v16 = v15 < 27;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v17 = 0; v17 < 4; v17 += 1) {
// CHECK-NEXT:       const i32 v18 = v11 + v17 * 4;
// CHECK-NEXT:       if (v18 < 8 && v16) {
// CHECK-NEXT:         const f32 v19 = p1[v18 * 27 + v15];
// CHECK-NEXT:         v3[v17][0] = v19;
// CHECK-NEXT:       } else {
// CHECK-NEXT:         v3[v17][0] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v20 = v14 + v11;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v21 = 0; v21 < 4; v21 += 1) {
// CHECK-NEXT:       const i32 v22 = v20 + v21 * 4;
// CHECK-NEXT:       if (v22 < 27) {
// CHECK-NEXT:         const i32 v23 = v22 / 3 % 3;
// CHECK-NEXT:         const i32 v24 = v7 % 16;
// CHECK-NEXT:         const i32 v25 = v24 + v23 - 1;
// CHECK-NEXT:         const i32 v26 = v22 % 3;
// CHECK-NEXT:         const i32 v27 = v12 + v26 - 1;
// CHECK-NEXT:         f32 v28;
// CHECK-NEXT:         if (v25 >= 0 && v25 < 16 && v27 >= 0 && v27 < 16) {
// CHECK-NEXT:           const f32 v29 = p0[v7 / 16 * 768 + v22 / 9 * 256 + v24 * 16 + v23 * 16 + v12 + v26 - 17];
// CHECK-NEXT:           v28 = v29;
// CHECK-NEXT:         } else {
// CHECK-NEXT:           v28 = 0.0f;
// CHECK-NEXT:         }
// CHECK-NEXT:         v1[v21][0] = v28;
// CHECK-NEXT:       } else {
// CHECK-NEXT:         v1[v21][0] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v13 > 0) {
// CHECK-NEXT:       const i32 v30 = (v13 + 1) % 2 * 16;
// CHECK-NEXT:       const i32 v31 = v8 / 8 * 2;
// CHECK-NEXT:       const i32 v32 = v8 % 8 * 2;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v33 = 0; v33 < 16; v33 += 1) {
// CHECK-NEXT:         const i32 v34 = v30 + v33;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v35 = 0; v35 < 2; v35 += 1) {
// CHECK-NEXT:           const f32 v36 = v2[v34][v31 + v35];
// CHECK-NEXT:           v5[v35] = v36;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v37 = 0; v37 < 2; v37 += 1) {
// CHECK-NEXT:           const f32 v38 = v0[v34][v32 + v37];
// CHECK-NEXT:           v4[v37] = v38;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v39 = 0; v39 < 2; v39 += 1) {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v40 = 0; v40 < 2; v40 += 1) {
// CHECK-NEXT:             const f32 v41 = v4[v40];
// CHECK-NEXT:             const f32 v42 = v5[v39];
// CHECK-NEXT:             const f32 v43 = v6[v39][v40];
// CHECK-NEXT:             v6[v39][v40] = v43 + v42 * v41;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v44 = v13 % 2 * 16;
// CHECK-NEXT:     const i32 v45 = v44 + v12;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v46 = 0; v46 < 4; v46 += 1) {
// CHECK-NEXT:       const f32 v47 = v3[v46][0];
// CHECK-NEXT:       v2[v45][v11 + v46 * 4] = v47;
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v48 = v44 + v11;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v49 = 0; v49 < 4; v49 += 1) {
// CHECK-NEXT:       const f32 v50 = v1[v49][0];
// CHECK-NEXT:       v0[v48 + v49 * 4][v12] = v50;
// CHECK-NEXT:     }
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v51 = v8 / 8 * 2;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v52 = 0; v52 < 2; v52 += 1) {
// CHECK-NEXT:     const i32 v53 = v51 + v52;
// CHECK-NEXT:     if (v53 < 8) {
// CHECK-NEXT:       const i32 v54 = v8 % 8 * 2;
// CHECK-NEXT:       const i32 v55 = v7 * 16 + v54;
// CHECK-NEXT:       const i32 v56 = v7 / 16 * 2048 + v53 * 256;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v57 = 0; v57 < 2; v57 += 1) {
// CHECK-NEXT:         const f32 v58 = v6[v52][v57];
// CHECK-NEXT:         p2[v56 + (v55 + v57) % 256 / 16 * 16 + v54 + v57] = v58;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
