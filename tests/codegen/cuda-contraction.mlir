// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Tiles in shared memory, loads of the next step on their way while one is multiplied, the epilogue on
// registers. Neighbours of four travel together where sizes allow (b, the result); a's rows are odd.

func.func @linear(%x: tensor<50x70xf32>, %w: tensor<70x64xf32>, %b: tensor<64xf32>) -> tensor<50x64xf32> {
  %0 = sinter.matmul %x, %w : (tensor<50x70xf32>, tensor<70x64xf32>) -> tensor<50x64xf32>
  %1 = sinter.broadcast %b : (tensor<64xf32>) -> tensor<50x64xf32>
  %2 = sinter.add %0, %1 : tensor<50x64xf32>
  %r = sinter.relu %2 : tensor<50x64xf32>
  return %r : tensor<50x64xf32>
}

// CHECK: // matmul_add_relu_0: 2 blocks of 128 threads
// CHECK-NEXT: // computes matmul broadcast add relu
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(128)
// CHECK-NEXT: matmul_add_relu_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL_CONST(f32) p2, SINTER_GLOBAL(f32) p3) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   p3 = aligned(p3);
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v0, 32, 32);
// CHECK-NEXT:   f32 v1[1][4];
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v2, 32, 68);
// CHECK-NEXT:   f32 v3[8][1];
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
// CHECK-NEXT:   for (i32 v11 = 0; v11 < 6; v11 += 1) {
// CHECK-NEXT:     const i1 v12 = v11 < 5;
// CHECK-NEXT:     if (v12) {
// CHECK-NEXT:       const i32 v13 = v8 / 16;
// CHECK-NEXT:       const i32 v14 = v11 * 16;
// CHECK-NEXT:       const i32 v15 = v14 + v8 % 16;
// CHECK-NEXT:       const i1 v16 = v15 < 70;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v17 = 0; v17 < 8; v17 += 1) {
// CHECK-NEXT:         const i32 v18 = v13 + v17 * 8;
// CHECK-NEXT:         if (v18 < 50 && v16) {
// CHECK-NEXT:           const f32 v19 = p0[v18 * 70 + v15];
// CHECK-NEXT:           v3[v17][0] = v19;
// CHECK-NEXT:         } else {
// CHECK-NEXT:           v3[v17][0] = 0.0f;
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v20 = v14 + v8 / 8;
// CHECK-NEXT:       if (v20 < 70) {
// CHECK-NEXT:         const i32 v21 = v20 * 64 + v7 * 32 + v8 % 8 * 4;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v22 = 0; v22 < 4; v22 += 1) {
// CHECK-NEXT:           const f32 v23 = p1[v21 + v22];
// CHECK-NEXT:           v1[0][v22] = v23;
// CHECK-NEXT:         }
// CHECK-NEXT:       } else {
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v24 = 0; v24 < 4; v24 += 1) {
// CHECK-NEXT:           v1[0][v24] = 0.0f;
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v11 > 0) {
// CHECK-NEXT:       const i32 v25 = (v11 + 1) % 2 * 16;
// CHECK-NEXT:       const i32 v26 = v8 / 8 * 4;
// CHECK-NEXT:       const i32 v27 = v8 % 8 * 4;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v28 = 0; v28 < 16; v28 += 1) {
// CHECK-NEXT:         const i32 v29 = v25 + v28;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v30 = 0; v30 < 4; v30 += 1) {
// CHECK-NEXT:           const f32 v31 = v2[v29][v26 + v30];
// CHECK-NEXT:           v5[v30] = v31;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v32 = 0; v32 < 4; v32 += 1) {
// CHECK-NEXT:           const f32 v33 = v0[v29][v27 + v32];
// CHECK-NEXT:           v4[v32] = v33;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v34 = 0; v34 < 4; v34 += 1) {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v35 = 0; v35 < 4; v35 += 1) {
// CHECK-NEXT:             const f32 v36 = v4[v35];
// CHECK-NEXT:             const f32 v37 = v5[v34];
// CHECK-NEXT:             const f32 v38 = v6[v34][v35];
// CHECK-NEXT:             v6[v34][v35] = v38 + v37 * v36;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v12) {
// CHECK-NEXT:       const i32 v39 = v8 / 16;
// CHECK-NEXT:       const i32 v40 = v11 % 2 * 16;
// CHECK-NEXT:       const i32 v41 = v40 + v8 % 16;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v42 = 0; v42 < 8; v42 += 1) {
// CHECK-NEXT:         const f32 v43 = v3[v42][0];
// CHECK-NEXT:         v2[v41][v39 + v42 * 8] = v43;
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v44 = v8 % 8 * 4;
// CHECK-NEXT:       const i32 v45 = v40 + v8 / 8;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v46 = 0; v46 < 4; v46 += 1) {
// CHECK-NEXT:         const f32 v47 = v1[0][v46];
// CHECK-NEXT:         v0[v45][v44 + v46] = v47;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v48 = v8 / 8 * 4;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v49 = 0; v49 < 4; v49 += 1) {
// CHECK-NEXT:     const i32 v50 = v48 + v49;
// CHECK-NEXT:     if (v50 < 50) {
// CHECK-NEXT:       const i32 v51 = v8 % 8 * 4;
// CHECK-NEXT:       const i32 v52 = v7 * 32;
// CHECK-NEXT:       const i32 v53 = v52 + v51;
// CHECK-NEXT:       const i32 v54 = v50 * 64 + v52 + v51;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v55 = 0; v55 < 4; v55 += 1) {
// CHECK-NEXT:         const f32 v56 = v6[v49][v55];
// CHECK-NEXT:         const f32 v57 = p2[v53 + v55];
// CHECK-NEXT:         const f32 v58 = v56 + v57;
// CHECK-NEXT:         p3[v54 + v55] = 0.0f > v58 ? 0.0f : v58;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
